"""One direction put back in order: any order, overlaps, gaps, and what is declared missing."""

from __future__ import annotations

import random

from hypothesis import given
from hypothesis import strategies as st

from speedscale_runtime.nettap.causes import Missing
from speedscale_runtime.nettap.reassembly import Direction, Piece


def joined(pieces: list[Piece]) -> bytes:
    return b"".join(piece.data if piece.data is not None else b"-" * piece.size for piece in pieces)


@given(st.binary(min_size=1, max_size=200), st.data())
def test_any_order_and_any_overlap_gives_the_bytes_once(data: bytes, drawn: st.DataObject) -> None:
    spans = drawn.draw(st.lists(st.tuples(st.integers(0, len(data) - 1), st.integers(1, 60)), max_size=30))
    step = drawn.draw(st.integers(1, 50))
    spans += [(start, step) for start in range(0, len(data), step)]
    random.Random(drawn.draw(st.integers(0, 999))).shuffle(spans)
    direction, found = Direction(), []
    for start, size in spans:
        part = data[start : start + size]
        found += direction.take(start, Piece(part, len(part), 1))
    assert joined(found) == data
    assert direction.expected == len(data)
    assert not direction.broken
    assert direction.waiting_bytes == 0


def test_a_gap_is_a_piece_in_its_place() -> None:
    direction = Direction()
    assert direction.take(8, Piece(b"cd", 2, 3)) == []
    assert direction.take(2, Piece(None, 6, 2, Missing.SENDFILE)) == []
    found = direction.take(0, Piece(b"ab", 2, 1))
    assert joined(found) == b"ab------cd"
    assert found[1].missing is Missing.SENDFILE


def test_what_never_comes_is_declared_missing_with_the_time_of_what_follows() -> None:
    direction = Direction()
    direction.take(5, Piece(b"f", 1, 70))
    direction.end(9)
    assert direction.broken
    assert direction.give_up(Missing.NOT_TOLD, 99) == [
        Piece(None, 5, 70, Missing.NOT_TOLD),
        Piece(b"f", 1, 70),
    ]
    assert not direction.complete
    assert direction.give_up(Missing.NOT_TOLD, 99) == [Piece(None, 3, 99, Missing.NOT_TOLD)]
    assert direction.complete
    assert not direction.broken


def test_the_beginning_of_a_call_is_lost_with_the_bytes_that_are_known_already() -> None:
    direction = Direction()
    direction.take(0, Piece(b"abc", 3, 1, begins=True))
    (rest,) = direction.take(1, Piece(b"bcde", 4, 2, begins=True))
    assert (rest.data, rest.begins) == (b"de", False)
    assert direction.repeated == 2


def test_bytes_are_counted_when_nobody_asks_for_them_any_more() -> None:
    direction = Direction()
    direction.take(0, Piece(b"ab", 2, 1))
    direction.take(10, Piece(b"xy", 2, 1))
    assert direction.reached == 12
    direction.forget()
    assert (direction.expected, direction.waiting_bytes, direction.broken) == (12, 0, False)
