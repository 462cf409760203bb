"""The shape of a head: its constant parts, the gaps between them, and what its headers say of the bodies.

Made and looked up by `head_shapes`, asked by `heads`. Holds no value that is personal: only clean values are part of
the expression that a common shape gets. Nothing is judged here.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import Any

from speedscale_runtime.dlp import digests

from .head_walk import InFull, Spot
from .places import CUT_TAGS, DESTINATIONS, SIDES, headers_of

# a value directly behind a name, with the end of the name: a string, the first string of a list, a number
SPLIT = re.compile(rb'(": ?(?:\[?"[^"]*"|-?[0-9][0-9.eE+\-]*))').split
_OPENS = re.compile(rb'": ?(?:\[?"|)').match
_SIGHTS = 64  # heads after which a shape gets its expression; twice as many for each new one
_FEW = 4  # values of a gap that are written into it
_RARE = 16  # a gap with one new value in fewer heads than this is left open

Match = re.Match[bytes]


class Slot:
    """One gap of a shape: the place it is at, and what is written before its value (the end of its name with it).

    What stands in a `fleeting` one seldom comes back and is not remembered.
    """

    __slots__ = ("fleeting", "lead", "number", "number_of", "opens", "spot")

    def __init__(self, spot: Spot, raw: bytes, number_of: int, *, number: bool) -> None:
        self.spot, self.number_of, self.number = spot, number_of, number
        self.fleeting = False
        self.opens = _OPENS(raw).group()  # type: ignore[union-attr]
        self.lead = len(self.opens)


class Shape:
    """What is known of all heads of one shape.

    `kinds`, `codings` and `lengths` are the gaps that hold content type, content coding and Content-Length of both
    sides (-1: there is none), `hosts` those that say where the call went; `cut` says which bodies a recorder cut,
    `bound` on which sides something besides the length follows from the body. `open` are the gaps that its expression
    leaves open, `fixed` the values of those for which it knows one only.
    """

    __slots__ = (
        "_between", "_fresh", "_next", "_sights", "bound", "codings", "cut", "fixed", "hosts", "kinds", "lengths",
        "match", "open", "open_seen", "seen", "slots", "tight",
    )  # fmt: skip

    def __init__(self, slots: list[Slot], between: list[bytes], doc: dict[str, Any], *, tight: bool) -> None:
        """`tight` says that the head is written as orjson writes it; InFull where a header is not a plain one."""
        self.slots = slots
        self.seen = [s.spot.raw for s in slots]
        self.tight = tight
        self._between, self._fresh = between, [0] * len(slots)
        self._sights, self._next = 0, _SIGHTS
        self.open: Sequence[Slot] = ()
        self.open_seen: Sequence[set[bytes]] = ()
        self.fixed: dict[int, bytes] = {}
        self.match: Callable[[bytes], Match | None] = _none
        at = {s.spot.place: i for i, s in enumerate(slots)}
        self.hosts = {place: at[place] for place in DESTINATIONS if place in at}
        tags = doc.get("tags")
        self.cut = [isinstance(tags, dict) and tag in tags for tag in CUT_TAGS]
        self.kinds, self.codings, self.lengths = [-1, -1], [-1, -1], [-1, -1]
        known = {"content-type": self.kinds, "content-encoding": self.codings, "content-length": self.lengths}
        self.bound = [isinstance(doc.get("signature"), dict), False]
        for side, name in enumerate(SIDES):
            for header, values in headers_of(doc, name).items():
                folded = header.lower()
                if folded in known:
                    first = at.get(f"http.{name}.headers.{header}[0]", -1)
                    if first < 0 or len(values) > 1 or known[folded][side] >= 0:
                        raise InFull
                    known[folded][side] = first
                elif digests.about_body(folded):
                    self.bound[side] = True

    def sighted(self, fresh: Sequence[int]) -> bool:
        """Count a head and which of its gaps held something new; True when the shape has a new expression."""
        for i in fresh:
            self._fresh[i] += 1
        self._sights += 1
        if self._sights < self._next:
            return False
        self._write()
        self._sights, self._next = 0, 2 * self._next
        self._fresh = [0] * len(self.slots)
        return True

    def _write(self) -> None:
        """Make the expression that matches heads of this shape whose settled gaps hold what they held so far."""
        pattern = [re.escape(self._between[0])]
        opened: list[Slot] = []
        self.fixed = {}
        for i, slot in enumerate(self.slots):
            slot.fleeting = self._fresh[i] * 8 > self._sights * 7
            values = slot.spot.raw
            if self._fresh[i] * _RARE > self._sights or not 0 < len(values) <= _FEW:
                opened.append(slot)
                end = rb'[^"\\]*"' if not slot.number else rb"-?[0-9][0-9.eE+\-]*"
                pattern.append(b"(" + re.escape(slot.opens) + end + b")")
            else:
                pattern.append(b"(?:" + b"|".join(re.escape(v) for v in sorted(values)) + b")")
                if len(values) == 1:
                    self.fixed[i] = next(iter(values))
            pattern.append(re.escape(self._between[i + 1]))
        self.open, self.open_seen = opened, [s.spot.raw for s in opened]
        self.match = re.compile(b"".join(pattern)).fullmatch


def _none(_head: bytes) -> Match | None:
    return None


class Filled:
    """One head of a known shape, and what is to be put into its gaps; it is taken apart when somebody asks."""

    __slots__ = ("_given", "_head", "_parts", "shape")

    def __init__(self, shape: Shape, head: bytes, parts: list[bytes] | None) -> None:
        self.shape, self._head = shape, head
        self._parts = parts
        self._given: list[bytes] | None = None

    def text(self, slot: int) -> bytes:
        """Return a string's value as it came."""
        raw = self.shape.fixed.get(slot)
        if raw is None or self._parts is not None:
            if self._given is None:
                self._parts = self._parts or SPLIT(self._head)
                self._given = self._parts[1::2]
            raw = self._given[slot]
        return raw[self.shape.slots[slot].lead : -1]

    def put(self, slot: int, text: bytes) -> None:
        """Put a string (as JSON writes it, without quotes) into a gap."""
        if self._given is None:
            self._parts = self._parts or SPLIT(self._head)
            self._given = self._parts[1::2]
        assert self._parts is not None
        self._parts[2 * slot + 1] = self.shape.slots[slot].opens + text + b'"'

    def head(self) -> bytes:
        """Return the head as it is now."""
        return self._head if self._parts is None else b"".join(self._parts)
