"""The forwarder's HTTP face: POST /v1/batches and GET /v1/status. Only translation; decisions are `intake`'s."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import structlog
from aiohttp import web

from speedscale_schemas.frames import BATCH_PATH

from .access import Access
from .intake import Intake, read_meta
from .metrics import Metrics
from .refusals import ANSWERS, Reason, Refused

log = structlog.get_logger()
STATUS_PATH = "/v1/status"
READ_TIMEOUT_S = 60  # a body that does not arrive must not hold memory


class Face:
    """Handlers over an intake; `status` returns what /v1/status shows."""

    def __init__(self, intake: Intake, access: Access, metrics: Metrics, status: Callable[[], dict[str, Any]]) -> None:
        self._intake, self._access, self._metrics, self._status = intake, access, metrics, status

    def application(self, max_batch_bytes: int) -> web.Application:
        """Return the aiohttp application."""
        app = web.Application(client_max_size=max_batch_bytes)
        app.router.add_post(BATCH_PATH, self.batches)
        app.router.add_get(STATUS_PATH, self.status)
        return app

    async def batches(self, request: web.Request) -> web.Response:
        """Take a batch: 200 {"sequence": n} when it is on disk, else a reason."""
        try:
            self._access.check(request.headers.get("Authorization", ""), request.remote or "")
            meta = read_meta(request.headers)
            reserved = self._intake.admit(request.content_length)
            try:
                async with asyncio.timeout(READ_TIMEOUT_S):
                    body = await request.read()
                new = await self._intake.take(meta, body)
            finally:
                self._intake.release(reserved)
        except Refused as refused:
            return self._refuse(refused)
        except web.HTTPRequestEntityTooLarge:
            return self._refuse(Refused(Reason.TOO_LARGE, "the body is larger than a batch may be"))
        except TimeoutError:
            return self._refuse(Refused(Reason.SLOW, f"the body did not arrive within {READ_TIMEOUT_S} s"))
        except (ConnectionError, web.RequestPayloadError):
            return self._refuse(Refused(Reason.MALFORMED, "the body broke off"))
        except OSError as error:
            log.error("batch_failed", cause=type(error).__name__)
            return self._refuse(Refused(Reason.INTERNAL))
        self._metrics.batch("stored" if new else "duplicate")
        return web.json_response({"sequence": meta.sequence, **({} if new else {"duplicate": True})})

    async def status(self, request: web.Request) -> web.Response:
        """Show what was received, filtered, redacted, refused, and how far each exporter is."""
        try:
            self._access.check(request.headers.get("Authorization", ""), request.remote or "")
        except Refused as refused:
            return self._refuse(refused)
        return web.json_response(self._status())

    def _refuse(self, refused: Refused) -> web.Response:
        self._metrics.refuse(refused.reason)
        status, wait = ANSWERS[refused.reason]
        headers = {} if wait is None else {"Retry-After": str(wait)}
        if status == 401:
            headers["WWW-Authenticate"] = "Bearer"
        body = {"reason": str(refused.reason), "detail": refused.detail}
        response = web.json_response(body, status=status, headers=headers)
        if wait is None:
            response.force_close()  # the body may not have been read
        return response
