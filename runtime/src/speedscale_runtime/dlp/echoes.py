"""Echoes: a value that its name gave away in one place is taken out of the rest of the pair, too.

A password has no look of its own: `"password": "…"` tells it, the log line beside it does not. What a rule for names
took is therefore searched for literally in the head and both bodies (as it stands, JSON-escaped, percent-encoded, in
base64), at word boundaries. Short values, numbers and single words are left, or ordinary text would go with them.
"""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from .edits import Note
from .memory import Memory
from .traverse.escapes import escape
from .traverse.percent import quote

_SHORTEST, _LONGEST = 8, 512
_FEW = 12  # as many values are searched for one after the other
_STARTS = re.compile(rb"(?<![A-Za-z0-9])[A-Za-z0-9]|[^A-Za-z0-9]")
_PLAIN = re.compile(rb"[A-Za-z0-9_.~\-]+")
_SPACED = re.compile(rb"[A-Za-z0-9_.~ \-]+")
_WRITTEN_ALIKE = re.compile(rb"[ !#-\[\]-~]+")
_UNSAFE = re.compile(rb"[^A-Za-z0-9_.~\-]")
_MEMORY_BYTES = 4 * 1024 * 1024
_WORD = re.compile(rb"[A-Z]?[a-z]+|[A-Z]+")


class Echo(NamedTuple):
    """One value to look for in each of its forms, the last of them in base64."""

    kind: str
    length: int
    token: str
    forms: tuple[bytes, ...]


class Echoes:
    """Makes the values to look for; a bounded memory (`evictions` counts what was dropped) keeps those of sessions."""

    __slots__ = ("_by_name", "_known")

    def __init__(self, by_name: frozenset[str]) -> None:
        """`by_name` are the detectors that go by names."""
        self._by_name = by_name
        self._known: Memory[tuple[str, bytes], tuple[Echo | None]] = Memory(_MEMORY_BYTES)

    @property
    def evictions(self) -> int:
        """How many values were dropped from memory."""
        return self._known.evictions

    def of(self, notes: Iterable[Note]) -> list[Echo]:
        """Return the values to look for, the longest first: one may be a part of another."""
        found: dict[bytes, Echo] = {}
        for note in notes:
            value = note[6]
            if note[4] not in self._by_name or len(value) < _SHORTEST or value in found:
                continue
            at = (note[3], value)
            known = self._known.get(at)
            if known is None:
                known = (_echo(note),)
                self._known.put(at, known, 4 * len(value) + 256)
            if known[0] is not None:
                found[value] = known[0]
        echoes = list(found.values())
        if len(echoes) > 1:
            echoes.sort(key=lambda e: (-e.length, e.forms))
        return echoes


def _echo(note: Note) -> Echo | None:
    value = note.value.strip()
    if not _distinct(value):
        return None
    return Echo(note.kind, len(value), note.token, _forms(value))


def _forms(value: bytes) -> tuple[bytes, ...]:
    coded = base64.b64encode(value)
    if _PLAIN.fullmatch(value) is not None:  # written alike in JSON and in a URL
        return (value, coded)
    if _SPACED.fullmatch(value) is not None:
        return (value, value.replace(b" ", b"%20"), coded)
    if value.isascii() and _WRITTEN_ALIKE.fullmatch(value) is not None:  # in JSON
        return (value, _UNSAFE.sub(_percent, value), coded)
    written = json.dumps(value.decode("utf-8", "replace"))[1:-1].encode("ascii")
    return (*dict.fromkeys((value, escape(value), written, quote(value))), coded)


def _percent(match: re.Match[bytes]) -> bytes:
    return b"%%%02X" % match.group()[0]


def _distinct(value: bytes) -> bool:
    if not _SHORTEST <= len(value) <= _LONGEST or b"REDACTED" in value:
        return False
    return _WORD.fullmatch(value) is None and not value.replace(b".", b"").isdigit()


def silence(data: bytes, echoes: Sequence[Echo]) -> tuple[bytes, list[Echo]]:
    """Return the data without the values, and which of them were in it; linear in the data however many they are."""
    if len(echoes) > _FEW:
        return _silence_many(data, echoes)
    heard: list[Echo] = []
    for echo in echoes:
        before = data
        for i, form in enumerate(echo.forms):
            if form in data:
                data = _replace(data, form, _instead(echo, i))
        if data is not before and data != before:
            heard.append(echo)
    return data, heard


def _instead(echo: Echo, form: int) -> bytes:
    token = echo.token.encode("utf-8")
    return base64.b64encode(token) if form == len(echo.forms) - 1 else token


def _silence_many(data: bytes, echoes: Sequence[Echo]) -> tuple[bytes, list[Echo]]:
    """Look at each place where a value could begin, once, for all values that begin alike."""
    by_start: dict[bytes, list[tuple[bytes, int, Echo]]] = {}
    for echo in echoes:
        for i, form in enumerate(echo.forms):
            by_start.setdefault(form[:_SHORTEST], []).append((form, i, echo))
    for forms in by_start.values():
        forms.sort(key=lambda f: -len(f[0]))
    parts: list[bytes] = []
    heard: dict[int, Echo] = {}
    done = 0
    for match in _STARTS.finditer(data):
        at = match.start()
        if at < done:
            continue
        for form, i, echo in by_start.get(data[at : at + _SHORTEST], ()):
            end = at + len(form)
            if data.startswith(form, at) and not (form[-1:].isalnum() and data[end : end + 1].isalnum()):
                parts += [data[done:at], _instead(echo, i)]
                heard[id(echo)] = echo
                done = end
                break
    return (b"".join([*parts, data[done:]]), list(heard.values())) if heard else (data, [])


def _replace(data: bytes, form: bytes, instead: bytes) -> bytes:
    pattern = rb"(?<![A-Za-z0-9])" if form[:1].isalnum() else b""
    pattern += re.escape(form) + (rb"(?![A-Za-z0-9])" if form[-1:].isalnum() else b"")
    return re.sub(pattern, lambda _: instead, data)
