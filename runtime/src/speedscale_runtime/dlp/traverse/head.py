"""The head of a pair: every leaf of the record, each as what it is by its place.

URLs, headers, cookies and query parameters have their own readers; signatures and tokens hold base64; everything
else is text under its key, protocol bodies included. Structural places keep their hosts and addresses, nothing else.
The document is copied where it changes and shared where it does not.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from speedscale_runtime.dlp.detectors import KeyRule
from speedscale_runtime.dlp.edits import Edits, Note, apply, merge, under

from . import form, readers
from .base import Asks
from .readers import Reader

_ADDRESS_KINDS = frozenset(("IP4", "IP6", "MAC"))
_URLS = frozenset(("url", "uri", "location", "optUrl"))
_SKIPPED_HEADERS = frozenset(("content-length",))
_MARKS = frozenset(("dlpRule", "dlpModified"))  # our own
_UUID = re.compile(r"[A-Za-z0-9+/]{21}[AQgw]==|[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")
_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d{1,9})?Z")
_CACHE_LIMIT = 32_768
_CACHED_CHARS = 512


class Head:
    """Reads heads under one rule.

    A bounded cache (32,768 leaves of at most 512 characters by place and text, emptied when full) makes what repeats
    from pair to pair (most of a head) a look-up.
    """

    def __init__(
        self, engine: Asks, structural: frozenset[str], allowed: Callable[[Edits, str], Edits] | None = None
    ) -> None:
        """`allowed` keeps the edits that may count at a place, where the rule limits some detectors to some."""
        self._allowed = allowed
        self.engine = engine
        self.structural = structural
        self._below = tuple(s[:-1] for s in structural if s.endswith("*"))
        self._cache: dict[tuple[str, str, str], tuple[str, tuple[Note, ...]]] = {}
        self._rules: dict[str, KeyRule | None] = {}
        self._firsts: dict[str, str] = {}
        self._clean: set[str] = set()

    def read(self, doc: dict[str, Any], notes: list[Note]) -> dict[str, Any]:
        """Return the redacted document (the same object when nothing was found) and add to `notes`."""
        changes: dict[str, Any] = {}
        cache = self._cache
        for key, value in doc.items():
            if key not in _MARKS:
                if isinstance(value, str):
                    known = cache.get(("", key, value))
                    if known is not None and not known[1]:
                        continue
                new = self.top(key, value, notes)
                if new is not value:
                    changes[key] = new
        return {**doc, **changes} if changes else doc

    def top(self, key: str, value: Any, notes: list[Note]) -> Any:
        """Return one top-level field, redacted."""
        if isinstance(value, str):
            if key == "uuid" and _UUID.fullmatch(value):
                return value
            reader = form.url if key in _URLS else readers.session if key == "session" else None
            return self._leaf(value, "", key, key, notes, reader)
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
            return self._object(value, _below(place, segment), notes, rule)
        if isinstance(value, list):
            below = _below(place, segment)
            rule = rule or self.rule(key)
            return _replaced(value, [self.node(v, below, f"[{i}]", key, notes, rule) for i, v in enumerate(value)])
        if isinstance(value, (int, float)) and not isinstance(value, bool):
            return self._number(value, place, segment, key, notes, rule)
        return value

    def rule(self, key: str) -> KeyRule | None:
        """Return the rule behind a name; cached like everything here."""
        try:
            return self._rules[key]
        except KeyError:
            if len(self._rules) >= _CACHE_LIMIT:
                self._rules.clear()
            found = self._rules[key] = self.engine.names.rule(_bytes(key))
            return found

    def _object(self, value: dict[str, Any], place: str, notes: list[Note], rule: KeyRule | None) -> Any:
        out: dict[str, Any] = {}
        same = True
        label = value.get("name", value.get("key")) if "value" in value else None
        named = self.rule(label) if isinstance(label, str) else None
        cache, clean = self._cache, self._clean
        for key, item in value.items():
            if isinstance(item, str):
                if key == "replacementValue":
                    new: Any = self._leaf(item, place, key, key, notes, readers.coded(""))
                elif rule is None and named is None:
                    known = cache.get((place, key, item))
                    plain = known is not None and not known[1]
                    new = item if plain else self._leaf(item, place, key, key, notes, None)
                else:
                    new = self._text(item, place, key, key, notes, named if key == "value" and named else rule)
            else:
                found = self.rule(key) if isinstance(item, (dict, list)) else None
                new = self.node(item, place, key, key, notes, found if found is not None and found.nested else rule)
            written = key if key in clean else self._name(key, place, notes)
            same = same and new is item and written is key
            out[written] = new
        return value if same else out

    def _http(self, value: dict[str, Any], notes: list[Note]) -> Any:
        changes: dict[str, Any] = {}
        for side, part in value.items():
            place = "http." + side
            new = (
                self._side(part, place, notes)
                if isinstance(part, dict)
                else self.node(part, "http", side, side, notes, None)
            )
            if new is not part:
                changes[side] = new
        return {**value, **changes} if changes else value

    def _side(self, part: dict[str, Any], place: str, notes: list[Note]) -> Any:
        changes: dict[str, Any] = {}
        cache = self._cache
        for key, item in part.items():
            if isinstance(item, str):
                known = cache.get((place, key, item))
                if known is not None and not known[1]:
                    continue
                new: Any = self._leaf(item, place, key, key, notes, form.url if key in _URLS else None)
            elif key in ("headers", "trailers") and isinstance(item, dict):
                new = self._headers(item, _below(place, key), notes)
            else:
                new = self.node(item, place, key, key, notes, None)
            if new is not item:
                changes[key] = new
        return {**part, **changes} if changes else part

    def _headers(self, headers: dict[str, Any], place: str, notes: list[Note]) -> Any:
        changes: dict[str, Any] = {}
        cache, firsts = self._cache, self._firsts
        for name, values in headers.items():
            if isinstance(values, list) and len(values) == 1 and isinstance(values[0], str):
                first = firsts.get(name) or self._first(name)
                known = cache.get((place, first, values[0]))
                if known is not None and not known[1]:
                    continue
                new: Any = self._header(name, values[0], place, first, notes)
                if new is not values[0]:
                    changes[name] = [new]
            elif isinstance(values, list):
                below = _below(place, name)
                new = [
                    self._header(name, v, below, f"[{i}]", notes) if isinstance(v, str) else v
                    for i, v in enumerate(values)
                ]
                changes[name] = _replaced(values, new)
            else:
                changes[name] = self.node(values, place, name, name, notes, None)
        return (
            self._names({**headers, **changes}, headers, place, notes)
            if changes
            else self._names(headers, headers, place, notes)
        )

    def _first(self, name: str) -> str:
        if len(self._firsts) >= _CACHE_LIMIT:
            self._firsts.clear()
        made = self._firsts[name] = f"{name}[0]"
        return made

    def _header(self, name: str, value: str, place: str, segment: str, notes: list[Note]) -> str:
        folded = name.lower()
        if folded in _SKIPPED_HEADERS:
            return value
        return self._leaf(value, place, segment, name, notes, readers.HEADERS.get(folded))

    def _names(self, new: dict[str, Any], old: dict[str, Any], place: str, notes: list[Note]) -> dict[str, Any]:
        """Return a map whose names hold no values either; `old` when nothing changed at all."""
        clean = self._clean
        for name in new:
            if name not in clean and self._name(name, place, notes) is not name:
                return {self._name(n, place, notes): v for n, v in new.items()}
        return old if _same(old, new) else new

    def _name(self, name: str, place: str, notes: list[Note]) -> str:
        """Return a name without values in it; clean ones are remembered."""
        written = self._judge(name, place, "", notes, None)
        if written == name:
            if len(self._clean) >= _CACHE_LIMIT:
                self._clean.clear()
            self._clean.add(name)
            return name
        return written

    def _each(self, value: dict[str, Any], place: str, notes: list[Note], *, coded: bool) -> Any:
        out: dict[str, Any] = {}
        for key, item in value.items():
            if isinstance(item, str):
                name = key.rpartition(":")[2]
                reader = readers.coded(name) if coded else readers.signature(name)
                out[self._name(key, place, notes)] = self._leaf(item, place, key, key, notes, reader)
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
                new_item = self._labelled(item, _below(place, key), notes, label or key)
            else:
                new_item = self.node(item, place, key, key, notes, None)
            out[key if key in self._clean else self._name(key, place, notes)] = new_item
        return value if list(out) == list(value) and _same(value, out) else out

    def _text(self, value: str, place: str, segment: str, key: str, notes: list[Note], rule: KeyRule | None) -> str:
        if rule is not None:
            edits = self.engine.by_key(_bytes(value), rule)
            if edits is not None:
                return self._apply(value, edits, _below(place, segment), notes)
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
        new = self._judge(value, _below(place, segment), key, found, reader)
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
        if reader is form.url and not self.engine.hits(data):
            return value
        if reader is not None:
            edits = merge(reader(self.engine, data, 0))
        else:
            edits = self.engine.leaf(data, _bytes(key))
            if edits and ("?" in value or "://" in value):
                edits = merge([*edits, *form.url(self.engine, data, 0)])
        if edits and (place in self.structural or place.startswith(self._below)):
            edits = [e for e in edits if any(n.kind not in _ADDRESS_KINDS for n in e.notes)]
        return self._apply(value, edits, place, notes)

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
        if abs(value) < 100_000_000 and (rule is None or not rule.numbers):
            return value
        text = repr(value).encode("ascii")
        edits = self.engine.number(text, 0, rule, self.engine.hits(text), _bytes(key))
        if not edits:
            return value
        notes += under(edits[0].notes, _below(place, segment))
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


def _below(place: str, segment: str) -> str:
    if not segment or not place:
        return place + segment
    return place + segment if segment[0] == "[" else f"{place}.{segment}"
