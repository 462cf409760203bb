"""Redaction of whole pairs: the head, both bodies, and what has to agree with them afterwards.

`compile_rule` is called once for each rule by forwarder, responder and speedctl; a Redactor is used by one thread
(hyperscan's scratch is its own). Nothing is detected here; see `engine`.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import orjson

from speedscale_runtime.rrpair.model import RRPair
from speedscale_schemas.frames import Frame

from . import echoes, rules
from .chains import Chains, CompileFilter
from .edits import Edit, Edits, Note, apply, join, merge
from .engine import UNDECODABLE, Engine
from .findings import Finding, Found, Later, Outcome, with_content
from .heads import HeadView, ParsedHead, ShapedHead, dump
from .keynames import KeyNames
from .keynames import prefilter as key_patterns
from .keys import KeyRing
from .prefilter import Pattern, Prefilter
from .scope import Scope
from .tokens import Tokeniser
from .traverse import body, compression, json_spots
from .traverse.head import Head
from .traverse.head_shapes import Shapes
from .traverse.places import SIDES
from .triggers import FIRST, KEY
from .work import TooMuch

_HEAD = 4 * 1024 * 1024  # bytes that a head is taken to have when its share of work is set
_NAMED = frozenset(("authorization", "session_cookie", "session", "basic", "bearer", "url_credentials", "dlp_field"))

Json = dict[str, Any]
Bodies = list[bytes | None]


class Redactor:
    """One compiled rule under one key ring. Not for several threads at once."""

    def __init__(self, rule: rules.RuleSet, engine: Engine, chains: Chains) -> None:
        self.rule_id = rule.id
        self.engine = engine
        self._rule = rule
        self._scope = Scope(rule)
        self._head = Head(engine, rule.structural, self._scope.filter if self._scope.limits else None)
        self._chains = chains
        self._shapes = None if rule.chains else Shapes(self._head.walk)  # chains change documents before they are read
        self._echoes = echoes.Echoes(frozenset(k.name for k in rule.key_rules) | _NAMED)

    @property
    def evictions(self) -> int:
        """How many entries the bounded memories of this rule have dropped to make room."""
        shapes = self._shapes.evictions if self._shapes is not None else 0
        return self.engine.evictions + self._head.evictions + self._echoes.evictions + shapes

    @property
    def lookups(self) -> dict[str, tuple[int, int]]:
        """Look-ups by memory: how many found something, how many did not; the same memories in every rule."""
        shapes = self._shapes
        heads = (shapes.hits, shapes.misses) if shapes is not None else (0, 0)
        values = (shapes.value_hits, shapes.value_misses) if shapes is not None else (0, 0)
        return {"shapes": heads, "places": values, **self.engine.lookups}

    def redact_frame(self, frame: Frame) -> Outcome:
        """Redact a captured frame. The very frame comes back when nothing was found in it.

        Raises ValueError when the head is no JSON object.
        """
        notes: list[Note] = []
        given: Bodies = [frame.request_body, frame.response_body]
        self.engine.work.begin(_HEAD)
        filled = self._shapes.read(frame.head, notes) if self._shapes is not None else None
        if filled is not None:
            view: HeadView = ShapedHead(filled)
            bodies = given.copy()
        else:
            view, bodies = self._parsed(frame, given, notes)
        found = self._bodies(view, bodies, notes)
        if not found:
            return Outcome((), self._settle, frame=frame)
        head, doc = self._settled(view, given, bodies, notes, found)
        if not head:
            head = view.written(self.rule_id) if doc is None else dump(doc)
        return Outcome(found, self._settle, frame=Frame(head, bodies[0] or b"", bodies[1] or b""))

    def _parsed(self, frame: Frame, given: Bodies, notes: list[Note]) -> tuple[HeadView, Bodies]:
        doc = orjson.loads(frame.head)
        if not isinstance(doc, dict):
            raise ValueError("the head of a frame has to be a JSON object")
        view, bodies = self._read(doc, given, notes)
        if self._shapes is not None:
            self._shapes.learn(frame.head, doc)
        return view, bodies

    def _read(self, doc: Json, given: Bodies, notes: list[Note]) -> tuple[HeadView, Bodies]:
        """Return a parsed head after chains and redaction, and the bodies after chains."""
        chained, request, response = self._chains.apply(doc, given[0], given[1], notes)
        return ParsedHead(chained, self._head.read(chained, notes)), [request, response]

    def redact_pair(self, pair: RRPair) -> Outcome:
        """Redact a record. The very record comes back when nothing was found; else a new one, the old unchanged."""
        notes: list[Note] = []
        given: Bodies = [pair.request_body, pair.response_body]
        self.engine.work.begin(_HEAD)
        view, bodies = self._read(pair.doc, given, notes)
        found = self._bodies(view, bodies, notes)
        if not found:
            return Outcome((), self._settle, pair=pair)
        _, doc = self._settled(view, given, bodies, notes, found)
        new = view.document(self.rule_id) if doc is None else doc
        return Outcome(found, self._settle, pair=with_content(pair, new, bodies[0], bodies[1]))

    def redact_request(self, pair: RRPair) -> Outcome:
        """Redact a live request before its signature is computed, so that it can match redacted mocks.

        The same as `redact_pair`: same rule, same key, hence the same tokens.
        """
        return self.redact_pair(pair)

    def redact_text(self, data: bytes, content_type: str = "") -> tuple[bytes, tuple[Finding, ...]]:
        """Redact one text or body that belongs to no pair; return it and what was found."""
        found = self._looked_into(data, content_type.encode(), [])
        if not found:
            return data, ()
        edits = self._scope.filter(json_spots.resolve(found, data), "")
        return apply(data, edits), tuple(Finding((*n[:6], None), self._settle) for e in edits for n in e.notes)

    def _bodies(self, view: HeadView, bodies: Bodies, notes: list[Note]) -> list[Found]:
        """Redact bodies in place; return what is said outside of the notes so far and of theirs, which are added."""
        found: list[Found] = [(n[0], n[1], n[2], n[3], n[4], n[5], None) for n in notes]
        for side, name in enumerate(SIDES):
            data = bodies[side]
            if data:
                edits = self._body(view, side, data)
                if edits:
                    bodies[side] = _spliced(data, edits, f"http.{name}.body", notes, found)
        return found

    def _settled(
        self, view: HeadView, given: Bodies, bodies: Bodies, notes: list[Note], found: list[Found]
    ) -> tuple[bytes, Json | None]:
        """Take what notes name out of the rest of a pair; make its head agree with its bodies.

        Returns the head as bytes where it had to be written, and as a document where something was taken out of it.
        """
        echoed = self._echoes.of(notes)
        if echoed:
            hosts = view.destinations(self._rule.structural)
            echoed = [e for e in echoed if e.forms[0].lower() not in hosts]
        if echoed:
            for side, name in enumerate(SIDES):
                data = bodies[side]
                if data:
                    codings = [c for c in view.content(side)[1] if c not in ("", "identity")]
                    bodies[side], heard = _silenced(data, codings, echoed)
                    found += [_echo(e, f"http.{name}.body") for e in heard]
        for side, name in enumerate(SIDES):
            was = given[side]
            if bodies[side] is not was and was is not None:
                view.agree(side, was, bodies[side] or b"", undecodable=_replaced(found, name))
        if not echoed:
            return b"", None
        head = view.written(self.rule_id)
        quiet, heard = echoes.silence(head, echoed)
        if not heard:
            return head, None
        found += [_echo(e, "head") for e in heard]
        return b"", {**json.loads(quiet), "dlpModified": True, "dlpRule": self.rule_id}

    def _settle(self, place: str, later: Later | None) -> str:
        """Return the place of a finding as it is shown: names that are values themselves (an address) are redacted."""
        if later is not None:
            where, redacted, offset, spots = later
            if spots:
                place = join(json_spots.place(redacted, offset), place)
            place = join(where, place)
        return self._place(place)

    def _place(self, place: str) -> str:
        """Return a place in which a name that is a value itself (an address, say) is redacted, too."""
        raw = place.encode("utf-8", "surrogatepass")
        edits = merge(self.engine.values(raw, self.engine.hits(raw)))
        return apply(raw, edits).decode("utf-8", "replace") if edits else place

    def _body(self, view: HeadView, side: int, data: bytes) -> Edits:
        kind, codings = view.content(side)
        edits = self._looked_into(data, kind, codings, strict=self._rule.replace_undecodable)
        if self._scope.limits:
            edits = self._scope.filter(json_spots.resolve(edits, data), f"http.{SIDES[side]}.body")
        if len(edits) == 1 and body.is_marker(edits[0], data):
            return [_json_marker(edits[0])] if b"json" in kind.lower() else edits
        if self._rule.replace_truncated and view.cut(side) and _fired(self.engine, data, edits):
            marker = self.engine.whole(data, "cut while recording, and something in it fired")
            return [_json_marker(marker)] if b"json" in kind.lower() else [marker]
        return edits

    def _looked_into(self, data: bytes, kind: bytes, codings: list[str], *, strict: bool = True) -> Edits:
        """Return the edits of a body; one that asks for too much work is replaced whatever the rule says."""
        try:
            self.engine.work.begin(len(data))
            return body.edits(self.engine, data, kind, codings, strict=strict)
        except TooMuch as why:
            return [self.engine.whole(data, str(why))]


def compile_rule(
    rule: Mapping[str, Any],
    keys: KeyRing,
    *,
    compile_filter: CompileFilter | None = None,
    cache: Path | None = None,
) -> Redactor:
    """Compile a DLP rule's document under a key ring.

    `compile_filter` makes a predicate over records from the criteria of a chain (the package `filters` has it); it is
    needed only by rules with chains. `cache` is a folder where compiled patterns rest between processes (made when
    missing; what others can write to is not used, and nothing fails there). ConfigError lists everything that is wrong
    with the rule.
    """
    checked = rules.read(rule)
    tokens = Tokeniser(keys.active, actions=checked.actions, older=keys.older)
    engine = Engine(Prefilter(patterns(checked), cache), checked.detectors, KeyNames(checked.key_rules), tokens)
    return Redactor(checked, engine, Chains(checked, engine, compile_filter))


def patterns(checked: rules.RuleSet) -> list[Pattern]:
    """Return what the prefilter of a rule looks for."""
    found = [
        Pattern(FIRST + i, e, d.caseless, f"detector {d.name}")
        for i, d in enumerate(checked.detectors)
        for e in d.prefilter
    ]
    return found + [Pattern(KEY, e, True, "names") for e in key_patterns(checked.key_rules)]


def _spliced(data: bytes, edits: Edits, where: str, notes: list[Note], found: list[Found]) -> bytes:
    """Return a body after its edits; add their notes, and what is said of them outside."""
    redacted = apply(data, edits)
    spots = isinstance(edits, json_spots.Spots)
    grown = 0
    for start, end, new, mine in edits:
        later = (where, redacted, start + grown, spots)
        grown += len(new) - (end - start)
        found += [(n[0], n[1], n[2], n[3], n[4], n[5], later) for n in mine]
        notes += mine
    return redacted


def _silenced(data: bytes, codings: list[str], found: list[echoes.Echo]) -> tuple[bytes, list[echoes.Echo]]:
    if not codings:
        return echoes.silence(data, found)
    try:
        plain = compression.decompress(codings[-1], data)
    except compression.Unreadable:
        return echoes.silence(data, found)  # a marker, or plain although a coding is named
    quiet, heard = _silenced(plain, codings[:-1], found)
    return (compression.compress(codings[-1], quiet, data), heard) if heard else (data, [])


def _echo(echo: echoes.Echo, place: str) -> Found:
    return (place, echo.kind, echo.length, echo.token, "echo", "a name elsewhere gave it away", None)


def _fired(engine: Engine, data: bytes, edits: Edits) -> bool:
    return bool(edits) or any(i >= FIRST for i, _ in engine.hits(data))


def _json_marker(edit: Edit) -> Edit:
    return edit._replace(new=b'"' + edit.new + b'"')


def _replaced(found: list[Found], side: str) -> bool:
    where = f"http.{side}.body"
    return any(
        kind == UNDECODABLE and later is not None and later[0] == where and not place and not later[3]
        for place, kind, _, _, _, _, later in found
    )
