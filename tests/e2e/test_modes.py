"""Replays in their other modes, sidecars in pods that end, and a driver that is not ours, each in pods.

The dependency is taken away before a replay that mocks it: who answers then is the mock.
"""

from __future__ import annotations

import copy
import os
import signal
import subprocess
import sys
import urllib.parse
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pods
import pytest
import yaml
from shop import CAPTURED, LOAD, VISIT, Shop, condition, opened, status, told, visit
from whole import Whole

from speedscale_kube import Object, Ref

EXAMPLE = Path(__file__).resolve().parents[2] / "examples" / "external-driver"
PAYMENTS = "charges"


@pytest.fixture(scope="module")
def shop(installed: Whole, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shop]:
    """A captured application that has its orders paid elsewhere, and who calls it."""
    folder = tmp_path_factory.mktemp("load")
    with opened(installed, folder, "modes", "checkout", lambda shop: shop.pays(PAYMENTS)) as made:
        yield made


@pytest.fixture(scope="module")
def snapshot(shop: Shop) -> str:
    """What the application was asked, and what it asked its dependency, in one visit."""
    return shop.recorded(1)


@pytest.fixture
def alone(shop: Shop) -> Iterator[None]:
    """The dependency is gone; without mocks an order cannot be paid."""
    scale(shop, PAYMENTS, 0)
    shop.whole.until(lambda: not shop.whole.node.pods(shop.namespace, f"app={PAYMENTS}"), "the dependency is gone")
    yield
    scale(shop, PAYMENTS, 1)
    shop.rolled_out(PAYMENTS)


def scale(shop: Shop, name: str, replicas: int) -> None:
    which = Ref("apps/v1", "Deployment", shop.namespace, name)
    shop.whole.kube.patch(which, {"spec": {"replicas": replicas}}, "tests")


def gone(shop: Shop, which: Ref) -> None:
    shop.whole.kube.delete(which)
    shop.whole.until(lambda: shop.whole.kube.find(which) is None, "the replay is gone", 120.0)


def spec(shop: Shop) -> Any:
    return copy.deepcopy(shop.whole.kube.get(shop.ref)["spec"])


def restored(shop: Shop, before: Any) -> None:
    """Wait until the workload is as before a replay, and none of the replay's pods is called any more."""
    shop.whole.until(lambda: spec(shop) == before, "the workload is as before", 120.0)
    shop.rolled_out(shop.name)


def workloads(shop: Shop, **more: Any) -> list[Object]:
    return [{"ref": {"kind": "Deployment", "name": shop.name}, "mocks": ["*"], **more}]


def test_mocks_alone_stay_until_the_replay_is_deleted(shop: Shop, snapshot: str, alone: None) -> None:
    before = spec(shop)
    assert shop.ask(visit(shop.url, "c-0")).split()[1] in ("502", "504"), "the control: nobody takes it"
    which = shop.replay("mocks-alone", snapshot, mode="responder-only", workloads=workloads(shop))
    try:
        shop.whole.until(lambda: status(shop.condition(which, "MocksReady")) == "True", "mocks are ready", 180.0)
        assert shop.ask(visit(shop.url, "c-0")).split() == VISIT, "the mock takes the payment"
        assert status(shop.condition(which, "Ready")) != "True", "it goes on"
    finally:
        gone(shop, which)
    restored(shop, before)


def test_tests_alone_leave_the_workload_untouched(shop: Shop, snapshot: str) -> None:
    generation = shop.whole.kube.get(shop.ref)["metadata"]["generation"]
    only = [{"ref": {"kind": "Deployment", "name": shop.name}, "tests": ["*"]}]
    which = shop.replay("tests-alone", snapshot, mode="generator-only", workloads=only)
    try:
        ended = shop.ended(which)
        assert condition(ended, "Ready")["reason"] == "TestSucceeded", told(ended)
        assert shop.whole.kube.get(shop.ref)["metadata"]["generation"] == generation
    finally:
        gone(shop, which)


def test_routes_lead_to_the_mocks_by_address_translation(shop: Shop, snapshot: str) -> None:
    before = spec(shop)
    which = shop.replay("by-routes", snapshot, workloads=workloads(shop, tests=["*"], routing="nat"))
    try:
        shop.whole.until(lambda: status(shop.condition(which, "MocksReady")) == "True", "mocks are ready", 180.0)
        pod = shop.pod()
        inits = {one["name"]: one for one in pod["spec"]["initContainers"]}
        routes = {one["name"]: one.get("value") for one in inits["speedscale-initproxy-responder"]["env"]}
        assert PAYMENTS in str(routes["RESPONDER_ROUTES"])
        assert not pod["spec"].get("hostAliases")
        ended = shop.ended(which)
        assert condition(ended, "Ready")["reason"] == "TestSucceeded", told(ended)
        report = shop.whole.cloud(f"/v1/reports/{ended['status']['reportID']}?format=json")
        assert report
    finally:
        gone(shop, which)
    restored(shop, before)


def test_a_secret_is_put_into_what_is_sent(shop: Shop, snapshot: str) -> None:
    customer = "blue-teapot"
    meta = {"name": "shop-login", "namespace": shop.namespace}
    shop.whole.kube.apply(
        {"apiVersion": "v1", "kind": "Secret", "metadata": meta, "stringData": {"customer": customer}}, "tests"
    )
    step = {"type": "constant", "config": {"new": "${{secret:shop-login/customer}}"}}
    chain = {"extractor": {"type": "http_req_header", "config": {"name": "X-Customer"}}, "transforms": [step]}
    standard = shop.whole.cloud("/v1/testconfigs/standard")
    named = {**standard, "id": "named", "transforms": {"generator": [chain]}}
    shop.whole.cloud_text("/v1/testconfigs/named", body=named, method="PUT")
    which = shop.replay("with-a-secret", snapshot, testConfigID="named", workloads=workloads(shop, tests=["*"]))
    try:
        ended = shop.ended(which)
        assert condition(ended, "Ready")["reason"] == "TestSucceeded", told(ended)
    finally:
        gone(shop, which)
    asked = urllib.parse.quote(f'(header[X-Customer] IS "{customer}")', safe="()")
    shop.whole.until(lambda: bool(shop.stored(filter=asked, direction="IN")), "the application got it", 60.0)


def test_a_job_is_recorded_and_ends(shop: Shop) -> None:
    calls = f"for n in 1 2 3 4 5; do curl -s -m 20 -o /dev/null '{shop.url}/api/customers/job-'$n || exit 1; done"
    template = pods.pod(shop.namespace, "visitor", LOAD, calls)["spec"] | {
        "restartPolicy": "Never",
        "terminationGracePeriodSeconds": 30,
    }
    manifest = {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": {"namespace": shop.namespace, "name": "visitor", "annotations": CAPTURED},
        "spec": {"template": {"metadata": {"labels": {"app": "visitor"}}, "spec": template}, "backoffLimit": 0},
    }
    shop.whole.kube.apply(manifest, pods.MANAGER)
    job = Ref("batch/v1", "Job", shop.namespace, "visitor")
    shop.whole.until(lambda: shop.whole.kube.get(job)["status"].get("succeeded") == 1, "the Job has ended", 120.0)
    (pod,) = shop.whole.pods(shop.namespace, "app=visitor")
    (sidecar,) = (one for one in pod["spec"]["initContainers"] if one["name"] == "speedscale-goproxy")
    assert sidecar["restartPolicy"] == "Always"
    assert pod["status"]["phase"] == "Succeeded"
    asked = "(location%20CONTAINS%20%22job-%22)"
    shop.whole.until(
        lambda: len(shop.stored(filter=asked, service="visitor", direction="OUT")) == 5, "its calls are at the backend"
    )


def driven(shop: Shop, folder: Path, snapshot: str, *command: str) -> subprocess.Popen[str]:
    """Start the example's script around a command, with kubectl as a user has it."""
    import go_tools

    manifest = yaml.safe_load((EXAMPLE / "replay.yaml").read_text(encoding="utf-8"))
    manifest["spec"] |= {"snapshotID": snapshot, "workloads": workloads(shop)}
    (folder / "replay.yaml").write_text(yaml.safe_dump(manifest), encoding="utf-8")
    kubectl = Path(str(go_tools.ensure("kubectl")[0])).parent
    environment = {
        "PATH": os.pathsep.join([str(kubectl), os.environ["PATH"]]),
        "KUBECONFIG": str(shop.whole.node.kubeconfig),
        "HOME": str(folder),
    }
    script = [str(EXAMPLE / "with-mocks.sh"), shop.namespace, "replay.yaml", *command]
    return subprocess.Popen(
        script, cwd=folder, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )


def test_a_driver_of_ones_own_runs_among_mocks(shop: Shop, snapshot: str, alone: None, tmp_path: Path) -> None:
    before = spec(shop)
    kubectl = f"kubectl -n {shop.namespace} exec load -- sh -c"
    (tmp_path / "drive").write_text(
        f'{kubectl} "{visit(shop.url, "c-0").replace(chr(34), chr(92) + chr(34))}"', "utf-8"
    )
    done = driven(shop, tmp_path, snapshot, "sh", "drive")
    output, _ = done.communicate(timeout=600)
    assert done.returncode == 0, output
    assert "201\n201\n200\n204\n" in output
    assert shop.whole.kube.find(Ref("speedscale.com/v1", "TrafficReplay", shop.namespace, "mocks")) is None
    restored(shop, before)


def test_a_driver_that_is_terminated_leaves_no_mocks(shop: Shop, snapshot: str, tmp_path: Path) -> None:
    before = spec(shop)
    started = tmp_path / "started"
    command = (sys.executable, "-c", f"import pathlib, time; pathlib.Path({str(started)!r}).touch(); time.sleep(600)")
    running = driven(shop, tmp_path, snapshot, *command)
    shop.whole.until(lambda: started.exists() or running.poll() is not None, "the driver runs", 240.0)
    running.send_signal(signal.SIGTERM)
    output, _ = running.communicate(timeout=240)
    assert running.returncode == 143, output
    assert shop.whole.kube.find(Ref("speedscale.com/v1", "TrafficReplay", shop.namespace, "mocks")) is None
    restored(shop, before)
