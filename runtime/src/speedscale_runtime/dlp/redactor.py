"""Redaction of whole pairs: the head, both bodies, and what has to agree with them afterwards.

`compile_rule` is called once for each rule by forwarder, responder and speedctl; a Redactor is used by one thread
(hyperscan's scratch is its own). Nothing is detected here; see `engine`.
"""

from __future__ import annotations

import base64
import hashlib
import json
import re
from collections.abc import Mapping
from typing import Any

import orjson

from speedscale_runtime.rrpair.model import RRPair
from speedscale_schemas.frames import Frame

from . import digests, echoes, rules
from .chains import Chains, CompileFilter
from .edits import Edit, Edits, Note, apply, join, merge
from .engine import UNDECODABLE, Engine
from .explain import Candidate, explain
from .findings import Finding, Found, Later, Outcome, with_content
from .keynames import KeyNames
from .keynames import prefilter as key_patterns
from .keys import KeyRing
from .prefilter import Pattern, Prefilter
from .scope import Scope
from .tokens import Tokeniser
from .traverse import body, compression, json_spots
from .traverse.head import Head
from .triggers import FIRST, KEY
from .work import TooMuch

_HEAD = 4 * 1024 * 1024  # bytes that a head is taken to have when its share of work is set
_SIDES = (("req", "requestPayloadTruncated"), ("res", "responsePayloadTruncated"))
_NAMED = frozenset(("authorization", "session_cookie", "session", "basic", "bearer", "url_credentials", "dlp_field"))
SIGNATURE_TAG = "dlpBrokenSignature"

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
        self._echoes = echoes.Echoes(frozenset(k.name for k in rule.key_rules) | _NAMED)

    @property
    def evictions(self) -> int:
        """How many entries the bounded memories of this rule have dropped to make room."""
        return self.engine.evictions + self._head.evictions + self._echoes.evictions

    def redact_frame(self, frame: Frame) -> Outcome:
        """Redact a captured frame. The very frame comes back when nothing was found in it.

        Raises ValueError when the head is no JSON object.
        """
        doc = orjson.loads(frame.head)
        if not isinstance(doc, dict):
            raise ValueError("the head of a frame has to be a JSON object")
        given: Bodies = [frame.request_body, frame.response_body]
        new, bodies, found, head = self._redact(doc, given)
        if not found:
            return Outcome((), self._settle, frame=frame)
        redacted = Frame(head or dump(new), bodies[0] or b"", bodies[1] or b"")
        return Outcome(found, self._settle, frame=redacted)

    def redact_pair(self, pair: RRPair) -> Outcome:
        """Redact a record. The very record comes back when nothing was found; else a new one, the old unchanged."""
        new, bodies, found, _ = self._redact(pair.doc, [pair.request_body, pair.response_body])
        if not found:
            return Outcome((), self._settle, pair=pair)
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

    def explain(self, data: bytes) -> list[Candidate]:
        """Return why each candidate of a text is taken or left."""
        return explain(self.engine, data)

    def _redact(self, doc: Json, given: Bodies) -> tuple[Json, Bodies, list[Found], bytes]:
        """Return document, bodies, findings, and the document as bytes where it was written already.

        The very document and bodies come back when nothing was found.
        """
        notes: list[Note] = []
        self.engine.work.begin(_HEAD)
        chained, request, response = self._chains.apply(doc, given[0], given[1], notes)
        new = self._head.read(chained, notes)
        found: list[Found] = [(n[0], n[1], n[2], n[3], n[4], n[5], None) for n in notes]
        bodies: Bodies = [request, response]
        coded: list[list[str]] = [[], []]
        for i, (side, tag) in enumerate(_SIDES):
            data = bodies[i]
            if data:
                kind, coded[i] = body.content(_headers(chained, side))
                edits = self._body(chained, side, tag, data, kind, coded[i])
                if edits:
                    bodies[i] = _spliced(data, edits, f"http.{side}.body", notes, found)
        if not found:
            return doc, given, found, b""
        new = dict(new)
        echoed = self._echoes.of(notes)
        if echoed:
            hosts = self._destinations(chained)
            echoed = [e for e in echoed if e.forms[0].lower() not in hosts]
        if echoed:
            for i, (side, _) in enumerate(_SIDES):
                data = bodies[i]
                if data:
                    bodies[i], heard = _silenced(data, [c for c in coded[i] if c not in ("", "identity")], echoed)
                    found += [_echo(e, f"http.{side}.body") for e in heard]
        for i, (side, _) in enumerate(_SIDES):
            was = given[i]
            if bodies[i] is not was and was is not None:
                _agree(new, side, was, bodies[i] or b"", undecodable=_replaced(found, side))
        new["dlpModified"] = True
        new["dlpRule"] = self.rule_id
        if not echoed:
            return new, bodies, found, b""
        head, heard = echoes.silence(dump(new), echoed)
        if heard:
            found += [_echo(e, "head") for e in heard]
            new = {**json.loads(head), "dlpModified": True, "dlpRule": self.rule_id}
            head = b""
        return new, bodies, found, head

    def _destinations(self, doc: Json) -> set[bytes]:
        """Return where the call went, as far as the rule lets that stay.

        Recorders label host names as tokens (three words with dots resemble a JWT); taken out of the rest of the pair,
        too, the record would say no longer what it is a mock of.
        """
        http = doc.get("http")
        request = http.get("req") if isinstance(http, dict) else None
        named = {"network_address": doc.get("network_address")}
        named["http.req.host"] = request.get("host") if isinstance(request, dict) else None
        texts = [v for place, v in named.items() if isinstance(v, str) and place in self._rule.structural]
        return {re.sub(r":\d+$", "", t).lower().encode("utf-8", "surrogatepass") for t in texts if t}

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

    def _body(self, doc: Json, side: str, tag: str, data: bytes, kind: bytes, codings: list[str]) -> Edits:
        edits = self._looked_into(data, kind, codings, strict=self._rule.replace_undecodable)
        if self._scope.limits:
            edits = self._scope.filter(json_spots.resolve(edits, data), f"http.{side}.body")
        tags = doc.get("tags")
        if len(edits) == 1 and body.is_marker(edits[0], data):
            return [_json_marker(edits[0])] if b"json" in kind.lower() else edits
        if self._rule.replace_truncated and isinstance(tags, dict) and tag in tags and _fired(self.engine, data, edits):
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


def compile_rule(rule: Mapping[str, Any], keys: KeyRing, *, compile_filter: CompileFilter | None = None) -> Redactor:
    """Compile a DLP rule's document under a key ring.

    `compile_filter` makes a predicate over records from the criteria of a chain (the package `filters` has it); it is
    needed only by rules with chains. ConfigError lists everything that is wrong with the rule.
    """
    checked = rules.read(rule)
    tokens = Tokeniser(keys.active, actions=checked.actions, older=keys.older)
    patterns = [
        Pattern(FIRST + i, e, d.caseless, f"detector {d.name}")
        for i, d in enumerate(checked.detectors)
        for e in d.prefilter
    ]
    patterns += [Pattern(KEY, e, True, "names") for e in key_patterns(checked.key_rules)]
    engine = Engine(Prefilter(patterns), checked.detectors, KeyNames(checked.key_rules), tokens)
    return Redactor(checked, engine, Chains(checked, engine, compile_filter))


def dump(doc: Json) -> bytes:
    """Return a document as bytes; what orjson refuses (numbers beyond 64 bits, lone surrogates) is written, too."""
    try:
        return orjson.dumps(doc)
    except TypeError:
        return json.dumps(doc, separators=(",", ":")).encode("ascii")


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


def _headers(doc: Json, side: str) -> Json:
    http = doc.get("http")
    part = http.get(side) if isinstance(http, dict) else None
    headers = part.get("headers") if isinstance(part, dict) else None
    return headers if isinstance(headers, dict) else {}


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


def _agree(doc: Json, side: str, old: bytes, new: bytes, *, undecodable: bool) -> None:
    """Make headers and signature of one side fit its new body; `doc` is ours, what is below it is copied."""
    http = doc.get("http")
    part = http.get(side) if isinstance(http, dict) else None
    if not isinstance(http, dict) or not isinstance(part, dict):
        return
    headers = part.get("headers")
    if isinstance(headers, dict):
        fixed, broken = digests.correct(headers, old, new)
        if undecodable:
            fixed = {k: v for k, v in fixed.items() if k.lower() != "content-encoding"}
        doc["http"] = {**http, side: {**part, "headers": fixed}}
        if broken:
            doc["tags"] = {**(doc.get("tags") or {}), SIGNATURE_TAG: ",".join(sorted(broken))}
    signature = doc.get("signature")
    if side == "req" and isinstance(signature, dict):
        was = base64.b64encode(hashlib.sha256(old).digest()).decode("ascii")
        if signature.get("http:requestBodyHash") == was:
            now = base64.b64encode(hashlib.sha256(new).digest()).decode("ascii")
            doc["signature"] = {**signature, "http:requestBodyHash": now}
