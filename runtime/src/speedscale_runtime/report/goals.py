"""Goals: what a run has to reach, from `--fail-if` expressions and from the test config's rules.

An expression states the condition that fails: `metric operator value`, e.g. `latency.p99 > 200`. Operators are ==
!= < <= > >=; values are numbers, with `ms`, `s` or `%` if one likes. A rule of a test config is such an expression,
or an object with `metric`, `location`, `comparison` and `threshold`. Pure: reads a Report, returns Goals; a metric
without a value fails, because a goal that could not be checked was not met.

Sources: the vendor's public pages on goals and on `--fail-if`.
"""

from __future__ import annotations

import operator
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any

from speedscale_schemas.errors import ConfigError
from speedscale_schemas.validation import nearest

from .model import Endpoint, Goal, Latency, Report, Requests

_OPERATORS: Mapping[str, Callable[[float, float], bool]] = {
    "==": operator.eq,
    "!=": operator.ne,
    "<=": operator.le,
    ">=": operator.ge,
    "<": operator.lt,
    ">": operator.gt,
}
_INVERSE = {"==": "!=", "!=": "==", "<": ">=", "<=": ">", ">": "<=", ">=": "<"}
_WORDS = {
    "EQUAL": "==",
    "EQUALS": "==",
    "NOT_EQUAL": "!=",
    "NOT_EQUALS": "!=",
    "LESS_THAN": "<",
    "LESS_THAN_OR_EQUAL": "<=",
    "GREATER_THAN": ">",
    "GREATER_THAN_OR_EQUAL": ">=",
}
_EXPRESSION = re.compile(r"\s*([\w.-]+)\s*(==|!=|<=|>=|<|>|=)\s*([-+]?[\d.,]+(?:[eE][-+]?\d+)?)\s*(ms|s|%)?\s*")
_ALIASES = {
    "passassertpct": "passAssertPct",
    "responserate": "requests.response-pct",
    "totaltransactioncount": "requests.total",
    "errorcount": "requests.failed",
    "rps": "requests.per-second",
    "successrate": "successRate",
}
_REQUESTS = {
    "total": "total",
    "succeeded": "succeeded",
    "failed": "failed",
    "per-second": "per_second",
    "per-minute": "per_minute",
    "response-pct": "response_pct",
    "result-match-pct": "result_match_pct",
}
_ABOUT_MATCHES = ("passAssertPct", "requests.result-match-pct", "successRate")
METRICS = (
    *(f"latency.{f.name}" for f in fields(Latency) if f.name != "count"),
    *(f"requests.{name}" for name in _REQUESTS),
    "passAssertPct",
    "successRate",
)


@dataclass(frozen=True, slots=True)
class Condition:
    """A condition that fails when it holds; `location`: at endpoints whose name contains it, `any`: at each."""

    metric: str
    operator: str
    value: float
    location: str = ""


def fail_if(report: Report, expression: str) -> Goal:
    """Return the goal that an expression states; ConfigError names what is wrong with the expression."""
    return judge(report, parse(expression))


def parse(expression: str) -> Condition:
    """Parse `metric operator value`; ConfigError with the nearest metric when there is no such one."""
    parts = _EXPRESSION.fullmatch(expression)
    if parts is None:
        ops = " ".join(_OPERATORS)
        raise ConfigError([f"goal {expression!r}: expected METRIC OPERATOR NUMBER, e.g. latency.p99 > 200 ({ops})"])
    metric, symbol, number, unit = parts.groups()
    try:
        value = float(number.replace(",", ""))
    except ValueError:
        raise ConfigError([f"goal {expression!r}: {number!r} is no number"]) from None
    metric = known_metric(metric, f"goal {expression!r}")
    if (unit and (unit == "%") is not _is_percent(metric)) or (
        unit in ("ms", "s") and not metric.startswith("latency.")
    ):
        raise ConfigError([f"goal {expression!r}: {metric} is not measured in {unit}"])
    if unit == "s":
        value *= 1000
    return Condition(metric, "==" if symbol == "=" else symbol, value)


def known_metric(name: str, source: str) -> str:
    """Return the metric's proper name; ConfigError with the nearest ones."""
    if name in METRICS:
        return name
    alias = _ALIASES.get(name.replace("_", "").lower())
    if alias:
        return alias
    near = nearest(name, METRICS)
    hint = f"did you mean {near[0]!r}?" if near else f"there are {', '.join(METRICS)}"
    raise ConfigError([f"{source}: unknown metric {name!r}; {hint}"])


def rule(document: Any, source: str) -> Condition:
    """Read one entry of `rules` of a test config; ConfigError says what is wrong with it."""
    if isinstance(document, str):
        return parse(document)
    if not isinstance(document, Mapping):
        raise ConfigError([f"{source}: {document!r}: expected an expression or an object with metric and threshold"])
    text = _first(document, "failIf", "fail_if", "expression")
    if text is not None:
        condition = parse(str(text))
    else:
        symbol = str(_first(document, "comparison", "operator", "op") or ">")
        symbol = _WORDS.get(symbol.upper(), "==" if symbol == "=" else symbol)
        if symbol not in _OPERATORS:
            raise ConfigError([f"{source}.comparison: {symbol!r}: expected one of {' '.join(_OPERATORS)}"])
        metric = known_metric(str(_first(document, "metric", "type") or ""), f"{source}.metric")
        try:
            value = float(_first(document, "threshold", "value"))
        except (TypeError, ValueError):
            raise ConfigError([f"{source}.threshold: expected a number"]) from None
        condition = Condition(metric, symbol, value)
    return Condition(condition.metric, condition.operator, condition.value, str(document.get("location") or ""))


def conditions(rules: Sequence[Any], source: str = "testConfig: rules") -> list[Condition]:
    """Read all rules; ConfigError lists every problem."""
    problems: list[str] = []
    found = []
    for i, document in enumerate(rules):
        try:
            found.append(rule(document, f"{source}[{i}]"))
        except ConfigError as error:
            problems += error.problems
    if problems:
        raise ConfigError(problems)
    return found


def default_goal(report: Report) -> Goal:
    """Return the goal of a config without rules: every assertion passed, or, where none ran, every request
    answered.
    """
    metric = "passAssertPct" if pass_assert_pct(report) is not None else "requests.response-pct"
    return judge(report, Condition(metric, "<", 100.0))


def load_goal(report: Report) -> Goal | None:
    """Return the missed goal of a run that could not offer its load, or None."""
    if report.load.held:
        return None
    load = report.load
    wanted = f"{load.offered_rate:,.4g} requests/s" if load.offered_rate is not None else "a valid measurement"
    got = f"{load.achieved_rate:,.4g} requests/s" if load.achieved_rate is not None else "none"
    return Goal("load offered", wanted, f"{got}, {load.dropped:,} dropped", "FAIL", load.why)


def judge(report: Report, condition: Condition) -> Goal:
    """Evaluate one condition: over the whole run, or at each endpoint that its location names, where the worst
    counts.
    """
    symbol, limit = condition.operator, condition.value
    expected = f"{_INVERSE[symbol]} {number(limit)}{unit_of(condition.metric)}"
    name = f"{condition.metric} at {condition.location}" if condition.location else condition.metric
    values = list(_values(report, condition))
    if not values:
        return Goal(name, expected, "no such endpoint", "FAIL", "the location names no endpoint of this run")
    missing = [where for where, value in values if value is None]
    if missing:
        return Goal(name, expected, "no data", "FAIL", "nothing was measured; low-data mode keeps counters only")
    failing = [(w, v) for w, v in values if v is not None and _OPERATORS[symbol](v, limit)]
    where, value = (failing or [(w, v) for w, v in values if v is not None])[0]
    reason = f"at {where}" if failing and where and len(values) > 1 else ""
    if failing and not condition.location and condition.metric in _ABOUT_MATCHES:
        wrong = report.requests.compared - report.requests.matched
        reason = f"{wrong:,} of {report.requests.compared:,} answers differ from the recording"
    return Goal(name, expected, f"{number(value)}{unit_of(condition.metric)}", "FAIL" if failing else "PASS", reason)


def _values(report: Report, condition: Condition) -> Iterable[tuple[str, float | None]]:
    if not condition.location:
        yield "", value_of(condition.metric, report.requests, report.latency, report)
        return
    every = condition.location.lower() in ("any", "*")
    for endpoint in report.endpoints:
        if every or condition.location in endpoint.name:
            yield endpoint.name, value_of(condition.metric, endpoint.requests, endpoint.latency, endpoint)


def value_of(metric: str, requests: Requests, latency: Latency, whole: Report | Endpoint) -> float | None:
    """Return a metric's value, None where nothing was measured."""
    group, _, name = metric.partition(".")
    if group == "latency":
        return float(getattr(latency, name)) if latency.count else None
    if group == "requests":
        value = getattr(requests, _REQUESTS[name])
        return None if value is None else float(value)
    if metric == "passAssertPct":
        return pass_assert_pct(whole)
    return requests.matched * 100 / requests.total if requests.total else None


def pass_assert_pct(whole: Report | Endpoint) -> float | None:
    """Return the share of assertions that passed in percent, None where none was asked."""
    passed = sum(counts["passed"] for counts in whole.assertions.values())
    every = passed + sum(counts["failed"] for counts in whole.assertions.values())
    return passed * 100 / every if every else None


def unit_of(metric: str) -> str:
    """Return what a metric is measured in, as it stands behind a number."""
    return " ms" if metric.startswith("latency.") else " %" if _is_percent(metric) else ""


def number(value: float) -> str:
    """Return a number with at most two decimals, rounded down so that 99.999 % does not read as 100."""
    text = f"{int(value * 100) / 100:,.2f}"
    return text.rstrip("0").rstrip(".")


def _is_percent(metric: str) -> bool:
    return metric.endswith("-pct") or metric in ("passAssertPct", "successRate")


def _first(document: Mapping[str, Any], *keys: str) -> Any:
    return next((document[k] for k in keys if k in document), None)
