"""Heads as bytes: what has the shape of an earlier head is not parsed, only its new values are looked at.

A head without its values (strings and numbers directly behind a name) is its shape: names, nesting, all that stays the
same from pair to pair of one endpoint. A shape met twice is learnt: for each gap between its parts the place that
`head_walk` keeps for it, with the clean values that stood there (`shape`). A head is then one split and one look-up a
value, and once a shape is common one match of an expression made for it. What is redacted is put between the parts.
Whatever is unusual (an escape, a number that is none of ours, a structure that has to be read in full) is left to the
parser: `read` returns None. Both agree.
"""

from __future__ import annotations

import json
import re
from itertools import compress
from operator import contains, not_
from typing import Any

import orjson

from speedscale_runtime.dlp.edits import Note
from speedscale_runtime.dlp.memory import Memory

from .head_walk import InFull, Spot, Walk
from .shape import SPLIT, Filled, Shape, Slot

_INTEGER = re.compile(rb"(?:0|-?[1-9][0-9]{0,14})\Z").match
_TIME = re.compile(rb'\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d{1,9})?Z"').match
_UUID = re.compile(rb'[A-Za-z0-9+/]{21}[AQgw]=="').match
_LONGEST = 16_384  # bytes of a head
_MOST_SLOTS = 512
_SLOT_BYTES = 500
_CACHE_BYTES = 16 * 1024 * 1024
_MET = 4096
_SMALL = 8  # digits of a number that is too short for any detector
_RECENT = 4  # shapes whose expressions are tried


class Shapes:
    """The shapes of heads under one rule, bounded (16 MiB).

    `hits` and `misses` count heads; `value_hits` and `value_misses` the values of those whose shape was known.
    """

    def __init__(self, walk: Walk) -> None:
        self._walk = walk
        self._shapes: Memory[bytes, Shape] = Memory(_CACHE_BYTES)
        self._recent: list[Shape] = []
        self._met: Memory[int, bool] = Memory(_MET)  # False: not to be learnt
        self._epoch = walk.epoch
        self.hits = self.misses = 0
        self.value_hits = self.value_misses = 0

    @property
    def evictions(self) -> int:
        """How many shapes were dropped."""
        return self._shapes.evictions

    def read(self, head: bytes, notes: list[Note]) -> Filled | None:
        """Return a head redacted and add to `notes`; None, and nothing added, where it has to be parsed."""
        if self._epoch != self._walk.epoch:
            self._forget()
        for shape in self._recent:
            match = shape.match(head)
            if match is not None:
                values: Any = match.groups()
                open_slots, seen, parts = shape.open, shape.open_seen, None
                break
        else:
            if b"\\" in head or len(head) > _LONGEST:
                return None
            parts = SPLIT(head)
            found = self._shapes.get(b"\0".join(parts[::2]))
            if found is None:
                self.misses += 1
                return None
            shape, values, open_slots, seen = found, parts[1::2], found.slots, found.seen
        self.hits += 1
        fresh = list(compress(range(len(values)), map(not_, map(contains, seen, values))))
        self.value_hits += len(shape.slots) - len(fresh)
        self.value_misses += len(fresh)
        if parts is not None and shape.sighted(fresh):
            self._recent = [shape, *(s for s in self._recent if s is not shape)][:_RECENT]
        filled = Filled(shape, head, parts)
        if fresh:
            try:
                self._settle(filled, [(open_slots[i], values[i]) for i in fresh], notes)
            except (InFull, ValueError, TypeError):
                return None
        return filled

    def _settle(self, filled: Filled, fresh: list[tuple[Slot, bytes]], notes: list[Note]) -> None:
        """Judge the values that are new at their place; InFull or ValueError where the head has to be parsed."""
        texts: list[bytes] = []
        plain: list[tuple[Slot, bytes]] = []
        other: list[tuple[Slot, bytes]] = []
        numbers: list[str] = []
        walk = self._walk
        for item in fresh:
            slot, raw = item
            lead, spot = slot.lead, slot.spot
            if raw[:lead] != slot.opens:
                raise InFull
            if slot.number:
                if _INTEGER(raw, lead) is None:
                    raise InFull
                if len(raw) - lead > _SMALL:
                    numbers.append(raw[lead:].decode())
                else:
                    walk.saw(spot, raw)
            elif _TIME(raw, lead) is None and (spot.place != "uuid" or _UUID(raw, lead) is None):
                text = raw[lead:-1]
                if spot.batch and not spot.known and not spot.old and text and text.isascii():
                    if not text.decode("ascii").isprintable():  # JSON has no control characters
                        raise InFull
                    texts.append(text)
                    plain.append(item)
                else:
                    other.append(item)
        if texts or numbers:
            fired = walk.fired(texts, numbers)
            for j, item in enumerate(plain):
                if j in fired:
                    other.append(item)
                elif not item[0].fleeting:
                    walk.saw(item[0].spot, item[1])
        if other:
            self._judge(filled, other, notes)

    def _judge(self, filled: Filled, items: list[tuple[Slot, bytes]], notes: list[Note]) -> None:
        todo: list[tuple[Spot, str, Any, Any]] = []
        items.sort(key=_number)
        for slot, raw in items:
            text = raw[slot.lead : -1].decode()
            if not text.isprintable():
                raise InFull
            todo.append((slot.spot, text, None, None))
            if text in slot.spot.known:
                self.value_hits += 1
                self.value_misses -= 1
        for (slot, raw), known in zip(items, self._walk.settle(todo, []), strict=True):
            if known is not None:
                filled.put(slot.number_of, orjson.dumps(known[0])[1:-1])
                notes += known[1]
            elif slot.spot.ignored or raw[slot.lead : -1].decode() in slot.spot.clean:
                self._walk.saw(slot.spot, raw)

    def learn(self, head: bytes, doc: dict[str, Any]) -> None:
        """Take note of a head that had to be parsed; the second of its shape is learnt."""
        if b"\\" in head or len(head) > _LONGEST:
            return
        parts = SPLIT(head)
        skeleton = b"\0".join(parts[::2])
        mark = hash(skeleton)
        known = self._met.get(mark)
        if not known:
            if known is None:
                self._met.put(mark, True)
            return
        try:
            shape = self._learnt(head, parts, doc)
        except (InFull, LookupError, ValueError, TypeError):
            self._met.put(mark, False)
            return
        self._shapes.put(skeleton, shape, 20 * len(skeleton) + _SLOT_BYTES * len(shape.slots))

    def _learnt(self, head: bytes, parts: list[bytes], doc: dict[str, Any]) -> Shape:
        json.loads(head, object_pairs_hook=_unique)
        if self._walk.read(doc, []) is None:
            raise InFull
        leaves = list(self._walk.leaves(doc))
        raws = parts[1::2]
        if not 0 < len(leaves) == len(raws) <= _MOST_SLOTS:
            raise InFull
        slots = []
        for i, ((spot, value), raw) in enumerate(zip(leaves, raws, strict=True)):
            number = not isinstance(value, str)
            if number and spot.number:
                raise InFull
            slot = Slot(spot, raw, i, number=number)
            told = raw[slot.lead :] if number else raw[slot.lead : -1]
            if told != (repr(value) if number else value).encode():
                raise InFull
            slots.append(slot)
        if "dlpModified" in doc or "dlpRule" in doc:
            raise InFull
        return Shape(slots, parts[::2], doc, tight=orjson.dumps(doc) == head)

    def _forget(self) -> None:
        self._epoch = self._walk.epoch
        self._shapes.clear()
        self._met.clear()
        self._recent = []


def _number(item: tuple[Slot, bytes]) -> int:
    return item[0].number_of


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    made = dict(pairs)
    if len(made) != len(pairs):
        raise ValueError("a name twice")
    return made
