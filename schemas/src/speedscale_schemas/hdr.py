"""Histograms of a results file (schema `result-line`): which slot a value counts in, and how counts are written.

Called by the generator, which measures, and by reports, which add what several pods measured. Values are microseconds
from 1 to 3,600,000,000 with three significant digits; counts are held by slot, sparsely, because there are thousands of
endpoints and few distinct latencies. Pure; no quantiles here.

A slot of the first 2,048 holds one value. Every later 1,024 slots double the width of a slot, so that it is never more
than a thousandth of its values. Written as two big-endian words (cookie, length) and zlib data; inside, a header of 40
bytes (cookie, length of what follows, offset, digits, lowest, highest, ratio) and ZigZag LEB128 numbers: a positive one
is a count, a negative one a run of empty slots. All of it as base64.
Source: HdrHistogram, V2 compressed encoding. The tests hold it to another implementation, byte for byte.
"""

from __future__ import annotations

import base64
import struct
import zlib
from collections.abc import Iterator, Mapping

LOWEST, HIGHEST, PRECISION = 1, 3_600_000_000, 3
_LINEAR = 2048
"""Values below it have a slot of their own; the smallest power of two that tells 10^3 values apart twice over."""
_HALF = _LINEAR // 2
_COMPRESSED_COOKIE, _PLAIN_COOKIE = 0x1C849304, 0x1C849303
_WORD = 0x10  # numbers of variable length
_OUTER, _INNER = struct.Struct(">ii"), struct.Struct(">iiiiqqd")
_PLAIN_MAX = 1024 * 1024


def slot(value: int) -> int:
    """Return the slot of a value in microseconds; what is out of range counts at the range's end."""
    value = min(max(value, LOWEST), HIGHEST)
    shift = max(0, value.bit_length() - _LINEAR.bit_length() + 1)
    return shift * _HALF + (value >> shift)


SLOTS = slot(HIGHEST) // _HALF * _HALF + _HALF


def bounds(index: int) -> tuple[int, int]:
    """Return the lowest and the highest value that count in a slot (0 to `SLOTS` - 1)."""
    shift = max(0, index // _HALF - 1)
    low = (index - shift * _HALF) << shift
    return low, low + (1 << shift) - 1


def encode(counts: Mapping[int, int]) -> str:
    """Return counts by slot as text; slots without a count may be left out."""
    held = sorted((index, count) for index, count in counts.items() if count)
    numbers, following = bytearray(), 0
    for index, count in held:
        if index > following:
            numbers += _number(following - index)
        numbers += _number(count)
        following = index + 1
    head = _INNER.pack(_PLAIN_COOKIE | _WORD, len(numbers), 0, PRECISION, LOWEST, HIGHEST, 1.0)
    packed = zlib.compress(head + numbers)
    return base64.b64encode(_OUTER.pack(_COMPRESSED_COOKIE | _WORD, len(packed)) + packed).decode("ascii")


def decode(encoded: str) -> list[tuple[int, int]]:
    """Return slot and count of every slot that holds something, in order. Raises ValueError for no such histogram."""
    try:
        data = base64.b64decode(encoded, validate=True)
        cookie, length = _OUTER.unpack_from(data)
        plain = zlib.decompressobj().decompress(data[_OUTER.size : _OUTER.size + length], _PLAIN_MAX)
        inner, size, _, digits, lowest, highest, _ = _INNER.unpack_from(plain)
    except (ValueError, struct.error, zlib.error) as error:
        raise ValueError(f"no HDR histogram ({error})") from error
    if (cookie & ~0xF0, inner & ~0xF0) != (_COMPRESSED_COOKIE, _PLAIN_COOKIE) or size > len(plain) - _INNER.size:
        raise ValueError("no HDR histogram (not of version 2, or cut short)")
    if (lowest, highest, digits) != (LOWEST, HIGHEST, PRECISION):
        raise ValueError(f"no HDR histogram of {LOWEST} to {HIGHEST} with {PRECISION} digits")
    found, index = [], 0
    for number in _numbers(plain[_INNER.size : _INNER.size + size]):
        if number > 0:
            found.append((index, number))
        index += -number if number < 0 else 1
        if index > SLOTS:
            raise ValueError("no HDR histogram (more slots than its range has)")
    return found


def _number(value: int) -> bytes:
    """Return a number as ZigZag LEB128; the ninth byte has no continuation bit."""
    rest, written = value << 1 if value >= 0 else (-value << 1) - 1, bytearray()
    while rest > 0x7F and len(written) < 8:
        written.append(rest & 0x7F | 0x80)
        rest >>= 7
    written.append(rest & 0xFF)
    return bytes(written)


def _numbers(data: bytes) -> Iterator[int]:
    value = shift = 0
    for byte in data:
        last = shift == 56
        value |= byte << 56 if last else (byte & 0x7F) << shift
        if byte & 0x80 and not last:
            shift += 7
            continue
        yield (value >> 1) ^ -(value & 1)
        value = shift = 0
