"""What is followed of the pods under test, and what becomes of what cannot be had."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from prometheus_client import CollectorRegistry

from speedscale_kube.errors import ForbiddenError, NotFoundError
from speedscale_runtime.collector import follower as following
from speedscale_runtime.collector import quantities
from speedscale_runtime.collector.config import Workload
from speedscale_runtime.collector.follower import Follower, time_of
from speedscale_runtime.collector.metrics import Metrics
from speedscale_runtime.collector.rings import Rings
from speedscale_schemas.errors import TransientError

WORKLOAD = Workload("Deployment", "checkout", "shop", "app=checkout")
POD = {
    "metadata": {"name": "checkout-1"},
    "status": {"containerStatuses": [{"name": "app", "state": {"running": {}}}]},
}


class Cluster:
    """An API server as the client shows it: lists by kind, a log by lines with their times."""

    def __init__(self) -> None:
        self.lists: dict[str, Any] = {"Pod": [POD], "Event": [], "PodMetrics": []}
        self.lines: list[str] = []
        self.asked: list[str] = []

    def list(self, api_version: str, kind: str, namespace: str = "", *, labels: str = "") -> Any:
        found = self.lists[kind]
        if isinstance(found, Exception):
            raise found
        return found

    def log(self, pod: Any, *, since: str = "", max_bytes: int = 0, **rest: Any) -> str:
        self.asked.append(since)
        lines = [line for line in self.lines if not since or line[:20] >= since[:19]]
        return "".join(f"{line}\n" for line in lines)[:max_bytes]


def follow(cluster: Cluster, tmp_path: Path, limit: int = 10_000) -> tuple[Follower, Rings]:
    metrics = Metrics(CollectorRegistry())
    rings = Rings(tmp_path / "logs", limit, metrics.log_dropped.inc)
    return Follower(WORKLOAD, lambda: cluster, rings, metrics, 1.0), rings


def test_a_log_is_read_on_from_where_it_was_and_no_line_twice(tmp_path: Path) -> None:
    cluster = Cluster()
    one, rings = follow(cluster, tmp_path)
    cluster.lines = ["2026-01-02T03:04:05.1Z one", "2026-01-02T03:04:05.25Z two"]
    one.look()
    cluster.lines += ["2026-01-02T03:04:05.3Z three", "2026-01-02T03:04:06Z four"]
    one.look()
    one.look()
    text = dict(rings.logs())["checkout-1_app"].decode()
    assert [line.split()[1] for line in text.splitlines()] == ["one", "two", "three", "four"]
    assert cluster.asked == ["", "2026-01-02T03:04:05Z", "2026-01-02T03:04:06Z"]


def test_more_in_a_second_than_a_look_reads_does_not_stop_it(tmp_path: Path, monkeypatch: Any) -> None:
    monkeypatch.setattr(following, "LOOK_BYTES", 100)
    cluster = Cluster()
    one, rings = follow(cluster, tmp_path)
    cluster.lines = [f"2026-01-02T03:04:05.{n:09d}Z {'x' * 20}" for n in range(9)] + ["2026-01-02T03:04:06Z last"]
    for _ in range(4):
        one.look()
    assert b" last" in dict(rings.logs())["checkout-1_app"]
    assert any("more were written than could be read" in note for note in one.notes())


def test_times_compare_whatever_their_digits_and_zone() -> None:
    stamps = ["2026-01-02T03:04:05Z a", "2026-01-02T03:04:05.09Z b", "2026-01-02T04:04:05.1+01:00 c"]
    assert [time_of(s) for s in stamps] == sorted(time_of(s) for s in stamps)
    assert time_of("no time") == time_of("") == ""


def test_what_is_missing_is_said_and_the_rest_goes_on(tmp_path: Path) -> None:
    cluster = Cluster()
    cluster.lists["PodMetrics"] = NotFoundError("UnknownKind", "no such kind")
    cluster.lists["Event"] = ForbiddenError("Forbidden", "events is forbidden")
    cluster.lines = ["2026-01-02T03:04:05Z one"]
    one, rings = follow(cluster, tmp_path)
    one.look()
    assert list(dict(rings.logs())) == ["checkout-1_app"]
    notes = "\n".join(one.notes())
    assert "CPU and memory of the pods under test are missing: the cluster has no metrics API" in notes
    assert "events of the pods under test are missing: a right is missing" in notes
    cluster.lists["Event"] = []
    one.look()
    assert "events" not in "\n".join(one.notes())


def test_an_api_server_that_is_away_costs_nothing_but_a_note(tmp_path: Path) -> None:
    cluster = Cluster()
    cluster.lists["Pod"] = TransientError("no answer")
    one, _ = follow(cluster, tmp_path)
    one.look()
    assert any("cannot be listed: no answer" in note for note in one.notes())


def test_events_of_the_pods_and_the_workload_only(tmp_path: Path) -> None:
    cluster = Cluster()
    about = [("Pod", "checkout-1"), ("Deployment", "checkout"), ("Pod", "other")]
    cluster.lists["Event"] = [
        {"metadata": {"uid": str(n)}, "involvedObject": {"kind": k, "name": v}, "reason": "R", "message": "m"}
        for n, (k, v) in enumerate(about)
    ]
    one, _ = follow(cluster, tmp_path)
    one.look()
    assert [e["object"] for e in one.events.values()] == ["Pod/checkout-1", "Deployment/checkout"]


def test_resource_use_is_sampled_once_a_time(tmp_path: Path) -> None:
    cluster = Cluster()
    usage = {"cpu": "210m", "memory": "118Mi"}
    sample = {"metadata": {"name": "checkout-1"}, "timestamp": "t1", "containers": [{"name": "app", "usage": usage}]}
    cluster.lists["PodMetrics"] = [sample]
    one, _ = follow(cluster, tmp_path)
    one.look()
    one.look()
    assert one.notes() == ["pod checkout-1, container app: at most 210m CPU and 118 MiB of memory"]
    assert len(one.usage["pod checkout-1, container app"].samples) == 1


def test_quantities() -> None:
    assert quantities.cores("250m") == 0.25
    assert round(quantities.cores("1500000n"), 6) == 0.0015
    assert quantities.size("64Mi") == 64 * 2**20
    assert (quantities.cores(None), quantities.size("lots")) == (0.0, 0)


def test_a_ring_keeps_the_newest_and_counts_the_rest(tmp_path: Path) -> None:
    dropped: list[int] = []
    rings = Rings(tmp_path / "r", 1000, dropped.append)
    for n in range(300):
        rings.add("pod", "app", b"%09d\n" % n)
    text = dict(rings.logs())["pod_app"]
    assert text.endswith(b"000000299\n")
    assert 500 <= len(text) <= 1000
    assert len(text) + sum(dropped) == 3000
    rings.add("../../etc", "app", b"x\n")
    assert sorted(p.parent.name for p in tmp_path.rglob("*") if p.is_file()) == ["r"] * 3
