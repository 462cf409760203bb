"""Text in, documents with line numbers out; a broken one is a finding, never an exception.

Called by the verb and by tests. Pure. Built on libyaml's events, without recursion: no nesting, alias or cycle makes
it fail or grow without bound (`MAX_DEPTH`, `MAX_NODES`; beyond them the document is left out with a finding). What
stands before a syntax error is still judged.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import yaml

from .model import Document, Path, Place, Problem
from .rules import BY_ID
from .scalars import plain

MAX_DEPTH = 200
MAX_NODES = 500_000
_LOADER: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
# A line with {{ or {% that is neither in quotes nor in a comment: a template of Helm, Jinja and the like.
_TEMPLATE = re.compile(r"""^[^#'"\n]*\{[{%]""", re.MULTILINE)


def read(text: str | bytes, source: str) -> tuple[list[Document], list[Problem]]:
    """Return the documents of a YAML or JSON text, and what could not be read of it."""
    if isinstance(text, bytes):
        try:
            text = text.decode("utf-8-sig")
        except UnicodeDecodeError as error:
            return [], [unreadable(source, f"byte {error.start} is no UTF-8")]
    text = text.removeprefix("\ufeff")
    documents: list[Document] = []
    problems: list[Problem] = []
    events = _events(text)
    try:
        for event in events:
            if isinstance(event, yaml.DocumentStartEvent):
                documents.append(_Composer(source, events).document())
            elif isinstance(event, yaml.StreamEndEvent):
                break
    except _Stop as stop:
        if _TEMPLATE.search(text):
            return [], [_template(source, stop.place)]
        problems.append(unreadable(source, stop.reason, stop.place))
    return [d for d in documents if d.value is not None], problems


class _Stop(Exception):
    """The rest of the text is left out."""

    def __init__(self, place: Place, reason: str) -> None:
        self.place, self.reason = place, reason
        super().__init__(reason)


def unreadable(source: str, reason: str, place: Place = (1, 1)) -> Problem:
    """Return the finding about a file that cannot be read, from this place on."""
    rule = BY_ID["SPD090"]
    return Problem(source, *place, rule.id, rule.severity, "", f"cannot be read from here on: {reason}", rule.remedy)


def _template(source: str, place: Place) -> Problem:
    note = BY_ID["SPD091"]
    message = "a template, which is not YAML before it is rendered"
    return Problem(source, *place, note.id, note.severity, "", message, note.remedy)


def _events(text: str) -> Iterator[Any]:
    """Yield libyaml's events; its errors become one of ours."""
    try:
        yield from yaml.parse(text, Loader=_LOADER)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        place = (mark.line + 1, mark.column + 1) if mark else (1, 1)
        raise _Stop(place, " ".join(str(error.problem or error.context or "no YAML").split())) from None
    except yaml.reader.ReaderError as error:
        before = text[: error.position]
        place = (before.count("\n") + 1, len(before) - before.rfind("\n"))
        raise _Stop(place, f"character {error.character!r} is not allowed in YAML") from None
    except (yaml.YAMLError, UnicodeError) as error:
        raise _Stop((1, 1), " ".join(str(error).split())) from None


@dataclass(slots=True)
class _Open:
    """A mapping or list that is not closed yet."""

    path: Path
    value: Any
    anchor: str | None
    key: str | None = None
    merges: list[Any] = field(default_factory=list)
    weight: int = 1


class _Composer:
    """Builds one document out of events."""

    def __init__(self, source: str, events: Iterator[Any]) -> None:
        self._source, self._events = source, events
        self._places: dict[Path, Place] = {}
        self._duplicates: list[tuple[Path, Place]] = []
        self._anchors: dict[str, tuple[Any, int]] = {}
        self._stack: list[_Open] = []
        self._root: Any = None

    def document(self) -> Document:
        """Take the events up to the document's end."""
        for event in self._events:
            if isinstance(event, yaml.DocumentEndEvent):
                break
            place = (event.start_mark.line + 1, event.start_mark.column + 1)
            if isinstance(event, yaml.ScalarEvent):
                self._scalar(event, place)
            elif isinstance(event, yaml.AliasEvent):
                self._alias(event.anchor or "", place)
            elif isinstance(event, yaml.MappingStartEvent | yaml.SequenceStartEvent):
                self._open({} if isinstance(event, yaml.MappingStartEvent) else [], event.anchor, place)
            else:
                self._close(place)
        return Document(self._source, self._root, self._places, tuple(self._duplicates))

    def _scalar(self, event: Any, place: Place) -> None:
        top = self._stack[-1] if self._stack else None
        if top is not None and isinstance(top.value, dict) and top.key is None:
            self._key(top, event.value, place)
            return
        is_plain = event.implicit[0] and event.style in (None, "")
        tag = event.tag or ""
        value = (
            plain(event.value)
            if is_plain or (tag.startswith("tag:yaml.org") and not tag.endswith(":str"))
            else event.value
        )
        self._anchor(event.anchor, value, 1)
        self._put(value, 1, place)

    def _key(self, top: _Open, name: str, place: Place) -> None:
        top.key = name
        path = (*top.path, name)
        if name != "<<":
            if name in top.value:
                self._duplicates.append((path, place))
            self._places[path] = place

    def _alias(self, anchor: str, place: Place) -> None:
        if anchor not in self._anchors:
            raise _Stop(place, f"the alias *{anchor} refers to nothing before it, or to what it stands in")
        value, weight = self._anchors[anchor]
        top = self._stack[-1] if self._stack else None
        if top is not None and isinstance(top.value, dict) and top.key is None:
            self._key(top, str(value), place)
            return
        self._put(value, weight, place)

    def _open(self, value: Any, anchor: str | None, place: Place) -> None:
        if len(self._stack) >= MAX_DEPTH:
            raise _Stop(place, f"nested more than {MAX_DEPTH} deep")
        top = self._stack[-1] if self._stack else None
        if top is None:
            path: Path = ()
        elif isinstance(top.value, list):
            path = (*top.path, len(top.value))
            self._places[path] = place
        elif top.key is None:
            raise _Stop(place, "a mapping or list as a key, which Kubernetes does not know")
        else:
            path = (*top.path, top.key)
        if not self._stack:
            self._places[()] = place
        self._stack.append(_Open(path, value, anchor))

    def _close(self, place: Place) -> None:
        closed = self._stack.pop()
        for merged in closed.merges:
            for name, value in merged.items():
                closed.value.setdefault(name, value)
        self._anchor(closed.anchor, closed.value, closed.weight)
        self._put(closed.value, closed.weight, place)

    def _put(self, value: Any, weight: int, place: Place) -> None:
        if not self._stack:
            self._root = value
            self._places.setdefault((), place)
            return
        top = self._stack[-1]
        top.weight += weight
        if top.weight > MAX_NODES:
            raise _Stop(place, f"aliases expand to more than {MAX_NODES:,} values")
        if isinstance(top.value, list):
            self._places.setdefault((*top.path, len(top.value)), place)
            top.value.append(value)
            return
        name, top.key = top.key or "", None
        if name == "<<":
            candidates = value if isinstance(value, list) else [value]
            top.merges += [c for c in candidates if isinstance(c, dict)]
        else:
            top.value[name] = value

    def _anchor(self, anchor: str | None, value: Any, weight: int) -> None:
        if anchor:
            self._anchors[anchor] = (value, weight)
