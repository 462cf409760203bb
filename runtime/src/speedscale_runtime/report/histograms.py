"""Latency as HDR histograms: decode, merge, read quantiles. Quantiles are never averaged.

Histograms hold microseconds from 1 to 3,600,000,000 with three significant digits (schema `result-line`). Counts
are kept sparsely, by slot: thousands of endpoints would otherwise cost 200 KiB a histogram, and the library's own
iterators visit every empty slot.
"""

from __future__ import annotations

import base64
import struct
import zlib
from collections.abc import Iterator
from typing import Any

from hdrh.histogram import HdrHistogram

from .model import Latency

LOWEST, HIGHEST, PRECISION = 1, 3_600_000_000, 3
_COMPRESSED_COOKIE, _PLAIN_COOKIE = 0x1C849304, 0x1C849303
_HEADER = 40
_PLAIN_MAX = 1024 * 1024
_SCALE: Any = HdrHistogram(LOWEST, HIGHEST, PRECISION)
"""Says which slot a value has; holds no counts itself."""


class Histogram:
    """Counts by slot of `_SCALE`."""

    __slots__ = ("_counts",)

    def __init__(self) -> None:
        self._counts: dict[int, int] = {}

    def merge(self, encoded: str) -> None:
        """Add a histogram (V2, zlib, base64); ValueError when it cannot be decoded."""
        for index, count in _counts(encoded):
            self._count(index, count)

    def add(self, other: Histogram) -> None:
        """Add another histogram's counts."""
        for index, count in other._counts.items():
            self._count(index, count)

    def record(self, milliseconds: float) -> None:
        """Count one value; what is out of range counts at the range's end."""
        self._count(_slot(round(milliseconds * 1000)), 1)

    def summary(self) -> Latency:
        """Return count, smallest, mean, quantiles and largest, in milliseconds to the microsecond."""
        slots = sorted(self._counts.items())
        if not slots:
            return Latency()
        total = sum(count for _, count in slots)
        lows = [_SCALE.get_value_from_index(index) for index, _ in slots]
        highs = [_SCALE.get_highest_equivalent_value(low) for low in lows]
        middles = ((low + high) / 2 * count for low, high, (_, count) in zip(lows, highs, slots, strict=True))

        def at(percent: int) -> float:
            wanted, seen = -(-total * percent // 100), 0
            for high, (_, count) in zip(highs, slots, strict=True):
                seen += count
                if seen >= wanted:
                    return float(high)
            return float(highs[-1])

        microseconds = (lows[0], sum(middles) / total, *(at(p) for p in (50, 75, 90, 95, 99)), highs[-1])
        return Latency(total, *(round(value / 1000, 3) for value in microseconds))

    def _count(self, index: int, count: int) -> None:
        self._counts[index] = self._counts.get(index, 0) + count


def _slot(microseconds: int) -> int:
    bounded = min(HIGHEST, max(LOWEST, microseconds))
    return int(_SCALE._counts_index_for(bounded))


def _counts(encoded: str) -> list[tuple[int, int]]:
    """Return the slots of an encoded histogram that hold something.

    Read here rather than by the library, which builds an array of 23,552 counters for each histogram. Layout: two
    big-endian words (cookie, length), then zlib; inside, a header of 40 bytes (cookie, payload length, offset, digits,
    lowest, highest, ratio) and ZigZag LEB128 numbers: a positive one is a count, a negative one a run of empty slots.
    Source: HdrHistogram, V2 encoding.
    """
    try:
        data = base64.b64decode(encoded, validate=True)
        cookie, length = struct.unpack_from(">ii", data)
        unpacker = zlib.decompressobj()
        plain = unpacker.decompress(data[8 : 8 + length], _PLAIN_MAX)
        inner, size, _, digits, lowest, highest, _ = struct.unpack_from(">iiiiqqd", plain)
    except (ValueError, struct.error, zlib.error) as error:
        raise ValueError(f"no HDR histogram ({error})") from error
    if (cookie & ~0xF0, inner & ~0xF0) != (_COMPRESSED_COOKIE, _PLAIN_COOKIE) or size > len(plain) - _HEADER:
        raise ValueError("no HDR histogram (not of version 2, or cut short)")
    if (lowest, highest, digits) != (LOWEST, HIGHEST, PRECISION):
        raise ValueError(f"no HDR histogram of {LOWEST} to {HIGHEST} with {PRECISION} digits")
    found, index = [], 0
    for number in _numbers(plain[_HEADER : _HEADER + size]):
        if number > 0:
            found.append((index, number))
        index += -number if number < 0 else 1
        if index > _SCALE.counts_len:
            raise ValueError("no HDR histogram (more slots than its range has)")
    return found


def _numbers(data: bytes) -> Iterator[int]:
    value = shift = 0
    for byte in data:
        last = shift == 56  # the ninth byte has no continuation bit
        value |= byte << 56 if last else (byte & 0x7F) << shift
        if byte & 0x80 and not last:
            shift += 7
            continue
        yield (value >> 1) ^ -(value & 1)
        value = shift = 0
