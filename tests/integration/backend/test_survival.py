"""kill -9 at any moment: what was acknowledged is there, once, and nothing lies around."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from speedscale_runtime.cloud import CloudClient, Target
from speedscale_runtime.cloud.transport import Retries
from speedscale_schemas.errors import TransientError

Pair = Callable[..., dict[str, Any]]
KEY = "sk-environment-0123456789"


class Process:
    """A backend as a process."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.status, self.log = root / "status.json", root / "cloud.log"
        self.process: subprocess.Popen[bytes] | None = None

    async def start(self) -> CloudClient:
        self.status.unlink(missing_ok=True)
        env = {
            **os.environ,
            "CLOUD_PORT": "0",
            "METRICS_HTTP_PORT": "0",
            "DATA_DIR": str(self.root / "data"),
            "STATUS_FILE": str(self.status),
            "SPEEDSCALE_API_KEY": KEY,
            "COMPACT_AFTER_BYTES": "20000",
            "JOURNAL_SEGMENT_BYTES": "1048576",
        }
        with self.log.open("ab") as log:
            command = [sys.executable, "-m", "speedscale_runtime.backend"]
            self.process = subprocess.Popen(command, env=env, stdout=log, stderr=log)  # noqa: ASYNC220
        async with asyncio.timeout(60):
            while not self.status.exists():
                assert self.process.poll() is None, self.log.read_text()
                await asyncio.sleep(0.02)
        port = json.loads(self.status.read_text())["port"]
        return CloudClient(Target(f"http://127.0.0.1:{port}", KEY), "test", Retries(1))

    def kill(self) -> None:
        assert self.process is not None
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()

    def end(self) -> int:
        assert self.process is not None
        self.process.terminate()
        return self.process.wait(timeout=60)


@pytest.fixture
def process(tmp_path: Path) -> Iterator[Process]:
    made = Process(tmp_path)
    yield made
    if made.process is not None and made.process.poll() is None:
        made.process.kill()
        made.process.wait()


async def test_killed_while_batches_come_in_it_keeps_what_it_acknowledged_and_doubles_nothing(
    process: Process, make_pair: Pair, encode: Any
) -> None:
    acknowledged: set[int] = set()
    attempted = 0
    for life in range(3):
        client = await process.start()
        enough = asyncio.Event()

        async def send(client: CloudClient = client, enough: asyncio.Event = enough) -> None:
            nonlocal attempted
            try:
                while True:
                    numbers = range(attempted, attempted + 10)
                    attempted += 10
                    await client.send_batch("sender", 1, numbers[0], encode(*(make_pair(n) for n in numbers)))
                    acknowledged.update(numbers)
                    if len(acknowledged) >= 300 * (life + 1):  # noqa: B023
                        enough.set()
            except TransientError:
                enough.set()

        async def read(client: CloudClient = client) -> None:  # so that compaction is at work when the end comes
            try:
                while True:
                    await client.rrpairs({"start": "2026-01-02T03:00:00Z"}, limit=5)
            except TransientError:
                return

        senders = [asyncio.create_task(send()) for _ in range(3)]
        reader = asyncio.create_task(read())
        async with asyncio.timeout(60):
            await enough.wait()
        process.kill()
        await asyncio.gather(*senders, reader)
        await client.close()
    client = await process.start()
    async with client:
        found: list[int] = []
        cursor = ""
        while True:
            page = await client.rrpairs({}, cursor, 500)
            found += [int(item["location"].rpartition("/")[2]) for item in page.items]
            if not (cursor := page.cursor):
                break
    assert found == sorted(set(found)), "in order, none twice"
    assert acknowledged <= set(found), "none lost"
    assert set(found) <= set(range(attempted)), "none invented"
    assert process.end() == 0
    assert list((process.root / "data" / "work").rglob("*.parquet")) == []


async def test_it_says_what_is_wrong_and_leaves(process: Process, tmp_path: Path) -> None:
    client = await process.start()
    await client.close()
    env = {"PATH": os.environ["PATH"], "DATA_DIR": str(tmp_path / "data"), "CLOUD_PORT": "0", "METRICS_HTTP_PORT": "0"}
    second = await asyncio.to_thread(
        subprocess.run, [sys.executable, "-m", "speedscale_runtime.backend"], env=env, capture_output=True, text=True
    )
    assert second.returncode == 2
    assert "in use by process" in second.stderr
    env["CLOUD_HOST"] = "0.0.0.0"
    third = await asyncio.to_thread(
        subprocess.run, [sys.executable, "-m", "speedscale_runtime.backend"], env=env, capture_output=True, text=True
    )
    assert "without a certificate CLOUD_HOST has to be a loopback address" in third.stderr
