"""What cannot be captured is a gap with its reason and its bytes; what is captured around it is right."""

from __future__ import annotations

import hashlib
import platform
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from tap import PROGRAMS, Stream, Tap

from speedscale_runtime.nettap import wire

sys.path.insert(0, str(PROGRAMS))

from ends import text  # type: ignore[import-not-found]

pytestmark = pytest.mark.kernel

SENT, RECEIVED = wire.Direction.SENT, wire.Direction.RECEIVED


def right(stream: Stream, data: bytes) -> None:
    """Pieces and gaps cover the stream, and every piece is what the application had at its place."""
    assert len(stream.data) + sum(length for _, length, _ in stream.gaps) == len(data)
    for at, piece in stream.pieces:
        assert piece == data[at : at + len(piece)]


@pytest.fixture(scope="session")
def moves(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the built program of calls that Python does not have."""
    out = tmp_path_factory.mktemp("moves") / "moves"
    command = ["gcc", "-O1", "-Wall", "-Wextra", "-o", str(out), str(PROGRAMS / "moves.c"), "-luring"]
    built = subprocess.run(command, capture_output=True, text=True, check=False)
    if "liburing.h" in built.stderr:
        pytest.skip("liburing's headers are not installed: make tools")
    assert built.returncode == 0, built.stderr
    return out


def pattern(length: int) -> bytes:
    return bytes((i * 31 + (i >> 8) * 17) & 0xFF for i in range(length))


def both(tap: Tap, role: wire.Role, length: int) -> tuple[Stream, Stream]:
    """Return what one end of the only connection sent and received, when `length` bytes went from client to server."""

    def find(direction: wire.Direction) -> list[Stream]:
        return [one for key, one in list(tap.streams.items()) if key[2] == direction and one.first.role == role]

    direction = SENT if role == wire.Role.CLIENT else RECEIVED
    tap.until(lambda: any(one.ends and one.length >= length for one in find(direction)))
    tap.until(lambda: any(one.ends for one in find(SENT)) and any(one.ends for one in find(RECEIVED)))
    (sent,), (received,) = find(SENT), find(RECEIVED)
    return sent, received


def test_messages_in_one_call(tap: Tap, moves: Path) -> None:
    total = int(tap.run([moves, "messages"]))
    for stream in (both(tap, wire.Role.CLIENT, total)[0], both(tap, wire.Role.SERVER, total)[1]):
        assert (stream.data, stream.gaps) == (pattern(total), [])


def test_io_uring(tap: Tap, moves: Path) -> None:
    total = int(tap.run([moves, "uring"]))
    sent, received = both(tap, wire.Role.CLIENT, total)[0], both(tap, wire.Role.SERVER, total)[1]
    assert sent.lost(wire.Gap.IO_URING) == 50_000
    assert received.lost(wire.Gap.IO_URING) == 30_000
    for stream, lost in ((sent, 50_000), (received, 30_000)):
        right(stream, pattern(total))
        assert sum(length for _, length, _ in stream.gaps) == lost
    counters = tap.counters()
    assert counters["probe_calls"]["io_uring"] >= 3
    assert counters["gap_bytes"]["io_uring"] == 80_000


def test_sendfile(tap: Tap) -> None:
    client, server = tap.python("moves.py", "sendfile")
    tap.check(client)
    sent = tap.whole(server, SENT)
    right(sent, b"head" + text(300_000) + b"tail")
    assert sent.lost(wire.Gap.SENDFILE) == 300_000 == sum(length for _, length, _ in sent.gaps)
    assert sent.data == b"headtail"


def test_splice(tap: Tap) -> None:
    client, front, back, server = tap.python("moves.py", "splice")
    tap.check(client)
    tap.check(server)
    for stream in (tap.whole(front, RECEIVED), tap.whole(back, SENT)):
        assert stream.lost(wire.Gap.SPLICE) == 30_000 == sum(length for _, length, _ in stream.gaps)


def test_bytes_that_the_receiver_throws_away(tap: Tap) -> None:
    _, server = tap.python("moves.py", "truncated")
    stream = tap.whole(server, RECEIVED)
    right(stream, text(3000))
    assert stream.gaps == [(1000, 1000, wire.Gap.UNREADABLE)]


def test_a_tiny_ring(taps: Callable[..., Tap]) -> None:
    tap = taps(NETTAP_RING_BYTES="65536")
    tap.capture()
    ends = tap.python("moves.py", "bulk", "8000000")
    for end, direction in zip(ends, (SENT, RECEIVED), strict=True):
        stream = tap.whole(end, direction)
        right(stream, text(8_000_000))
        assert {reason for *_, reason in stream.gaps} <= {wire.Gap.RING_FULL, wire.Gap.SOCKET_FULL}
        assert stream.gaps
    counters = tap.counters()
    assert counters["ringbuf_drops"]["capture_chunks"]
    told = sum(length for one in tap.streams.values() for _, length, _ in one.gaps)
    assert counters["gap_bytes"]["ring_full"] + counters["gap_bytes"]["socket_full"] == told


def test_a_consumer_that_stops(taps: Callable[..., Tap]) -> None:
    """The application ends while nobody reads; afterwards every byte is there or told as lost."""
    tap = taps(NETTAP_RING_BYTES=str(1 << 20))
    tap.capture()
    tap.reading.clear()
    ends = tap.python("moves.py", "bulk", "20000000")
    tap.reading.set()
    for end, direction in zip(ends, (SENT, RECEIVED), strict=True):
        stream = tap.whole(end, direction)
        right(stream, text(20_000_000))
        assert stream.lost(wire.Gap.SOCKET_FULL)


def test_a_kernel_without_loops(taps: Callable[..., Tap]) -> None:
    """Before 5.17 a program has few steps: short calls are whole, the rest of a long one is a gap."""
    tap = taps(NETTAP_BPF_LOOP="0")
    tap.capture()
    for form in ("send", "messages"):
        client, server = tap.python("calls.py", form)
        tap.check(client)
        tap.check(server)
    client, server = tap.python("calls.py", "many_parts")
    stream = tap.whole(client, SENT)
    assert {reason for *_, reason in stream.gaps} == {wire.Gap.VECTOR_TOO_LONG}
    assert len(stream.data) + sum(length for _, length, _ in stream.gaps) == client.sent[0]
    client, _ = tap.python("calls.py", "large")
    stream = tap.whole(client, SENT)
    right(stream, text(16 << 20))
    assert stream.lost(wire.Gap.CALL_TOO_LONG)


def test_threads_that_write_without_a_lock(tap: Tap) -> None:
    """Whose bytes came first is not known: nothing is told in an order that may be wrong."""
    client, server = tap.python("moves.py", "overlapping")
    _, received = tap.check(server)
    sent = tap.whole(client, SENT)
    assert {reason for *_, reason in sent.gaps} <= {wire.Gap.NOT_SEEN}
    right(sent, received.data)


def test_more_sockets_than_there_is_room_for(taps: Callable[..., Tap]) -> None:
    tap = taps(NETTAP_SOCKETS_MAX="1", NETTAP_BPF_STATS="1")
    tap.capture()
    tap.python("calls.py", "send")
    counters = tap.counters()
    assert len({key[:2] for key in tap.streams}) == 1
    assert counters["calls_not_captured"]["sockets_full"] > 10
    assert counters["program_run_time_ns"]["syscall_exit"] > 0


def test_the_digest_notices(tap: Tap) -> None:
    """What the other tests compare is not empty, and differs from other bytes."""
    client, _ = tap.python("calls.py", "send")
    sent, _ = tap.check(client)
    assert hashlib.sha256(sent.data[:-1]).hexdigest() != client.sent[1]


@pytest.mark.skipif(platform.machine() != "x86_64", reason="calls of 32-bit programs are made as x86 makes them")
def test_calls_of_32_bit_programs_are_counted_and_what_they_move_is_a_gap(
    taps: Callable[..., Tap], tmp_path: Path
) -> None:
    narrow = tmp_path / "narrow"
    command = ["gcc", "-O1", "-Wall", "-Wextra", "-Werror", "-static", "-no-pie"]
    subprocess.run([*command, "-o", str(narrow), str(PROGRAMS / "narrow.c")], check=True)
    if subprocess.run([narrow], check=False, capture_output=True).returncode < 0:
        pytest.skip("this kernel runs no 32-bit programs")
    tap = taps(NETTAP_METHOD="tracepoint")
    tap.capture()
    tap.run([narrow])
    sent, _ = both(tap, wire.Role.CLIENT, 15)
    right(sent, b"0123456789abcde")
    assert [(offset, length, reason) for offset, length, reason in sent.gaps] == [(5, 5, wire.Gap.NOT_SEEN)]
    tap.until(lambda: tap.counters().get("calls_not_captured", {}).get("program_of_32_bit") == 2)
