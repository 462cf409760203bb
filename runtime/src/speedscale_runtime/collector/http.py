"""The collector's HTTP face: four calls, translated; what is decided stands in `store`, `snapshot` and `asking`."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable
from pathlib import Path

import orjson
import structlog
from aiohttp import web

from .access import Access, Role
from .asking import Desk, Question
from .metrics import Kind, Metrics
from .refusals import ANSWERS, Reason, Refused
from .snapshot import Giver
from .store import Store, part_name

log = structlog.get_logger()
UPLOADS_MAX = 4
SILENCE_S = 30.0
"""A body that does not go on must not hold a place."""
_CHUNK = 1 << 18
Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


class Face:
    """Handlers over a store, a snapshot and a desk. `upload_max` is bytes of one upload, packed."""

    def __init__(
        self, store: Store, giver: Giver, desk: Desk, access: Access, metrics: Metrics, upload_max: int
    ) -> None:
        self._store, self._giver, self._desk = store, giver, desk
        self._access, self._metrics, self._upload_max = access, metrics, upload_max
        self._uploading = 0

    def application(self) -> web.Application:
        """Return the aiohttp application."""
        app = web.Application(client_max_size=64 * 1024)
        app.router.add_get("/v1/snapshot", self._guarded(self.snapshot, Role.POD))
        app.router.add_put("/v1/results/{kind}/{who}", self._guarded(self.results, Role.POD))
        app.router.add_post("/v1/analyse", self._guarded(self.analyse, Role.OPERATOR))
        return app

    async def snapshot(self, request: web.Request) -> web.StreamResponse:
        """Give the replay's snapshot as a tar."""
        path = self._giver.file()
        self._metrics.snapshot_reads.inc()
        headers = {"Content-Type": "application/x-tar", "X-Content-SHA256": self._giver.digest}
        return web.FileResponse(path, headers=headers)

    async def results(self, request: web.Request) -> web.StreamResponse:
        """Take a pod's results: 204 when they are on disk."""
        try:
            kind = Kind(request.match_info["kind"])
        except ValueError:
            raise Refused(Reason.NOT_FOUND, "results are a generator's or a responder's") from None
        name = part_name(kind.value, request.match_info["who"])
        if self._uploading >= UPLOADS_MAX:
            raise Refused(Reason.BUSY, f"{UPLOADS_MAX} uploads are under way")
        limit = min(self._upload_max, self._store.room(name))
        if (request.content_length or 0) > limit:
            raise Refused(Reason.TOO_LARGE, f"{request.content_length:,} bytes; at most {limit:,} are taken")
        self._uploading += 1
        packed = self._store.receive()
        try:
            size = await self._receive(request, packed, limit)
            await asyncio.to_thread(self._store.keep, name, packed)
        finally:
            self._uploading -= 1
            with contextlib.suppress(OSError):
                packed.unlink(missing_ok=True)
        self._metrics.uploads.labels(kind.value).inc()
        self._metrics.upload_bytes.inc(size)
        self._metrics.stored_bytes.set(self._store.size)
        log.info("results_stored", kind=kind.value, bytes=size)
        return web.Response(status=204)

    async def analyse(self, request: web.Request) -> web.StreamResponse:
        """Make the report, or say what is waited for."""
        try:
            document = orjson.loads(await request.read() or b"{}")
        except ValueError as error:
            raise Refused(Reason.MALFORMED, "the body is no JSON") from error
        status, answer = self._desk.answer(Question.read(document))
        return web.json_response(answer, status=status)

    async def _receive(self, request: web.Request, packed: Path, limit: int) -> int:
        size = 0
        with packed.open("xb") as file:
            while True:
                async with asyncio.timeout(SILENCE_S):
                    data = await request.content.read(_CHUNK)
                if not data:
                    break
                size += len(data)
                if size > limit:
                    raise Refused(Reason.TOO_LARGE, f"more than {limit:,} bytes")
                await asyncio.to_thread(file.write, data)
        if request.content_length is not None and size != request.content_length:
            raise Refused(Reason.MALFORMED, "the body broke off")
        return size

    def _guarded(self, handle: Handler, role: Role) -> Handler:
        async def guarded(request: web.Request) -> web.StreamResponse:
            try:
                self._access.check(request.headers.get("Authorization", ""), role)
                return await handle(request)
            except Refused as refused:
                return self._refuse(refused)
            except TimeoutError:
                return self._refuse(Refused(Reason.SLOW, f"nothing came for {SILENCE_S:g} s"))
            except web.HTTPRequestEntityTooLarge:
                return self._refuse(Refused(Reason.TOO_LARGE, "the body is too large"))
            except (ConnectionError, web.RequestPayloadError):
                return self._refuse(Refused(Reason.MALFORMED, "the body broke off"))
            except OSError as error:
                log.error("call_failed", cause=type(error).__name__, errno=error.errno)
                return self._refuse(Refused(Reason.INTERNAL, "the collector's disk failed"))

        return guarded

    def _refuse(self, refused: Refused) -> web.Response:
        self._metrics.refused.labels(refused.reason.value).inc()
        status, wait = ANSWERS[refused.reason]
        wait = refused.retry_after_s or wait
        headers = {} if wait is None else {"Retry-After": str(wait)}
        if status == 401:
            headers["WWW-Authenticate"] = "Bearer"
        body = {"reason": refused.reason.value, "message": refused.detail}
        response = web.json_response(body, status=status, headers=headers)
        response.force_close()  # the body may not have been read
        return response
