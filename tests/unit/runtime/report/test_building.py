"""From a results file to a report: counts, states, bounds."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from speedscale_runtime import report as reports
from speedscale_runtime.report import building, tally
from speedscale_runtime.report.model import MockCalls
from speedscale_schemas.errors import ConfigError


def pair(
    results: Any, old: Any, new: Any, *, endpoint: str = "GET /a", uri: str = "/a", status: int = 200, **more: Any
) -> None:
    import base64

    def doc(body: Any, code: int, target: str) -> dict[str, Any]:
        coded = base64.b64encode(json.dumps(body).encode()).decode()
        request = {"method": "GET", "url": target, "uri": target, "headers": {"Host": ["x"]}}
        response = {"statusCode": code, "headers": {"Content-Type": ["application/json"]}, "bodyBase64": coded}
        return {"command": "GET", "duration": 5, "l7protocol": "http", "http": {"req": request, "res": response}}

    sent = more.pop("sent", uri)
    replayed = None if more.get("error") else doc(new, status, sent)
    results.pair(endpoint, doc(old, 200, uri), replayed, **more)


def test_a_run_of_a_shop(results: Any, shop: Any) -> None:
    made = reports.build(shop(results).write())
    assert made.status == "Missed Goals"
    assert (made.requests.total, made.requests.matched, made.requests.failed) == (83, 60, 3)
    assert [e.name for e in made.endpoints][:2] == ["POST /orders", "GET /recommendations"]
    products = next(e for e in made.endpoints if e.name == "GET /products/{id}")
    assert {(s.path, s.kind, s.count) for s in products.shown} >= {("id", "volatile", 40), ("currency", "added", 40)}
    assert made.errors[0].cause == "httpResponseBody"
    assert made.mocks is not None
    assert (made.mocks.accuracy, made.mocks.misses[0].count, len(made.mocks.unused)) == (96.0, 1, 1)


def test_the_same_files_give_the_same_bytes(results: Any, shop: Any) -> None:
    folder = shop(results).write()
    for form in reports.FORMATS:
        assert reports.render(reports.build(folder), form) == reports.render(reports.build(folder), form)


def test_pairs_that_fail_alike_are_counted_and_one_is_shown(results: Any) -> None:
    for i in range(50):
        pair(results, {"items": [{"n": 1}] * (i % 3 + 1)}, {"items": [{"n": 2}] * (i % 3 + 1)})
    made = reports.build(results.write())
    assert len(made.failures) == 1
    assert made.failures[0].same == 49
    assert made.failures_left_out == 49
    assert made.endpoints[0].failures_left_out == 0


def test_kinds_beyond_the_bound_are_counted(results: Any) -> None:
    for i in range(tally.FAILURES + 7):
        pair(results, {f"k{i}": 1}, {f"k{i}": 2})
    made = reports.build(results.write())
    assert len(made.failures) == tally.FAILURES
    assert made.failures_left_out == 7
    assert made.endpoints[0].failures_left_out == 7


def test_what_the_replay_replaced_is_no_regression(results: Any) -> None:
    # The answer comes before the request that shows what was replaced.
    pair(results, {"id": 7001}, {"id": 9123}, uri="/orders")
    pair(
        results,
        {"id": 7001, "self": "/orders/7001"},
        {"id": 9123, "self": "/orders/9123"},
        uri="/orders/7001",
        sent="/orders/9123",
    )
    made = reports.build(results.write())
    assert made.status == "Passed"
    assert {s.pattern for s in made.endpoints[0].shown} == {"replaced"}


def test_a_run_that_could_not_offer_its_load_misses_its_goals(results: Any) -> None:
    pair(results, {}, {})
    results.end |= {
        "ok": False,
        "offeredRate": 500.0,
        "achievedRate": 120.0,
        "dropped": 3800,
        "why": "the rate was not reached",
    }
    made = reports.build(results.write())
    assert made.status == "Missed Goals"
    assert made.goals[-1].reason == "the rate was not reached"
    assert made.goals[-1].actual == "120 requests/s, 3,800 dropped"


def test_a_cancelled_run_is_canceled(results: Any) -> None:
    pair(results, {}, {})
    results.end |= {"cancelled": True, "ok": False, "why": "cancelled"}
    made = reports.build(results.write())
    assert (made.status, made.exit_code) == ("Canceled", 1)


def test_no_answer_at_all_is_an_error(results: Any) -> None:
    pair(results, {}, None, error="refused")
    made = reports.build(results.write())
    assert (made.status, made.exit_code) == ("Error", 2)
    assert "http://127.0.0.1:8080" in made.reason
    assert "refused (1)" in made.reason


def test_nothing_replayed_says_why(results: Any) -> None:
    results.run["skipped"] = [{"reason": "protocol postgres is no HTTP", "pairs": 4}]
    made = reports.build(results.write())
    assert made.status == "Error"
    assert "protocol postgres is no HTTP" in made.reason


def test_a_killed_run_is_an_error_with_what_it_left(results: Any) -> None:
    for _ in range(4):
        pair(results, {"a": 1}, {"a": 1}, latency=20.0)
    results.end = None
    folder = results.write()
    with (folder / "results.jsonl").open("ab") as file:
        file.write(b'{"type": "pair", "index": 4, "recor')
    made = reports.build(folder)
    assert made.status == "Error"
    assert "killed" in made.reason
    assert (made.requests.total, made.latency.count) == (4, 4)
    assert any("line 6" in note for note in made.notifications)


def test_low_data_mode_compares_by_status_code(results: Any) -> None:
    pair(results, {"a": 1}, {"a": 2})
    pair(results, {"a": 1}, {}, status=500)
    results.low_data = True
    results.run["mode"] = "load"
    made = reports.build(results.write())
    assert (made.requests.compared, made.requests.matched) == (2, 1)
    assert made.goals[0].command == "requests.response-pct"
    assert made.status == "Passed"
    assert any("low-data" in note for note in made.notifications)


def test_histograms_of_several_processes_are_merged_not_averaged(results: Any) -> None:
    for latency in (10.0, 20.0):
        pair(results, {}, {}, latency=latency)
    folder = results.write()
    path = folder / "results.jsonl"
    lines = path.read_text().splitlines()
    endpoint = next(line for line in lines if '"type": "endpoint"' in line)
    path.write_text("\n".join([*lines[:-1], *[endpoint] * 2, lines[-1]]) + "\n")
    made = reports.build(folder)
    assert made.latency.count == 6
    assert 9.9 < made.latency.p50 < 10.1
    assert 19.9 < made.latency.p99 < 20.1


def test_broken_lines_are_counted_and_named(results: Any) -> None:
    pair(results, {}, {})
    folder = results.write()
    path = folder / "results.jsonl"
    lines = path.read_text().splitlines()
    bad = ["not json", "[]", '{"type": "endpoint"}', '{"type": "pair"}']
    path.write_text("\n".join([lines[0], *bad, *lines[1:]]) + "\n")
    made = reports.build(folder)
    assert made.requests.total == 1
    assert "4 lines left out" in made.notifications[0]


def test_a_file_that_is_no_results_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="no such file"):
        reports.build(tmp_path)
    (tmp_path / "results.jsonl").write_text('{"a": 1}\n')
    with pytest.raises(ConfigError, match="no results file"):
        reports.build(tmp_path)


def test_a_wrong_test_config_is_named(results: Any) -> None:
    results.config["assertionGroups"] = [{"configs": [{"type": "httpBody"}]}]
    with pytest.raises(ConfigError, match="unknown assertion"):
        reports.build(results.write())


def test_endpoints_beyond_the_bound_share_a_row(results: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(building, "ENDPOINTS", 3)
    for i in range(6):
        pair(results, {}, {}, endpoint=f"GET /{i}")
    made = reports.build(results.write())
    assert len(made.endpoints) == 4
    assert made.requests.total == 6


def test_other_protocols_are_said_not_to_be_compared(results: Any) -> None:
    results.pair("Query", {"l7protocol": "postgres", "duration": 1, "http": None}, {"l7protocol": "postgres"})
    results.end = None
    made = reports.build(results.write())
    assert any("other protocols" in note for note in made.notifications)


def test_long_runs_are_drawn_in_slices_with_the_largest_quantile(results: Any) -> None:
    pair(results, {}, {})
    for second in range(1000):
        results.interval(second, 10, 0, 5.0, 900.0 if second == 501 else 50.0)
    made = reports.build(results.write())
    assert len(made.timeline) <= 240
    assert sum(s.requests for s in made.timeline) == 10_000
    assert max(s.quantiles["p99"] for s in made.timeline) == 900.0


def test_mocks_that_got_faults_on_purpose_stay_out(results: Any) -> None:
    pair(results, {}, {})
    results.mocks = [
        {"type": "run", "unservable": {"body cut": 2}},
        {"type": "mock", "verdict": "MATCH", "command": "GET", "location": "/a", "host": "h", "tech": ""},
        {
            "type": "mock",
            "verdict": "NO_MATCH",
            "command": "GET",
            "location": "/a",
            "host": "h",
            "tech": "",
            "fault": "status=503",
        },
        {"type": "end", "linesLeftOut": 0},
    ]
    made = reports.build(results.write())
    assert made.mocks is not None
    assert (made.mocks.accuracy, made.mocks.faults, made.mocks.unservable) == (100.0, 1, {"body cut": 2})


def test_counts_of_the_responder_win_where_lines_were_left_out(results: Any) -> None:
    pair(results, {}, {})
    results.mocks = [
        {"type": "mock", "verdict": "MATCH", "command": "GET", "location": "/a", "host": "h", "tech": ""},
        {"type": "end", "linesLeftOut": 99, "verdicts": {"MATCH": 90, "NO_MATCH": 10, "PASSTHROUGH": 0}},
    ]
    made = reports.build(results.write())
    assert made.mocks is not None
    assert (made.mocks.total, made.mocks.accuracy) == (100, 90.0)


def called(verdict: str, **more: Any) -> dict[str, Any]:
    return {"type": "mock", "verdict": verdict, "command": "POST", "location": "/pay", "host": "h", "tech": "", **more}


def test_what_the_tests_caused_is_told_from_other_traffic(results: Any) -> None:
    pair(results, {}, {})
    mine = {"cause": "tests"}
    results.mocks = [
        called("MATCH", **mine),
        called("MATCH", fault="status=503", **mine),
        called("NO_MATCH"),
        called("NO_MATCH", **mine),
        called("MATCH", **mine),
        called("PASSTHROUGH"),
        called("NO_MATCH"),
        {"type": "end", "linesLeftOut": 0, "byTests": {"MATCH": 2, "NO_MATCH": 1, "PASSTHROUGH": 0}},
    ]
    made = reports.build(results.write())
    assert made.mocks is not None
    assert made.mocks.by_tests == MockCalls(3, 2, 1, 0, 66.66)
    assert [(m.verdict, m.count, m.by_tests) for m in made.mocks.misses] == [
        ("NO_MATCH", 1, True),
        ("NO_MATCH", 2, False),
        ("PASSTHROUGH", 1, False),
    ]
    page = reports.render(made, "markdown").decode()
    assert "**Mocks:** 66.66 % of 3 calls that the tests caused matched; 0 recorded answers never asked for." in page
    assert "- Caused by the tests: 3 calls: 2 matched, 0 passed through, 1 not found\n" in page
    assert "- Other traffic: 3 calls: 0 matched, 1 passed through, 2 not found\n" in page
    assert "| `POST h/pay` | not found | other traffic | 2 |" in page
    assert "Other traffic" in reports.render(made, "html").decode()


@pytest.mark.parametrize(("by_tests", "said"), [(None, False), ({"MATCH": 0, "NO_MATCH": 0}, True)])
def test_calls_that_cannot_be_told_apart_are_not_blamed_on_the_tests(results: Any, by_tests: Any, said: bool) -> None:
    pair(results, {}, {})
    end = {"type": "end", "linesLeftOut": 0, **({"byTests": by_tests} if by_tests else {})}
    results.mocks = [called("MATCH"), called("NO_MATCH"), end]
    made = reports.build(results.write())
    assert made.mocks is not None
    assert made.mocks.told_apart is None
    assert (made.mocks.by_tests == MockCalls()) is said
    page = reports.render(made, "markdown").decode()
    assert "**Mocks:** 50 % of 2 calls matched" in page
    assert ("the application does not pass baggage on" in page) is said


def test_counts_of_the_tests_calls_are_the_responders_where_lines_were_left_out(results: Any) -> None:
    pair(results, {}, {})
    verdicts, by_tests = {"MATCH": 90, "NO_MATCH": 10}, {"MATCH": 80, "NO_MATCH": 0}
    results.mocks = [
        called("MATCH", cause="tests"),
        {"type": "end", "linesLeftOut": 99, "verdicts": verdicts, "byTests": by_tests},
    ]
    made = reports.build(results.write())
    assert made.mocks is not None
    assert (made.mocks.total, made.mocks.by_tests) == (100, MockCalls(80, 80, 0, 0, 100.0))


def test_a_report_of_huge_bodies_stays_small(results: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    for i in range(6):
        pair(results, {"x": ["y" * 30_000]}, {"x": ["z" * 30_000, i]}, endpoint=f"GET /{i}")
    monkeypatch.setattr(building, "TEXT_KEPT", 50_000)
    made = reports.build(results.write())
    assert [bool(f.recorded.body) for f in made.failures].count(True) == 1
    assert all(f.differences for f in made.failures)
    assert any("without their bodies" in note for note in made.notifications)
    assert len(reports.render(made, "html")) < 400_000


JUNK = st.sampled_from([None, True, 0, -1, 1.5, "", "x", [], [1], ["a"], {}, {"a": 1}, 10**30, "2026"])


def places(value: Any, before: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Return the path of every value inside a line, but its type."""
    found = []
    inside = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, inner in inside:
        if before or key != "type":
            found += [(*before, key), *places(inner, (*before, key))]
    return found


@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.data())
def test_a_damaged_line_costs_itself_and_never_the_report(results: Any, data: st.DataObject) -> None:
    results.pairs, results.mocks = (
        [],
        [{"type": "mock", "verdict": "NO_MATCH", "nearest": [{"differences": [{"key": "k"}]}]}],
    )
    results.intervals = []
    pair(results, {"a": 1}, {"a": 2})
    pair(results, {"a": 1}, None, error="refused")
    results.interval(0, 2, 1, 5.0, 6.0)
    folder = results.write()
    name = data.draw(st.sampled_from(["results.jsonl", "mocks.jsonl"]))
    lines = [json.loads(line) for line in (folder / name).read_text().splitlines()]
    line = data.draw(st.sampled_from(lines))
    *parents, last = data.draw(st.sampled_from(places(line)))
    target = line
    for key in parents:
        target = target[key]
    target[last] = data.draw(JUNK)
    (folder / name).write_text("".join(json.dumps(one) + "\n" for one in lines))
    try:
        made = reports.build(folder)
    except ConfigError:
        return  # the test config, or the first line, was hit
    for form in reports.FORMATS:
        assert reports.render(made, form)
