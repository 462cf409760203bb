"""Requests to the backend, with retries; exceptions of the HTTP library become ours here and nowhere else.

Used by `client` and `channel`. A request is repeated when the backend is away or says 429, 502, 503 or 504, after
its Retry-After or a doubling, jittered pause, and only where the caller says that a repetition is harmless.
"""

from __future__ import annotations

import asyncio
import contextlib
import io
import random
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import quote

import aiohttp
import orjson

from speedscale_runtime.delivery.pauses import retry_after
from speedscale_runtime.delivery.proxies import proxy_of
from speedscale_runtime.telemetry.watched import Watched, read_text
from speedscale_schemas.errors import PeerError, PermanentError, TransientError

from .target import Target
from .trust import Trust

NOT_FOUND = "not_found"
ANSWER_MAX_BYTES = 64 * 1024 * 1024
_ERROR_MAX_BYTES = 64 * 1024
_BUSY = frozenset({408, 429, 502, 503, 504})
_CONNECT_S = 10.0

Sleep = Callable[[float], Awaitable[None]]
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Retries:
    """How often (`attempts` altogether) and after which pauses (seconds, doubling, at most `longest_s`)."""

    attempts: int = 5
    first_s: float = 0.5
    longest_s: float = 15.0


ONCE = Retries(attempts=1)


@dataclass(frozen=True, slots=True)
class Request:
    """What is asked; at most one of `json`, `data` and `file` is the body. `query` leaves out what is None."""

    method: str
    path: str
    query: Mapping[str, str | int | float | bool | None] | None = None
    json: Any = None
    data: bytes | None = None
    file: Path | None = None
    headers: Mapping[str, str] | None = None


class Transport:
    """Connections to one backend, kept alive; `sleep` waits between attempts."""

    def __init__(self, target: Target, agent: str, retries: Retries, sleep: Sleep = asyncio.sleep) -> None:
        self.target = target
        self._agent, self._retries, self._sleep = agent, retries, sleep
        self._trust = Trust(target.ca_file)
        self._key = Watched(target.key_file, _key) if target.key_file is not None else None
        self._session: aiohttp.ClientSession | None = None

    async def close(self) -> None:
        """Close the connections."""
        if self._session is not None:
            await self._session.close()
            self._session = None

    async def ask(self, request: Request, *, repeat: bool = True) -> bytes:
        """Return the answer's body; PeerError when it is longer than ANSWER_MAX_BYTES."""

        async def once() -> bytes:
            async with self.open(request) as response:
                body = bytearray()
                async for chunk in response.content.iter_chunked(1 << 16):
                    body += chunk
                    if len(body) > ANSWER_MAX_BYTES:
                        raise PeerError("answer_too_long", f"{request.path}: more than {ANSWER_MAX_BYTES:,} bytes")
                return bytes(body)

        return await self._repeated(once, self._retries if repeat else ONCE)

    async def fetch(self, request: Request, into: Path) -> Path:
        """Write the answer's body to the file `into`, whole or not at all."""

        async def once() -> Path:
            part = into.with_name(f".{into.name}.part")
            try:
                async with self.open(request) as response:
                    with part.open("wb") as file:
                        async for chunk in response.content.iter_chunked(1 << 18):
                            await asyncio.to_thread(file.write, chunk)
                part.replace(into)
            finally:
                part.unlink(missing_ok=True)
            return into

        return await self._repeated(once, self._retries)

    @contextlib.asynccontextmanager
    async def open(self, request: Request) -> AsyncIterator[aiohttp.ClientResponse]:
        """Ask once and give the answer while it is read; errors as this module promises, from reading it, too."""
        context = self._trust.context() if self.target.url.startswith("https:") else True
        with contextlib.ExitStack() as stack:
            body: Any = None if request.data is None else io.BytesIO(request.data)  # bytes are sent in one go
            headers = {**self._authorization(), **(request.headers or {})}
            if request.json is not None:
                body = orjson.dumps(request.json)
                headers.setdefault("Content-Type", "application/json")
            elif request.file is not None:
                body = stack.enter_context(request.file.open("rb"))  # opened anew for each attempt
            try:
                async with self._ready().request(
                    request.method,
                    self.target.url + quote(request.path, safe="/"),
                    params=_query(request.query),
                    data=body,
                    headers=headers,
                    ssl=context,
                    proxy=proxy_of(self.target.url),
                    allow_redirects=False,
                ) as response:
                    if not 200 <= response.status < 300:
                        raise await _refusal(request, response)
                    yield response
            except (TimeoutError, aiohttp.ClientError) as error:
                raise translated(error) from error

    @contextlib.asynccontextmanager
    async def websocket(self, path: str, *, message_max_bytes: int) -> AsyncIterator[aiohttp.ClientWebSocketResponse]:
        """Open a WebSocket; errors as `open`'s."""
        context = self._trust.context() if self.target.url.startswith("https:") else True
        try:
            async with self._ready().ws_connect(
                self.target.url + quote(path, safe="/"),
                headers=self._authorization(),
                ssl=context,
                proxy=proxy_of(self.target.url),
                max_msg_size=message_max_bytes,
                heartbeat=20.0,
            ) as socket:
                yield socket
        except aiohttp.WSServerHandshakeError as error:
            raise _handshake(error) from error
        except (TimeoutError, aiohttp.ClientError) as error:
            raise translated(error) from error

    def _ready(self) -> aiohttp.ClientSession:
        if self._session is None:
            self._session = aiohttp.ClientSession(
                headers={
                    "User-Agent": self._agent,
                    "Accept-Encoding": "identity",
                },
                timeout=aiohttp.ClientTimeout(
                    total=None, sock_connect=_CONNECT_S, connect=_CONNECT_S * 3, sock_read=self.target.timeout_s
                ),
                auto_decompress=False,
                cookie_jar=aiohttp.DummyCookieJar(),
            )
        return self._session

    def _authorization(self) -> dict[str, str]:
        key = self._key.get() if self._key is not None else self.target.key
        if not key:
            raise TransientError(f"no API key yet in {self.target.key_file}", 2.0)
        return {"Authorization": f"Bearer {key}"}

    async def _repeated(self, once: Callable[[], Awaitable[T]], retries: Retries) -> T:
        pause = retries.first_s
        for attempt in range(1, retries.attempts + 1):
            try:
                return await once()
            except TransientError as error:
                if attempt == retries.attempts:
                    raise
                await self._sleep(max(error.retry_after_s, random.uniform(pause / 2, pause)))
                pause = min(pause * 2, retries.longest_s)
        raise AssertionError("a loop of at least one attempt")


def _key(path: Path) -> str:
    key = read_text(path)
    if not key.isascii() or not key.isprintable() or " " in key:
        raise ValueError("a key is printable ASCII without spaces")
    return key


def translated(error: Exception) -> Exception:
    """Return our error for one of the HTTP library's."""
    if isinstance(error, aiohttp.ClientConnectorCertificateError | aiohttp.ClientConnectorSSLError):
        return PeerError("certificate", f"{error}; is BACKEND_CA_FILE the CA of this backend?")
    if isinstance(error, aiohttp.ClientHttpProxyError):
        return TransientError(f"proxy: HTTP {error.status}", 1.0)
    if isinstance(error, aiohttp.ClientResponseError | aiohttp.InvalidURL):
        return PeerError("no_backend", f"{type(error).__name__}: what answers there is no backend")
    return TransientError(f"unreachable: {type(error).__name__}: {error}".rstrip(": "), 0.0)


def _query(given: Mapping[str, str | int | float | bool | None] | None) -> dict[str, str]:
    found = {}
    for name, value in (given or {}).items():
        if value is not None:
            found[name] = ("true" if value else "false") if isinstance(value, bool) else str(value)
    return found


async def _refusal(request: Request, response: aiohttp.ClientResponse) -> Exception:
    """Return the error for an answer that is none of success."""
    body = await response.content.read(_ERROR_MAX_BYTES)
    try:
        document = orjson.loads(body)
        reason, message = str(document["reason"]), str(document.get("message", ""))
    except (ValueError, KeyError, TypeError):
        reason, message = "", ""
    if response.status in _BUSY or (response.status >= 500 and reason):
        said = f"{reason or f'HTTP {response.status}'}: {message}".rstrip(": ")
        return TransientError(said, retry_after(response.headers.get("Retry-After")))
    what = f"{request.method} {request.path}: HTTP {response.status}"
    if not reason:
        return PeerError("no_backend", f"{what}: what answers there is no backend")
    return PermanentError(reason, message or what)


def _handshake(error: aiohttp.WSServerHandshakeError) -> Exception:
    if error.status in _BUSY or error.status >= 500:
        return TransientError(f"HTTP {error.status}", 0.0)
    reasons = {401: "unauthenticated", 403: "forbidden", 404: NOT_FOUND, 409: "conflict"}
    if error.status in reasons:
        return PermanentError(reasons[error.status], "the backend refuses the channel")
    return PeerError("no_backend", f"HTTP {error.status} in place of a WebSocket")
