"""Traffic goes in once, comes out in order by every question, and goes for good when it is erased or too old."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from speedscale_runtime.cloud import CloudClient
from speedscale_schemas.errors import PeerError, PermanentError, TransientError

Pair = Callable[..., dict[str, Any]]
Encode = Callable[..., bytes]


async def everything(client: CloudClient, query: dict[str, Any] | None = None, limit: int = 7) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    cursor = ""
    while True:
        page = await client.rrpairs(query or {}, cursor, limit)
        found += page.items
        cursor = page.cursor
        if not cursor:
            return found


async def test_what_is_acknowledged_is_read_at_once_in_order_by_pages(
    backend: Any, make_pair: Pair, encode: Encode
) -> None:
    async with backend.client() as client:
        assert await client.send_batch("one", 1, 1, encode(*(make_pair(n) for n in range(20, 40))))
        assert await client.send_batch("one", 1, 2, encode(*(make_pair(n) for n in range(20))))
        found = await everything(client)
        assert [item["location"] for item in found] == [f"/items/{n}" for n in range(40)]
        assert found[0] == {
            "uuid": "uuid-000000_IN",
            "ts": "2026-01-02T03:00:00.000000000Z",
            "receivedAt": found[0]["receivedAt"],
            "cluster": "prod",
            "namespace": "web",
            "service": "shop",
            "direction": "IN",
            "tech": "JSON",
            "protocol": "http",
            "command": "GET",
            "location": "/items/0",
            "status": "200 OK",
            "session": "session-0",
            "durationMs": 12.0,
            "bytes": found[0]["bytes"],
        }
        whole = await client.rrpair("uuid+000007/IN")
        assert whole["http"]["res"]["body"] == '{"ok":true}'
        assert (await everything(client, {"full": True}, 3))[7] == whole


async def test_questions_by_field_time_and_filter(backend: Any, make_pair: Pair, encode: Encode) -> None:
    documents = [
        make_pair(n, direction="IN" if n % 2 else "OUT", service="shop" if n < 8 else "cart") for n in range(16)
    ]
    async with backend.client() as client:
        await client.send_batch("one", 1, 1, encode(*documents))

        async def numbers(**query: Any) -> list[int]:
            return [int(item["location"].rpartition("/")[2]) for item in await everything(client, query, 3)]

        assert await numbers(service="cart", direction="IN") == [9, 11, 13, 15]
        assert await numbers(session="session-1") == [1, 4, 7, 10, 13]
        assert await numbers(start="2026-01-02T03:00:03Z", end="2026-01-02T03:00:06Z") == [3, 4, 5]
        assert await numbers(cluster="other") == []
        assert await numbers(filter='(location REGEX "/items/1[0-2]")') == [10, 11, 12]
        with pytest.raises(PermanentError, match="filter") as caught:
            await numbers(filter="(location SOUNDS-LIKE x)")
        assert caught.value.reason == "invalid"
        with pytest.raises(PermanentError, match="date-time"):
            await numbers(start="yesterday")
        with pytest.raises(PermanentError, match="cursor"):
            await client.rrpairs({}, "bm9uc2Vuc2U")


async def test_a_batch_and_a_pair_that_come_again_are_stored_once_also_after_a_restart(
    start: Any, make_pair: Pair, encode: Encode
) -> None:
    running = await start()
    async with running.client() as client:
        payload = encode(*(make_pair(n) for n in range(10)))
        assert await client.send_batch("one", 1, 1, payload)
        assert not await client.send_batch("one", 1, 1, payload)  # the same batch
        assert await client.send_batch("two", 9, 1, encode(*(make_pair(n) for n in range(5, 15))))  # half its pairs
        assert len(await everything(client)) == 15
    await running.stop()
    running = await start()
    async with running.client() as client:
        assert not await client.send_batch("one", 1, 1, payload)
        assert await client.send_batch("three", 1, 1, encode(*(make_pair(n) for n in range(20))))
        assert len(await everything(client)) == 20


async def test_batches_that_are_none_are_refused_with_the_place(backend: Any, make_pair: Pair, encode: Encode) -> None:
    good = encode(make_pair(1))
    async with backend.client() as client:
        for payload, why in ((b"nonsense" * 10, "frame 0"), (good + good[:-1], "frame 1"), (good[:-3], "frame 0")):
            with pytest.raises(PermanentError, match=why) as caught:
                await client.send_batch("one", 1, 1, payload)
            assert caught.value.reason == "malformed"
        with pytest.raises(PermanentError) as caught:
            await client.send_batch("", 1, 1, good)
        assert caught.value.reason == "invalid"
        assert await everything(client) == []


async def test_a_batch_beyond_the_bound_is_refused_before_and_after_unpacking(
    start: Any, make_pair: Pair, encode: Encode
) -> None:
    running = await start(CLOUD_MAX_BATCH_BYTES="1048576")
    async with running.client() as client:
        with pytest.raises(PermanentError) as caught:  # small on the wire, large when unpacked
            await client.send_batch("one", 1, 1, encode(make_pair(1), body=bytes(2_000_000)))
        assert caught.value.reason == "too_large"


async def test_a_full_journal_asks_senders_to_wait_and_takes_again(start: Any, make_pair: Pair, encode: Encode) -> None:
    running = await start(
        JOURNAL_MAX_BYTES="16777216", JOURNAL_SEGMENT_BYTES="1048576", CLOUD_MAX_BATCH_BYTES="4194304",
        COMPACT_AFTER_BYTES="1000000000",
    )  # fmt: skip
    body = b"x" * 3_000_000
    async with running.client() as client:

        async def fill() -> None:
            for number in range(10):
                await client.send_batch("one", 1, number, encode(make_pair(number), body=body))

        with pytest.raises(TransientError, match="journal_full") as caught:
            await fill()
        assert caught.value.retry_after_s == 2
        kept = len(await everything(client))  # reading compacts
        assert 4 <= kept <= 5
        assert await client.send_batch("one", 1, 20, encode(make_pair(20), body=body))
        assert len(await everything(client)) == kept + 1


async def test_erased_by_session_token_or_time_nothing_is_left_on_disk(
    backend: Any, make_pair: Pair, encode: Encode, tmp_path: Path
) -> None:
    token = "REDACTED-EMAIL-0123456789abcdef0123"
    async with backend.client() as client:
        await client.send_batch("one", 1, 1, encode(*(make_pair(n) for n in range(9))))
        await client.send_batch("one", 1, 2, encode(make_pair(9, session="x"), body=token.encode()))
        await client.send_batch("one", 1, 3, encode(make_pair(3600, session="needle-in-session"), make_pair(3601)))
        await client.create_snapshot({"name": "holds", "services": ["shop"], "start": "2026-01-02T03:59:00Z"})
        made = (await client.snapshots()).items[0]["id"]
        with pytest.raises(PermanentError, match="what to erase"):
            await client.erase({})
        answer = await client.erase({"session": "needle-in-session"})
        assert answer == {"erased": 1, "parts": 1, "snapshots": [made], "reports": []}
        assert (await client.erase({"token": token}))["erased"] == 1
        assert (await client.erase({"session": "session-1"}))["erased"] == 4
        assert (await client.erase({"start": "2026-01-02T03:00:05Z", "end": "2026-01-02T03:00:07Z"}))["erased"] == 2
        left = [item["location"] for item in await everything(client)]
        assert left == ["/items/0", "/items/2", "/items/3", "/items/8"]
        await client.delete_snapshot(made)
        # neither comes back, nor does it rest in a file
        await client.send_batch("again", 1, 1, encode(make_pair(9, session="x"), body=b"{}"))
        assert len(await everything(client)) == 4
    await backend.stop()
    for file in (tmp_path / "data" / "journal").iterdir():
        assert b"needle-in-session" not in file.read_bytes()
        assert token.encode() not in file.read_bytes()


async def test_many_small_parts_become_few_and_the_oldest_go_for_room(
    start: Any, make_pair: Pair, encode: Encode, tmp_path: Path
) -> None:
    running = await start()
    async with running.client() as client:
        for number in range(20):
            await client.send_batch("one", 1, number, encode(make_pair(number)))
            await client.rrpairs({})
        store = running.backend.services.traffic
        assert store.status()["parts"] == 20
        await store.upkeep(received_before_ns=None, max_bytes=0)
        assert store.status() == {"parts": 6, "pairs": 20, "bytes": store.status()["bytes"]}
        assert [item["location"] for item in await everything(client)] == [f"/items/{n}" for n in range(20)]
        files = list((tmp_path / "data" / "objects" / "traffic").rglob("*.parquet"))
        assert len(files) == 6
        await store.upkeep(received_before_ns=None, max_bytes=store.status()["bytes"] - 1)
        assert store.status()["pairs"] < 20
        await store.upkeep(received_before_ns=1 << 62, max_bytes=0)
        assert await everything(client) == []
        assert not list((tmp_path / "data" / "objects" / "traffic").rglob("*.parquet"))


async def test_senders_at_once_share_fsyncs_and_lose_nothing(backend: Any, make_pair: Pair, encode: Encode) -> None:
    async with backend.client() as client:

        async def sender(name: int) -> None:
            for number in range(5):
                base = 1000 * name + 10 * number
                await client.send_batch(f"s{name}", 1, number, encode(*(make_pair(base + n) for n in range(10))))

        await asyncio.gather(*(sender(name) for name in range(8)))
        assert len(await everything(client, limit=500)) == 400


async def test_a_certificate_is_renewed_while_we_run_and_a_foreign_one_is_not_trusted(
    backend: Any, certificates: Any, wait_until: Any
) -> None:
    async with backend.client() as client:
        await client.whoami()
    before = certificates.cert.read_bytes()
    certificates.renew()
    assert certificates.cert.read_bytes() != before

    async def trusted() -> bool:
        async with backend.client() as client:
            try:
                await client.whoami()
            except PeerError as error:
                return error.reason != "certificate"
            return True

    async with asyncio.timeout(90):
        while not await trusted():
            await asyncio.sleep(0.05)
