"""Goals: the grammar, the metrics, the rules of a config."""

from __future__ import annotations

from typing import Any

import pytest

from speedscale_runtime import report as reports
from speedscale_runtime.report import goals
from speedscale_schemas.errors import ConfigError


@pytest.fixture
def made(results: Any) -> reports.Report:
    for i in range(10):
        body = {"n": 1}
        results.pair("GET /a", _doc("/a", body), _doc("/a", body), latency=10.0 * (i + 1))
    results.pair("GET /b", _doc("/b", {"n": 1}), _doc("/b", {"n": 2}), latency=500.0)
    results.pair("GET /b", _doc("/b", {"n": 1}), None, error="timeout")
    return reports.build(results.write())


def _doc(uri: str, body: Any) -> dict[str, Any]:
    import base64
    import json

    coded = base64.b64encode(json.dumps(body).encode()).decode()
    return {
        "command": "GET",
        "duration": 5,
        "http": {"req": {"method": "GET", "url": uri, "uri": uri}, "res": {"statusCode": 200, "bodyBase64": coded}},
    }


@pytest.mark.parametrize(
    ("expression", "status", "actual"),
    [
        ("latency.p50 > 100", "PASS", "60.03 ms"),
        ("latency.max>=500ms", "FAIL", "500.22 ms"),
        ("latency.max > 0.4 s", "FAIL", "500.22 ms"),
        ("requests.total == 12", "FAIL", "12"),
        ("requests.total != 12", "PASS", "12"),
        ("requests.failed > 0", "FAIL", "1"),
        ("requests.succeeded <= 11", "FAIL", "11"),
        ("requests.per-second < 5", "PASS", "6"),
        ("requests.per-minute < 500", "FAIL", "360"),
        ("requests.response-pct < 91%", "PASS", "91.66 %"),
        ("requests.result-match-pct < 84 %", "FAIL", "83.33 %"),
        ("passAssertPct < 100", "FAIL", "87.5 %"),
    ],
)
def test_expressions_are_measured(made: reports.Report, expression: str, status: str, actual: str) -> None:
    goal = reports.fail_if(made, expression)
    assert (goal.status, goal.actual) == (status, actual)


def test_every_metric_can_be_measured(made: reports.Report) -> None:
    for metric in goals.METRICS:
        assert reports.fail_if(made, f"{metric} < 0").status == "PASS", metric


@pytest.mark.parametrize(
    ("expression", "hint"),
    [
        ("latncy.p99 > 1", "did you mean 'latency.p99'?"),
        ("latency.p98 > 1", "did you mean 'latency.p9"),
        ("nonsense > 1", "there are latency.min"),
        ("latency.p99", "expected METRIC OPERATOR NUMBER"),
        ("latency.p99 > fast", "expected METRIC OPERATOR NUMBER"),
        ("latency.p99 => 1", "expected METRIC OPERATOR NUMBER"),
        ("requests.total > 1 ms", "not measured in ms"),
        ("latency.p99 > 1 %", "not measured in %"),
        ("latency.p99 > 1.2.3", "is no number"),
    ],
)
def test_a_wrong_expression_says_what_is_wrong(made: reports.Report, expression: str, hint: str) -> None:
    with pytest.raises(ConfigError, match=hint.replace("?", r"\?").replace("'", ".")):
        reports.fail_if(made, expression)


def test_a_location_is_judged_by_its_worst_endpoint(made: reports.Report) -> None:
    rule = {"metric": "latency.p95", "location": "any", "comparison": ">", "threshold": 200}
    goal = goals.judge(made, goals.rule(rule, "rules[0]"))
    assert (goal.status, goal.command, goal.reason) == ("FAIL", "latency.p95 at any", "at GET /b")
    only_a = goals.judge(made, goals.rule({**rule, "location": "/a"}, "rules[0]"))
    assert only_a.status == "PASS"
    nowhere = goals.judge(made, goals.rule({**rule, "location": "/zzz"}, "rules[0]"))
    assert (nowhere.status, nowhere.actual) == ("FAIL", "no such endpoint")


def test_all_wrong_rules_are_named() -> None:
    with pytest.raises(ConfigError) as caught:
        goals.conditions(
            ["latency.p99 > x", {"metric": "latency.p99"}, {"metric": "rps", "comparison": "~", "threshold": 1}, 7]
        )
    assert len(caught.value.problems) == 4


def test_the_vendors_names_are_known(made: reports.Report) -> None:
    for name in ("responseRate", "totalTransactionCount", "RPS", "successRate"):
        assert (
            goals.judge(made, goals.rule({"metric": name, "comparison": "LESS_THAN", "threshold": 0}, "r")).status
            == "PASS"
        )


def test_adding_a_missed_goal_changes_the_verdict(results: Any) -> None:
    results.pair("GET /a", _doc("/a", {}), _doc("/a", {}))
    made = reports.build(results.write())
    assert (made.status, made.exit_code) == ("Passed", 0)
    after = reports.with_goals(made, (reports.fail_if(made, "latency.p99 > 1"),))
    assert (after.status, after.exit_code) == ("Missed Goals", 1)
    assert after.reason.startswith("latency.p99 is 10 ms")


def test_a_number_never_rounds_up_to_a_goal() -> None:
    assert goals.number(99.999) == "99.99"
    assert goals.number(100.0) == "100"
