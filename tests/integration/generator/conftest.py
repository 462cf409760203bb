"""A scripted HTTP server on loopback, and a generator to run against it."""

from __future__ import annotations

import asyncio
import datetime
import json
import ssl
import threading
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

from speedscale_runtime.generator import config, server
from speedscale_schemas.validation import check


@dataclass(slots=True)
class Request:
    method: str
    uri: str
    headers: dict[str, str]
    body: bytes
    connection: int


Handler = Callable[[Request, asyncio.StreamWriter], Awaitable[None]]


@dataclass
class Server:
    """Requests that came, and the port; `handler` writes the answer."""

    handler: Handler
    context: ssl.SSLContext | None = None
    requests: list[Request] = field(default_factory=list)
    port: int = 0
    connections: int = 0

    def start(self) -> None:
        ready = threading.Event()
        self._loop = asyncio.new_event_loop()

        def serve() -> None:
            asyncio.set_event_loop(self._loop)
            self._loop.run_until_complete(self._serve(ready))
            self._loop.close()

        self._thread = threading.Thread(target=serve, daemon=True)
        self._thread.start()
        assert ready.wait(60)

    def stop(self) -> None:
        self._loop.call_soon_threadsafe(self._stopped.set)
        self._thread.join(10)

    async def _serve(self, ready: threading.Event) -> None:
        self._stopped = asyncio.Event()
        self._tasks: set[asyncio.Task[Any]] = set()
        listener = await asyncio.start_server(self._connected, "127.0.0.1", 0, ssl=self.context)
        self.port = listener.sockets[0].getsockname()[1]
        ready.set()
        await self._stopped.wait()
        listener.close()
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        self.connections += 1
        number = self.connections
        try:
            while True:
                head = (await reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
                method, uri, _ = head[0].split(" ")
                headers = {k.lower(): v.strip() for k, _, v in (line.partition(":") for line in head[1:] if line)}
                body = await reader.readexactly(int(headers.get("content-length", 0)))
                request = Request(method, uri, headers, body, number)
                self.requests.append(request)
                await self.handler(request, writer)
                if writer.is_closing():
                    return
                await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError, asyncio.CancelledError):
            pass
        finally:
            writer.close()
            self._tasks.discard(task)


def answer(writer: asyncio.StreamWriter, body: object, status: int = 200, *headers: str) -> None:
    """Write a JSON answer."""
    data = json.dumps(body).encode()
    lines = [f"HTTP/1.1 {status} X", "Content-Type: application/json", f"Content-Length: {len(data)}", *headers]
    writer.write("\r\n".join([*lines, "", ""]).encode() + data)


async def echo(request: Request, writer: asyncio.StreamWriter) -> None:
    answer(writer, {"uri": request.uri})


@pytest.fixture
def serve() -> Iterator[Callable[..., Server]]:
    started: list[Server] = []

    def start(handler: Handler = echo, context: ssl.SSLContext | None = None) -> Server:
        made = Server(handler, context)
        made.start()
        started.append(made)
        return made

    yield start
    for one in started:
        one.stop()


def pair(at: float, method: str = "GET", uri: str = "/x", **more: Any) -> dict[str, Any]:
    """One recorded pair; `headers`, `body` and `answer` are those of request and response."""
    headers = {k: [v] for k, v in more.pop("headers", {}).items()}
    answered = json.dumps(more.pop("answer", {"uri": uri}))
    request = {"method": method, "uri": uri, "url": uri.partition("?")[0], "host": "app.example", "headers": headers}
    if "body" in more:
        request["body"] = json.dumps(more.pop("body"))
    response = {"statusCode": 200, "headers": more.pop("answer_headers", {}), "body": answered}
    return {
        "msgType": "rrpair", "ts": f"2026-01-01T00:00:{at:06.3f}Z", "l7protocol": "http", "direction": "IN", "duration": 5,  # noqa: E501
        "service": "app", "command": method, "location": request["url"], "status": "200", "netinfo": {"id": "1"},
        "uuid": "AAECAwQFBgcICQoLDA0ODw==", "http": {"req": request, "res": response}, **more,
    }  # fmt: skip


@dataclass
class Result:
    summary: server.Summary
    lines: list[dict[str, Any]]
    raw: bytes

    def of(self, kind: str) -> list[dict[str, Any]]:
        return [line for line in self.lines if line["type"] == kind]

    @property
    def end(self) -> dict[str, Any]:
        return self.lines[-1]


class Generator:
    """Runs the generator in this process (it forks what sends) and reads its results, checked by their schema."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def record(self, *pairs: dict[str, Any]) -> Path:
        path = self.folder / "recorded.jsonl"
        path.write_text("".join(json.dumps(p) + "\n" for p in pairs))
        return path

    def run(
        self, recording: Path, target: str, stages: list[dict[str, Any]] | None = None, environ: dict[str, str] | None = None,  # noqa: E501
        **generator: Any,
    ) -> Result:  # fmt: skip
        stages = stages or [{"virtualUsers": {"requestDelay": {"timing": "full-speed"}}}]
        document = {"id": "test", "generator": {"stages": stages, **generator}}
        results = self.folder / "results.jsonl"
        settings = config.from_environ(
            {
                "SNAPSHOT_ID": str(recording), "CUSTOM_URL": target, "TEST_CONFIG": json.dumps(document),
                "RESULTS_FILE": str(results), "SPEEDSCALE_HOME": str(self.folder / "home"), **(environ or {}),
            }
        )  # fmt: skip
        summary = server.run(replace(settings, log_level="error"))
        raw = results.read_bytes()
        lines = [json.loads(line) for line in raw.splitlines()]
        problems = [str(p) for line in lines for p in check("result-line", line)]
        assert not problems
        assert lines[0]["type"] == "run"
        assert not list(self.folder.glob("results.jsonl.*")), "no part files stay behind"
        return Result(summary, lines, raw)


@pytest.fixture
def generator(tmp_path: Path) -> Generator:
    return Generator(tmp_path)


@pytest.fixture
def certificate(tmp_path: Path) -> tuple[ssl.SSLContext, Path]:
    """A server context for localhost, and the file to trust."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    now = datetime.datetime.now(datetime.UTC)
    made = (
        x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key())
        .serial_number(1).not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), False)
        .add_extension(x509.BasicConstraints(True, None), True).sign(key, hashes.SHA256())
    )  # fmt: skip
    cert, private = tmp_path / "cert.pem", tmp_path / "key.pem"
    cert.write_bytes(made.public_bytes(Encoding.PEM))
    private.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(cert, private)
    return context, cert
