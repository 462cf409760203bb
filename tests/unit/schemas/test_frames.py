"""Frames: whatever goes in comes out, and damage is refused at the frame where it is."""

from __future__ import annotations

import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from speedscale_schemas import frames
from speedscale_schemas.frames import Frame, FrameError

FRAMES = st.builds(Frame, st.binary(min_size=2, max_size=200), st.binary(max_size=200), st.binary(max_size=200))


@given(st.lists(FRAMES, max_size=5))
def test_a_batch_round_trips(batch: list[Frame]) -> None:
    data = b"".join(map(frames.encode, batch))
    assert list(frames.decode_all(data)) == batch
    assert list(frames.decode_all(memoryview(data))) == batch


@given(FRAMES, FRAMES, st.data())
def test_a_torn_batch_gives_what_is_whole_and_names_the_offset(one: Frame, two: Frame, data: st.DataObject) -> None:
    first = frames.encode(one)
    whole = first + frames.encode(two)
    cut = data.draw(st.integers(len(first) + 1, len(whole) - 1))
    found = frames.decode_all(whole[:cut])
    assert next(found) == one
    with pytest.raises(FrameError) as caught:
        next(found)
    assert caught.value.torn
    assert caught.value.offset == len(first)


@given(FRAMES, FRAMES, st.data())
def test_a_flipped_bit_is_refused_at_its_frame(one: Frame, two: Frame, data: st.DataObject) -> None:
    first = frames.encode(one)
    whole = bytearray(first + frames.encode(two))
    at = data.draw(st.integers(len(first), len(whole) - 1))
    whole[at] ^= 1 << data.draw(st.integers(0, 7))
    found = frames.decode_all(bytes(whole))
    assert next(found) == one
    with pytest.raises(FrameError) as caught:
        next(found)
    assert caught.value.offset == len(first)


@given(st.binary(max_size=64))
def test_any_bytes_give_frames_or_a_frame_error(data: bytes) -> None:
    good = 0
    try:
        for frame in frames.decode_all(data):
            good += len(frames.encode(frame))
    except FrameError as error:
        refused = error
    else:
        assert good == len(data)
        return
    assert refused.offset == good < len(data)
    assert f"byte {good}" in str(refused)


def test_the_layout_is_the_documented_one() -> None:
    data = frames.encode(Frame(b"{}", b"ab", b"c"))
    assert data[:4] == b"SSF1"
    assert data[4:16] == bytes([0, 0, 0, 2, 0, 0, 0, 2, 0, 0, 0, 1])
    assert int.from_bytes(data[16:20], "big") == zlib.crc32(b"{}abc")
    assert data[20:] == b"{}abc"


def test_parts_over_their_limits_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(frames, "BODY_MAX", 3)
    monkeypatch.setattr(frames, "HEAD_MAX", 4)
    with pytest.raises(FrameError, match="body of 4 bytes"):
        frames.encode(Frame(b"{}", b"", b"1234"))
    with pytest.raises(FrameError, match="head of 5 bytes"):
        frames.encode(Frame(b"12345", b"", b""))
    with pytest.raises(FrameError, match="head of 1 bytes"):
        frames.encode(Frame(b"1", b"", b""))
    header = frames.HEADER.pack(frames.MAGIC, 2, 4, 0, 0)
    with pytest.raises(FrameError, match="over the limits") as caught:
        frames.decode_at(header + b"{}1234")
    assert not caught.value.torn


def test_a_wrong_magic_is_told() -> None:
    with pytest.raises(FrameError, match=r"frame at byte 0: magic b'HTTP'"):
        frames.decode_at(b"HTTP/1.1 200 OK\r\n\r\n....")
