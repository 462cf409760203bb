"""The backend over an object store that is a program of its own: versitygw. Nothing acknowledged waits for it."""

from __future__ import annotations

import asyncio
import sys
import tarfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import duckdb
import pytest

sys.path.insert(0, str(Path(__file__).parents[3] / "scripts"))
import export_servers as servers

from speedscale_schemas.errors import TransientError

Pair = Callable[..., dict[str, Any]]
Encode = Callable[..., bytes]
PREFIX = "team-a/"


@pytest.fixture
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[servers.S3Server]:
    """A bucket of the test's own. Skips where the server is not built."""
    if why := servers.S3Server.missing():
        pytest.skip(why)
    for name, value in servers.KEYS.items():
        monkeypatch.setenv(name, value)
    with servers.S3Server(tmp_path / "s3") as running:
        yield running


def settings(store: servers.S3Server) -> dict[str, str]:
    return {"S3_BUCKET": servers.BUCKET, "S3_ENDPOINT": store.url, "S3_REGION": "us-east-1", "S3_PREFIX": PREFIX}


def keys(store: servers.S3Server) -> list[str]:
    """Return the names of the bucket's objects, as anybody reads them."""
    listed = servers.client("s3", store.url).list_objects_v2(Bucket=servers.BUCKET)
    return [entry["Key"] for entry in listed.get("Contents", ())]


async def locations(client: Any) -> list[str]:
    page = await client.rrpairs({}, "", 100)
    return [item["location"] for item in page.items]


async def test_traffic_and_archives_are_objects_and_outlive_the_process(
    start: Any, store: servers.S3Server, make_pair: Pair, encode: Encode, tmp_path: Path
) -> None:
    running = await start(**settings(store))
    async with running.client() as client:
        assert await client.send_batch("one", 1, 1, encode(*(make_pair(n) for n in range(20))))
        assert await locations(client) == [f"/items/{n}" for n in range(20)]
        made = await client.create_snapshot({"name": "shop"})
        first = await client.fetch_snapshot(made["id"], tmp_path / "first.tar")
    await running.stop()
    found = await asyncio.to_thread(keys, store)
    assert found
    assert all(name.startswith(PREFIX) for name in found)
    assert any(name.endswith(".parquet") for name in found)

    again = await start(**settings(store))
    async with again.client() as client:
        assert await locations(client) == [f"/items/{n}" for n in range(20)]
        second = await client.fetch_snapshot(made["id"], tmp_path / "second.tar")
    assert first.read_bytes() == second.read_bytes()
    with tarfile.open(second) as archive:
        assert archive.getnames()


async def test_while_the_store_is_away_batches_are_taken_and_questions_wait(
    start: Any, store: servers.S3Server, make_pair: Pair, encode: Encode
) -> None:
    running = await start(**settings(store))
    async with running.client() as client:
        assert await client.send_batch("one", 1, 1, encode(*(make_pair(n) for n in range(5))))
        assert len(await locations(client)) == 5
        await asyncio.to_thread(store.stop)
        assert await client.send_batch("one", 1, 2, encode(*(make_pair(n) for n in range(5, 10)))), "on our own disk"
        with pytest.raises(TransientError):
            await locations(client)
        await asyncio.to_thread(store.start)
        assert await locations(client) == [f"/items/{n}" for n in range(10)]


def held(store: servers.S3Server, folder: Path) -> str:
    """Return what the bucket's Parquet files hold, as text: their columns are compressed."""
    file, texts = folder / "held.parquet", []
    for name in keys(store):
        if name.endswith(".parquet"):
            file.write_bytes(servers.client("s3", store.url).get_object(Bucket=servers.BUCKET, Key=name)["Body"].read())
            with duckdb.connect() as database:
                texts.append(repr(database.execute("SELECT * FROM read_parquet(?)", [str(file)]).fetchall()))
    return "".join(texts)


async def test_what_is_erased_is_gone_from_the_store(
    start: Any, store: servers.S3Server, make_pair: Pair, encode: Encode, tmp_path: Path
) -> None:
    running = await start(**settings(store))
    async with running.client() as client:
        assert await client.send_batch("one", 1, 1, encode(*(make_pair(n) for n in range(9))))
        assert len(await locations(client)) == 9
        assert "session-1" in await asyncio.to_thread(held, store, tmp_path), "the control"
        assert (await client.erase({"session": "session-1"}))["erased"] == 3
        assert len(await locations(client)) == 6
    left = await asyncio.to_thread(held, store, tmp_path)
    assert "session-2" in left
    assert "session-1" not in left
