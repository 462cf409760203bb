"""A backend of the test's own, over TLS on loopback, and what goes into it."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from speedscale_runtime.backend import config
from speedscale_runtime.backend.server import Backend
from speedscale_runtime.cloud import CloudClient, Target
from speedscale_runtime.cloud.transport import Retries
from speedscale_schemas import frames, x509
from speedscale_schemas.frames import Frame

KEY = "sk-environment-0123456789"
BEGIN = datetime(2026, 1, 2, 3, 0, tzinfo=UTC)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.integration)


class Certificates:
    """A CA and a leaf for 127.0.0.1, as files."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir(exist_ok=True)
        self.ca, self.cert, self.key = folder / "ca.crt", folder / "tls.crt", folder / "tls.key"
        self._serial = 1
        self.renew()

    def renew(self) -> None:
        """Make another CA and leaf in the place of these."""
        now = datetime.now(UTC).replace(microsecond=0)
        validity = x509.Validity(now - timedelta(hours=1), now + timedelta(hours=1))
        self._serial += 2
        root_key, leaf_key = x509.new_key(), x509.new_key()
        root = x509.root(f"test root {self._serial}", root_key, validity, self._serial)
        leaf = x509.Issuer(root, root_key).leaf(["127.0.0.1", "localhost"], leaf_key, validity, self._serial + 1)
        for file, data in ((self.ca, root), (self.key, leaf_key), (self.cert, leaf)):
            file.write_bytes(data)


class Running:
    """A backend that runs in the test's loop."""

    def __init__(self, root: Path, certificates: Certificates, environ: dict[str, str]) -> None:
        self.root, self.certificates = root, certificates
        self.environ = {
            "CLOUD_PORT": "0",
            "METRICS_HTTP_PORT": "0",
            "DATA_DIR": str(root / "data"),
            "SPEEDSCALE_API_KEY": KEY,
            "CLOUD_TLS_CERT_FILE": str(certificates.cert),
            "CLOUD_TLS_KEY_FILE": str(certificates.key),
            **environ,
        }

    async def start(self) -> Running:
        self.backend = Backend(config.parse(self.environ))
        self._task = asyncio.create_task(self.backend.run())
        await until(lambda: self.backend.port or self._task.done())
        if self._task.done():
            self._task.result()
        return self

    async def stop(self) -> None:
        self.backend.stop()
        await self._task

    @property
    def url(self) -> str:
        return f"https://127.0.0.1:{self.backend.port}"

    def client(self, key: str = KEY, attempts: int = 1) -> CloudClient:
        return CloudClient(Target(self.url, key, self.certificates.ca), "test", Retries(attempts, 0.01, 0.02))


async def until(condition: Callable[[], object], seconds: float = 90) -> None:
    async with asyncio.timeout(seconds):
        while not condition():
            await asyncio.sleep(0.01)


@pytest.fixture
def certificates(tmp_path: Path) -> Certificates:
    return Certificates(tmp_path / "certs")


@pytest.fixture
async def start(tmp_path: Path, certificates: Certificates) -> AsyncIterator[Callable[..., Any]]:
    """Start a backend with more environment; it ends with the test."""
    async with contextlib.AsyncExitStack() as stack:

        async def started(**environ: str) -> Running:
            running = await Running(tmp_path, certificates, environ).start()

            async def end() -> None:
                if not running._task.done():
                    await running.stop()

            stack.push_async_callback(end)
            return running

        yield started


@pytest.fixture
async def backend(start: Callable[..., Any]) -> Running:
    running: Running = await start()
    return running


def pair(number: int, *, direction: str = "IN", service: str = "shop", **more: Any) -> dict[str, Any]:
    """Return an RRPair's document; each number is another second."""
    at = (BEGIN + timedelta(seconds=number)).isoformat().replace("+00:00", "Z")
    return {
        "msgType": "rrpair",
        "uuid": f"uuid+{number:06d}/{direction}",
        "ts": at,
        "direction": direction,
        "cluster": "prod",
        "namespace": "web",
        "service": service,
        "tech": "JSON",
        "l7protocol": "http",
        "command": "GET",
        "location": f"/items/{number}",
        "status": "200 OK",
        "session": f"session-{number % 3}",
        "duration": 12,
        "http": {
            "req": {
                "method": "GET",
                "url": f"/items/{number}",
                "uri": f"/items/{number}",
                "host": "shop:8080",
                "headers": {"Host": ["shop:8080"]},
            },
            "res": {
                "statusCode": 200,
                "statusMessage": "200 OK",
                "headers": {"Content-Type": ["application/json"]},
            },
        },
        **more,
    }


def encoded(*documents: dict[str, Any], body: bytes = b'{"ok":true}') -> bytes:
    """Return documents as a batch's payload."""
    return b"".join(frames.encode(Frame(json.dumps(d).encode(), b"", body)) for d in documents)


@pytest.fixture
def make_pair() -> Callable[..., dict[str, Any]]:
    return pair


@pytest.fixture
def encode() -> Callable[..., bytes]:
    return encoded


@pytest.fixture
def wait_until() -> Callable[..., Any]:
    return until
