"""Why each candidate in a text was taken or left: for people, not for the hot path.

Called by `speedctl dlp explain`. Runs every detector's grammar without the prefilter, also on what the text decodes
to one layer deep, and the rules for names; the engine's own result stands beside it.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from .detectors import Detector
from .engine import Engine
from .traverse import entities, escapes, percent, runs

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


def explain(engine: Engine, data: bytes) -> list[Candidate]:
    """Return all candidates of a text, in order; the values themselves are not in them."""
    out: list[Candidate] = []
    for layer, text in _layers(data):
        for detector in engine.detectors.values():
            if detector.near is None or detector.near.search(text):
                out += _matches(layer, text, detector)
        out += _names(layer, text, engine)
    return sorted(out, key=lambda c: (c.layer, c.start, c.end, c.detector))


def _layers(data: bytes) -> list[tuple[str, bytes]]:
    layers = [("text", data)]
    views = (("escapes", escapes.unescape), ("percent", percent.unquote), ("references", entities.unescape))
    for name, decode in views:
        decoded = decode(data)[0]
        if decoded != data:
            layers.append((name, decoded))
    return layers + [(name, plain) for name, plain in runs.meanings(data)]


def _matches(layer: str, text: bytes, detector: Detector) -> list[Candidate]:
    out: list[Candidate] = []
    at = 0
    while (match := detector.grammar.search(text, at)) is not None:
        verdict = detector.validate(match, text)
        if isinstance(verdict, str):
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
