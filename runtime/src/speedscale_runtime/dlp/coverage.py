"""The coverage report of a recording: which fields a rule redacts, and which it never does although they look personal.

Called by `speedctl dlp coverage` and `recommend`. Every pair is redacted and both versions are compared field by
field, so that the report says what the rule does, whatever its actions are. What was left is judged by its name, by its
looks, and by the rule `standard` where another one is in force. Invariants: no value is kept, printed or returned, only
digests in memory, counts and shapes; the same pairs give the same report, and within the bounds in any order; what did
not fit is counted.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, NamedTuple

from speedscale_runtime.rrpair.model import RRPair
from speedscale_runtime.rrpair.unpacking import unpack

from . import coverage_names as names
from .coverage_looks import Look, look, shape
from .engine import Engine
from .fields import Field, Form, fields, is_value, pattern, place
from .redactor import Redactor
from .tokens import TOKEN

MAX_FIELDS = 20_000
MAX_DISTINCT = 1_000
_MAX_SHAPES = 64
_FEW = 2
_MANY = 8


class Confidence(StrEnum):
    """How much speaks for a person's data."""

    HIGH = "high"
    MEDIUM = "medium"
    LOW = "low"


ORDER = (Confidence.HIGH, Confidence.MEDIUM, Confidence.LOW)


class Endpoint(NamedTuple):
    """What was called: `location` has `*` for segments that are values; empty for protocols without paths."""

    protocol: str
    command: str
    location: str

    def __str__(self) -> str:
        return " ".join(p for p in (self.command or self.protocol, self.location) if p)


class Spot(NamedTuple):
    """One field of one endpoint, whichever pairs it came in; `path` has `*` for indexes and value-like names."""

    endpoint: Endpoint
    part: str
    form: Form
    path: tuple[str, ...]
    name: str

    @property
    def place(self) -> str:
        """The place as people read it."""
        return place(self.part, self.form, self.path)


@dataclass(slots=True)
class Seen:
    """What was counted of one field. `left` are values that the rule let through."""

    values: int = 0
    redacted: int = 0
    left: int = 0
    digests: set[bytes] = field(default_factory=set)
    shapes: Counter[str] = field(default_factory=Counter)
    looks: Counter[Look] = field(default_factory=Counter)
    kinds: Counter[str] = field(default_factory=Counter)


@dataclass(frozen=True, slots=True)
class Suspect:
    """A field that is never redacted, or only in part, and looks personal; `because` never holds a value."""

    spot: Spot
    confidence: Confidence
    kind: str
    because: tuple[str, ...]
    values: int
    redacted: int
    distinct: int
    shape: str


@dataclass(frozen=True, slots=True)
class Report:
    """What a rule covers: counts of fields, and the suspects, the most certain first."""

    rule: str
    pairs: int
    fields: int
    redacted: int
    overflow: int
    suspects: tuple[Suspect, ...]

    def of(self, minimum: Confidence) -> tuple[Suspect, ...]:
        """Return the suspects of at least this confidence."""
        wanted = ORDER[: ORDER.index(minimum) + 1]
        return tuple(s for s in self.suspects if s.confidence in wanted)


class Coverage:
    """Collects over pairs; `judge` is the engine of a wider rule that says what else a value would be."""

    def __init__(self, redactor: Redactor, judge: Engine | None = None) -> None:
        self._redactor, self._judge = redactor, judge
        self._seen: dict[Spot, Seen] = {}
        self._pairs = 0
        self._overflow = 0

    def add(self, pair: RRPair) -> None:
        """Count the fields of one pair; the pair itself is not changed."""
        before = pair.copy()
        after = self._redactor.redact_pair(pair).pair
        after = before if after is pair else after.copy()
        unpack(before)
        if after is not before:
            unpack(after)
        self._pairs += 1
        endpoint = _endpoint(before)
        now: dict[tuple[str, Any], Any] = {}
        if after is not before:
            for f in fields(after):
                now.setdefault((f.part, f.path), f.value)
        firsts: set[tuple[str, Any]] = set()
        for f in fields(before):
            at = (f.part, f.path)
            repeated = at in firsts  # a parameter that comes twice: only the first can be told from its redacted self
            firsts.add(at)
            changed = after is not before and not repeated and now.get(at, _GONE) != f.value
            self._count(endpoint, f, changed)

    def _count(self, endpoint: Endpoint, f: Field, changed: bool) -> None:
        value = f.value
        if value is None or value == "":
            return
        if f.form is Form.SEGMENT and not is_value(str(value)) and not changed:
            return
        spot = Spot(endpoint, f.part, f.form, pattern(f.path) if f.form is not Form.SEGMENT else _index(f), f.name)
        if is_value(spot.name):
            spot = spot._replace(name="")
        seen = self._seen.get(spot)
        if seen is None:
            if len(self._seen) >= MAX_FIELDS:
                self._overflow += 1
                return
            seen = self._seen[spot] = Seen()
        seen.values += 1
        if changed or (isinstance(value, str) and TOKEN.search(value.encode("utf-8", "replace"))):
            seen.redacted += 1
        elif not isinstance(value, bool):
            self._left(seen, spot, value)

    def _left(self, seen: Seen, spot: Spot, value: str | int | float) -> None:
        seen.left += 1
        raw = (value if isinstance(value, str) else repr(value)).encode("utf-8", "replace")
        digest = hashlib.blake2b(raw, digest_size=8).digest()
        if digest in seen.digests or len(seen.digests) >= MAX_DISTINCT:
            return
        seen.digests.add(digest)
        like = shape(value)
        if like in seen.shapes or len(seen.shapes) < _MAX_SHAPES:
            seen.shapes[like] += 1
        found = look(value)
        if found is not None:
            seen.looks[found] += 1
        number = not isinstance(value, str)
        kind = _kind(self._judge, spot.name, raw, number=number) if self._judge is not None else ""
        if kind:
            seen.kinds[kind] += 1

    def report(self) -> Report:
        """Return what was found so far."""
        suspects = [s for spot, seen in self._seen.items() if (s := _suspect(spot, seen)) is not None]
        suspects.sort(key=lambda s: (ORDER.index(s.confidence), s.spot.endpoint, s.spot.place, s.spot))
        redacted = sum(seen.redacted > 0 for seen in self._seen.values())
        return Report(self._redactor.rule_id, self._pairs, len(self._seen), redacted, self._overflow, tuple(suspects))


_GONE = object()


def _index(f: Field) -> tuple[str, ...]:
    return tuple(str(p) for p in f.path)


def _endpoint(pair: RRPair) -> Endpoint:
    doc: Mapping[str, Any] = pair.doc
    protocol = str(doc.get("l7protocol") or "http")
    location = str(doc.get("location") or "").partition("?")[0]
    if not location.startswith("/"):
        location = ""  # a statement, a queue: may hold values
    segments = ["*" if s and is_value(s) else s for s in location.split("/")]
    return Endpoint(protocol, str(doc.get("command") or ""), "/".join(segments))


def _kind(judge: Engine, name: str, raw: bytes, *, number: bool) -> str:
    """Return what the wider rule would take the value for."""
    rule = judge.names.rule(name.encode("utf-8", "replace")) if name else None
    if rule is not None and not rule.person and (rule.numbers or not number) and rule.accept(raw):
        return rule.kind
    judge.work.begin(len(raw))
    for edit in judge.values(raw, judge.hits(raw)):
        return edit.notes[0].kind
    return ""


def _suspect(spot: Spot, seen: Seen) -> Suspect | None:
    if not seen.left:
        return None
    concept = names.concept(spot.name)
    distinct = len(seen.digests)
    points, because = _points(concept, seen, distinct)
    if points <= 0:
        return None
    confidence = ORDER[max(0, 3 - min(points, 3))]
    kind = seen.kinds.most_common(1)[0][0] if seen.kinds else concept or "PERSONAL"
    like = min(seen.shapes, key=lambda s: (-seen.shapes[s], s))
    return Suspect(spot, confidence, kind, tuple(because), seen.values, seen.redacted, distinct, like)


def _points(concept: str, seen: Seen, distinct: int) -> tuple[int, list[str]]:
    points, because = 0, []
    if concept:
        points += 2 if concept in names.STRONG else 1
        because.append(f"its name is one for {_words(concept)}")
    for kind, n in sorted(seen.kinds.items(), key=lambda k: (-k[1], k[0]))[:1]:
        points += 3
        because.append(f"the rule standard would take {n} of its values for {kind}")
    for found, n in sorted(seen.looks.items(), key=lambda k: (-k[1], k[0]))[:1]:
        if 2 * n >= distinct:
            points += 1
            because.append(f"looks like {found.value}")
    if seen.redacted and not seen.kinds:
        points += 1
        because.append(f"{seen.redacted} of its {seen.values} values are redacted, the others are not")
    varied = distinct > _FEW and (2 * distinct >= seen.left or distinct >= MAX_DISTINCT)
    if concept in names.STRONG and varied:
        points += 1
        because.append("nearly each value is another")
    elif distinct <= _FEW and seen.left >= _MANY and concept not in names.SENSITIVE:
        points -= 1
        because.append("few different values")
    return points, because


def _words(concept: str) -> str:
    return concept.lower().replace("_", " ")
