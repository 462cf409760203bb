"""A responder in this process on any free port, recordings made by hand, and real clients that go through it."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from speedscale_runtime import signatures
from speedscale_runtime.responder.config import parse
from speedscale_runtime.responder.loader import Loaded
from speedscale_runtime.responder.rules import Rules
from speedscale_runtime.rrpair import RRPair
from speedscale_runtime.rrpair.recording import Writer


class Recording:
    """A folder of recorded pairs; each `add` is one second later than the one before."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self._count = 0

    def add(
        self,
        method: str = "GET",
        url: str = "http://api.example.com/v1/items",
        body: bytes = b"",
        answer: bytes = b'{"ok":true}',
        *,
        status: int = 200,
        headers: dict[str, str] | None = None,
        sent: dict[str, str] | None = None,
        tags: dict[str, str] | None = None,
        duration: int = 0,
        change: Callable[[RRPair], RRPair] | None = None,
        annotate: bool = True,
    ) -> None:
        """Record one call."""
        self._count += 1
        scheme, _, rest = url.partition("://")
        host, slash, path = rest.partition("/")
        uri = slash + path or "/"
        sent_headers = {"Host": [host], **{k: [v] for k, v in (sent or {}).items()}}
        got = {"Content-Type": ["application/json"], **{k: [v] for k, v in (headers or {}).items()}}
        req = {"method": method, "uri": uri, "url": uri.partition("?")[0], "host": host, "headers": sent_headers}
        res = {"statusCode": status, "statusMessage": f"{status} Fine", "headers": got}
        pair = RRPair(
            {
                "msgType": "rrpair",
                "service": "shop",
                "resource": "shop",
                "ts": f"2026-01-31T12:00:{self._count:02d}Z",
                "l7protocol": scheme,
                "duration": duration,
                "direction": "OUT",
                "command": method,
                "location": uri.partition("?")[0],
                "status": str(status),
                "tags": {"source": "goproxy", **(tags or {})},
                "http": {"req": req, "res": res},
            },
            body,
            answer,
        )
        pair = change(pair) if change else pair
        if annotate:
            signatures.annotate(pair)
        writer = Writer(self.root, "json")
        writer.write(pair)
        writer.close()


class Running:
    """One responder, its ports, and ways to talk to it."""

    def __init__(self, loaded: Loaded, out: Path) -> None:
        self.loaded, self._out = loaded, out
        self.ports = loaded.responder.ports
        self.stopped = False

    @property
    def proxy(self) -> str:
        return f"http://127.0.0.1:{self.ports['proxyPort']}"

    async def curl(self, *arguments: str, proxy: bool = True) -> tuple[int, str]:
        """Run curl through the proxy; return exit code and output (headers included where asked for)."""
        through = ["--proxy", self.proxy] if proxy else ["--noproxy", "" if "--socks" in arguments[0] else "*"]
        bundle = str(self.loaded.settings.home / "certs" / "tls.crt")
        process = await asyncio.create_subprocess_exec(
            "curl", "-sS", "--max-time", "20", "--suppress-connect-headers", "--cacert", bundle, *through, *arguments,
            stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT,
        )  # fmt: skip
        output, _ = await process.communicate()
        return process.returncode or 0, output.decode("utf-8", "replace")

    async def raw(self, data: bytes, port: str = "httpPort") -> bytes:
        """Send bytes to a direct port, close our half, return everything that comes."""
        reader, writer = await asyncio.open_connection("127.0.0.1", self.ports[port])
        writer.write(data)
        writer.write_eof()
        answer = await reader.read()
        writer.close()
        await writer.wait_closed()
        return answer

    async def results(self) -> list[dict[str, Any]]:
        """Stop, and return the lines of mocks.jsonl."""
        await self.stop()
        return [json.loads(line) for line in (self._out / "mocks.jsonl").read_bytes().splitlines()]

    async def stop(self) -> None:
        if not self.stopped:
            self.stopped = True
            await self.loaded.responder.stop()


Serve = Callable[..., Awaitable[Running]]


@pytest.fixture(scope="session")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """SPEEDSCALE_HOME for all tests: keys and authority are made once."""
    return tmp_path_factory.mktemp("home")


@pytest.fixture(scope="session")
def rules(home: Path) -> Rules:
    """Compiled DLP rules for all tests: compiling takes half a second."""
    return Rules(home)


@pytest.fixture
def recording(tmp_path: Path) -> Recording:
    root = tmp_path / "recorded"
    root.mkdir()
    return Recording(root)


@pytest.fixture
async def serve(
    tmp_path: Path, recording: Recording, home: Path, rules: Rules, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[Serve]:
    monkeypatch.setattr("speedscale_runtime.responder.loader.Rules", lambda *_: rules)
    started: list[Running] = []

    async def start(**settings: str) -> Running:
        out = tmp_path / f"out{len(started)}"
        environ = {
            "SNAPSHOT_ID": str(recording.root),
            "SPEEDSCALE_HOME": str(home),
            "PROXY_OUT_PORT": "0",
            "SERVICE_HTTP_PORT": "0",
            "OUT_DIR": str(out),
            **settings,
        }
        loaded = Loaded(parse(environ))
        await loaded.responder.start()
        running = Running(loaded, out)
        started.append(running)
        return running

    yield start
    for running in started:
        await running.stop()
