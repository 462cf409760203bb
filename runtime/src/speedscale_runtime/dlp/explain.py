"""Why each candidate in a text, or in a pair, was taken or left: for people, not for the hot path.

Called by `speedctl dlp explain`. What was taken comes from the redaction itself. What was left is what a detector
looked at and refused, also in what a text decodes to one layer deep, and the rules for names. What looks the same in
two layers is listed once.
Invariant: no value is in what is returned: place, length, detector and reason only.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

from speedscale_runtime.rrpair.model import RRPair
from speedscale_runtime.rrpair.unpacking import unpack

from .detectors import Detector
from .engine import Engine
from .fields import Field, fields, pattern, place
from .findings import Finding
from .redactor import Redactor
from .traverse import entities, escapes, percent, runs

LEFT_MAX = 1_000
_KEPT = "not at this place: the rule limits the detector to others, or the name says that it is something else"

_PAIR = re.compile(rb"([A-Za-z_][A-Za-z0-9_.\-]{0,63})[\"']?\s{0,3}[:=]\s{0,3}[\"']?([^\s\"'&,;<>{}\[\]]{1,256})")


@dataclass(frozen=True, slots=True)
class Candidate:
    """One thing that looked like a value: bytes [start, end) of the layer, and the verdict on it."""

    layer: str
    start: int
    end: int
    detector: str
    kind: str
    taken: bool
    why: str


class Left(NamedTuple):
    """A candidate of a pair that the rule let through: where, what it could have been, and why it is none."""

    place: str
    kind: str
    detector: str
    length: int
    why: str


class Explained(NamedTuple):
    """The decisions over one pair; `more` counts candidates beyond `LEFT_MAX`, which are not listed."""

    rule: str
    taken: tuple[Finding, ...]
    left: tuple[Left, ...]
    more: int


def explain_pair(redactor: Redactor, pair: RRPair) -> Explained:
    """Return why each candidate of a pair is taken or left; the pair is not changed."""
    outcome = redactor.redact_pair(pair)
    before = pair.copy()
    unpack(before)
    kept: set[tuple[object, ...]] | None = None
    if outcome.modified:
        after = outcome.pair.copy()
        unpack(after)
        kept = {(f.part, f.path, str(f.value)) for f in fields(after)}
    left: dict[Left, None] = {}
    more = 0
    for field in fields(before):
        if kept is not None and (field.part, field.path, str(field.value)) not in kept:
            continue
        for found in _left(redactor.engine, field):
            if len(left) < LEFT_MAX:
                left[found] = None
            elif found not in left:
                more += 1
    return Explained(redactor.rule_id, outcome.findings, tuple(left), more)


def _left(engine: Engine, field: Field) -> Iterator[Left]:
    value = field.value
    if value is None or isinstance(value, bool):
        return
    raw = (value if isinstance(value, str) else repr(value)).encode("utf-8", "surrogatepass")
    where = place(field.part, field.form, pattern(field.path))
    rule = engine.names.rule(field.name.encode("utf-8", "surrogatepass")) if field.name else None
    if rule is not None and raw.strip() and b"REDACTED-" not in raw:
        why = "a bare name counts only beside other marks of a person" if rule.person else "no value of that kind"
        yield Left(where, rule.kind, rule.name, len(raw), why)
    for c in explain(engine, raw):
        yield Left(where, c.kind, c.detector, c.end - c.start, _KEPT if c.taken else c.why)


def explain(engine: Engine, data: bytes) -> list[Candidate]:
    """Return all candidates of a text, in order; the values themselves are not in them."""
    out: list[Candidate] = []
    seen: set[tuple[str, str, bytes]] = set()
    for layer, text in _layers(data):
        found = _names(layer, text, engine)
        ends: dict[int, list[int]] = {}
        for pattern_id, end in engine.hits(text):
            ends.setdefault(pattern_id, []).append(end)
        for number, detector in engine.detectors.items():
            if number in ends and (detector.near is None or detector.near.search(text)):
                found += _matches(layer, text, detector, ends[number])
        new = [c for c in found if layer == "text" or (c.detector, c.why, text[c.start : c.end]) not in seen]
        seen |= {(c.detector, c.why, text[c.start : c.end]) for c in new}
        out += sorted(new, key=lambda c: (c.start, c.end, c.detector))
    return out


def _layers(data: bytes) -> list[tuple[str, bytes]]:
    layers = [("text", data)]
    views = (("escapes", escapes.unescape), ("percent", percent.unquote), ("references", entities.unescape))
    for name, decode in views:
        decoded = decode(data)[0]
        if decoded != data:
            layers.append((name, decoded))
    return layers + [(name, plain) for name, plain in runs.meanings(data)]


def _matches(layer: str, text: bytes, detector: Detector, ends: list[int]) -> list[Candidate]:
    out: list[Candidate] = []

    def looked(start: int, end: int) -> bool:
        return any(e - detector.before <= start and end <= e + detector.after for e in ends)

    at = 0
    while (match := detector.grammar.search(text, at)) is not None:
        verdict = detector.validate(match, text)
        if isinstance(verdict, str):
            if looked(*match.span()):
                out.append(Candidate(layer, match.start(), match.end(), detector.name, detector.kind, False, verdict))
            at = max(match.end(), match.start() + 1)
        else:
            out.append(Candidate(layer, verdict.start, verdict.end, detector.name, detector.kind, True, verdict.why))
            at = max(verdict.end, match.start() + 1)
    return out


def _names(layer: str, text: bytes, engine: Engine) -> list[Candidate]:
    out: list[Candidate] = []
    for match in _PAIR.finditer(text):
        rule = engine.names.rule(match.group(1))
        if rule is None:
            continue
        why = rule.accept(match.group(2))
        start, end = match.span(2)
        left = "a bare name counts only beside other marks of a person" if rule.person else "no value of that kind"
        taken = bool(why) and not rule.person
        out.append(Candidate(layer, start, end, rule.name, rule.kind, taken, why if taken else left))
    return out
