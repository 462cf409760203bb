"""The head of one pair, redacted: what the redaction of its bodies asks of it, and what has to agree with them after.

Made by `redactor`, in one of two ways: from the parsed document, or (for frames of a shape that was met before) from
its bytes, which are parsed only where something has to change that the shape does not know. Both write the same bytes.
Nothing is detected here.
"""

from __future__ import annotations

import base64
import hashlib
import json
import re
from functools import lru_cache
from typing import Any, Protocol

import orjson

from . import digests
from .traverse import body
from .traverse.places import CUT_TAGS, DESTINATIONS, SIDES, headers_of
from .traverse.shape import Filled

SIGNATURE_TAG = "dlpBrokenSignature"

Json = dict[str, Any]
Content = tuple[bytes, list[str]]


class HeadView(Protocol):
    """What is asked of a head; `side` is 0 for the request, 1 for the response."""

    def content(self, side: int) -> Content: ...

    def cut(self, side: int) -> bool: ...

    def destinations(self, structural: frozenset[str]) -> set[bytes]: ...

    def agree(self, side: int, old: bytes, new: bytes, *, undecodable: bool) -> None: ...

    def written(self, rule: str) -> bytes: ...

    def document(self, rule: str) -> Json: ...


class ParsedHead:
    """A head as a document: `given` before redaction, `redacted` after (shared where nothing was found)."""

    __slots__ = ("_given", "_new")

    def __init__(self, given: Json, redacted: Json) -> None:
        self._given = given
        self._new = redacted

    def content(self, side: int) -> Content:
        """Return content type and content codings of a side's body."""
        return body.content(headers_of(self._given, SIDES[side]))

    def cut(self, side: int) -> bool:
        """Say whether a recorder cut a side's body."""
        tags = self._given.get("tags")
        return isinstance(tags, dict) and CUT_TAGS[side] in tags

    def destinations(self, structural: frozenset[str]) -> set[bytes]:
        """Return where the call went, as far as the rule lets that stay.

        Recorders label host names as tokens (three words with dots resemble a JWT); taken out of the rest of the pair,
        too, the record would say no longer what it is a mock of.
        """
        http = self._given.get("http")
        request = http.get("req") if isinstance(http, dict) else None
        told = (self._given.get("network_address"), request.get("host") if isinstance(request, dict) else None)
        named = [v for place, v in zip(DESTINATIONS, told, strict=True) if isinstance(v, str) and place in structural]
        return {_host(v.encode("utf-8", "surrogatepass")) for v in named if v}

    def agree(self, side: int, old: bytes, new: bytes, *, undecodable: bool) -> None:
        """Make headers and signature of a side fit its new body."""
        self._new = _agree(self._new, SIDES[side], old, new, undecodable=undecodable)

    def document(self, rule: str) -> Json:
        """Return the redacted document, marked with the rule's id."""
        return {**self._new, "dlpModified": True, "dlpRule": rule}

    def written(self, rule: str) -> bytes:
        """Return the same as bytes."""
        return dump(self.document(rule))


class ShapedHead:
    """A head of a known shape, as bytes."""

    __slots__ = ("_filled", "_parsed")

    def __init__(self, filled: Filled) -> None:
        self._filled = filled
        self._parsed: ParsedHead | None = None

    def content(self, side: int) -> Content:
        """Return content type and content codings of a side's body."""
        filled = self._filled
        kind, coding = filled.shape.kinds[side], filled.shape.codings[side]
        codings = filled.text(coding).decode().split(",") if coding >= 0 else ()
        return filled.text(kind) if kind >= 0 else b"", [c.strip().lower() for c in codings if c.strip()]

    def cut(self, side: int) -> bool:
        """Say whether a recorder cut a side's body."""
        return self._filled.shape.cut[side]

    def destinations(self, structural: frozenset[str]) -> set[bytes]:
        """Return where the call went, as far as the rule lets that stay."""
        filled = self._filled
        told = [filled.text(slot) for place, slot in filled.shape.hosts.items() if place in structural]
        return {_host(t) for t in told if t}

    def agree(self, side: int, old: bytes, new: bytes, *, undecodable: bool) -> None:
        """Make headers and signature of a side fit its new body."""
        filled = self._filled
        if undecodable or filled.shape.bound[side] or self._parsed is not None:
            self._document().agree(side, old, new, undecodable=undecodable)
            return
        length = filled.shape.lengths[side]
        if length >= 0 and filled.text(length).strip() == b"%d" % len(old):
            filled.put(length, b"%d" % len(new))

    def document(self, rule: str) -> Json:
        """Return the redacted document, marked with the rule's id."""
        return self._document().document(rule)

    def written(self, rule: str) -> bytes:
        """Return the same as bytes."""
        if self._parsed is None and self._filled.shape.tight:
            return self._filled.head()[:-1] + b',"dlpModified":true,"dlpRule":' + orjson.dumps(rule) + b"}"
        return self._document().written(rule)

    def _document(self) -> ParsedHead:
        if self._parsed is None:
            doc = orjson.loads(self._filled.head())
            self._parsed = ParsedHead(doc, doc)
        return self._parsed


def dump(doc: Json) -> bytes:
    """Return a document as bytes; what orjson refuses (numbers beyond 64 bits, lone surrogates) is written, too."""
    try:
        return orjson.dumps(doc)
    except TypeError:
        return json.dumps(doc, separators=(",", ":")).encode("ascii")


@lru_cache(maxsize=1024)
def _host(address: bytes) -> bytes:
    return re.sub(rb":\d+$", b"", address).lower()


def _agree(doc: Json, side: str, old: bytes, new: bytes, *, undecodable: bool) -> Json:
    """Return a document whose headers and signature of one side fit its new body; what changes is copied."""
    http = doc.get("http")
    part = http.get(side) if isinstance(http, dict) else None
    if not isinstance(http, dict) or not isinstance(part, dict):
        return doc
    doc = dict(doc)
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
    return doc
