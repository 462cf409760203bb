"""nettap's ingest, under any order and any loss: the same pairs, or a gap, and never a wrong pair.

Each exchange bears a number in its path and in its answer, so a wrong pair shows by itself.
"""

from __future__ import annotations

import importlib.util
import random
import sys
from pathlib import Path
from types import ModuleType
from typing import Any, NamedTuple

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from speedscale_runtime.nettap import wire

_PATH = Path(__file__).resolve().parents[1] / "generators" / "chunks.py"


def _load() -> ModuleType:
    spec = importlib.util.spec_from_file_location("generators_chunks", _PATH)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


chunks = _load()


class Said(NamedTuple):
    """One exchange on the wire."""

    request: bytes
    response: bytes
    asked: bytes
    answered: bytes


def exchange(number: int, kind: str, size: int, interim: bool) -> Said:
    body = (b"%d:" % number + b"GET /trap HTTP/1.1\r\n\r\nHTTP/1.1 200 OK\r\n" * 4)[:size]
    asked, answered = (body, b"") if kind == "post" else (b"", body)
    line = b"%s /n/%d HTTP/1.1\r\nHost: shop\r\n" % (
        b"POST" if asked else b"HEAD" if kind == "head" else b"GET",
        number,
    )
    if kind == "post" and number % 2:
        coded = b"".join(b"%x\r\n%s\r\n" % (len(p), p) for p in (asked[:7], asked[7:]) if p) + b"0\r\n\r\n"
        request = line + b"Transfer-Encoding: chunked\r\n\r\n" + coded
    elif kind == "post":
        request = line + b"Content-Length: %d\r\n\r\n" % len(asked) + asked
    else:
        request = line + b"\r\n"
    head = (b"HTTP/1.1 100 Continue\r\n\r\n" if interim else b"") + b"HTTP/1.1 200 OK\r\nX-Number: %d\r\n" % number
    if kind == "head":
        return Said(request, head + b"Content-Length: %d\r\n\r\n" % size, b"", b"")
    if kind == "chunked":
        coded = b"".join(b"%x\r\n%s\r\n" % (len(p), p) for p in (answered[:3], answered[3:]) if p) + b"0\r\n\r\n"
        return Said(request, head + b"Transfer-Encoding: chunked\r\n\r\n" + coded, b"", answered)
    return Said(request, head + b"Content-Length: %d\r\n\r\n" % len(answered) + answered, asked, answered)


shuffles = st.integers(0, 2**32).map(random.Random)
conversations = st.lists(
    st.tuples(st.sampled_from(["get", "post", "chunked", "head"]), st.integers(0, 120), st.booleans()),
    min_size=1,
    max_size=5,
).map(lambda parts: [exchange(i, *part) for i, part in enumerate(parts)])


@st.composite
def captures(draw: st.DrawFn, *, pipelined: bool = True) -> tuple[list[Said], list[tuple[int, bytes]], Any]:
    """A conversation as capture would tell it, in the order of time: calls of any size, chunks of any size."""
    said = draw(conversations)
    server = draw(st.booleans())
    role = draw(st.sampled_from([wire.Role.UNKNOWN, wire.Role.SERVER if server else wire.Role.CLIENT]))
    ends = {"local": ("10.0.0.9", 80), "remote": ("10.0.0.5", 40000)} if server else {}
    tap = chunks.Tap(role=role, piece=draw(st.sampled_from([7, 50, 16384])), **ends)
    ask, answer = (tap.received, tap.sent) if server else (tap.sent, tap.received)
    frames: list[tuple[int, bytes]] = []
    behind: list[Said] = []
    for one in said:
        frames += _calls(draw, ask, one.request)
        behind.append(one)
        if not pipelined or draw(st.booleans()):
            for earlier in behind:
                frames += _calls(draw, answer, earlier.response)
            behind = []
    for earlier in behind:
        frames += _calls(draw, answer, earlier.response)
    return said, frames, tap


def _calls(draw: st.DrawFn, call: Any, data: bytes) -> list[tuple[int, bytes]]:
    cut = draw(st.integers(0, len(data)))
    return [frame for part in (data[:cut], data[cut:]) if part for frame in call(part)]


def seen(pairs: list[dict[str, Any]]) -> list[tuple[str, bytes, bytes]]:
    """Return number, request body and response body of the pairs that are whole; wrong pairs fail here."""
    found = []
    for pair in pairs:
        if pair["l7protocol"] == "tcp":
            continue
        number = pair["location"].removeprefix("/n/")
        headers = pair["http"]["res"]["headers"]
        assert pair["location"] != "/trap"
        if "X-Number" in headers:
            assert headers["X-Number"] == [number], "a wrong pair"
        else:
            assert "incomplete" in pair["tags"]
        tags = pair["tags"].keys()
        if not tags & {"incomplete", "requestPayloadTruncated", "responsePayloadTruncated"}:
            assert "captureGap" not in tags
            found.append((number, pair["asked"], pair["answered"]))
    return found


def truth(said: list[Said]) -> list[tuple[str, bytes, bytes]]:
    return [(str(i), one.asked, one.answered) for i, one in enumerate(said)]


@settings(max_examples=60, deadline=None)
@given(captures(), shuffles, st.booleans())
def test_any_order_of_the_same_bytes_gives_the_same_pairs(capture: Any, order: random.Random, closes: bool) -> None:
    said, frames, tap = capture
    with chunks.Node() as node:
        frames += tap.closed() if closes else []
        order.shuffle(frames)
        node.tell(frames)
        assert not node.faults
        assert seen(node.pairs()) == truth(said)
        assert sum(node.counters.gap_bytes.values()) == 0
        assert node.sockets.kept_bytes == 0
        assert len(node.sockets) == (0 if closes else 1)


@settings(max_examples=120, deadline=None)
@given(captures(), shuffles, st.data(), st.booleans(), st.booleans())
def test_any_loss_gives_a_gap_and_never_a_wrong_pair(
    capture: Any, order: random.Random, data: st.DataObject, told: bool, shuffled: bool
) -> None:
    said, frames, tap = capture
    lost = data.draw(st.sets(st.integers(0, len(frames) - 1), min_size=1, max_size=4))
    left, missing = [], 0
    for index, frame in enumerate(frames):
        if index not in lost:
            left.append(frame)
            continue
        missing += wire.chunk(frame[1]).length
        if told:
            left.append(_gap(frame))
    left += tap.closed()
    if shuffled:
        order.shuffle(left)
    with chunks.Node() as node:
        node.tell(left)
        node.settle()
        assert not node.faults
        pairs = node.pairs()
        whole = seen(pairs)
        expected = truth(said)
        assert _is_part(whole, expected)
        for pair in pairs:
            if pair["l7protocol"] != "tcp" and pair["location"].startswith("/n/"):
                _, asked, answered = expected[int(pair["location"].removeprefix("/n/"))]
                assert asked.startswith(pair["asked"])
                assert answered.startswith(pair["answered"])
        if told:
            assert sum(node.counters.gap_bytes.values()) == missing
        assert len(whole) < len(expected)
        assert node.sockets.kept_bytes == 0
        assert len(node.sockets) == 0


@settings(max_examples=60, deadline=None)
@given(captures(pipelined=False), shuffles, st.data())
def test_joined_anywhere_it_gives_the_rest_of_the_pairs(
    capture: Any, order: random.Random, data: st.DataObject
) -> None:
    said, frames, _ = capture
    start = data.draw(st.integers(0, len(frames)))
    kept = _joined(frames[start:])
    order.shuffle(kept)
    with chunks.Node() as node:
        node.tell(kept)
        node.settle()
        assert not node.faults
        whole = seen(node.pairs())
        assert not whole or whole == truth(said)[-len(whole) :]


def test_the_traps_in_the_bodies_are_some() -> None:
    assert any(b"GET /trap HTTP/1.1" in exchange(0, kind, 120, False).answered for kind in ("get", "chunked"))
    with pytest.raises(AssertionError, match="a wrong pair"):
        seen(
            [{"l7protocol": "http", "location": "/n/1", "http": {"res": {"headers": {"X-Number": ["2"]}}}, "tags": {}}]
        )


def _gap(frame: tuple[int, bytes]) -> tuple[int, bytes]:
    chunk = wire.chunk(frame[1])
    told = chunk._replace(flags=chunk.flags | wire.Flag.GAP, gap_reason=wire.Gap.RING_FULL)
    return frame[0], wire.CHUNK.pack(*told)


def _joined(frames: list[tuple[int, bytes]]) -> list[tuple[int, bytes]]:
    """Return frames as of a socket that is first seen with the first of them."""
    first: dict[int, int] = {}
    found = []
    for kind, body in frames:
        chunk = wire.chunk(body)
        start = first.setdefault(chunk.direction, chunk.offset)
        told = chunk._replace(offset=chunk.offset - start, flags=chunk.flags | wire.Flag.MIDSTREAM)
        found.append((kind, wire.CHUNK.pack(*told) + body[wire.CHUNK.size :]))
    return found


def _is_part(part: list[Any], whole: list[Any]) -> bool:
    rest = iter(whole)
    return all(one in rest for one in part)
