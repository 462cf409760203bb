"""The hot path of heads: what was seen at a place before is a look-up, what is new is searched in one go.

Heads of one service look alike: the same names in the same places, most values seen before. Each place is therefore
a node that knows the clean values that stood there; all values that are new are joined and run through the prefilter
once, and only those it points at are judged. Where a document has an unusual shape (a value's name decides about what
stands below it, labels, derived fields), `read` returns None and `head` does it in full; both agree.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from speedscale_runtime.dlp.edits import Note
from speedscale_runtime.dlp.work import TooMuch

from . import form, readers
from .places import BIG, CACHED_CHARS, HEADER_MAPS, MARKS, SKIPPED_HEADERS, TIME, URLS, UUID, below, top_reader
from .readers import Reader

if TYPE_CHECKING:
    from .head import Head

_TOP, _HTTP, _SIDE, _HEADERS, _OBJECT, _NOTHING = range(6)
_SPOTS = 4096  # places that are known at once
_GENERATION_CHARS = 2 * 1024 * 1024
_ENTRY_CHARS = 128
_LIST = 16
_DEPTH = 12
_NEW: Any = object()
_DERIVED = frozenset(("signature", "mutableSignature", "tokenList", "replacementValue"))
Known = tuple[str, tuple[Note, ...]] | None


class InFull(Exception):
    """The document has to be read in full."""


class Spot:
    """One place: how its texts are read, what stands below, which texts are clean, and what became of others.

    `old` is the generation before, of both (None: clean).
    """

    __slots__ = (
        "batch",
        "children",
        "clean",
        "first",
        "key",
        "known",
        "mode",
        "number",
        "old",
        "place",
        "raw",
        "reader",
        "strict",
    )

    @property
    def ignored(self) -> bool:
        """Whether nothing that stands here is a value."""
        return self.mode == _NOTHING

    def __init__(self, place: str, key: str, mode: int, reader: Reader | None, *, batch: bool) -> None:
        self.place, self.key, self.mode, self.reader = place, key, mode, reader
        self.batch = batch  # a text without a hit is clean
        self.strict = False  # objects and lists here have to be read in full
        self.number = False  # numbers here have to be read in full
        self.children: dict[str | int, Spot] = {}
        self.first: Spot | None = None  # the first item of a list, found faster
        self.clean: set[str] = set()
        self.raw: set[bytes] = set()  # clean texts as they are written, for `head_shapes`
        self.known: dict[str, Known] = {}
        self.old: dict[str, Known] = {}


# spot, text, the object or list it stands in, its key or index there
_Todo = tuple[Spot, str, Any, Any]


class _Task:
    """What one walk gathers: texts that are not known to be clean, big numbers, and what stands in what."""

    __slots__ = ("numbers", "parents", "single", "todo")

    def __init__(self) -> None:
        self.todo: list[_Todo] = []
        self.single: set[int] = set()  # which of them are the only text of a list at their key
        self.numbers: list[str] = []
        self.parents: dict[int, tuple[Any, Any]] = {}

    def enter(self, inner: Any, outer: Any, key: Any, depth: int) -> None:
        """Note where an object or list stands; one that stands in two places is none of ours."""
        at = id(inner)
        if at in self.parents or depth >= _DEPTH:
            raise InFull
        self.parents[at] = (outer, key)

    def number(self, spot: Spot, value: float) -> None:
        """Note a number, where it is long enough to be a value."""
        if spot.number:
            raise InFull
        if not -BIG < value < BIG:
            self.numbers.append(repr(value))

    def own(self, container: Any, copies: dict[int, Any]) -> Any:
        """Return our copy of an object or list of the document, its parents' copies pointing at it."""
        at = id(container)
        known = copies.get(at)
        if known is not None:
            return known
        made = copies[at] = container.copy()
        above = self.parents.get(at)
        if above is not None:
            self.own(above[0], copies)[above[1]] = made
        return made


class Walk:
    """Walks over heads under one rule; `evictions` counts what was dropped from its bounded memory."""

    def __init__(self, head: Head) -> None:
        self._head = head
        self._engine = head.engine
        self.evictions = 0
        self.epoch = 0
        """Grows when all places are forgotten."""
        self._reset()

    def _reset(self) -> None:
        self.epoch += 1
        self._spots: list[Spot] = []
        self._room = _GENERATION_CHARS
        self._root = Spot("", "", _TOP, None, batch=False)

    def read(self, doc: dict[str, Any], notes: list[Note]) -> dict[str, Any] | None:
        """Return the redacted document (the same object when nothing was found) and add to `notes`.

        None, and nothing added, where the document has to be read in full.
        """
        task = _Task()
        try:
            self._walk(doc, self._root, task, 0)
            if not task.todo and not task.numbers:
                return doc
            settled = self.settle(task.todo, task.numbers)
        except InFull:
            return None
        copies: dict[int, Any] = {}
        for i, known in enumerate(settled):
            if known is not None:
                _, _, container, key = task.todo[i]
                notes += known[1]
                task.own(container, copies)[key] = [known[0]] if i in task.single else known[0]
        changed: dict[str, Any] = copies.get(id(doc), doc)
        return changed

    def _walk(self, container: dict[str, Any], at: Spot, task: _Task, depth: int) -> None:
        children = at.children
        for key, value in container.items():
            spot = children.get(key) or self._child(at, key)
            kind = type(value)
            if kind is str:
                if value not in spot.clean:
                    task.todo.append((spot, value, container, key))
            elif kind is dict:
                if spot.strict or "value" in value:
                    raise InFull
                task.enter(value, container, key, depth)
                if spot.mode == _HEADERS:
                    self._headers(value, spot, task, depth + 1)
                else:
                    self._walk(value, spot, task, depth + 1)
            elif kind is list:
                if spot.strict or spot.mode != _OBJECT or len(value) > _LIST:
                    raise InFull
                task.enter(value, container, key, depth)
                self._list(value, spot, task, depth)
            elif kind is int or kind is float:
                task.number(spot, value)

    def _headers(self, headers: dict[str, Any], at: Spot, task: _Task, depth: int) -> None:
        children = at.children
        for name, values in headers.items():
            spot = children.get(name) or self._child(at, name)
            if type(values) is not list or len(values) > _LIST:
                raise InFull
            if len(values) == 1:  # nearly all; no need to remember where the list stands
                value = values[0]
                if type(value) is not str:
                    raise InFull
                first = spot.first or self._first(spot)
                if value not in first.clean:
                    task.todo.append((first, value, headers, name))
                    task.single.add(len(task.todo) - 1)
                continue
            task.enter(values, headers, name, depth)
            for i, value in enumerate(values):
                if type(value) is not str:
                    raise InFull
                item = spot.children.get(i) or self._item(spot, i)
                if value not in item.clean:
                    task.todo.append((item, value, values, i))

    def _list(self, values: list[Any], at: Spot, task: _Task, depth: int) -> None:
        for i, value in enumerate(values):
            spot = at.children.get(i) or self._item(at, i)
            kind = type(value)
            if kind is str:
                if value not in spot.clean:
                    task.todo.append((spot, value, values, i))
            elif kind is dict:
                if "value" in value:
                    raise InFull
                task.enter(value, values, i, depth)
                self._walk(value, spot, task, depth + 1)
            elif kind is int or kind is float:
                task.number(spot, value)
            elif kind is list:
                raise InFull

    def _child(self, at: Spot, key: str) -> Spot:
        """Return the new node for a name below a place."""
        head = self._head
        if head.name(key, at.place, []) != key:
            raise InFull  # the name is a value itself
        mode, reader = _OBJECT, None
        if at.mode == _TOP:
            mode = _NOTHING if key in MARKS else _HTTP if key == "http" else _OBJECT
            reader = top_reader(key)
        elif at.mode == _HTTP:
            mode = _SIDE
        elif at.mode == _SIDE:
            mode = _HEADERS if key in HEADER_MAPS else _OBJECT
            reader = form.url if key in URLS else None
        elif at.mode == _HEADERS:
            mode = _NOTHING if key.lower() in SKIPPED_HEADERS else _OBJECT
            reader = readers.HEADERS.get(key.lower())
        spot = self._made(at, key, below(at.place, key), key, mode, reader)
        rule = head.rule(key)
        spot.strict = key in _DERIVED or (rule is not None and mode == _OBJECT)
        return spot

    def _first(self, at: Spot) -> Spot:
        at.first = first = self._item(at, 0)
        return first

    def _item(self, at: Spot, index: int) -> Spot:
        return self._made(at, index, f"{at.place}[{index}]", at.key, at.mode, at.reader)

    def _made(self, at: Spot, segment: str | int, place: str, key: str, mode: int, reader: Reader | None) -> Spot:
        if len(self._spots) >= _SPOTS:
            self.evictions += len(self._spots) + sum(len(s.clean) + len(s.known) + len(s.old) for s in self._spots)
            self._reset()
            raise InFull
        rule = self._head.rule(key)
        batch = self._engine.joinable and reader in (None, form.url) and (rule is None or rule.person)
        spot = Spot(place, key, mode, reader, batch=batch)
        spot.number = rule is not None and rule.numbers
        self._spots.append(spot)
        at.children[segment] = spot
        return spot

    def settle(self, todo: list[_Todo], numbers: list[str]) -> list[Known]:
        """Return for each text what becomes of it, None where nothing does; one search for all that are new."""
        out: list[Known] = []
        fresh: list[int] = []
        texts: list[bytes] = []
        for i, (spot, text, _, _) in enumerate(todo):
            known = spot.known.get(text)
            if known is None:
                known = spot.old.pop(text, _NEW)
                if known is not _NEW:
                    self._remember(spot, text, known)
                elif _plain(spot, text):
                    known = None
                elif spot.batch:
                    known = None
                    fresh.append(i)
                    texts.append(text.encode("utf-8", "surrogatepass"))
                else:
                    known = self._judged(spot, text)
            out.append(known)
        if texts or numbers:
            fired = self.fired(texts, numbers)
            for j, i in enumerate(fresh):
                spot, text = todo[i][0], todo[i][1]
                if j in fired:
                    out[i] = self._judged(spot, text)
                else:
                    self._remember(spot, text, None)
        return out

    def fired(self, texts: list[bytes], numbers: list[str]) -> set[int]:
        """Return which texts the prefilter has hits in; a number with one has to be read in full."""
        count = len(texts)
        texts += [n.encode("ascii") for n in numbers]
        try:
            hits = self._engine.hits(b"\n".join(texts))
        except TooMuch as error:
            raise InFull from error
        fired: set[int] = set()
        if not hits:
            return fired
        j, end = 0, len(texts[0]) + 1  # a pattern may take the line feed behind the text with it
        for _, at in hits:
            while at > end:
                j += 1
                end += len(texts[j]) + 1
            fired.add(j)
        if any(j >= count for j in fired):
            raise InFull
        return fired

    def _judged(self, spot: Spot, text: str) -> Known:
        notes: list[Note] = []
        new = self._head.judge(text, spot.place, spot.key, notes, spot.reader)
        known = (new, tuple(notes)) if notes else None
        self._remember(spot, text, known)
        return known

    def _remember(self, spot: Spot, text: str, known: Known) -> None:
        if len(text) > CACHED_CHARS:
            return
        self._spend(len(text))
        if known is None:
            spot.clean.add(text)
        else:
            spot.known[text] = known

    def saw(self, spot: Spot, raw: bytes) -> None:
        """Remember how a clean text is written."""
        if len(raw) <= CACHED_CHARS:
            self._spend(len(raw))
            spot.raw.add(raw)

    def _spend(self, chars: int) -> None:
        self._room -= chars + _ENTRY_CHARS
        if self._room < 0:
            self._room = _GENERATION_CHARS
            for s in self._spots:
                self.evictions += len(s.old)
                s.old = dict.fromkeys(s.clean) | s.known
                s.clean, s.known = set(), {}
                s.raw.clear()

    def leaves(self, doc: dict[str, Any]) -> Iterator[tuple[Spot, Any]]:
        """Return each text and number directly behind a name (or first in a list behind one), with its place.

        In the order of the document, which `read` has to have read. InFull where another text is none that stays.
        """
        yield from self._leaves(doc, self._root)

    def _leaves(self, container: dict[str, Any], at: Spot) -> Iterator[tuple[Spot, Any]]:
        for key, value in container.items():
            spot = at.children[key]
            if isinstance(value, dict):
                yield from self._leaves(value, spot)
            elif isinstance(value, list):
                for i, item in enumerate(value):
                    inner = spot.children[i]
                    if isinstance(item, dict):
                        yield from self._leaves(item, inner)
                    elif isinstance(item, str) and i == 0:
                        yield inner, item
                    elif isinstance(item, str) and item not in inner.clean and not _plain(inner, item):
                        raise InFull
            elif isinstance(value, (str, int, float)) and not isinstance(value, bool):
                yield spot, value


def _plain(spot: Spot, text: str) -> bool:
    """Say whether a text needs no look: nothing, a time, a uuid, what we wrote ourselves."""
    if not text or spot.mode == _NOTHING:
        return True
    if text[10:11] == "T" and TIME.fullmatch(text) is not None:
        return True
    return spot.place == "uuid" and UUID.fullmatch(text) is not None
