"""`speedctl cloud` against a backend: traffic becomes a snapshot, which comes here and goes back."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from speedscale_runtime.cli import root

Pair = Callable[..., dict[str, Any]]


async def test_from_traffic_to_a_local_snapshot_and_back(
    backend: Any,
    make_pair: Pair,
    encode: Any,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("SPEEDSCALE_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("SPEEDSCALE_APP_URL", backend.url)
    monkeypatch.setenv("BACKEND_CA_FILE", str(backend.certificates.ca))
    monkeypatch.setenv("SPEEDSCALE_API_KEY", "sk-environment-0123456789")

    async def speedctl(*words: str, code: int = 0) -> Any:
        assert await asyncio.to_thread(root.main, ["cloud", *words]) == code, capsys.readouterr()
        out = capsys.readouterr()
        return json.loads(out.out[out.out.index("{\n") :]) if "json" in words else out.out + out.err  # logs come before

    async with backend.client() as client:
        await client.send_batch("one", 1, 1, encode(*(make_pair(n) for n in range(5))))
    assert "environment" in await speedctl("whoami")
    assert len((await speedctl("list", "traffic", "--service", "shop", "-o", "json"))["items"]) == 5
    assert (await speedctl("get", "traffic", "uuid-000001_IN", "-o", "json"))["location"] == "/items/1"
    made = await speedctl("create", "snapshot", "--name", "mine", "--service", "shop", "-o", "json")
    pulled = await speedctl("pull", "snapshot", "latest", "-o", "json")
    assert pulled["path"] == str(tmp_path / "home" / "data" / "snapshots" / made["id"])
    await speedctl("delete", "snapshot", made["id"])
    assert (await speedctl("push", "snapshot", made["id"], "-o", "json"))["sha256"] == made["sha256"]
    assert "not_found" in await speedctl("get", "snapshot", "none", code=1)
    pulled = await speedctl("pull", "test-config", "standard", "--out", str(tmp_path / "mine.json"), "-o", "json")
    await speedctl("push", "test-config", pulled["path"], "--id", "mine")
    assert "mine" in await speedctl("list", "test-config")
    assert "not for test-config" in await speedctl("list", "test-config", "--service", "x", code=2)
    key = await speedctl("create", "key", "ci", "--scope", "read", "--label", "env=test", "-o", "json")
    monkeypatch.setenv("SPEEDSCALE_API_KEY", key["key"])
    assert "forbidden" in await speedctl("erase", "traffic", "--session", "session-1", code=2)
    monkeypatch.setenv("SPEEDSCALE_API_KEY", "sk-environment-0123456789")
    assert (await speedctl("erase", "traffic", "--session", "session-1", "-o", "json"))["erased"] == 2
    monkeypatch.delenv("SPEEDSCALE_APP_URL")
    assert "no backend" in await speedctl("whoami", code=2)
