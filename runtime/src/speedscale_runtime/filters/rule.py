"""A filter rule, compiled once from its JSON to closures.

Called by forwarder (a match drops), snapshot, generator and responder (a match keeps). Immutable and safe to use
from several threads. Filters of one OR group that look at the same place are merged, so that a rule of forty
vendors' user agents reads the header once. Nothing here reads files.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from speedscale_runtime.rrpair import RRPair
from speedscale_schemas.errors import ConfigError
from speedscale_schemas.validation import check

from .criteria import NAMES, Criterion, criterion
from .operators import predicate
from .prefilter import quick_no
from .query import parse_query

Match = Callable[[RRPair], bool]
_QUERY_WORDS = {"EQUAL": ("IS", "NOT"), "CONTAINS": ("CONTAINS", "NOT CONTAINS"), "REGEX": ("REGEX", "NOT REGEX")}


@dataclass(frozen=True, slots=True)
class _Filter:
    include: bool
    operator: str
    criterion: Criterion

    @property
    def text(self) -> str:
        """The filter as the query language writes it."""
        c = self.criterion
        word = _QUERY_WORDS["EQUAL" if c.test else self.operator][0 if self.include else 1]
        return f'{c.label} {word} "{c.wanted}"'

    def compile(self) -> Match:
        test = self.criterion.test or _value_test(self.criterion, [(self.operator, self.criterion.wanted)])
        return test if self.include else (lambda pair: not test(pair))


class Rule:
    """A compiled filter rule; `id` is its name, empty for a rule without one."""

    __slots__ = ("_conditions", "_match", "_operator", "id", "may_match")

    def __init__(self, name: str, operator: str, conditions: Sequence[tuple[str, Sequence[_Filter]]]) -> None:
        self.id = name
        self._operator = operator
        self._conditions = tuple((op, tuple((f, f.compile()) for f in filters)) for op, filters in conditions)
        self._match = _compile(operator, conditions)
        self.may_match = quick_no(_texts([f for _, filters in conditions for f in filters]))
        """Say of a captured frame's head, unparsed, whether the rule could match: False is certain."""

    def matches(self, pair: RRPair) -> bool:
        """Say whether the rule speaks of this pair; what that means (drop, keep) is the caller's."""
        return self._match(pair)

    def why(self, pair: RRPair) -> str:
        """Return the filters that decide, as queries: those that hold where it matches, else those that do not."""
        matched = self._match(pair)
        lead = "matches" if matched else "does not match"
        named = f"rule {self.id!r}" if self.id else "the rule"
        wanted = [self._decisive(op, filters, pair, matched) for op, filters in self._conditions]
        parts = [part for part in wanted if part]
        if matched and self._operator == "OR":
            parts = parts[:1]
        glue = " AND " if matched else "; "
        return f"{named} {lead}: {glue.join(parts)}" if matched else f"{named} {lead}; not true: {glue.join(parts)}"

    @staticmethod
    def _decisive(op: str, filters: Sequence[tuple[_Filter, Match]], pair: RRPair, matched: bool) -> str:
        states = [(f.text, test(pair)) for f, test in filters]
        holds = any(s for _, s in states) if op == "OR" else all(s for _, s in states)
        if holds != matched:
            return ""
        texts = [t for t, s in states if s == matched]
        if matched:
            return texts[0] if op == "OR" else " AND ".join(texts)
        return ", ".join(texts[:5]) + (f" and {len(texts) - 5} more" if len(texts) > 5 else "")


def compile_rule(rule: Mapping[str, Any], *, source: str = "") -> Rule:
    """Compile a rule's JSON (the vendor's filter rules; `query` alone will do in place of conditions).

    A single group (`filters` with its `operator`, as in a chain of a DLP rule) is taken as a rule of that group.
    `source` names the file in messages. Raises ConfigError with everything that is wrong and where.
    """
    if "filters" in rule and "conditions" not in rule:
        rule = {"conditions": [dict(rule)]}
    name = str(rule.get("id") or "")
    place = source or (f"filter rule {name!r}" if name else "filter rule")
    problems = [str(p) for p in check("filter-rule", dict(rule), source=place)] or _uncertain(rule, place)
    if problems:
        raise ConfigError(problems)
    if "conditions" not in rule:
        rule = {"id": name, **parse_query(rule["query"])}
    conditions: list[tuple[str, list[_Filter]]] = []
    for i, condition in enumerate(rule["conditions"]):
        filters: list[_Filter] = []
        for j, spec in enumerate(condition["filters"]):
            try:
                filters.append(_filter(spec))
            except ValueError as error:
                problems.append(f"{place}: conditions[{i}].filters[{j}]: {error}")
        conditions.append((condition.get("operator", "AND"), filters))
    if problems:
        raise ConfigError(problems)
    return Rule(name, rule.get("operator", "AND"), conditions)


def _uncertain(rule: Mapping[str, Any], place: str) -> list[str]:
    """Name the filters that do not have exactly one criterion."""
    problems: list[str] = []
    for i, condition in enumerate(rule.get("conditions", ())):
        for j, spec in enumerate(condition["filters"]):
            found = [n for n in spec if n in NAMES]
            if len(found) != 1:
                seen = f"both {' and '.join(found)}: one filter asks one thing" if found else "no criterion"
                problems.append(f"{place}: conditions[{i}].filters[{j}]: {seen}; known are {', '.join(NAMES)}")
    return problems


def _filter(spec: Mapping[str, Any]) -> _Filter:
    operator = spec.get("operator", "EQUAL")
    name = next(n for n in spec if n in NAMES)
    compiled = criterion(name, spec[name], operator)
    built = _Filter(spec.get("include", True), operator, compiled)
    built.compile()  # a bad regular expression is reported with its place
    return built


def _compile(operator: str, conditions: Sequence[tuple[str, Sequence[_Filter]]]) -> Match:
    if operator == "OR" or len(conditions) == 1:
        merged: list[_Filter] = []
        rest: list[Match] = []
        for op, filters in conditions:
            if op == "OR" or len(filters) == 1:
                merged += filters
            else:
                rest.append(_all([f.compile() for f in filters]))
        return _any([*_merged(merged), *rest])
    return _all([_group(op, filters) for op, filters in conditions])


def _texts(filters: Sequence[_Filter]) -> list[str]:
    """Return texts of which one must stand in the head of every pair that matches; none where that cannot be said."""
    if all(f.include and f.operator != "REGEX" and f.criterion.verbatim for f in filters):
        return [f.criterion.wanted for f in filters]
    return []


def _group(operator: str, filters: Sequence[_Filter]) -> Match:
    return _any(_merged(filters)) if operator == "OR" else _all([f.compile() for f in filters])


def _merged(filters: Sequence[_Filter]) -> list[Match]:
    """Return tests for an OR group, one for all included filters with the same place and operator."""
    groups: dict[str, list[_Filter]] = {}
    tests: list[Match] = []
    for f in filters:
        if f.include and f.criterion.test is None:
            groups.setdefault(f.criterion.label, []).append(f)
        else:
            tests.append(f.compile())
    merged = groups.values()
    return tests + [_value_test(g[0].criterion, [(f.operator, f.criterion.wanted) for f in g]) for g in merged]


def _value_test(what: Criterion, wanted: Sequence[tuple[str, str]]) -> Match:
    extract, applies = what.extract, predicate(wanted)

    def test(pair: RRPair) -> bool:
        for value in extract(pair):  # noqa: SIM110  a loop costs half of any() here
            if applies(value):
                return True
        return False

    return test


def _any(tests: Sequence[Match]) -> Match:
    if len(tests) == 1:
        return tests[0]
    fixed = tuple(tests)

    def match(pair: RRPair) -> bool:
        for test in fixed:  # noqa: SIM110
            if test(pair):
                return True
        return False

    return match


def _all(tests: Sequence[Match]) -> Match:
    if len(tests) == 1:
        return tests[0]
    fixed = tuple(tests)
    return lambda pair: all(test(pair) for test in fixed)
