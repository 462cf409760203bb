"""A proxy worker in this process on uvloop, a forwarder that decodes what it gets, and raw origins."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest
import uvloop

from speedscale_runtime.proxy import config
from speedscale_runtime.proxy.server import Server
from speedscale_runtime.recording.causes import Side
from speedscale_runtime.recording.ledger import Ledger
from speedscale_runtime.rrpair.model import RRPair
from speedscale_schemas import frames

Handler = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


def pytest_asyncio_loop_factories(
    config: pytest.Config, item: pytest.Item
) -> dict[str, Callable[[], asyncio.AbstractEventLoop]]:
    """The tests of this folder run on the loop that the worker runs on."""
    return {"uvloop": uvloop.new_event_loop}


@dataclass
class Forwarder:
    """Takes batches like the real one: acknowledges once, knows a resent batch, can be told to misbehave."""

    port: int = 0
    status: int = 200
    headers: str = ""
    hold: asyncio.Event | None = None
    attempts: list[tuple[str, int, int, bytes]] = field(default_factory=list)
    batches: dict[tuple[str, int, int], bytes] = field(default_factory=dict)
    server: asyncio.Server | None = None
    tokens: list[str] = field(default_factory=list)
    _arrived: asyncio.Event = field(default_factory=asyncio.Event)

    async def start(self, port: int = 0) -> None:
        self.server = await asyncio.start_server(self._serve, "127.0.0.1", port)
        self.port = self.server.sockets[0].getsockname()[1]

    async def stop(self) -> None:
        if self.server is not None:
            self.server.close()
            self.server = None

    async def wait_attempts(self, number: int) -> None:
        while len(self.attempts) < number:
            self._arrived.clear()
            await self._arrived.wait()

    @property
    def pairs(self) -> list[RRPair]:
        """All pairs in the order of their batches; fails on a damaged frame."""
        return [RRPair.from_frame(f) for key in sorted(self.batches) for f in frames.decode_all(self.batches[key])]

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError):
            while True:
                head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
                lines = head.split("\r\n")
                assert lines[0] == f"POST {frames.BATCH_PATH} HTTP/1.1"
                fields = {k.lower(): v for k, _, v in (line.partition(": ") for line in lines[1:] if line)}
                body = await reader.readexactly(int(fields["content-length"]))
                await self._answer(fields, body, writer)
        writer.close()

    async def _answer(self, fields: dict[str, str], body: bytes, writer: asyncio.StreamWriter) -> None:
        assert fields["content-type"] == frames.BATCH_CONTENT_TYPE
        assert fields[frames.H_VERSION.lower()] == frames.BATCH_VERSION
        if fields.get("content-encoding") == "zstd":
            import zstandard

            body = zstandard.ZstdDecompressor().decompress(body)
        sequence = int(fields[frames.H_SEQUENCE.lower()])
        key = (fields[frames.H_SENDER.lower()], int(fields[frames.H_EPOCH.lower()]), sequence)
        self.tokens.append(fields.get("authorization", ""))
        self.attempts.append((*key, body))
        self._arrived.set()
        if self.hold is not None:
            await self.hold.wait()
        status = self.status
        answer = json.dumps({"sequence": sequence} if status == 200 else {"reason": "told to"}).encode()
        if status == 200:
            assert self.batches.setdefault(key, body) == body, "a resent batch must not change"
        writer.write(f"HTTP/1.1 {status} X\r\nContent-Length: {len(answer)}\r\n{self.headers}\r\n".encode() + answer)
        await writer.drain()


@dataclass
class Rig:
    """A running worker and what surrounds it."""

    server: Server
    ledger: Ledger
    forwarder: Forwarder
    in_port: int
    out_port: int
    task: asyncio.Task[None]
    writers: list[asyncio.StreamWriter] = field(default_factory=list)

    async def finish(self) -> list[RRPair]:
        """Stop the worker (drain, flush) and return what the forwarder got."""
        self.close_clients()
        self.server.stop()
        await self.task
        return self.forwarder.pairs

    def count(self, name: str) -> int:
        return self.ledger.get(name)

    def check_books(self, *, in_flight: int = 0) -> None:
        """seen = captured + dropped + in flight, and every connection that was opened is closed."""
        assert self.ledger.in_flight() == in_flight, self.ledger.snapshot()

    async def connect(self, side: Side = Side.IN) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        port = self.in_port if side is Side.IN else self.out_port
        reader, writer = await asyncio.open_connection("127.0.0.1", port, limit=2**16)
        self.writers.append(writer)
        return reader, writer

    def close_clients(self) -> None:
        for writer in self.writers:
            writer.close()


def settings_for(tmp_path: Path, **environment: str) -> config.Settings:
    """Settings as the environment would give them, for loopback and any free port."""
    base = {
        "PROXY_IN_HOST": "127.0.0.1",
        "PROXY_IN_PORT": "0",
        "PROXY_OUT_PORT": "0",
        "HEALTH_HOST": "127.0.0.1",
        "HEALTH_PORT": "0",
        "METRICS_HTTP_PORT": "0",
        "SPEEDSCALE_HOME": str(tmp_path / "home"),
        "BATCH_LINGER_MS": "5",
        "DRAIN_TIMEOUT_S": "5",
        "CONNECT_TIMEOUT_S": "5",
    }
    return config.parse({**base, **environment})


def _listen() -> socket.socket:
    sock = socket.create_server(("127.0.0.1", 0))
    sock.setblocking(False)
    return sock


@pytest.fixture
async def forwarder() -> AsyncIterator[Forwarder]:
    made = Forwarder()
    await made.start()
    yield made
    await made.stop()


Start = Callable[..., Awaitable[Rig]]


@pytest.fixture
async def start(tmp_path: Path, forwarder: Forwarder) -> AsyncIterator[Start]:
    """Start a worker: `await start(origin_port, MAX_BODY_BYTES="10")`."""
    rigs: list[Rig] = []

    async def make(origin: int = 1, **environment: str) -> Rig:
        settings = settings_for(
            tmp_path,
            REVERSE_PROXY_PORT=str(origin),
            FORWARDER_ADDR=environment.pop("FORWARDER_ADDR", f"127.0.0.1:{forwarder.port}"),
            **environment,
        )
        listeners = {side: [_listen()] for side in Side}
        ports = {side: found[0].getsockname()[1] for side, found in listeners.items()}
        ledger = Ledger.create()
        server = Server(settings, ledger, listeners)
        ready = asyncio.Event()
        task = asyncio.get_running_loop().create_task(server.run(ready.set))
        await ready.wait()
        rig = Rig(server, ledger, forwarder, ports[Side.IN], ports[Side.OUT], task)
        rigs.append(rig)
        return rig

    yield make
    for rig in rigs:
        rig.close_clients()
        if not rig.task.done():
            rig.server.settings = replace(rig.server.settings, drain_timeout_s=0.0, flush_timeout_s=0.0)
            if rig.forwarder.hold is not None:
                rig.forwarder.hold.set()
            rig.server.stop()
        await rig.task
        rig.ledger.close()


Origin = Callable[[Handler], Awaitable[int]]


@pytest.fixture
async def origin() -> AsyncIterator[Origin]:
    """Start a raw server with a handler of streams and return its port."""
    servers: list[asyncio.Server] = []
    failures: list[BaseException] = []

    async def make(handler: Handler, **options: Any) -> int:
        async def guarded(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            try:
                await handler(reader, writer)
            except (ConnectionError, asyncio.IncompleteReadError):
                pass
            except Exception as error:
                failures.append(error)
            finally:
                writer.close()

        server = await asyncio.start_server(guarded, "127.0.0.1", 0, limit=2**24, **options)
        servers.append(server)
        return int(server.sockets[0].getsockname()[1])

    yield make
    for server in servers:
        server.close()
    assert not failures


@pytest.fixture
def process_environment(tmp_path: Path) -> dict[str, str]:
    """Environment of a whole proxy process (supervisor and worker), but for where things are."""
    return {
        **{k: v for k, v in os.environ.items() if not k.startswith(("PROXY_", "FORWARDER_", "TLS_"))},
        "PROXY_IN_HOST": "127.0.0.1",
        "PROXY_IN_PORT": "0",
        "PROXY_OUT_PORT": "0",
        "HEALTH_HOST": "127.0.0.1",
        "HEALTH_PORT": "0",
        "METRICS_HTTP_PORT": "0",
        "SPEEDSCALE_HOME": str(tmp_path / "home"),
        "STATUS_FILE": str(tmp_path / "status.json"),
        "BATCH_LINGER_MS": "5",
    }


@pytest.fixture
def unused_port() -> int:
    """A port on which nobody listens."""
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return int(sock.getsockname()[1])
