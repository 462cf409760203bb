"""Assertions of a test config: compiled once, then asked about each pair.

`building` calls `compile_groups` and `Suite.check`. One module per assertion type, each with
`make(config) -> Check`; a check takes the recorded and the replayed answer and returns what it found. A pair passes
when no check found a difference that fails. Config values are strings, as the format has them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from speedscale_runtime.report.answer import Answer
from speedscale_runtime.report.model import Difference
from speedscale_runtime.report.volatile import Learnt
from speedscale_runtime.rrpair import RRPair
from speedscale_schemas.errors import ConfigError
from speedscale_schemas.validation import nearest

from . import body, content_type, cookies, headers, schema, status
from .options import Check, Finding

_MAKERS: Mapping[str, tuple[Callable[[Mapping[str, str]], Check], frozenset[str]]] = {
    "httpStatusCode": (status.make, status.KEYS),
    "httpHeaders": (headers.make, headers.KEYS),
    "httpResponseCookies": (cookies.make, cookies.KEYS),
    "httpResponseBody": (body.make, body.KEYS),
    "httpResponseSchema": (schema.make, schema.KEYS),
    "httpResponseContentType": (content_type.make, content_type.KEYS),
}
TYPES = tuple(_MAKERS)


@dataclass(frozen=True, slots=True)
class Outcome:
    """What one assertion said about one pair."""

    type: str
    passed: bool
    differences: tuple[Difference, ...]
    left_out: int = 0


@dataclass(frozen=True, slots=True)
class _Group:
    applies: Callable[[RRPair], bool]
    checks: tuple[tuple[str, Check], ...]


class Suite:
    """All assertion groups of a config."""

    def __init__(self, groups: Sequence[_Group]) -> None:
        self._groups = tuple(groups)

    @property
    def empty(self) -> bool:
        """True when nothing is asserted."""
        return not any(group.checks for group in self._groups)

    def names(self, pair: RRPair) -> list[str]:
        """Return the assertions that would be asked about a pair, where there is no answer to ask about."""
        return [name for group in self._groups if group.applies(pair) for name, _ in group.checks]

    def check(self, pair: RRPair, recorded: Answer, replayed: Answer, learnt: Learnt) -> list[Outcome]:
        """Ask every assertion whose group applies to the recorded pair; an assertion is asked once per group."""
        outcomes = []
        for group in self._groups:
            if not group.applies(pair):
                continue
            for name, check in group.checks:
                found = check(recorded, replayed, learnt)
                outcomes.append(_outcome(name, found))
        return outcomes


def _outcome(name: str, found: Finding) -> Outcome:
    marked = tuple(replace(d, assertion=name) for d in found.differences)
    return Outcome(name, not found.failed, marked, found.left_out)


def compile_groups(groups: Sequence[Mapping[str, Any]], source: str = "testConfig") -> Suite:
    """Compile `assertionGroups`; ConfigError lists every unknown type, unknown key and bad value at once."""
    problems: list[str] = []
    compiled = []
    for g, group in enumerate(groups):
        checks = []
        for c, entry in enumerate(group.get("configs") or ()):
            where = f"{source}: assertionGroups[{g}].configs[{c}]"
            check = _compile(entry, where, problems)
            if check is not None:
                checks.append((str(entry["type"]), check))
        compiled.append(_Group(_filter(group, f"{source}: assertionGroups[{g}]", problems), tuple(checks)))
    if problems:
        raise ConfigError(problems)
    return Suite(compiled)


def _compile(entry: Mapping[str, Any], where: str, problems: list[str]) -> Check | None:
    name = str(entry.get("type"))
    if name not in _MAKERS:
        near = nearest(name, TYPES)
        hint = f"; did you mean {near[0]!r}?" if near else f"; there are {', '.join(TYPES)}"
        problems.append(f"{where}.type: {name!r}: unknown assertion{hint}")
        return None
    make, keys = _MAKERS[name]
    config = entry.get("config") or {}
    unknown = sorted(set(config) - keys)
    if unknown:
        near = nearest(unknown[0], keys)
        known = f"known are {', '.join(sorted(keys))}" if keys else f"{name} takes none"
        hint = f"; did you mean {near[0]!r}?" if near else f"; {known}"
        problems.append(f"{where}.config: {unknown[0]!r}: unknown key{hint}")
        return None
    try:
        return make({k: _string(v) for k, v in config.items()})
    except ValueError as error:
        problems.append(f"{where}.config.{error}")
        return None


def _string(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _filter(group: Mapping[str, Any], where: str, problems: list[str]) -> Callable[[RRPair], bool]:
    rule = group.get("filter") or group.get("filters")
    if not rule:
        return lambda pair: True
    from speedscale_runtime.filters import compile_rule  # not every report needs the filter engine

    try:
        return compile_rule(rule).matches
    except (ConfigError, ValueError) as error:
        problems.append(f"{where}.filter: {error}")
        return lambda pair: False
