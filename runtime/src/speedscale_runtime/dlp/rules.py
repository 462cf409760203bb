"""DLP rules as data: read, checked against `documents/dlp-rule.schema.json`, and made into detectors.

Called by `redactor.compile_rule`. Every problem of a rule is reported at once, with its place; nothing here looks at
traffic.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

from speedscale_schemas import builtins, validation
from speedscale_schemas.errors import ConfigError

from .detectors import CLASSES, DETECTORS, KEY_RULES, Detector, KeyRule
from .detectors.base import Verdict, whole
from .linear import LinearPattern
from .prefilter import refusal

_BUILTIN = "builtin/dlp"


@dataclass(frozen=True, slots=True)
class RuleSet:
    """A checked rule: what runs, where it is limited to, and its policies."""

    id: str
    detectors: tuple[Detector, ...]
    key_rules: tuple[KeyRule, ...]
    scopes: Mapping[str, tuple[str, ...]]
    structural: frozenset[str]
    actions: Mapping[str, str]
    replace_undecodable: bool
    replace_truncated: bool
    chains: tuple[Mapping[str, Any], ...]
    listed: Mapping[str, tuple[str, ...]]


@cache
def builtin(name: str) -> Mapping[str, Any]:
    """Return a built-in rule's document; ConfigError with the names there are for an unknown one."""
    return builtins.document("dlp-rule", name)


def read(rule: Mapping[str, Any]) -> RuleSet:
    """Check a rule and return what it means; ConfigError lists everything that is wrong with it."""
    source = f"dlp rule {rule.get('id', '')!r}"
    problems = [str(p) for p in validation.check("dlp-rule", rule, source=source)]
    if problems:
        raise ConfigError(problems)
    problems += _opt_outs(rule, source)
    detectors, keys = _selected(rule, source, problems)
    scopes: dict[str, tuple[str, ...]] = {}
    for i, entry in enumerate(rule.get("custom", ())):
        _custom(entry, f"{source}: custom[{i}]", detectors, keys, scopes, problems)
    listed = {k: tuple(v) for k, v in rule.get("redactlist", {}).get("entries", {}).items()}
    for i, (place, wanted) in enumerate(listed.items()):
        made = _listed_rule(f"redactlist_{i}", wanted)
        keys.insert(0, made)
        if place != "all":
            scopes[made.name] = (place + "*",)
    for i, chain in enumerate(rule.get("transforms", ())):
        if not has_criteria(chain.get("filters", {})):
            problems.append(f"{source}: transforms[{i}].filters: no criteria: a chain has to say which pairs it is for")
    if problems:
        raise ConfigError(problems)
    actions = dict(rule.get("actions", {}))
    return RuleSet(
        id=str(rule["id"]),
        detectors=tuple(d for d in detectors if actions.get(d.kind) != "keep"),
        key_rules=tuple(k for k in keys if actions.get(k.kind) != "keep"),
        scopes=scopes,
        structural=frozenset(rule.get("structural", ())),
        actions=actions,
        replace_undecodable=rule.get("undecodable", "replace") == "replace",
        replace_truncated=rule.get("truncated", "replace") == "replace",
        chains=tuple(rule.get("transforms", ())),
        listed=listed,
    )


def has_criteria(filters: object) -> bool:
    """Say whether filters (a rule's or a group's) name at least one criterion."""
    if not isinstance(filters, Mapping):
        return False
    groups = filters.get("conditions", ())
    if isinstance(groups, Sequence) and any(has_criteria(g) for g in groups):
        return True
    entries = filters.get("filters", ())
    return any(isinstance(f, Mapping) and set(f) - {"include", "operator"} for f in entries)


def _opt_outs(rule: Mapping[str, Any], source: str) -> list[str]:
    if not (rule.get("protected") or rule.get("id") == "standard"):
        return []
    wrong = [f"actions.{k}: {v}" for k, v in rule.get("actions", {}).items() if v != "token"]
    wrong += [f"{k}: {rule[k]}" for k in ("undecodable", "truncated") if rule.get(k, "replace") != "replace"]
    return [f"{source}: {w}: an opt-out is refused in a protected rule; copy it under another id first" for w in wrong]


def _selected(rule: Mapping[str, Any], source: str, problems: list[str]) -> tuple[list[Detector], list[KeyRule]]:
    if not rule.get("discover_patterns", False):
        return [], []
    wanted = rule.get("detectors", {})
    built_in: list[Detector | KeyRule] = [*DETECTORS, *KEY_RULES, *CLASSES]
    known = {n for d in built_in for n in (d.name, d.group) if n}
    for field in ("enable", "also", "disable"):
        for name in wanted.get(field, ()):
            if name not in known:
                near = validation.nearest(name, known)
                hint = f"; did you mean {near[0]!r}?" if near else f"; there are {', '.join(sorted(known))}"
                problems.append(f"{source}: detectors.{field}: {name!r}: no such detector{hint}")
    on, off, more = (set(wanted.get(field, ())) for field in ("enable", "disable", "also"))

    def chosen(item: Detector | KeyRule) -> bool:
        mine = {item.name, item.group}
        if isinstance(item, Detector) and item.classifies:
            return bool((on | more) & mine) and not off & mine
        return (not on or bool((on | more) & mine)) and not off & mine

    return [d for d in (*DETECTORS, *CLASSES) if chosen(d)], [k for k in KEY_RULES if chosen(k)]


def _custom(
    entry: Mapping[str, Any],
    source: str,
    detectors: list[Detector],
    keys: list[KeyRule],
    scopes: dict[str, tuple[str, ...]],
    problems: list[str],
) -> None:
    name, paths = str(entry["id"]), tuple(entry.get("paths", ()))
    taken: list[Detector | KeyRule] = [*DETECTORS, *KEY_RULES, *CLASSES, *detectors, *keys]
    if any(name in (d.name, d.group) for d in taken):
        problems.append(f"{source}: id {name!r} is taken by another detector; choose another")
        return
    if entry.get("keys"):
        bad = [k for k in entry["keys"] if not re.search(r"[A-Za-z0-9]", k)]
        problems += [f"{source}: keys: {k!r}: no letter and no digit" for k in bad]
        if not bad:
            keys.insert(0, _key_rule(name, str(entry["kind"]), tuple(entry["keys"])))
    if "pattern" in entry:
        made = _pattern(entry, name, source, problems)
        if made is not None:
            detectors.insert(0, made)
    if paths:
        scopes[name] = paths


def _pattern(entry: Mapping[str, Any], name: str, source: str, problems: list[str]) -> Detector | None:
    pattern, caseless = str(entry["pattern"]), bool(entry.get("caseless", False))
    reason = refusal(pattern, caseless)
    if reason:
        problems.append(f"{source}: pattern {pattern!r}: hyperscan refuses it: {reason}")
        return None
    try:
        grammar = LinearPattern(pattern, caseless)
    except ValueError as error:
        problems.append(f"{source}: pattern {pattern!r}: cannot be matched in linear time: {error}")
        return None
    words = [re.escape(w.encode("utf-8")) for w in entry.get("keywords", ())]
    near = re.compile(rb"(?i)(?<![A-Za-z0-9])(?:" + b"|".join(words) + rb")(?![A-Za-z0-9])") if words else None
    left = tuple(x.encode("utf-8") for x in entry.get("exclude", ()))

    def validate(match: re.Match[bytes], data: bytes) -> Verdict:
        if not match.group():
            return "empty"
        if any(x in match.group() for x in left):
            return "excluded by the rule"
        if near is not None and not near.search(data, max(0, match.start() - 60), match.start()):
            return "none of its keywords in the 60 bytes before"
        return whole(match, "the rule's own pattern")

    return Detector(name, str(entry["kind"]), (pattern,), grammar, validate, 4096, 4096, (), (), caseless)


def _taken(value: bytes) -> str:
    return "stands under a name that the rule lists" if value.strip() else ""


def _key_rule(name: str, kind: str, wanted: tuple[str, ...]) -> KeyRule:
    return KeyRule(name, kind, wanted, _taken, (), (), numbers=True, nested=True)


def _listed_rule(name: str, wanted: tuple[str, ...]) -> KeyRule:
    return KeyRule(name, "UNRECOGNIZED", (), _taken, (), (), exact=wanted, numbers=True, nested=True)
