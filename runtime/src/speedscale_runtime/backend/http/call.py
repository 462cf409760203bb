"""One call as handlers see it: who asks, for what, with which parameters, all checked; and how they answer."""

from __future__ import annotations

import asyncio
import contextlib
import os
import tempfile
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import orjson
from aiohttp import web

from speedscale_runtime.backend.keys import Key
from speedscale_runtime.backend.problems import Reason, Refused
from speedscale_runtime.rrpair import jsontext
from speedscale_schemas import backend_api
from speedscale_schemas.backend_api import Operation

READ_TIMEOUT_S = 60.0
"""A body of which nothing comes for so long is given up: it must not hold memory or a file for ever."""
NOBODY = Key("", "", ())


@dataclass
class Call:
    """A request. `query` and `path` hold what the document names, of its types, with its defaults."""

    request: web.Request
    operation: Operation
    max_bytes: int
    key: Key = NOBODY
    query: dict[str, Any] = field(default_factory=dict)
    path: dict[str, str] = field(default_factory=dict)
    audited: dict[str, Any] = field(default_factory=dict)

    async def body(self) -> bytes:
        """Return the body; Refused where it is too large, slow, or breaks off."""
        found = bytearray()
        async for piece in self._pieces():
            found += piece
        return bytes(found)

    async def json(self) -> Any:
        """Return the body as JSON that keeps to the document; Refused `invalid` with every place."""
        try:
            document = orjson.loads(await self.body())
        except ValueError as error:
            raise Refused(Reason.MALFORMED, f"the body is no JSON: {error}") from error
        found = backend_api.mistakes(self.operation.body_schema or {}, document, "body")
        if found:
            raise Refused(Reason.INVALID, found[0], found)
        return document

    @contextlib.asynccontextmanager
    async def upload(self, folder: Path) -> AsyncIterator[Path]:
        """Give the body as a file that goes away afterwards."""
        fd, name = tempfile.mkstemp(prefix="upload-", dir=folder)
        try:
            try:
                with os.fdopen(fd, "wb") as file:
                    async for piece in self._pieces():
                        await asyncio.to_thread(file.write, piece)
            except OSError as error:
                if isinstance(error, ConnectionError):
                    raise
                raise Refused(Reason.DISK_FULL, f"{error.strerror}: is there room in DATA_DIR?") from error
            yield Path(name)
        finally:
            os.unlink(name)

    async def _pieces(self) -> AsyncIterator[bytes]:
        length = self.request.content_length
        if length is not None and length > self.max_bytes:
            raise Refused(Reason.TOO_LARGE, f"{length:,} bytes; at most {self.max_bytes:,} are taken")
        size = 0
        while True:
            try:
                async with asyncio.timeout(READ_TIMEOUT_S):
                    piece = await self.request.content.read(1 << 18)
            except TimeoutError:
                raise Refused(Reason.SLOW, f"nothing of the body came for {READ_TIMEOUT_S:g} s") from None
            except (ConnectionError, web.RequestPayloadError) as error:
                raise Refused(Reason.MALFORMED, "the body broke off") from error
            if not piece:
                return
            size += len(piece)
            if size > self.max_bytes:
                raise Refused(Reason.TOO_LARGE, f"at most {self.max_bytes:,} bytes are taken")
            yield piece


def answer(document: Mapping[str, Any], status: int = 200, headers: Mapping[str, str] | None = None) -> web.Response:
    """Return a JSON answer."""
    return web.Response(
        body=jsontext.compact(document), status=status, content_type="application/json", headers=headers
    )


def nothing() -> web.Response:
    """Return 204."""
    return web.Response(status=204)


def listed(items: list[dict[str, Any]], cursor: str = "") -> web.Response:
    """Return a page."""
    return answer({"items": items, "cursor": cursor})


async def send_file(request: web.Request, path: Path, headers: Mapping[str, str]) -> web.StreamResponse:
    """Send a file; it is read before this returns, so that it may be borrowed."""
    response = web.StreamResponse(headers=dict(headers))
    response.content_length = os.stat(path).st_size
    await response.prepare(request)
    with open(path, "rb") as file:  # noqa: ASYNC230 - read in a thread, piece by piece
        while piece := await asyncio.to_thread(file.read, 1 << 18):
            await response.write(piece)
    await response.write_eof()
    return response
