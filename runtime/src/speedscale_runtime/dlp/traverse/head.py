"""The head of a pair: every leaf of the record, each as what it is by its place.

URLs, headers, cookies and query parameters have their own readers; signatures and tokens hold base64; everything
else is text under its key, protocol bodies included. Structural places keep their hosts and addresses, nothing else.
The document is copied where it changes and shared where it does not.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Callable
from typing import Any

from speedscale_runtime.dlp.detectors import KeyRule
from speedscale_runtime.dlp.edits import Edit, Edits, Note, apply, merge, under

from . import auth, cookies, form
from .base import Asks

Reader = Callable[[Asks, bytes, int], Edits]

_ADDRESS_KINDS = frozenset(("IP4", "IP6", "MAC"))
_HEADERS: dict[str, Reader] = {
    "authorization": auth.header,
    "proxy-authorization": auth.header,
    "cookie": cookies.cookie,
    "set-cookie": cookies.set_cookie,
    "location": form.url,
    "referer": form.url,
    "content-location": form.url,
    "x-original-url": form.url,
    "x-rewrite-url": form.url,
    ":path": form.url,
}
_URLS = frozenset(("url", "uri", "location", "optUrl"))
_SKIPPED_HEADERS = frozenset(("content-length",))
# Fields of the record itself that hold no text of the traffic.
_OWN = frozenset(("msgType", "l7protocol", "direction", "ts", "uuid", "duration", "dlpRule", "dlpModified"))
_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d{1,9})?Z")
_CACHE_LIMIT = 32_768
_CACHED_CHARS = 512


class Head:
    """Reads heads under one rule; keeps a bounded cache of leaves by place and text (emptied when full)."""

    def __init__(self, engine: Asks, structural: frozenset[str]) -> None:
        self.engine = engine
        self.structural = structural
        self._below = tuple(s[:-1] for s in structural if s.endswith("*"))
        self._cache: dict[tuple[str, str], tuple[str, tuple[Note, ...]]] = {}

    def read(self, doc: dict[str, Any], notes: list[Note]) -> dict[str, Any]:
        """Return the redacted document (the same object when nothing was found) and add to `notes`."""
        changed: dict[str, Any] | None = None
        for key, value in doc.items():
            if key in _OWN and not isinstance(value, (dict, list)):
                continue
            new = self.top(key, value, notes)
            if new is not value:
                changed = changed or dict(doc)
                changed[key] = new
        return changed or doc

    def top(self, key: str, value: Any, notes: list[Note]) -> Any:
        """Return one top-level field, redacted."""
        if key == "http" and isinstance(value, dict):
            return self._http(value, notes)
        if key == "session" and isinstance(value, str):
            return self._leaf(value, key, key, notes, _session)
        if key == "signature" and isinstance(value, dict):
            return self._each(value, key, notes, coded=True)
        if key == "mutableSignature" and isinstance(value, dict):
            return self._each(value, key, notes, coded=False)
        if key in _URLS and isinstance(value, str):
            return self._leaf(value, key, key, notes, form.url)
        return self.node(value, key, key, notes, None)

    def node(self, value: Any, place: str, key: str, notes: list[Note], rule: KeyRule | None) -> Any:
        """Return any value of the document, redacted; `rule` holds for everything below a sensitive name."""
        if isinstance(value, str):
            return self._text(value, place, key, notes, rule)
        if isinstance(value, dict):
            return self._object(value, place, notes, rule)
        if isinstance(value, list):
            rule = rule or self.engine.names.rule(key.encode("utf-8", "surrogatepass"))
            return _replaced(value, [self.node(v, f"{place}[{i}]", key, notes, rule) for i, v in enumerate(value)])
        if isinstance(value, (int, float)) and not isinstance(value, bool):
            return self._number(value, place, key, notes, rule)
        return value

    def _object(self, value: dict[str, Any], place: str, notes: list[Note], rule: KeyRule | None) -> Any:
        out: dict[str, Any] = {}
        same = True
        label = value.get("name", value.get("key"))
        named = self.engine.names.rule(_bytes(label)) if isinstance(label, str) and "value" in value else None
        for key, item in value.items():
            below = f"{place}.{key}"
            found = self.engine.names.rule(_bytes(key)) if isinstance(item, (dict, list)) else None
            inherit = found if found is not None and found.nested else rule
            if key == "replacementValue" and isinstance(item, str):
                new = self._leaf(item, below, key, notes, _coded(""))
            else:
                new = self.node(item, below, key, notes, named if key == "value" and named else inherit)
            written = self._leaf(key, place, "", notes, None)
            same = same and new is item and written is key
            out[written] = new
        return value if same else out

    def _http(self, value: dict[str, Any], notes: list[Note]) -> Any:
        out = {}
        for side, part in value.items():
            place = f"http.{side}"
            out[side] = (
                self._side(part, place, notes) if isinstance(part, dict) else self.node(part, place, side, notes, None)
            )
        return _replaced_map(value, out)

    def _side(self, part: dict[str, Any], place: str, notes: list[Note]) -> Any:
        out: dict[str, Any] = {}
        for key, item in part.items():
            below = f"{place}.{key}"
            if key in ("headers", "trailers") and isinstance(item, dict):
                out[key] = self._headers(item, below, notes)
            elif key in _URLS and isinstance(item, str):
                out[key] = self._leaf(item, below, key, notes, form.url)
            else:
                out[key] = self.node(item, below, key, notes, None)
        return _replaced_map(part, out)

    def _headers(self, headers: dict[str, Any], place: str, notes: list[Note]) -> Any:
        out: dict[str, Any] = {}
        for name, values in headers.items():
            folded = name.lower()
            reader = _HEADERS.get(folded)
            below = f"{place}.{name}"
            if folded in _SKIPPED_HEADERS:
                out[name] = values
            elif isinstance(values, list):
                new = [
                    self._leaf(v, f"{below}[{i}]", name, notes, reader) if isinstance(v, str) else v
                    for i, v in enumerate(values)
                ]
                out[name] = _replaced(values, new)
            elif isinstance(values, str):
                out[name] = self._leaf(values, below, name, notes, reader)
            else:
                out[name] = self.node(values, below, name, notes, None)
        return _replaced_map(headers, out)

    def _each(self, value: dict[str, Any], place: str, notes: list[Note], *, coded: bool) -> Any:
        out: dict[str, Any] = {}
        for key, item in value.items():
            if not isinstance(item, str):
                out[key] = self.node(item, f"{place}.{key}", key, notes, None)
                continue
            name = key.rpartition(":")[2]
            reader = _coded(name) if coded else _signature_text(name)
            out[key] = self._leaf(item, f"{place}.{key}", key, notes, reader)
        return _replaced_map(value, out)

    def _text(self, value: str, place: str, key: str, notes: list[Note], rule: KeyRule | None) -> str:
        if rule is not None:
            edits = self.engine.by_key(_bytes(value), rule)
            if edits is not None:
                return self._apply(value, edits, place, notes)
        return self._leaf(value, place, key, notes, None)

    def _leaf(self, value: str, place: str, key: str, notes: list[Note], reader: Reader | None) -> str:
        at = (place, value)
        known = self._cache.get(at)
        if known is not None:
            if known[1]:
                notes += known[1]
            return known[0]
        found: list[Note] = []
        new = self._judge(value, place, key, found, reader)
        if len(value) <= _CACHED_CHARS:
            if len(self._cache) >= _CACHE_LIMIT:
                self._cache.clear()
            self._cache[at] = (new, tuple(found))
        notes += found
        return new

    def _judge(self, value: str, place: str, key: str, notes: list[Note], reader: Reader | None) -> str:
        if not value or _TIME.fullmatch(value) is not None:
            return value
        data = _bytes(value)
        if reader is not None:
            edits = merge(reader(self.engine, data, 0))
        elif "?" in value or "://" in value:
            edits = merge([*self.engine.leaf(data, _bytes(key)), *form.url(self.engine, data, 0)])
        else:
            edits = self.engine.leaf(data, _bytes(key))
        if edits and (place in self.structural or place.startswith(self._below)):
            edits = [e for e in edits if e.notes[0].kind not in _ADDRESS_KINDS]
        return self._apply(value, edits, place, notes)

    def _apply(self, value: str, edits: Edits, place: str, notes: list[Note]) -> str:
        if not edits:
            return value
        for edit in edits:
            notes += under(edit.notes, place)
        return apply(_bytes(value), edits).decode("utf-8", "surrogatepass")

    def _number(self, value: float, place: str, key: str, notes: list[Note], rule: KeyRule | None) -> float:
        rule = rule or self.engine.names.rule(_bytes(key))
        if abs(value) < 100_000_000 and (rule is None or not rule.numbers):
            return value
        text = repr(value).encode("ascii")
        edits = self.engine.number(text, 0, rule, self.engine.hits(text), _bytes(key))
        if not edits:
            return value
        notes += under(edits[0].notes, place)
        return type(value)(edits[0].new)


def _bytes(text: str) -> bytes:
    return text.encode("utf-8", "surrogatepass")


def _replaced(old: list[Any], new: list[Any]) -> list[Any]:
    for a, b in zip(old, new, strict=True):
        if a is not b:
            return new
    return old


def _replaced_map(old: dict[str, Any], new: dict[str, Any]) -> dict[str, Any]:
    for key, value in old.items():
        if new[key] is not value:
            return new
    return old


def _session(engine: Asks, data: bytes, depth: int) -> Edits:
    return engine.secret(data, "session", "the session id of the record")


def _signature_text(name: str) -> Reader:
    if name in ("url", "uri", "queryparams"):
        return lambda engine, data, depth: (
            form.url(engine, data, depth) if name != "queryparams" else form.edits(engine, data, depth)
        )
    return lambda engine, data, depth: engine.leaf(data, name.encode("utf-8", "replace"), depth)


def _coded(name: str) -> Reader:
    """Return the reader of a base64 value that means text under `name`."""
    inner = _signature_text(name)

    def read(engine: Asks, data: bytes, depth: int) -> Edits:
        try:
            plain = base64.b64decode(data, validate=True)
        except binascii.Error:
            return engine.leaf(data, name.encode("utf-8", "replace"), depth)
        edits = merge(inner(engine, plain, depth + 1))
        if not edits:
            return []
        notes = tuple(n for e in edits for n in e.notes)
        return [Edit(0, len(data), base64.b64encode(apply(plain, edits)), notes)]

    return read
