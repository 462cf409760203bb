"""Results of several pods as one: sums, added histograms, and what half a measurement does."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from speedscale_runtime import report
from speedscale_runtime.generator.measure import Histogram
from speedscale_runtime.report import merging
from speedscale_schemas.errors import ConfigError
from speedscale_schemas.validation import check

RUN = {
    "type": "run", "version": 1, "id": "r1", "mode": "load", "snapshot": "s1", "testConfig": {"id": "standard"},
    "targets": ["http://a"], "startedAt": "2026-01-03T03:04:05Z", "seed": 1, "tests": 1, "processes": 1,
}  # fmt: skip
END = {
    "type": "end", "durationMs": 1000.0, "requests": 4, "errors": 0, "iterations": 1, "offeredRate": 2.0,
    "achievedRate": 4.0, "dropped": 0, "cpuSeconds": 0.1, "rssBytes": 1000, "learned": {"jwt": 1}, "cancelled": False,
    "ok": True, "why": "",
}  # fmt: skip


def endpoint(*microseconds: int, name: str = "GET /a") -> dict[str, Any]:
    counts: dict[int, int] = {}
    for value in microseconds:
        counts[value] = counts.get(value, 0) + 1
    encoded = Histogram(counts).encode()
    return {
        "type": "endpoint", "endpoint": name, "method": "GET", "location": "/a", "requests": len(microseconds),
        "errors": 0, "errorCauses": {}, "statusCodes": {"200": len(microseconds)}, "matched": len(microseconds),
        "latencyHdr": encoded, "serviceTimeHdr": encoded, "recordedLatencyHdr": encoded,
    }  # fmt: skip


def interval(second: int, requests: int, p99: float) -> dict[str, Any]:
    quantiles = dict.fromkeys(("p50", "p75", "p90", "p95", "p99", "max"), p99)
    return {
        "type": "interval", "second": second, "requests": requests, "errors": 0, "statusCodes": {"200": requests},
        "sentBytes": 10, "receivedBytes": 20, "vusers": 1, "latencyMs": quantiles,
    }  # fmt: skip


def write(path: Path, *lines: dict[str, Any]) -> Path:
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))
    return path


def read(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text().splitlines()]


def test_percentiles_are_those_of_all_requests_together(tmp_path: Path) -> None:
    fast = write(tmp_path / "a", RUN, endpoint(1000, 1000, 1000, 1000), interval(0, 4, 1.0), END)
    slow = write(tmp_path / "b", RUN, endpoint(9000, 9000, 9000, 9000), interval(0, 4, 9.0), END)
    merging.merge_results([fast, slow], tmp_path / "results.jsonl")
    lines = read(tmp_path / "results.jsonl")
    assert not [p for line in lines for p in check("result-line", line)]
    assert [line["type"] for line in lines] == ["run", "endpoint", "interval", "end"]
    made = report.build(tmp_path)
    assert (made.requests.total, made.latency.count) == (8, 8)
    assert made.latency.p50 == pytest.approx(1.0, rel=0.01)  # half of all, not the mean of two medians
    assert made.latency.p95 == pytest.approx(9.0, rel=0.01)
    end = lines[-1]
    assert (end["requests"], end["offeredRate"], end["learned"], end["achievedRate"]) == (8, 4.0, {"jwt": 2}, 8.0)
    assert (lines[2]["requests"], lines[2]["latencyMs"]["p99"], lines[2]["vusers"]) == (8, 9.0, 2)


def test_one_pod_stays_what_it_was(tmp_path: Path) -> None:
    alone = write(tmp_path / "a", RUN, endpoint(1000, 2000), interval(0, 2, 2.0), END)
    merging.merge_results([alone], tmp_path / "results.jsonl")
    assert report.render(report.build(tmp_path), "json") == report.render(report.build(alone), "json")


def test_a_pod_that_began_later_is_moved_by_as_much(tmp_path: Path) -> None:
    first = write(tmp_path / "a", RUN, interval(0, 1, 1.0), END)
    later = write(tmp_path / "b", {**RUN, "startedAt": "2026-01-03T03:04:08Z"}, interval(0, 1, 1.0), END)
    merging.merge_results([later, first], tmp_path / "out")
    lines = read(tmp_path / "out")
    assert [line["second"] for line in lines if line["type"] == "interval"] == [0, 3]
    assert lines[-1]["durationMs"] == 4000.0
    assert lines[0]["startedAt"] == "2026-01-03T03:04:05Z"


def test_a_pod_that_was_killed_leaves_no_whole_measurement(tmp_path: Path) -> None:
    whole = write(tmp_path / "a", RUN, endpoint(1000), END)
    killed = write(tmp_path / "b", RUN, endpoint(1000))
    merging.merge_results([whole, killed], tmp_path / "results.jsonl")
    made = report.build(tmp_path)
    assert made.status == "Error"
    assert "the run was killed" in made.reason


def test_a_void_measurement_of_one_pod_voids_all(tmp_path: Path) -> None:
    good = write(tmp_path / "a", RUN, endpoint(1000), END)
    void = write(tmp_path / "b", RUN, endpoint(1000), {**END, "ok": False, "why": "the rate was not offered"})
    merging.merge_results([good, void], tmp_path / "out")
    assert (read(tmp_path / "out")[-1]["ok"], read(tmp_path / "out")[-1]["why"]) == (
        False,
        "pod 1: the rate was not offered",
    )


def test_results_of_another_snapshot_are_not_mixed_in(tmp_path: Path) -> None:
    one, other = write(tmp_path / "a", RUN, END), write(tmp_path / "b", {**RUN, "snapshot": "s2"}, END)
    with pytest.raises(ConfigError, match="another snapshot: s2"):
        merging.merge_results([one, other], tmp_path / "out")
    assert not (tmp_path / "out").exists()
    with pytest.raises(ConfigError, match="no `run` line"):
        merging.merge_results([write(tmp_path / "c", END)], tmp_path / "out")


def test_notes_are_shown(tmp_path: Path) -> None:
    merging.merge_results([write(tmp_path / "a", RUN, endpoint(1), END)], tmp_path / "results.jsonl", ["a note"])
    assert "a note" in report.build(tmp_path).notifications


def mock(**more: Any) -> dict[str, Any]:
    place = {"command": "GET", "host": "pay", "location": "/x", "signature": "00", "instance": 0}
    return {"type": "unused", **place, **more}


def test_a_mock_is_unused_when_no_pod_used_it(tmp_path: Path) -> None:
    verdicts = {"MATCH": 2, "NO_MATCH": 1, "PASSTHROUGH": 0}
    end = {
        "type": "end",
        "requests": 3,
        "verdicts": verdicts,
        "byTests": {"MATCH": 1},
        "reasons": {},
        "faults": {},
        "mocks": 2,
        "unused": 2,
    }
    one = write(tmp_path / "a", {"type": "run", "version": 1}, mock(), mock(location="/y"), end)
    two = write(tmp_path / "b", {"type": "run", "version": 1}, mock(), end)
    merging.merge_mocks([one, two], tmp_path / "out")
    lines = read(tmp_path / "out")
    assert [line["location"] for line in lines if line["type"] == "unused"] == ["/x"]
    assert (lines[-1]["requests"], lines[-1]["unused"], lines[-1]["matchPct"]) == (6, 1, 66.667)
    assert lines[-1]["byTests"] == {"MATCH": 2}


def test_mocks_alone_are_a_report_that_passed(tmp_path: Path) -> None:
    merging.mocks_only(
        tmp_path / "results.jsonl", {"id": "r", "snapshot": "s", "testConfig": {}, "startedAt": ""}, ["n"]
    )
    made = report.build(tmp_path)
    assert (made.status, made.goals, made.notifications[0]) == ("Passed", (), "n")
