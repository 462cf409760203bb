"""The forwarder down, slow, full or refusing: traffic is unaffected and the books agree."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

pytestmark = pytest.mark.integration

Start = Callable[..., Awaitable[Any]]
Origin = Callable[..., Awaitable[int]]
Reader, Writer = asyncio.StreamReader, asyncio.StreamWriter
MARK = b"unredacted-value-4111111111111111"


async def serve(reader: Reader, writer: Writer) -> None:
    body = MARK * 40
    while True:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%b" % (len(body), body))


async def ask(rig: Any, number: int) -> None:
    """Send a number of requests on one connection and check every answer."""
    reader, writer = await rig.connect()
    for _ in range(number):
        writer.write(b"GET /a HTTP/1.1\r\nHost: a\r\n\r\n")
        await reader.readuntil(b"\r\n\r\n")
        assert await reader.readexactly(len(MARK) * 40) == MARK * 40
    writer.close()


async def test_down_at_first_then_everything_arrives(
    start: Start, origin: Origin, forwarder: Any, unused_port: int
) -> None:
    rig = await start(await origin(serve), FORWARDER_ADDR=f"127.0.0.1:{unused_port}")
    await ask(rig, 50)
    while not rig.count("sent.failed"):
        await asyncio.sleep(0)
    await forwarder.stop()
    await forwarder.start(unused_port)
    assert len(await rig.finish()) == 50
    assert rig.count("captured") == 50
    rig.check_books()


async def test_never_there_is_bounded_and_counted(start: Start, origin: Origin, unused_port: int) -> None:
    rig = await start(
        await origin(serve),
        FORWARDER_ADDR=f"127.0.0.1:{unused_port}",
        QUEUE_MAX_BYTES="65536",
        BATCH_MAX_BYTES="16384",
        FLUSH_TIMEOUT_S="0",
    )
    await ask(rig, 200)
    assert rig.server.outbox.held <= 65536
    await rig.finish()
    assert rig.count("seen") == 200
    assert rig.count("captured") == 0
    assert rig.count("dropped.queue_full") + rig.count("dropped.shutdown") == 200
    assert rig.count("dropped.queue_full") > 100
    rig.check_books()


@pytest.mark.parametrize("status", [429, 503])
async def test_told_to_slow_down_the_same_batch_comes_again(
    start: Start, origin: Origin, forwarder: Any, status: int
) -> None:
    forwarder.status, forwarder.headers = status, "Retry-After: 0\r\n"
    rig = await start(await origin(serve))
    await ask(rig, 5)
    await forwarder.wait_attempts(3)
    forwarder.status = 200
    pairs = await rig.finish()
    assert len(pairs) == 5
    first = [a for a in forwarder.attempts if a[2] == 1]
    assert len(first) >= 3
    assert len(set(first)) == 1  # sender, epoch, sequence and bytes unchanged
    assert rig.count("sent.slowed_down") >= 3
    rig.check_books()


async def test_rejected_is_dropped_and_the_next_batch_goes_on(start: Start, origin: Origin, forwarder: Any) -> None:
    forwarder.status = 400
    rig = await start(await origin(serve))
    await ask(rig, 3)
    while rig.count("dropped.forwarder_rejected") < 3:
        await asyncio.sleep(0)
    forwarder.status = 200
    await ask(rig, 2)
    assert len(await rig.finish()) == 2
    rig.check_books()


async def test_silent_forwarder_is_given_up_on_and_asked_again(start: Start, origin: Origin, forwarder: Any) -> None:
    forwarder.hold = asyncio.Event()
    rig = await start(await origin(serve), FORWARDER_TIMEOUT_S="0.2")
    await ask(rig, 4)
    await forwarder.wait_attempts(2)
    forwarder.hold.set()
    assert len(await rig.finish()) == 4
    assert rig.count("sent.failed") >= 1
    rig.check_books()


async def test_overflow_goes_to_an_unreadable_file_and_arrives_in_order(
    start: Start, origin: Origin, forwarder: Any, tmp_path: Path
) -> None:
    spill = tmp_path / "spill"
    spill.mkdir()
    forwarder.hold = asyncio.Event()
    rig = await start(
        await origin(serve),
        QUEUE_MAX_BYTES="262144",
        BATCH_MAX_BYTES="16384",
        SPILL_MAX_BYTES="10000000",
        SPILL_DIR=str(spill),
    )
    await ask(rig, 500)
    spilled = rig.server.outbox._spill
    while len(spilled._ring.blocks) < 20:
        await asyncio.sleep(0)
    vault = spilled._vault
    assert vault is not None
    data = os.pread(vault._file.fileno(), 10_000_000, 0)
    assert len(data) > 100_000
    assert b"SSF1" not in data
    assert MARK not in data
    assert list(spill.iterdir()) == []  # no name to open it by
    forwarder.hold.set()
    pairs = await rig.finish()
    assert [int(p.tags["sequence"]) for p in pairs] == list(range(1, 501))
    assert all(p.response_body == MARK * 40 for p in pairs)
    assert rig.count("captured") == 500
    rig.check_books()


async def test_full_spill_is_counted(start: Start, origin: Origin, unused_port: int, tmp_path: Path) -> None:
    rig = await start(
        await origin(serve),
        FORWARDER_ADDR=f"127.0.0.1:{unused_port}",
        QUEUE_MAX_BYTES="65536",
        BATCH_MAX_BYTES="16384",
        SPILL_MAX_BYTES="100000",
        SPILL_DIR=str(tmp_path),
        FLUSH_TIMEOUT_S="0",
    )
    await ask(rig, 300)
    await rig.finish()
    assert rig.count("dropped.spill_full") > 100
    assert rig.count("seen") == 300
    rig.check_books()


async def test_zstd_and_token(start: Start, origin: Origin, forwarder: Any, tmp_path: Path) -> None:
    token = tmp_path / "token"
    token.write_text("abc\n")
    rig = await start(await origin(serve), BATCH_COMPRESSION="zstd", FORWARDER_TOKEN_FILE=str(token))
    await ask(rig, 10)
    assert len(await rig.finish()) == 10
    assert set(forwarder.tokens) == {"Bearer abc"}


async def test_stop_reports_what_could_not_be_sent(start: Start, origin: Origin, forwarder: Any) -> None:
    forwarder.hold = asyncio.Event()
    rig = await start(await origin(serve), FLUSH_TIMEOUT_S="0.05")
    await ask(rig, 7)
    await rig.finish()
    assert rig.count("dropped.shutdown") == 7
    rig.check_books()
    forwarder.hold.set()


async def test_invariant_under_load_with_odd_pieces(start: Start, origin: Origin, forwarder: Any) -> None:
    """Forty clients, each splitting its requests at other places; some leave in the middle."""

    async def client(rig: Any, seed: int) -> int:
        reader, writer = await rig.connect()
        wire = b"POST /l HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\n0123456789" * 20
        step = seed % 23 + 1
        stop = len(wire) if seed % 4 else len(wire) // 2 + seed
        for at in range(0, stop, step * 7):
            writer.write(wire[at : min(at + step * 7, stop)])
            await asyncio.sleep(0)
        whole = stop // (len(wire) // 20)
        for _ in range(whole):
            await reader.readuntil(b"\r\n\r\n")
            await reader.readexactly(2)
        writer.close()
        return whole

    async def answer(reader: Reader, writer: Writer) -> None:
        while True:
            await reader.readuntil(b"\r\n\r\n")
            await reader.readexactly(10)
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")

    rig = await start(await origin(answer))
    done = sum(await asyncio.gather(*(client(rig, seed) for seed in range(40))))
    pairs = await rig.finish()
    assert len(pairs) == done == rig.count("captured")
    assert {p.request_body for p in pairs} == {b"0123456789"}
    assert (
        rig.count("dropped.client_gone") + rig.count("dropped.body_incomplete") + rig.count("dropped.server_gone")
        == rig.count("seen") - done
    )
    assert len({(p.doc["network_address"], p.doc["ts"]) for p in pairs}) == done
    rig.check_books()
