"""Exporters that send requests of many records: how a hand-over is cut into requests, and how a retry goes on.

The base of every exporter over a network. A hand-over is encoded once; what arrived is forgotten, so a retry begins
where the last attempt ended. A request that a receiver will never take is halved until the record that it refuses is
alone: one bad record costs itself, not its neighbours.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections import Counter, deque
from collections.abc import Sequence
from typing import Generic, NamedTuple, TypeVar

from speedscale_schemas.errors import TransientError

from .base import Handover, Item, Sent, encoded

D = TypeVar("D")


class Encoded(NamedTuple, Generic[D]):
    """A record ready to be sent: what `post` needs of it, its size in a request in bytes, and whether it was cut."""

    data: D
    size: int
    cut: bool


class Outcome(NamedTuple, Generic[D]):
    """What a receiver said of a request: how many records it refused, and which ones it wants again."""

    rejected: int = 0
    again: Sequence[Encoded[D]] = ()
    reason: str = ""
    """Why some are wanted again: a word of the receiver's, never of the traffic."""


class Unacceptable(Exception):
    """The receiver will never take this request as it is."""


class Batched(ABC, Generic[D]):
    """Sends groups of at most `max_records` and `max_bytes`; subclasses encode and post."""

    max_pairs_per_s = 0.0
    handover = Handover()
    max_records = 1 << 30
    max_bytes = 4 * 1024 * 1024

    def __init__(self) -> None:
        self._pending: deque[Encoded[D]] | None = None  # of the hand-over in hand; None between two
        self._sent = Sent(0, Counter())
        self._take = self.max_records  # fewer while a record that is refused is searched

    @abstractmethod
    def encode(self, item: Item) -> Encoded[D] | None:
        """Return the item's record; None where not even its head fits."""

    @abstractmethod
    async def post(self, group: Sequence[Encoded[D]]) -> Outcome[D]:
        """Send one request; Unacceptable where it will never be taken, TransientError where it is worth waiting."""

    async def send(self, items: Sequence[Item]) -> Sent:
        """Send the items in requests; TransientError when the receiver is away, busy, or wants some again."""
        if self._pending is None:
            self._sent = Sent(0, Counter())
            self._pending = deque(made for _, made in encoded(items, self.encode, self._sent.events))
        pending = self._pending
        while pending:
            group = self._next(pending)
            try:
                outcome = await self.post(group)
            except Unacceptable:
                if len(group) == 1:
                    self._settle(pending, group, Outcome(rejected=1))
                else:
                    self._take = len(group) // 2
                continue
            self._settle(pending, group, outcome)
            if outcome.again:
                raise TransientError(outcome.reason, 0.0)
        sent, self._pending = self._sent, None
        return sent

    def _next(self, pending: deque[Encoded[D]]) -> list[Encoded[D]]:
        group: list[Encoded[D]] = []
        size = 0
        for record in pending:
            if group and (len(group) >= min(self._take, self.max_records) or size + record.size > self.max_bytes):
                break
            group.append(record)
            size += record.size
        return group

    def _settle(self, pending: deque[Encoded[D]], group: Sequence[Encoded[D]], outcome: Outcome[D]) -> None:
        """Count a group that was answered; what is wanted again comes first the next time."""
        again = set(map(id, outcome.again))
        events: Counter[str] = Counter()
        for record in group:
            pending.popleft()
            events["cut"] += record.cut and id(record) not in again
        events["rejected"] += outcome.rejected
        pending.extendleft(reversed(outcome.again))
        arrived = len(group) - outcome.rejected - len(outcome.again)
        self._sent = Sent(self._sent.exported + arrived, self._sent.events + events)
        self._take = min(self._take * 2, self.max_records)
