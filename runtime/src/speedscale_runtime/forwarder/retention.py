"""Who holds the spool back, and how far it may be given up. Pure.

The server's housekeeping calls it. The promise: what was acknowledged leaves the disk only when an exporter has it.
An exporter that lags more than the limit is cut off, alone: as long as another keeps up, segments are no longer
kept for it once the room is needed. When none keeps up nobody is cut off; the spool fills, and senders are refused.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from speedscale_runtime.spool import Position


class Lag(NamedTuple):
    """How far an exporter has come, how many bytes it has before it, and how old the oldest of them are."""

    position: Position
    bytes: int
    age_s: float = 0.0


class Verdict(NamedTuple):
    """The exporters that are cut off now, and the place before which segments may go."""

    cut_off: frozenset[str]
    release: Position


def decide(
    lags: Mapping[str, Lag], cut_off: frozenset[str], limit: int, *, need_room: bool, limit_s: float = 0.0
) -> Verdict:
    """Return who is cut off and what may go; an exporter comes back when it lags less than half the limit.

    `limit` is in bytes, `limit_s` in seconds (0: age does not count).
    """
    late = {n for n, lag in lags.items() if _late(lag, limit, limit_s, 2 if n in cut_off else 1)}
    now = frozenset(late) if len(late) < len(lags) else frozenset(late & cut_off - {_nearest(lags)})
    holding = [lag.position for n, lag in lags.items() if not (need_room and n in now)]
    return Verdict(now, min(holding))


def _late(lag: Lag, limit: int, limit_s: float, divisor: int) -> bool:
    return lag.bytes > limit // divisor or (limit_s > 0 and lag.age_s > limit_s / divisor)


def _nearest(lags: Mapping[str, Lag]) -> str:
    return min(lags, key=lambda n: (lags[n].bytes, n))
