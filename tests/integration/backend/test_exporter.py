"""The forwarder's exporter `backend`: everything arrives once, whatever happens between us."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from speedscale_runtime.forwarder import config, exporters
from speedscale_runtime.forwarder.exporters import Item
from speedscale_runtime.rrpair import RRPair
from speedscale_schemas.errors import ConfigError, TransientError

Pair = Callable[..., dict[str, Any]]


def exporter(running: Any, tmp_path: Path, **spec: Any) -> Any:
    settings = config.parse(
        {
            "SPEEDSCALE_HOME": str(tmp_path / "home"),
            "SPEEDSCALE_APP_URL": running.url,
            "SPEEDSCALE_API_KEY_FILE": str(tmp_path / "key"),
            "BACKEND_CA_FILE": str(running.certificates.ca),
            "EXPORTERS": json.dumps({"cloud": {"type": "backend", **spec}}),
        }
    )
    return exporters.create(settings.exporters[0], 0.0)


def items(documents: list[dict[str, Any]], body: bytes = b"{}") -> list[Item]:
    return [Item(RRPair(dict(d), None, body), 1) for d in documents]


async def test_pairs_arrive_and_a_key_that_comes_late_is_waited_for(
    backend: Any, make_pair: Pair, tmp_path: Path
) -> None:
    sending = exporter(backend, tmp_path)
    given = items([make_pair(n) for n in range(10)])
    with pytest.raises(TransientError, match="no API key yet"):
        await sending.send(given)
    (tmp_path / "key").write_text("sk-environment-0123456789\n")
    async with backend.client() as client:
        await _until_sent(sending, given, 10)
        assert len((await client.rrpairs({})).items) == 10
        assert (await client.rrpair("uuid+000003/IN"))["location"] == "/items/3"
    await sending.close()


async def _until_sent(sending: Any, given: list[Item], count: int) -> None:
    async with asyncio.timeout(90):
        while True:
            try:
                sent = await sending.send(given)
            except TransientError:
                await asyncio.sleep(0.05)
                continue
            assert (sent.exported, dict(sent.events)) == (count, {})
            return


async def test_a_restart_of_the_backend_between_two_batches_loses_and_doubles_nothing(
    start: Any, make_pair: Pair, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "key").write_text("sk-environment-0123456789")
    running = await start()
    monkeypatch.setattr("speedscale_runtime.forwarder.exporters.backend.BackendExporter.max_bytes", 20_000)
    sending = exporter(running, tmp_path)
    given = items([make_pair(n) for n in range(40)], b"x" * 2000)
    client_send, sent = sending._client.send_batch, []

    async def breaks_off(*args: Any) -> bool:
        stored: bool = await client_send(*args)
        sent.append(args[2])
        if len(sent) == 2:  # on its disk, but the answer is lost
            await running.stop()
            raise TransientError("unreachable", 0.0)
        return stored

    sending._client.send_batch = breaks_off
    with pytest.raises(TransientError):
        await sending.send(given)
    running = await start(CLOUD_PORT=running.url.rpartition(":")[2])
    result = await sending.send(given)
    assert result.exported == 40
    assert sent[1] == sent[2]  # the same number again
    async with running.client() as client:
        found = (await client.rrpairs({}, limit=1000)).items
        assert [item["location"] for item in found] == [f"/items/{n}" for n in range(40)]
    await sending.close()


async def test_what_is_too_large_goes_out_cut_with_its_true_length(
    backend: Any, make_pair: Pair, tmp_path: Path
) -> None:
    (tmp_path / "key").write_text("sk-environment-0123456789")
    sending = exporter(backend, tmp_path, max_record_bytes=8192)
    large_head = make_pair(3, meta={"note": "x" * 10_000})
    sent = await sending.send([*items([make_pair(1)], b"y" * 50_000), *items([make_pair(2), large_head])])
    assert (sent.exported, dict(sent.events)) == (2, {"cut": 1, "too_large": 1})
    async with backend.client() as client:
        cut = await client.rrpair("uuid+000001/IN")
        assert cut["tags"]["responsePayloadTruncated"] == "50000"
        assert 1000 < len(cut["http"]["res"]["body"]) < 8192
    await sending.close()


async def test_a_key_without_the_scope_keeps_the_pairs_waiting(backend: Any, make_pair: Pair, tmp_path: Path) -> None:
    async with backend.client() as client:
        made = await client.create_key("reader", ["read"])
    (tmp_path / "key").write_text(made["key"])
    sending = exporter(backend, tmp_path)
    with pytest.raises(TransientError, match="forbidden"):
        await sending.send(items([make_pair(1)]))
    await sending.close()


def test_without_an_address_the_exporter_cannot_be_made(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="SPEEDSCALE_APP_URL: missing"):
        config.parse({"SPEEDSCALE_HOME": str(tmp_path), "EXPORTERS": '{"c": {"type": "backend"}}'})
