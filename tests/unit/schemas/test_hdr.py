"""Histograms of a results file are those of another implementation, slot for slot and byte for byte."""

from __future__ import annotations

import base64
import struct
import zlib
from collections import Counter
from typing import Any

import pytest
from hdrh.histogram import HdrHistogram
from hypothesis import example, given, settings
from hypothesis import strategies as st

from speedscale_schemas import hdr

VALUES = st.one_of(st.integers(1, 5000), st.integers(1, hdr.HIGHEST))
COUNTS = st.dictionaries(VALUES, st.one_of(st.integers(1, 300), st.integers(1, 2**40)), max_size=40)


def reference() -> Any:
    return HdrHistogram(hdr.LOWEST, hdr.HIGHEST, hdr.PRECISION)


SCALE = reference()


def test_there_are_as_many_slots() -> None:
    assert SCALE.counts_len == hdr.SLOTS


@given(VALUES)
@example(1)
@example(2047)
@example(2048)
@example(4095)
@example(4096)
@example(hdr.HIGHEST)
def test_a_value_has_the_same_slot(value: int) -> None:
    index = hdr.slot(value)
    assert index == SCALE._counts_index_for(value)
    low, high = hdr.bounds(index)
    assert (low, high) == (SCALE.get_value_from_index(index), SCALE.get_highest_equivalent_value(value))
    assert low <= value <= high


@pytest.mark.parametrize(("value", "inside"), [(-5, 1), (0, 1), (hdr.HIGHEST + 1, hdr.HIGHEST), (10**15, hdr.HIGHEST)])
def test_what_is_out_of_range_counts_at_its_end(value: int, inside: int) -> None:
    assert hdr.slot(value) == hdr.slot(inside)


@settings(max_examples=60)
@given(COUNTS)
@example({})
@example({1: 1, 3: 1})
@example({hdr.HIGHEST: 2**55})
def test_it_is_written_as_the_other_writes_it(values: dict[int, int]) -> None:
    other, counts = reference(), Counter[int]()
    for value, count in values.items():
        other.record_value(value, count)
        counts[hdr.slot(value)] += count
    assert hdr.encode(counts) == other.encode().decode("ascii")
    assert dict(hdr.decode(hdr.encode(counts))) == counts


def packed(numbers: bytes, *, size: int | None = None, digits: int = 3, cookie: int = 0x1C849313) -> str:
    head = struct.pack(">iiiiqqd", cookie, len(numbers) if size is None else size, 0, digits, 1, hdr.HIGHEST, 1.0)
    data = zlib.compress(head + numbers)
    return base64.b64encode(struct.pack(">ii", 0x1C849314, len(data)) + data).decode()


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "unpack"),
        ("é", "ASCII"),
        ("not base64!", "base64"),
        ("HISTFAAAAA==", "unpack"),
        (packed(b"\x02", size=2), "cut short"),
        (packed(b"\x02", cookie=0x1C849301), "version 2"),
        (packed(b"\x02", digits=2), "of 1 to 3600000000 with 3 digits"),
        (packed(b"\xff\xff\x7f\x02"), "more slots"),
    ],
)
def test_what_is_no_such_histogram_is_refused(text: str, reason: str) -> None:
    with pytest.raises(ValueError, match=f"no HDR histogram.*{reason}"):
        hdr.decode(text)
