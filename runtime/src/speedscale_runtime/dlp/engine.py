"""The engine: which bytes of a text are values, layer by layer.

`text` is the one entrance for anything decoded: it runs the prefilter, then only what fired: detectors, names of
fields, and each encoding that could hide a value (decode, ask again, map back). Called by the traversal modules and
the redactor. Pure; bounded depth, and below it whatever still hides something is replaced whole (fail closed).
"""

from __future__ import annotations

import contextlib
from collections.abc import Sequence

from .detectors import DETECTORS, Detector, KeyRule
from .edits import Edit, Edits, Note, merge
from .keynames import KeyNames
from .memory import Memory
from .prefilter import Prefilter
from .tokens import TOKEN, Tokeniser
from .traverse import (
    auth,
    binary,
    charset,
    compression,
    entities,
    escapes,
    form,
    json_text,
    key_values,
    multipart,
    packed,
    percent,
    runs,
    sql,
    utf16,
    variants,
    xml,
)
from .triggers import ENTITY, ESCAPE, FIRST, KEY, PACKED, PERCENT, RUN, UTF16, VARIANT
from .work import HIT, SEEN, TEXT, Work

MAX_DEPTH = 8
UNDECODABLE = "UNDECODABLE"
_CACHE_BYTES = 16 * 1024 * 1024
_CACHED_BYTES = 1024
_ENTRY_BYTES = 256  # what an entry costs besides its text
_RUN_ONLY = {RUN}
_NO_KEYS: frozenset[str] = frozenset()
_OURS = frozenset(map(id, DETECTORS))  # by identity: comparing each with each takes as long as reading a database

Hits = Sequence[tuple[int, int]]


class Engine:
    """One compiled rule: prefilter, detectors by prefilter id, names, tokens.

    A bounded memory (16 MiB of texts of at most 1 KB; `evictions` counts what was dropped) keeps repeats cheap.
    """

    def __init__(self, prefilter: Prefilter, detectors: Sequence[Detector], names: KeyNames, tokens: Tokeniser) -> None:
        self.prefilter = prefilter
        self.detectors = {FIRST + i: d for i, d in enumerate(detectors)}
        self.keyed = frozenset(i for i, d in self.detectors.items() if d.skip_keys)
        self.by_look = frozenset(d.name for d in detectors)
        # texts may be searched joined by line feeds: no pattern of a user's own asks where a text begins or ends
        self.joinable = all(id(d) in _OURS for d in detectors)
        self.names = names
        self.tokens = tokens
        self._texts: Memory[tuple[bytes, bytes, int], Edits] = Memory(_CACHE_BYTES)
        self._values: Memory[tuple[str, bytes], tuple[Edits | None]] = Memory(_CACHE_BYTES)
        self._views = (
            (ESCAPE, escapes.view, "escape"),
            (PERCENT, percent.view, "percent"),
            (ENTITY, entities.view, "entity"),
            (UTF16, utf16.view, "utf16"),
            (PACKED, packed.view, ""),
            (VARIANT, variants.view, ""),
        )
        self.work = Work()
        self.spend = self.work.spend

    def forget(self) -> None:
        """Forget all texts; for measurements and for rules that are about to go."""
        self._texts.clear()
        self._values.clear()

    @property
    def evictions(self) -> int:
        """How many entries the memories of texts, tokens and names have dropped."""
        return self._texts.evictions + self._values.evictions + self.tokens.evictions + self.names.evictions

    @property
    def lookups(self) -> dict[str, tuple[int, int]]:
        """Look-ups by memory: how many found something, how many did not."""
        texts, values, tokens = self._texts, self._values, self.tokens.memory
        return {
            "texts": (texts.hits, texts.misses),
            "values": (values.hits, values.misses),
            "tokens": (tokens.hits, tokens.misses),
        }

    def hits(self, data: bytes) -> Hits:
        """Return what the prefilter sees in the data; empty when it is clean."""
        return self.prefilter.scan(data)

    def leaf(self, data: bytes, key: bytes, depth: int = 0, rule: KeyRule | None = None) -> Edits:
        """Return the edits of one decoded value that stands under `key` (may be empty).

        `rule`, where given, is used instead of looking the key up (a value below a sensitive container).
        """
        if rule is None and key:
            rule = self.names.rule(key)
        if rule is not None and not rule.person:
            edits = self.by_key(data, rule)
            if edits is not None:
                return edits
        return self.text(data, depth, key=key)

    def by_key(self, data: bytes, rule: KeyRule) -> Edits | None:
        """Return the edit that a key rule makes of a whole value; None when the rule does not take it."""
        at = (rule.name, data)
        known = self._values.get(at)
        if known is None:
            known = (self._by_key(data, rule),)
            if len(data) <= _CACHED_BYTES:
                self._values.put(at, known, len(data) + _ENTRY_BYTES)
        return known[0]

    def _by_key(self, data: bytes, rule: KeyRule) -> Edits | None:
        if b"REDACTED-" in data and TOKEN.fullmatch(data.strip()):
            return []
        why = rule.accept(data)
        if not why and not data.isascii():
            why = rule.accept(variants.plain(data))
        if not why:
            return None
        if self.tokens.others and self.tokens.spent(rule.kind, data):
            return []
        if rule.kind == "SECRET":
            return auth.opaque(self, data, rule.name, why)
        return [self.edit(0, len(data), rule.kind, data, rule.name, why)]

    def secret(self, value: bytes, detector: str, why: str) -> Edits:
        """Return the edits of a value that is known to be a credential (nothing where it is a token already)."""
        return auth.opaque(self, value, detector, why)

    def text(self, data: bytes, depth: int = 0, hits: Hits | None = None, key: bytes = b"") -> Edits:
        """Return the edits of a decoded text of unknown shape; `hits` where the caller has scanned it already."""
        if len(data) > _CACHED_BYTES:
            return self._long(data, depth, hits, key)
        at = (key, data, depth)
        known = self._texts.get(at)
        self.work.spend(SEEN)
        if known is None:
            self.work.spend(TEXT + len(data))
            known = self._text(data, depth, self.prefilter.scan(data) if hits is None else hits, key)
            self._texts.put(at, known, len(data) + _ENTRY_BYTES)
        return known

    def _long(self, data: bytes, depth: int, hits: Hits | None, key: bytes) -> Edits:
        at = (key, data, depth)
        edits = self.work.large.get(at) if depth else None
        if edits is None:
            self.work.spend(TEXT + len(data))
            edits = self._text(data, depth, self.prefilter.scan(data) if hits is None else hits, key)
            if depth:
                self.work.keep(at, edits)
        else:
            self.work.spend(SEEN)
        return edits

    def blob(self, data: bytes, depth: int = 0) -> Edits:
        """Return the edits of decoded bytes that may be text, a message, or anything else."""
        mark, codec = charset.foreign(data, b"")
        if codec:
            with contextlib.suppress(compression.Unreadable):
                return charset.edits(data, mark, codec, lambda plain: self.text(plain, depth + 1))
        return binary.edits(self, data, depth) if binary.is_binary(data) else self.text(data, depth)

    def _text(self, data: bytes, depth: int, hits: Hits, key: bytes) -> Edits:
        if not hits:
            return []
        self.work.spend(HIT * len(hits))
        first = data.lstrip()[:1]
        if first in (b"{", b"[", b'"') and json_text.valid(data):
            return json_text.edits(self, data, depth, hits)
        ids = {i for i, _ in hits}
        if ids == _RUN_ONLY and depth < MAX_DEPTH:
            return runs.edits(self, data, depth)
        edits: Edits = []
        if min(ids) < FIRST:
            edits += self._hidden(data, depth, ids)
            if KEY in ids:
                edits += key_values.edits(self, data, hits)
        if KEY in ids or first in (b"I", b"i"):
            edits += sql.edits(self, data)
        if first == b"<":
            edits += xml.edits(self, data, depth)
        elif first == b"-" and b"ontent-" in data[:4096]:
            mark = multipart.boundary(b"", data)
            edits += multipart.edits(self, data, depth, mark) if mark else []
        elif (depth or key) and b"&" in data and form.looks_like(data):
            edits += form.edits(self, data, depth)
        edits += self.values(data, hits, key)
        return merge(edits)

    def _hidden(self, data: bytes, depth: int, ids: set[int]) -> Edits:
        edits: Edits = []
        for trigger, view, place in self._views:
            if trigger not in ids:
                continue
            if depth >= MAX_DEPTH:
                return [self.whole(data, "nested deeper than eight encodings")]
            edits += view(self, data, depth, place)
        if RUN in ids:
            if depth >= MAX_DEPTH:
                return [self.whole(data, "nested deeper than eight encodings")] if runs.hides(data) else edits
            edits += runs.edits(self, data, depth)
        return edits

    def values(self, data: bytes, hits: Hits, key: bytes = b"") -> Edits:
        """Return the edits of the detectors whose prefilter fired, validated; existing tokens are left alone.

        In the order of the detectors: of two that take one span the first names it.
        """
        fired: dict[int, list[int]] = {}
        for pattern, end in hits:
            if pattern >= FIRST:
                ends = fired.get(pattern)
                if ends is None:
                    fired[pattern] = [end]
                else:
                    ends.append(end)
        if not fired:
            return []
        out: Edits = []
        words = _NO_KEYS
        for pattern in sorted(fired) if len(fired) > 1 else fired:
            detector = self.detectors[pattern]
            if detector.skip_keys and key:
                words = words or self.names.words(key)
                if not detector.skip_keys.isdisjoint(words):
                    continue
            self._matches(detector, data, fired[pattern], out)
        if out and b"REDACTED-" in data:
            return outside_tokens(data, out)
        return out

    def _matches(self, detector: Detector, data: bytes, ends: list[int], out: Edits) -> None:
        """Search around the hits of one detector; what several of them reach is searched once."""
        before, after = detector.before, detector.after
        search, validate = detector.grammar.search, detector.validate
        at = i = 0
        count, size = len(ends), len(data)
        while i < count:
            at = max(at, ends[i] - before)
            stop = ends[i] + after
            i += 1
            while i < count and ends[i] - before <= stop:
                stop = ends[i] + after
                i += 1
            if stop > size:
                stop = size
            while (match := search(data, at, stop)) is not None:
                verdict = validate(match, data)
                if isinstance(verdict, str):
                    at = match.start() + 1
                    continue
                start, at = verdict.start, max(verdict.end, match.start() + 1)
                kind, value = verdict.kind or detector.kind, data[start : verdict.end]
                if self.tokens.others and (
                    self.tokens.spent(kind, value)
                    or (kind == "NAME" and key_values.begins_spent(self, data[start : start + 64], kind))
                ):
                    continue
                out.append(self.edit(start, verdict.end, kind, value, detector.name, verdict.why, data))

    def edit(self, start: int, end: int, kind: str, value: bytes, detector: str, why: str, around: bytes = b"") -> Edit:
        """Return the edit that puts the value's token at [start, end); a bare JSON number gets a surrogate.

        `around` is the text the value stands in, where it could be a fragment of JSON.
        """
        self.work.take()
        if around and value.isdigit() and json_text.bare_number(around, start, end):
            token = self.tokens.number(kind, value)
        else:
            token = self.tokens.token(kind, value)
        return Edit(
            start, end, token, (Note("", kind, end - start, token.decode("utf-8", "replace"), detector, why, value),)
        )

    def number(self, data: bytes, start: int, rule: KeyRule | None, hits: Hits, key: bytes) -> Edits:
        """Return the edit of a JSON number at `start` of its document: the keyed surrogate of as many digits."""
        if self.tokens.is_number(data):
            return []
        why, kind, name = "", "", ""
        if rule is not None and rule.numbers:
            why, kind, name = rule.accept(data), rule.kind, rule.name
        plain = data
        if not why:
            plain = json_text.integer(data)
            for edit in self.values(plain, hits if plain is data else self.hits(plain), key) if plain else ():
                if edit.end - edit.start == len(plain):
                    note = edit.notes[0]
                    why, kind, name = note.why, note.kind, note.detector
        if not why or self.tokens.is_number(data, kind):
            return []
        self.work.take()
        new = self.tokens.number(kind, plain)
        note = Note("", kind, len(data), new.decode("ascii"), name, why)
        return [Edit(start, start + len(data), new, (note,))]

    def whole(self, data: bytes, why: str) -> Edit:
        """Return the edit that replaces everything by a marker, since what is inside cannot be known."""
        token = self.tokens.token(UNDECODABLE, data)
        return Edit(0, len(data), token, (Note("", UNDECODABLE, len(data), token.decode("ascii"), "engine", why),))


def outside_tokens(data: bytes, edits: Edits) -> Edits:
    """Return the edits that touch no existing token."""
    spans = [m.span() for m in TOKEN.finditer(data)]
    return [e for e in edits if not any(s < e.end and e.start < t for s, t in spans)]
