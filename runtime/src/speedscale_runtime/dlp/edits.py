"""Edits: every layer of the engine says what to replace in the bytes it was given, and nothing else.

A layer that decoded its input maps the edits of what it found back through its offsets, so that the outermost one
splices a few spans and leaves all other bytes as they were. Pure data; no detection here.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple, Protocol


class Note(NamedTuple):
    """What becomes a Finding: `place` is relative to the layer's input; `value` stays inside the engine."""

    place: str
    kind: str
    length: int
    token: str
    detector: str
    why: str
    value: bytes = b""


class Edit(NamedTuple):
    """Replace bytes [start, end) by `new`."""

    start: int
    end: int
    new: bytes
    notes: tuple[Note, ...]


Edits = list[Edit]


def apply(data: bytes, edits: Sequence[Edit]) -> bytes:
    """Splice sorted edits that do not overlap into the data."""
    if not edits:
        return data
    parts: list[bytes] = []
    at = 0
    for edit in edits:
        parts.append(data[at : edit.start])
        parts.append(edit.new)
        at = edit.end
    parts.append(data[at:])
    return b"".join(parts)


def merge(edits: Edits) -> Edits:
    """Return edits sorted and without overlaps: the longer one wins, and it grows over what stuck out of the other.

    Growing loses nothing but text that was about to be replaced anyway; keeping a rest could keep half a value.
    Of two edits of one span the first in the list wins.
    """
    if len(edits) < 2:
        return edits
    order = sorted(range(len(edits)), key=lambda i: (edits[i].start, -edits[i].end, i))
    out: Edits = []
    for i in order:
        edit = edits[i]
        if out and edit.start < out[-1].end:
            last = out[-1]
            if edit.end > last.end:
                winner = last if last.end - last.start >= edit.end - edit.start else edit
                out[-1] = Edit(last.start, edit.end, winner.new, winner.notes)
            continue
        out.append(edit)
    return out


def shift(edits: Edits, by: int, place: str = "") -> Edits:
    """Return edits moved right by `by` bytes, their places below `place`."""
    return [Edit(e.start + by, e.end + by, e.new, under(e.notes, place)) for e in edits]


class Where(Protocol):
    """Maps a decoded byte to where it began."""

    def __getitem__(self, i: int, /) -> int: ...


def through(edits: Edits, offsets: Where, encode: Callable[[bytes], bytes], place: str = "") -> Edits:
    """Map edits of decoded bytes back: decoded byte i began at raw byte `offsets[i]`; `encode` writes the new text."""
    return [Edit(offsets[e.start], offsets[e.end], encode(e.new), under(e.notes, place)) for e in edits]


def under(notes: tuple[Note, ...], place: str) -> tuple[Note, ...]:
    """Return the notes with their places below `place`."""
    if not place:
        return notes
    return tuple(n._replace(place=join(place, n.place)) for n in notes)


def join(outer: str, inner: str) -> str:
    """Join two places: `a` and `b` give `a.b`; `[0]` and `|gzip` are appended, a path `$…` behind a colon."""
    if not inner or not outer:
        return outer + inner
    if inner[0] == "$":
        return f"{outer}:{inner}"
    return outer + inner if inner[0] in "[.|:/?#" else f"{outer}.{inner}"
