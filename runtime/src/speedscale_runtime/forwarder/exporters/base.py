"""What an exporter is.

The runner reads the spool, applies the exporter's own rules, annotates, and hands over; it retries, keeps the
cursor and counts. An exporter only delivers. All pairs are redacted before they come here.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import NamedTuple, Protocol, TypeVar

import structlog

from speedscale_runtime.rrpair import RRPair

log = structlog.get_logger()

T = TypeVar("T")


class Item(NamedTuple):
    """A pair, and when its batch was received (ns since 1970)."""

    pair: RRPair
    time_ns: int


class Sent(NamedTuple):
    """How many pairs arrived, and what befell others by name: `rejected`, `too_large`, `cut`, `deduplicated`."""

    exported: int
    events: Counter[str]


class Handover(NamedTuple):
    """How much is handed over at once: it ends at `pairs`, at `bytes` of frames, or after `linger_s` of waiting."""

    pairs: int = 1024
    bytes: int = 4 * 1024 * 1024
    linger_s: float = 0.0


class Exporter(Protocol):
    """Delivers pairs to one place; used by one task at a time."""

    max_pairs_per_s: float
    """Pace while batches come in; 0 means none."""

    handover: Handover

    async def send(self, items: Sequence[Item]) -> Sent:
        """Deliver in order; TransientError when it is worth trying again, with all or the rest of the items.

        A retry gets the same items: what was delivered already must not be delivered twice where that can be told.
        """

    async def close(self) -> None:
        """Let go of files and connections."""


def encoded(
    items: Iterable[Item], encode: Callable[[Item], T | None], events: Counter[str]
) -> Iterator[tuple[Item, T]]:
    """Yield the items with their encodings, counting those that have none.

    `encode` returns None where not even a pair's head fits (`too_large`); what it raises is that pair's fault alone
    (`rejected`): one that nobody can write down must not hold up the rest.
    """
    for item in items:
        try:
            made = encode(item)
        except Exception as error:
            log.warning("pair_not_encoded", cause=type(error).__name__)
            events["rejected"] += 1
            continue
        if made is None:
            events["too_large"] += 1
            continue
        yield item, made
