"""What `speedctl infra` decides without a cluster: annotations, replays, names, waiting, snapshots' files, marks."""

from __future__ import annotations

import argparse
import io
import json
import random
import tarfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from recorded_facts import Object, named

from speedscale_controller.cli import following, infra_replay, infra_sidecar, infra_snapshot
from speedscale_controller.cli.diagnosis.backend import reach
from speedscale_controller.cli.printing import table
from speedscale_controller.cli.workloads import minor_version
from speedscale_controller.snapshots import SnapshotIndex, Traffic
from speedscale_runtime.cli.root import main
from speedscale_schemas import trafficreplay
from speedscale_schemas.annotations import SIDECAR, rows
from speedscale_schemas.asking import gitops, replay_names
from speedscale_schemas.asking.replays import Ended
from speedscale_schemas.asking.workloads import kind_named
from speedscale_schemas.errors import ConfigError


def deployment(**annotations: str) -> Object:
    return {**named("Deployment", "cart", "shop", annotations=annotations), "apiVersion": "apps/v1"}


# Sidecars


def test_every_setting_of_the_table_is_an_option(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["infra", "sidecar", "add", "--help"])
    text = capsys.readouterr().out
    assert all(f"--{row.name} " in text for row in rows(SIDECAR, settable=True) if row.name != "inject")


def test_adding_writes_what_is_new_only() -> None:
    live = deployment(**{f"{SIDECAR}/inject": "true", f"{SIDECAR}/tls-out": "false"})
    assert infra_sidecar.adding(live, {f"{SIDECAR}/tls-out": "true"}) == {f"{SIDECAR}/tls-out": "true"}
    assert infra_sidecar.adding(live, {}) == {}


def test_a_contradiction_with_what_stands_there_is_refused() -> None:
    live = deployment(**{f"{SIDECAR}/memory-request": "64Mi"})
    with pytest.raises(ConfigError, match="memory-limit"):
        infra_sidecar.adding(live, {f"{SIDECAR}/memory-limit": "32Mi"})
    with pytest.raises(ConfigError, match=r"capture\.speedscale\.com/enabled"):
        infra_sidecar.adding(deployment(**{"capture.speedscale.com/enabled": "true"}), {})


def test_removing_leaves_settings_unless_asked() -> None:
    own = {f"{SIDECAR}/inject": "true", f"{SIDECAR}/tls-out": "true", "example.com/x": "y"}
    live = deployment(**own, **{"operator.speedscale.com/managed-by": "z"})
    assert infra_sidecar.removing(live, False) == {f"{SIDECAR}/inject": None}
    assert set(infra_sidecar.removing(live, True)) == {f"{SIDECAR}/inject", f"{SIDECAR}/tls-out"}
    assert infra_sidecar.removing(deployment(), True) == {}


@pytest.mark.parametrize(
    ("kind", "spec", "status", "done"),
    [
        ("Deployment", {"replicas": 2}, {"updatedReplicas": 2, "availableReplicas": 2, "replicas": 2}, True),
        ("Deployment", {"replicas": 2}, {"updatedReplicas": 2, "availableReplicas": 2, "replicas": 3}, False),
        ("Deployment", {"replicas": 2}, {"updatedReplicas": 1, "availableReplicas": 2, "replicas": 2}, False),
        ("Deployment", {"replicas": 0}, {}, True),
        ("Deployment", {}, {}, False),
        ("StatefulSet", {"replicas": 1}, {"updatedReplicas": 1, "readyReplicas": 1}, True),
        ("DaemonSet", {}, {"desiredNumberScheduled": 2, "updatedNumberScheduled": 2, "numberAvailable": 1}, False),
        ("CronJob", {}, {}, True),
    ],
)
def test_rolled_out(kind: str, spec: Any, status: Any, done: bool) -> None:
    metadata = {"generation": 3}
    seen = {"kind": kind, "metadata": metadata, "spec": spec, "status": {"observedGeneration": 3, **status}}
    assert infra_sidecar.rolled_out(seen) is done
    old = {**seen, "status": {**seen["status"], "observedGeneration": 2}}
    assert infra_sidecar.rolled_out(old) is (kind == "CronJob")


@pytest.mark.parametrize(
    ("metadata", "told"),
    [
        ({}, ""),
        ({"annotations": {"argocd.argoproj.io/tracking-id": "shop:apps/Deployment:a/b"}}, "Argo CD (Application shop)"),
        ({"labels": {"argocd.argoproj.io/instance": "shop"}}, "Argo CD (Application shop)"),
        ({"labels": {"helm.toolkit.fluxcd.io/name": "shop"}}, "Flux (HelmRelease shop)"),
        ({"managedFields": [{"manager": "kustomize-controller"}]}, "Flux"),
        ({"labels": {"app.kubernetes.io/managed-by": "Helm"}}, ""),
    ],
)
def test_whose_an_object_is(metadata: Any, told: str) -> None:
    found = gitops.owner({"metadata": metadata})
    assert (str(found) if found else "") == told


@pytest.mark.parametrize(
    ("word", "kind"), [("deploy", "Deployment"), ("StatefulSets", "StatefulSet"), ("cj", "CronJob")]
)
def test_kinds_as_people_write_them(word: str, kind: str) -> None:
    assert kind_named(word) == kind
    with pytest.raises(ConfigError, match="no kind of workload"):
        kind_named("service")


@pytest.mark.parametrize(
    ("text", "version"), [("v1.34.4", (1, 34)), ("v1.29.3-gke.100", (1, 29)), ("v1.30+", (1, 30)), ("", (0, 0))]
)
def test_versions(text: str, version: tuple[int, int]) -> None:
    assert minor_version(text) == version


# Replays


def arguments(**given: Any) -> argparse.Namespace:
    defaults = {"snapshot_id": "s1", "test_config_id": "standard", "mode": "full-replay", "tests": None, "mocks": None}
    return argparse.Namespace(**{**defaults, "cleanup": None, "build_tag": None, **given})


def test_one_workload_gets_everything() -> None:
    made = infra_replay.build(arguments(cleanup="none", build_tag="v1"), "quiet-oak", "shop", [deployment()])
    assert trafficreplay.validate(made) == []
    (item,) = made["spec"]["workloads"]
    assert (item["tests"], item["mocks"]) == (["*"], ["*"])
    assert item["ref"] == {"apiVersion": "apps/v1", "kind": "Deployment", "name": "cart", "namespace": "shop"}
    assert (made["spec"]["cleanup"], made["spec"]["buildTag"]) == ("none", "v1")


@pytest.mark.parametrize(("mode", "keys"), [("responder-only", {"ref", "mocks"}), ("generator-only", {"ref", "tests"})])
def test_modes_leave_out_what_they_do_not_use(mode: str, keys: set[str]) -> None:
    made = infra_replay.build(arguments(mode=mode), "n", "shop", [deployment()])
    assert set(made["spec"]["workloads"][0]) == keys


def test_several_workloads_get_the_tests_of_their_name() -> None:
    other = {**named("StatefulSet", "basket", "shop"), "apiVersion": "apps/v1"}
    made = infra_replay.build(arguments(), "n", "shop", [deployment(), other])
    assert [item["tests"] for item in made["spec"]["workloads"]] == [["cart"], ["basket"]]
    with pytest.raises(ConfigError, match="are for one --workload"):
        infra_replay.build(arguments(tests=["a"]), "n", "shop", [deployment(), other])
    with pytest.raises(ConfigError, match="Job shop/import cannot be under test"):
        infra_replay.build(arguments(), "n", "shop", [{**named("Job", "import", "shop"), "apiVersion": "batch/v1"}])


def test_which_traffic_is_meant() -> None:
    def traffic(*keys: str) -> dict[str, Traffic]:
        return {key: Traffic(key, key, key, 80, "http", 3) for key in keys}

    index = SnapshotIndex("s1", "", traffic("cart-in"), traffic("pay", "stock"), ())
    replay = infra_replay.build(arguments(mocks=["pay"]), "n", "shop", [deployment()])
    (part,), problems = infra_replay.selection(replay, index)
    assert problems == []
    assert part == {
        "workload": "deployment/cart",
        "tests": [{"key": "cart-in", "requests": 3}],
        "mocks": [{"key": "pay", "requests": 3}],
        "notMocked": ["stock"],
    }
    replay = infra_replay.build(arguments(mocks=["bank"]), "n", "shop", [deployment()])
    _, problems = infra_replay.selection(replay, index)
    assert "spec.workloads[0].mocks[0]: 'bank' is no key" in problems[0]


def test_generated_names_are_names_of_objects() -> None:
    made = {replay_names.generate(random.Random(seed)) for seed in range(300)}
    assert len(made) > 250
    for name in made:
        replay = infra_replay.build(arguments(), name, "shop", [deployment()])
        assert trafficreplay.validate(replay) == []
    assert len(set(replay_names.ADJECTIVES)) == len(replay_names.ADJECTIVES)
    assert len(set(replay_names.NOUNS)) == len(replay_names.NOUNS)


# Waiting


def seen(*conditions: tuple[str, str, str, str], **metadata: Any) -> Object:
    keys = ("type", "status", "reason", "message")
    return {"metadata": metadata, "status": {"conditions": [dict(zip(keys, c, strict=True)) for c in conditions]}}


@pytest.mark.parametrize(
    ("reason", "message", "ended", "code"),
    [
        ("TestSucceeded", "Passed", Ended.PASSED, 0),
        ("TestFailed", "Failed: Missed Goals", Ended.FAILED, 1),
        ("TestFailed", "Failed: Canceled", Ended.CANCELED, 1),
        ("TestFailed", "Failed: pod cart-1 cannot pull its image", Ended.ERROR, 2),
    ],
)
def test_how_a_replay_ended(reason: str, message: str, ended: Ended, code: int) -> None:
    found = following.ended(seen(("Ready", "True", reason, message)), mocks_suffice=False)
    assert found is not None
    assert (found.ended, found.ended.exit_code, found.message) == (ended, code, message)


class Time:
    """A clock that only sleeping moves."""

    def __init__(self) -> None:
        self.now = 0.0

    def clock(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now += seconds


def follow(looks: list[Object | None], timeout_s: float = 60.0, **options: Any) -> tuple[following.Outcome, list[str]]:
    told: list[str] = []
    time, coming = Time(), iter(looks)
    last: list[Object | None] = [None]

    def look() -> Object | None:
        last[0] = next(coming, last[0])
        return last[0]

    given = {"timeout_s": timeout_s, "clock": time.clock, "sleep": time.sleep}
    return following.follow(look, told.append, **given, **options), told


def test_each_condition_is_told_once() -> None:
    running = seen(("Running", "True", "Created", "looks"))
    end = seen(("Running", "False", "Analysed", "x"), ("Ready", "True", "TestSucceeded", "Passed"))
    outcome, told = follow([seen(), running, running, end])
    assert outcome.ended is Ended.PASSED
    assert told == ["the operator has not seen it yet", "Created: looks", "TestSucceeded: Passed"]


def test_ends_that_are_no_verdict() -> None:
    running = seen(("Running", "True", "Created", "looks"))
    assert follow([running, None])[0].ended is Ended.CANCELED
    assert follow([running, {**running, "metadata": {"deletionTimestamp": "x"}}])[0].ended is Ended.CANCELED
    outcome, _ = follow([running], timeout_s=5)
    assert (outcome.ended, outcome.ended.exit_code) == (Ended.TIMEOUT, 2)
    assert "Created: looks" in outcome.message
    mocks = seen(("MocksReady", "True", "Ready", "2 hosts"))
    assert follow([mocks], mocks_suffice=True)[0].ended is Ended.MOCKS_READY
    assert follow([mocks], timeout_s=2)[0].ended is Ended.TIMEOUT


# Snapshots


FILES = {"snapshot.json": b"{}", "action.jsonl": b"a\n", "reaction.jsonl": b"b\n"}


def tar(path: Path, *folders: str, files: dict[str, bytes] | None = None) -> Path:
    with tarfile.open(path, "w:gz") as out:
        for folder in folders or ("",):
            for name, content in (files or FILES).items():
                member = tarfile.TarInfo(f"{folder}{name}")
                member.size = len(content)
                out.addfile(member, io.BytesIO(content))
    return path


def test_a_snapshot_from_a_folder_and_from_a_tar(tmp_path: Path) -> None:
    folder = tmp_path / "s"
    folder.mkdir()
    for name, content in FILES.items():
        (folder / name).write_bytes(content)
    (folder / ".hidden").write_text("x")
    assert infra_snapshot.files(folder) == FILES
    assert infra_snapshot.files(tar(tmp_path / "a.tgz")) == FILES
    assert infra_snapshot.files(tar(tmp_path / "b.tgz", "one/")) == FILES
    assert infra_snapshot.files(tar(tmp_path / "c.tgz", "../../etc/")) == FILES  # names are keys, never paths


def _bad(tmp_path: Path) -> Iterator[tuple[Path, str]]:
    (tmp_path / "empty").mkdir()
    (tmp_path / "text").write_text("no tar")
    yield tmp_path / "absent", "no such folder or file"
    yield tmp_path / "empty", "has no snapshot.json"
    yield tmp_path / "text", "no readable tar"
    yield tar(tmp_path / "two.tgz", "a/", "b/"), "holds 2 files snapshot.json"
    yield tar(tmp_path / "none.tgz", files={"x": b""}), "holds 0 files snapshot.json"


def test_what_is_no_snapshot(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for path, said in _bad(tmp_path):
        with pytest.raises(ConfigError, match=said):
            infra_snapshot.files(path)
    monkeypatch.setattr(infra_snapshot, "MAX_BYTES", 4)
    with pytest.raises(ConfigError, match="more than 4 bytes"):
        infra_snapshot.files(tar(tmp_path / "big.tgz"))


# The backend


def test_the_backend_is_asked_with_patience() -> None:
    pauses: list[float] = []
    answers: list[Any] = [OSError(111, "Connection refused"), OSError(111, "Connection refused"), None]

    def ask(url: str) -> None:
        assert url == "https://cloud.example.com"
        answer = answers.pop(0)
        if answer:
            raise answer

    environ = {"SPEEDSCALE_API_KEY": "x"}
    found = reach("cloud.example.com", attempts=3, delay_s=2.5, environ=environ, ask=ask, sleep=pauses.append)
    assert (found.problem, found.attempts, pauses) == ("", 3, [2.5, 2.5])
    answers[:] = [OSError(111, "Connection refused")]
    found = reach("cloud.example.com", attempts=1, delay_s=9, environ={}, ask=ask, sleep=pauses.append)
    assert (found.problem, found.no_key, len(pauses)) == ("Connection refused", True, 2)
    assert reach("https://", attempts=1, delay_s=0, environ={}).problem == "this is no address"


# The root


def test_without_a_cluster_everything_but_the_backend_is_skipped(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    for name in ("KUBECONFIG", "SPEEDSCALE_APP_URL", "KUBERNETES_SERVICE_HOST"):
        monkeypatch.delenv(name, raising=False)
    assert main(["doctor", "--pre", "-o", "json"]) == 0
    found = json.loads(capsys.readouterr().out)["results"]
    assert {one["verdict"] for one in found} == {"skipped"}
    assert main(["doctor", "--pre", "--app-url", "http://127.0.0.1:1", "-o", "json"]) == 1
    found = {one["check"]: one for one in json.loads(capsys.readouterr().out)["results"]}
    assert "refused" in found["backend"]["cause"]
    for verb in (["doctor"], ["infra", "workloads"], ["uninstall", "--yes"]):
        assert main(verb) == 2
        assert "no cluster is named" in capsys.readouterr().err


def test_the_list_of_checks_and_wrong_use(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["doctor", "--list"]) == 0
    assert "webhook-canary" in capsys.readouterr().out
    assert main(["doctor", "--check", "bundel"]) == 2
    assert "did you mean 'bundle'" in capsys.readouterr().err
    assert main(["doctor", "--pre", "--attempts", "0"]) == 2


def test_columns() -> None:
    assert table(("A", "B"), [("long", "x"), ("s", "")]) == "A     B\nlong  x\ns"
