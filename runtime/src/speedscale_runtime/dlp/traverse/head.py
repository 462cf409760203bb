"""The head of a pair: every leaf of the record, each as what it is by its place.

URLs, headers, cookies and query parameters have their own readers; signatures and tokens hold base64; everything
else is text under its key, protocol bodies included. Structural places keep their hosts and addresses, nothing else.
The document is copied where it changes and shared where it does not.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from speedscale_runtime.dlp.detectors import KeyRule
from speedscale_runtime.dlp.edits import Edits, Note, apply, merge, under
from speedscale_runtime.dlp.memory import Memory
from speedscale_runtime.dlp.work import TooMuch

from . import form, readers
from .base import Asks
from .head_walk import Walk
from .places import BIG, CACHED_CHARS, HEADER_MAPS, MARKS, SKIPPED_HEADERS, TIME, URLS, UUID, below, top_reader
from .readers import Reader

_ADDRESS_KINDS = frozenset(("IP4", "IP6", "MAC"))
_CACHE_BYTES = 8 * 1024 * 1024
_NAMES = 32_768
_NAME_CHARS = 128


class Head:
    """Reads heads under one rule.

    A bounded memory (8 MiB of leaves of at most 512 characters, by place and text) makes what repeats from pair to
    pair (most of a head) a look-up; `evictions` counts what was dropped.
    """

    def __init__(
        self, engine: Asks, structural: frozenset[str], allowed: Callable[[Edits, str], Edits] | None = None
    ) -> None:
        """`allowed` keeps the edits that may count at a place, where the rule limits some detectors to some."""
        self._allowed = allowed
        self.engine = engine
        self.structural = structural
        self._below = tuple(s[:-1] for s in structural if s.endswith("*"))
        self._cache: Memory[tuple[str, str, str], tuple[str, tuple[Note, ...]]] = Memory(_CACHE_BYTES)
        self._rules: Memory[str, tuple[KeyRule | None]] = Memory(_NAMES)
        self._clean: Memory[str, bool] = Memory(_NAMES)
        self.walk = Walk(self)

    @property
    def evictions(self) -> int:
        """How many entries were dropped from memory."""
        return sum(m.evictions for m in (self._cache, self._rules, self._clean, self.walk))

    def read(self, doc: dict[str, Any], notes: list[Note]) -> dict[str, Any]:
        """Return the redacted document (the same object when nothing was found) and add to `notes`."""
        new = self.walk.read(doc, notes)
        return self.in_full(doc, notes) if new is None else new

    def in_full(self, doc: dict[str, Any], notes: list[Note]) -> dict[str, Any]:
        """Do what `read` does without what is remembered of places: for documents of an unusual shape."""
        out: dict[str, Any] = {}
        for key, value in doc.items():
            new = value if key in MARKS else self.top(key, value, notes)
            out[self.name(key, "", notes)] = new
        return doc if list(out) == list(doc) and _same(doc, out) else out

    def top(self, key: str, value: Any, notes: list[Note]) -> Any:
        """Return one top-level field, redacted."""
        if isinstance(value, str):
            if key == "uuid" and UUID.fullmatch(value):
                return value
            return self._leaf(value, "", key, key, notes, top_reader(key))
        if isinstance(value, dict):
            if key == "http":
                return self._http(value, notes)
            if key in ("signature", "mutableSignature"):
                return self._each(value, key, notes, coded=key == "signature")
            if key == "tokenList":
                return self._labelled(value, key, notes, "")
        return self.node(value, "", key, key, notes, None)

    def node(self, value: Any, place: str, segment: str, key: str, notes: list[Note], rule: KeyRule | None) -> Any:
        """Return any value of the document, redacted.

        It stands at `segment` (a name or an index) below `place`, under the name `key`; `rule` holds for everything
        below a sensitive name.
        """
        if isinstance(value, str):
            return self._text(value, place, segment, key, notes, rule)
        if isinstance(value, dict):
            return self._object(value, below(place, segment), notes, rule)
        if isinstance(value, list):
            here = below(place, segment)
            rule = rule or self.rule(key)
            return _replaced(value, [self.node(v, here, f"[{i}]", key, notes, rule) for i, v in enumerate(value)])
        if isinstance(value, (int, float)) and not isinstance(value, bool):
            return self._number(value, place, segment, key, notes, rule)
        return value

    def rule(self, key: str) -> KeyRule | None:
        """Return the rule behind a name; cached like everything here."""
        known = self._rules.get(key)
        if known is None:
            known = (self.engine.names.rule(_bytes(key)),)
            if len(key) <= _NAME_CHARS:
                self._rules.put(key, known)
        return known[0]

    def _object(self, value: dict[str, Any], place: str, notes: list[Note], rule: KeyRule | None) -> Any:
        out: dict[str, Any] = {}
        same = True
        label = value.get("name", value.get("key")) if "value" in value else None
        named = self.rule(label) if isinstance(label, str) else None
        for key, item in value.items():
            if isinstance(item, str):
                if key == "replacementValue":
                    new: Any = self._leaf(item, place, key, key, notes, readers.coded(""))
                else:
                    new = self._text(item, place, key, key, notes, named if key == "value" and named else rule)
            else:
                found = self.rule(key) if isinstance(item, (dict, list)) else None
                new = self.node(item, place, key, key, notes, found if found is not None and found.nested else rule)
            written = self.name(key, place, notes)
            same = same and new is item and written is key
            out[written] = new
        return value if same else out

    def _http(self, value: dict[str, Any], notes: list[Note]) -> Any:
        out: dict[str, Any] = {}
        for side, part in value.items():
            if isinstance(part, dict):
                new = self._side(part, "http." + side, notes)
            else:
                new = self.node(part, "http", side, side, notes, None)
            out[self.name(side, "http", notes)] = new
        return value if list(out) == list(value) and _same(value, out) else out

    def _side(self, part: dict[str, Any], place: str, notes: list[Note]) -> Any:
        out: dict[str, Any] = {}
        for key, item in part.items():
            if isinstance(item, str):
                new: Any = self._leaf(item, place, key, key, notes, form.url if key in URLS else None)
            elif key in HEADER_MAPS and isinstance(item, dict):
                new = self._headers(item, below(place, key), notes)
            else:
                new = self.node(item, place, key, key, notes, None)
            out[self.name(key, place, notes)] = new
        return part if list(out) == list(part) and _same(part, out) else out

    def _headers(self, headers: dict[str, Any], place: str, notes: list[Note]) -> Any:
        out: dict[str, Any] = {}
        for name, values in headers.items():
            if isinstance(values, list):
                under_it = below(place, name)
                new: Any = _replaced(
                    values,
                    [
                        self._header(name, v, under_it, f"[{i}]", notes) if isinstance(v, str) else v
                        for i, v in enumerate(values)
                    ],
                )
            else:
                new = self.node(values, place, name, name, notes, None)
            out[self.name(name, place, notes)] = new
        return headers if list(out) == list(headers) and _same(headers, out) else out

    def _header(self, name: str, value: str, place: str, segment: str, notes: list[Note]) -> str:
        folded = name.lower()
        if folded in SKIPPED_HEADERS:
            return value
        return self._leaf(value, place, segment, name, notes, readers.HEADERS.get(folded))

    def name(self, name: str, place: str, notes: list[Note]) -> str:
        """Return a name without values in it; clean ones are remembered."""
        if self._clean.get(name):
            return name
        written = self.judge(name, place, "", notes, None)
        if written == name:
            if len(name) <= _NAME_CHARS and not self._is_structural(place):
                self._clean.put(name, True)
            return name
        return written

    def _each(self, value: dict[str, Any], place: str, notes: list[Note], *, coded: bool) -> Any:
        out: dict[str, Any] = {}
        for key, item in value.items():
            if isinstance(item, str):
                name = key.rpartition(":")[2]
                reader = readers.coded(name) if coded else readers.signature(name)
                out[self.name(key, place, notes)] = self._leaf(item, place, key, key, notes, reader)
            else:
                out[key] = self.node(item, place, key, key, notes, None)
        return value if list(out) == list(value) and _same(value, out) else out

    def _labelled(self, value: Any, place: str, notes: list[Note], label: str) -> Any:
        """Return (a part of) a token list: its keys are labels, `KIND:value`, and no names of what stands below them.

        What they stand for is in `replacementValue`, in base64; `label` is the one of the entry.
        """
        if isinstance(value, list):
            new = [self._labelled(v, f"{place}[{i}]", notes, label) for i, v in enumerate(value)]
            return _replaced(value, new)
        if not isinstance(value, dict):
            return self.node(value, place, "", "", notes, None)
        out: dict[str, Any] = {}
        for key, item in value.items():
            if key == "replacementValue" and isinstance(item, str):
                kind = label.partition(":")[0]
                new_item: Any = self._leaf(item, place, key, key, notes, readers.coded(kind))
            elif isinstance(item, (dict, list)):
                new_item = self._labelled(item, below(place, key), notes, label or key)
            else:
                new_item = self.node(item, place, key, key, notes, None)
            out[self.name(key, place, notes)] = new_item
        return value if list(out) == list(value) and _same(value, out) else out

    def _text(self, value: str, place: str, segment: str, key: str, notes: list[Note], rule: KeyRule | None) -> str:
        if rule is not None:
            data = _bytes(value)
            try:
                edits = self.engine.by_key(data, rule)
            except TooMuch as why:
                edits = [self.engine.whole(data, str(why))]
            if edits is not None:
                return self._apply(value, edits, below(place, segment), notes)
        return self._leaf(value, place, segment, key, notes, None)

    def _leaf(self, value: str, place: str, segment: str, key: str, notes: list[Note], reader: Reader | None) -> str:
        at = (place, segment, value)
        known = self._cache.get(at)
        if known is not None:
            if known[1]:
                notes += known[1]
                return known[0]
            return value
        found: list[Note] = []
        new = self.judge(value, below(place, segment), key, found, reader)
        if len(value) <= CACHED_CHARS:
            self._cache.put(at, (new, tuple(found)), len(place) + 2 * len(value) + 256)
        notes += found
        return new

    def judge(self, value: str, place: str, key: str, notes: list[Note], reader: Reader | None) -> str:
        """Return one leaf, redacted; nothing is remembered."""
        if not value or TIME.fullmatch(value) is not None:
            return value
        data = _bytes(value)
        try:
            edits = self._looked_into(value, data, key, reader)
        except TooMuch as why:
            edits = [self.engine.whole(data, str(why))]
        if edits and self._is_structural(place):
            edits = [e for e in edits if any(n.kind not in _ADDRESS_KINDS for n in e.notes)]
        return self._apply(value, edits, place, notes)

    def _looked_into(self, value: str, data: bytes, key: str, reader: Reader | None) -> Edits:
        if reader is form.url and not self.engine.hits(data):
            return []
        if reader is not None:
            return merge(reader(self.engine, data, 0))
        edits = self.engine.leaf(data, _bytes(key))
        if edits and ("?" in value or "://" in value):
            return merge([*edits, *form.url(self.engine, data, 0)])
        return edits

    def _is_structural(self, place: str) -> bool:
        return place in self.structural or place.startswith(self._below)

    def _apply(self, value: str, edits: Edits, place: str, notes: list[Note]) -> str:
        if edits and self._allowed is not None:
            edits = self._allowed(edits, place)
        if not edits:
            return value
        for edit in edits:
            notes += under(edit.notes, place)
        return apply(_bytes(value), edits).decode("utf-8", "surrogatepass")

    def _number(
        self, value: float, place: str, segment: str, key: str, notes: list[Note], rule: KeyRule | None
    ) -> float:
        rule = rule or self.rule(key)
        if abs(value) < BIG and (rule is None or not rule.numbers):
            return value
        text = repr(value).encode("ascii")
        try:
            edits = self.engine.number(text, 0, rule, self.engine.hits(text), _bytes(key))
        except TooMuch:
            return type(value)(0)
        if not edits:
            return value
        notes += under(edits[0].notes, below(place, segment))
        return type(value)(edits[0].new)


def _bytes(text: str) -> bytes:
    return text.encode("utf-8", "surrogatepass")


def _replaced(old: list[Any], new: list[Any]) -> list[Any]:
    for a, b in zip(old, new, strict=True):
        if a is not b:
            return new
    return old


def _same(old: dict[str, Any], new: dict[str, Any]) -> bool:
    return old is new or all(new.get(k) is v for k, v in old.items())
