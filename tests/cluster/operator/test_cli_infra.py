"""`speedctl infra` with an operator that runs: sidecars in and out, snapshots, replays started, shown and canceled."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from harness.cluster import Cluster
from harness.nodes import Nodes
from harness.operator import Installation
from harness.replaying import SNAPSHOT, snapshot
from harness.workloads import INJECT, SIDECAR, containers, create, deployment

from speedscale_kube import Client, Ref
from speedscale_runtime.cli.root import main

pytestmark = pytest.mark.integration
Infra = Callable[..., tuple[int, Any, str]]
REPLAY = "speedscale.com/v1", "TrafficReplay"


@pytest.fixture
def infra(cluster: Cluster, namespace: str, capsys: pytest.CaptureFixture[str]) -> Infra:
    def run(*arguments: str, output: bool = True) -> tuple[int, Any, str]:
        capsys.readouterr()
        form = ["-o", "json"] if output else []
        code = main(["infra", *arguments, "-n", namespace, "--kubeconfig", str(cluster.kubeconfig), *form])
        printed = capsys.readouterr()
        return code, json.loads(printed.out) if output and printed.out else printed.out, printed.err

    return run


@pytest.fixture
def pushed(infra: Infra, tmp_path: Path) -> Path:
    """A snapshot's folder, pushed into the namespace."""
    folder = tmp_path / "snapshot"
    folder.mkdir()
    for name, content in snapshot().items():
        (folder / name).write_bytes(content)
    code, said, err = infra("snapshot", "push", str(folder))
    assert (code, said["snapshotId"]) == (0, SNAPSHOT), err
    return folder


def test_a_sidecar_goes_in_and_out(
    operator: Installation, cluster: Cluster, kube: Client, namespace: str, infra: Infra
) -> None:
    create(cluster, deployment("cart", namespace))
    which = Ref("apps/v1", "Deployment", namespace, "cart")
    before = kube.get(which)
    code, said, err = infra("sidecar", "add", "cart", "--tls-out", "--proxy-type", "dual", "--dry-run")
    assert code == 0, err
    assert (said["dryRun"], said["injected"]) == (True, True)
    assert kube.get(which)["spec"] == before["spec"]

    code, said, err = infra("sidecar", "add", "deploy/cart", "--tls-out", "--memory-limit", "128Mi")
    assert (code, said["injected"]) == (0, True), err
    assert SIDECAR in containers(kube.get(which))
    _, said, _ = infra("workloads", "--captured")
    assert [(one["name"], one["state"], one["message"]) for one in said["workloads"]] == [("cart", "injected", "")]

    code, said, err = infra("sidecar", "remove", "cart", "--settings")
    assert (code, said["state"]) == (0, "none"), err
    after = kube.get(which)
    assert after["spec"] == before["spec"]
    assert after["metadata"].get("annotations", {}).keys() <= {"deployment.kubernetes.io/revision"}


def test_waiting_until_the_pods_have_it(
    operator: Installation, running_pods: Nodes, cluster: Cluster, kube: Client, namespace: str, infra: Infra
) -> None:
    create(cluster, deployment("cart", namespace))
    code, said, err = infra("sidecar", "add", "cart", "--wait", "--timeout", "60s")
    assert (code, said["injected"]) == (0, True), err
    status = kube.get(Ref("apps/v1", "Deployment", namespace, "cart"))["status"]
    assert (status["updatedReplicas"], status["availableReplicas"]) == (1, 1)
    code, said, err = infra("sidecar", "remove", "cart", "--wait", "--timeout", "60s")
    assert (code, said["injected"]) == (0, False), err


def test_what_the_operator_would_refuse_is_refused_before_it_is_written(
    operator: Installation, cluster: Cluster, kube: Client, namespace: str, infra: Infra
) -> None:
    create(cluster, deployment("cart", namespace))
    code, _, err = infra("sidecar", "add", "cart", "--proxy-type", "sideways")
    assert code == 2
    assert "accepted: transparent, reverse, forward, dual" in err
    assert "annotations" not in kube.get(Ref("apps/v1", "Deployment", namespace, "cart"))["metadata"] or not kube.get(
        Ref("apps/v1", "Deployment", namespace, "cart")
    )["metadata"]["annotations"].get("sidecar.speedscale.com/inject")
    code, _, err = infra("sidecar", "add", "basket")
    assert code == 2
    assert "no workload 'basket'" in err


def test_an_object_of_git_is_left_to_git(
    operator: Installation, cluster: Cluster, kube: Client, namespace: str, infra: Infra
) -> None:
    tracking = f"shop:apps/Deployment:{namespace}/cart"
    create(cluster, deployment("cart", namespace, **{"argocd.argoproj.io/tracking-id": tracking}))
    code, _, err = infra("sidecar", "add", "cart", "--tls-out")
    assert code == 2
    assert "managed by Argo CD (Application shop)" in err
    assert 'sidecar.speedscale.com/inject: "true"' in err
    code, said, err = infra("sidecar", "add", "cart", "--tls-out", "--force")
    assert (code, said["injected"]) == (0, True), err


def test_why_there_is_no_sidecar_stands_in_the_list(
    operator: Installation, cluster: Cluster, namespace: str, infra: Infra
) -> None:
    host = deployment("on-the-host", namespace, **INJECT)
    host["spec"]["template"]["spec"]["hostNetwork"] = True
    create(cluster, host)
    create(cluster, deployment("plain", namespace))
    code, said, _ = infra("workloads")
    assert code == 0
    found = {one["name"]: (one["state"], one["reason"]) for one in said["workloads"]}
    assert found == {"on-the-host": ("skipped", "host_network"), "plain": ("none", "")}
    _, text, _ = infra("workloads", output=False)
    assert "deployment/on-the-host  skipped" in text


def test_a_dry_run_shows_the_traffic_that_is_meant(
    operator: Installation, cluster: Cluster, namespace: str, infra: Infra, pushed: Path
) -> None:
    create(cluster, deployment("checkout", namespace))
    code, said, err = infra("replay", "start", "--snapshot-id", "latest", "--workload", "checkout", "--dry-run")
    assert code == 0, err
    (part,) = said["workloads"]
    assert part["workload"] == "deployment/checkout"
    assert len(part["tests"]) == 1
    assert len(part["mocks"]) == 2
    assert part["notMocked"] == []
    code, said, err = infra(
        "replay", "start", "--snapshot-id", SNAPSHOT, "--workload", "checkout", "--dry-run", "--mocks", "none-of-it"
    )
    assert code == 1
    assert "none-of-it" in err
    code, _, err = infra("replay", "start", "--snapshot-id", "nope", "--workload", "checkout", "--dry-run")
    assert code == 2
    assert SNAPSHOT in err
    code, said, _ = infra("snapshot", "list")
    assert said["snapshots"] == [SNAPSHOT]


def test_a_replay_is_started_listed_described_and_canceled(
    operator: Installation, cluster: Cluster, kube: Client, namespace: str, infra: Infra, pushed: Path
) -> None:
    create(cluster, deployment("checkout", namespace))
    code, said, err = infra("replay", "start", "--snapshot-id", SNAPSHOT, "--workload", "checkout")
    assert code == 0, err
    name = said["name"]
    which = Ref(*REPLAY, namespace, name)
    Cluster.until(lambda: (kube.get(which).get("status") or {}).get("conditions"), "the operator has seen it")
    code, said, _ = infra("replay", "list")
    assert [one["name"] for one in said["replays"]] == [name]
    code, said, _ = infra("replay", "describe", name)
    assert (code, said["snapshotId"]) == (0, SNAPSHOT)
    code, text, _ = infra("replay", "describe", name, output=False)
    assert "Running" in text
    code, _, err = infra("replay", "describe", "no-such")
    assert code == 2
    assert name in err
    code, _, err = infra("replay", "cancel", name, "--wait", "--timeout", "60s", output=False)
    assert code == 0, err
    assert kube.find(which) is None


def test_a_replay_that_cannot_run_ends_the_wait_with_an_error(
    operator: Installation, running_pods: Nodes, cluster: Cluster, namespace: str, infra: Infra, pushed: Path
) -> None:
    """The generator's pod ends without a summary, as pods are played here."""
    create(cluster, deployment("checkout", namespace))
    code, said, err = infra(
        "replay", "start", "--snapshot-id", SNAPSHOT, "--workload", "checkout", "--mode", "generator-only", "--wait",
        "--timeout", "90s",
    )  # fmt: skip
    assert (code, said["outcome"]) == (2, "error"), err
    assert said["message"].startswith("Failed: ")
    code, again, _ = infra("replay", "wait", said["name"])
    assert (code, again["message"]) == (2, said["message"])


def test_sigterm_while_waiting_cancels_when_asked(
    operator: Installation, cluster: Cluster, kube: Client, namespace: str, pushed: Path, tmp_path: Path
) -> None:
    create(cluster, deployment("checkout", namespace))
    speedctl = "import sys; from speedscale_runtime.cli.root import main; sys.exit(main())"
    command = [sys.executable, "-c", speedctl, "infra", "replay", "start", "-n", namespace]
    command += ["--snapshot-id", SNAPSHOT, "--workload", "checkout", "--name", "quiet-oak", "--wait"]
    command += ["--cancel-on-exit", "--kubeconfig", str(cluster.kubeconfig), "-o", "json"]
    log = tmp_path / "said"
    with log.open("w") as said, subprocess.Popen(command, stdout=subprocess.PIPE, stderr=said, text=True) as process:
        which = Ref(*REPLAY, namespace, "quiet-oak")
        try:
            Cluster.until(lambda: "was made" in log.read_text(), "it waits")
            os.kill(process.pid, signal.SIGTERM)
            out, _ = process.communicate(timeout=30)
        finally:
            process.kill()
    assert process.returncode == 1
    assert json.loads(out)["outcome"] == "canceled"
    Cluster.until(lambda: kube.find(which) is None, "the replay is gone")
