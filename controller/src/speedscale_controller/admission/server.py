"""The HTTPS server of admission: three endpoints, and `/healthz` for our own probe.

    /mutate                                     workloads; never refuses, never lets an exception out
    /mutate-speedscale-com-v1-trafficreplay     fills in a TrafficReplay
    /validate-speedscale-com-v1-trafficreplay   judges it; what goes wrong here is a refusal

One event loop reads and writes; decisions are made in a few threads, so that a deadline can end the waiting for one and
the others are not held up. Everything is bounded: the size of a review, reviews at a time, the time for each. A review
is answered from memory; nothing is written anywhere, so `dryRun` needs no care.

Ending (`lame_duck`, then `close`): connections are closed after their answer, idle ones are closed, new ones are
still taken, until no API server comes here any more; then the socket closes and what is in progress is finished.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Final, TypeVar

import structlog
from aiohttp import web

from speedscale_controller.injection import Facts, Reason
from speedscale_controller.settings import Settings
from speedscale_controller.telemetry import Metrics
from speedscale_controller.telemetry.labels import Answer, Endpoint
from speedscale_schemas.errors import PeerError

from . import answers, replays
from .answers import NOT_OURS, Answered
from .certificate import Serving
from .review import PREFIX_BYTES, Review, read, uid_of

PATHS: Final = {
    "/mutate": Endpoint.MUTATE,
    "/mutate-speedscale-com-v1-trafficreplay": Endpoint.REPLAY_MUTATE,
    "/validate-speedscale-com-v1-trafficreplay": Endpoint.REPLAY_VALIDATE,
}
THREADS: Final = 3
IN_FLIGHT: Final = 128
HELD_BYTES: Final = 16 * 1024 * 1024  # of all bodies at a time; an object is about ten times its JSON
INLINE_BYTES: Final = 64 * 1024  # larger ones are parsed in a thread
DRAIN_BYTES: Final = 32 * 1024 * 1024
READ_S: Final = 10.0
FACTS_S: Final = 0.5
_FACTS_POLL_S: Final = 0.02
STUCK_S: Final = 60.0
T = TypeVar("T")
_MARK: Final = b"speedscale.com"
_log = structlog.get_logger("speedscale_controller")


@dataclass(frozen=True, slots=True)
class Sources:
    """Where answers come from: settings now, what is missing of the facts, the facts, keys of snapshots."""

    settings: Callable[[], Settings]
    missing: Callable[[str], str]
    facts: Callable[[str, str, str], Facts]
    keys: replays.Keys


class Server:
    """`clock` is monotonic seconds; `sleep` waits on it."""

    def __init__(
        self,
        sources: Sources,
        serving: Serving,
        metrics: Metrics,
        *,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._sources, self._serving, self._metrics = sources, serving, metrics
        self._clock, self._sleep = clock, sleep
        self._pool = ThreadPoolExecutor(THREADS, thread_name_prefix="decide")
        self._running: dict[int, float] = {}  # decisions in threads: since when
        self._number = 0
        self._in_flight = 0
        self._held = 0
        self._closing = False
        self._http = web.Server(self._handle, access_log=None, keepalive_timeout=120.0)
        self._runner = web.ServerRunner(self._http)
        self._site: web.TCPSite | None = None
        self.port = 0

    async def start(self, host: str, port: int) -> None:
        """Listen on `host` (empty: everywhere) and `port` (0: any free one); OSError when it is taken."""
        await self._runner.setup()
        self._site = web.TCPSite(
            self._runner, host or None, port, ssl_context=self._serving.context, backlog=512, reuse_port=False
        )
        await self._site.start()
        self.port = int(self._runner.addresses[0][1])
        _log.info("admission_listening", port=self.port)

    def lame_duck(self) -> None:
        """From now on close each connection after its answer."""
        self._closing = True

    def close_idle(self) -> None:
        """Close the connections that wait for a request; those with one are closed after it."""
        self._http.pre_shutdown()

    async def close(self, within_s: float) -> None:
        """Take no more connections, finish what is in progress within so many seconds, end."""
        self._closing = True
        site, self._site = self._site, None
        if site is None:  # closed already, or never open
            return
        await site.stop()
        self._http.pre_shutdown()
        until = self._clock() + within_s
        while self._in_flight and self._clock() < until:
            await self._sleep(0.05)
        await self._runner.cleanup()
        self._pool.shutdown(wait=False, cancel_futures=True)

    def stuck(self) -> str:
        """Return why this process should be started anew: a decision that never ends. Empty while all is well."""
        now = self._clock()
        late = [since for since in list(self._running.values()) if now - since > STUCK_S]
        return f"{len(late)} decisions have been running for more than {STUCK_S:.0f} s" if late else ""

    async def _handle(self, request: web.BaseRequest) -> web.StreamResponse:
        response = await self._route(request)
        if self._closing:
            response.force_close()
        return response

    async def _route(self, request: web.BaseRequest) -> web.Response:
        endpoint = PATHS.get(request.path)
        if endpoint is None:
            known = request.path == "/healthz"
            return web.Response(status=200 if known else 404, text="ok\n" if known else "not here\n")
        if request.method != "POST":
            return web.Response(status=405, headers={"Allow": "POST"}, text="AdmissionReviews are posted\n")
        self._in_flight += 1
        self._metrics.admission_in_flight.set(self._in_flight)
        try:
            return await self._review(request, endpoint)
        finally:
            self._in_flight -= 1
            self._metrics.admission_in_flight.set(self._in_flight)

    async def _review(self, request: web.BaseRequest, endpoint: Endpoint) -> web.Response:
        limit = self._sources.settings().admission_max_bytes
        told = request.content_length
        reserved = min(limit if told is None else told, limit)
        if self._in_flight > IN_FLIGHT or self._held + reserved > HELD_BYTES:
            return await self._unread(request, endpoint, "too many reviews at once", Answer.BUSY, 503)
        if told is not None and told > limit:
            return await self._unread(request, endpoint, _too_large(limit), Answer.TOO_LARGE, 413)
        self._held += reserved
        try:
            return await self._read(request, endpoint, limit)
        finally:
            self._held -= reserved

    async def _read(self, request: web.BaseRequest, endpoint: Endpoint, limit: int) -> web.Response:
        try:
            body, size = await _body(request, limit)
        except TimeoutError:
            return self._malformed(endpoint, f"its body did not come within {READ_S:.0f} s")
        if size > limit:
            return self._let_go(endpoint, body, _too_large(limit), Answer.TOO_LARGE, 413)
        started = self._clock()
        self._metrics.admission_bytes.observe(size)
        try:
            review = read(body) if size <= INLINE_BYTES else await self._in_thread(lambda: read(body))
        except PeerError as error:
            return self._malformed(endpoint, str(error))
        answered = await self._decide(endpoint, review, _MARK in body)
        self._count(endpoint, review, answered, self._clock() - started)
        return _json(answered.response.write(review.uid))

    async def _decide(self, endpoint: Endpoint, review: Review, asks: bool) -> Answered:
        concerned = answers.concerns if endpoint is Endpoint.MUTATE else replays.concerns
        if not concerned(review):
            return NOT_OURS
        deadline_s = self._sources.settings().admission_deadline_s
        try:
            async with asyncio.timeout(deadline_s):
                return await self._answer(endpoint, review, asks)
        except TimeoutError:
            return _cannot(endpoint, f"the decision took more than {deadline_s:g} s", Answer.LATE, 503)
        except Exception:  # a bug: never the workload's fault
            _log.exception("admission_failed", endpoint=endpoint.value, about=review.place, kind=review.kind)
            return _cannot(endpoint, "an error in the operator, which its log tells", Answer.FAILED, 503)

    async def _answer(self, endpoint: Endpoint, review: Review, asks: bool) -> Answered:
        if endpoint is Endpoint.REPLAY_MUTATE:
            return await self._in_thread(lambda: replays.complete(review))
        if endpoint is Endpoint.REPLAY_VALIDATE:
            return await self._in_thread(lambda: replays.judge(review, self._sources.keys))
        if asks and (missing := await self._missing(review.namespace)):
            return answers.let_through(missing, Answer.NO_FACTS)
        facts = self._sources.facts
        return await self._in_thread(
            lambda: answers.answer_workload(review, facts(review.namespace, review.kind, review.name))
        )

    async def _missing(self, namespace: str) -> str:
        """Wait for a moment for facts that are on their way: a namespace that was made just now."""
        until = self._clock() + FACTS_S
        while (missing := self._sources.missing(namespace)) and self._clock() < until:
            await self._sleep(_FACTS_POLL_S)
        return missing

    async def _in_thread(self, decide: Callable[[], T]) -> T:
        self._number += 1
        number = self._number

        def run() -> T:
            self._running[number] = self._clock()
            try:
                return decide()
            finally:
                self._running.pop(number, None)

        return await asyncio.get_running_loop().run_in_executor(self._pool, run)

    async def _unread(
        self, request: web.BaseRequest, endpoint: Endpoint, why: str, answer: Answer, code: int
    ) -> web.Response:
        try:
            prefix, _ = await _body(request, 0)
        except TimeoutError:
            return self._malformed(endpoint, f"its body did not come within {READ_S:.0f} s")
        return self._let_go(endpoint, prefix, why, answer, code)

    def _let_go(self, endpoint: Endpoint, prefix: bytes, why: str, answer: Answer, code: int) -> web.Response:
        """Answer a review of which only the beginning was read."""
        uid = uid_of(prefix)
        if not uid:
            return self._malformed(endpoint, f"{why}, and no uid stands at its beginning")
        answered = _cannot(endpoint, why, answer, code)
        self._metrics.admission_reviews.labels(endpoint.value, answer.value).inc()
        _log.warning("admission_unread", endpoint=endpoint.value, uid=uid, why=why)
        return _json(answered.response.write(uid))

    def _malformed(self, endpoint: Endpoint, why: str) -> web.Response:
        self._metrics.admission_reviews.labels(endpoint.value, Answer.MALFORMED.value).inc()
        _log.warning("admission_malformed", endpoint=endpoint.value, why=why[:200])
        return web.Response(status=400, text=f"{why[:200]}\n")

    def _count(self, endpoint: Endpoint, review: Review, answered: Answered, seconds: float) -> None:
        metrics, kind = self._metrics, answers.kind_label(review)
        metrics.admission_seconds.labels(endpoint.value).observe(seconds)
        metrics.admission_reviews.labels(endpoint.value, answered.answer.value).inc()
        if answered.verdict:
            metrics.admission_verdicts.labels(kind, answered.verdict, answered.reason).inc()
        if answered.response.warnings:
            metrics.admission_warnings.labels(kind).inc(len(answered.response.warnings))
        quiet = answered.answer in (Answer.UNCHANGED, Answer.NOT_OURS) or answered.reason == Reason.OWNED
        (_log.debug if quiet else _log.info)(
            "admission_answered",
            endpoint=endpoint.value,
            operation=review.operation,
            kind=review.kind,
            about=review.place,
            answer=answered.answer.value,
            verdict=answered.verdict,
            reason=answered.reason,
            dry_run=review.dry_run,
            ms=round(seconds * 1000, 2),
        )


def _cannot(endpoint: Endpoint, why: str, answer: Answer, code: int) -> Answered:
    """Return the answer where there is no decision: workloads go through, replays are refused (mutating: untouched)."""
    if endpoint is Endpoint.MUTATE:
        return answers.let_through(why, answer)
    return replays.cannot(why, code, answer)


async def _body(request: web.BaseRequest, limit: int) -> tuple[bytes, int]:
    """Return the body and its size; of one beyond `limit` bytes only its beginning, the rest is thrown away.

    Beyond DRAIN_BYTES nobody goes on reading: the connection is closed after the answer. TimeoutError after READ_S.
    """
    parts: list[bytes] = []
    size = kept = 0
    async with asyncio.timeout(READ_S):
        async for chunk in request.content.iter_any():
            size += len(chunk)
            if size <= limit or kept < PREFIX_BYTES:
                parts.append(chunk)
                kept += len(chunk)
            elif size > DRAIN_BYTES:
                break
    body = b"".join(parts)
    return (body, size) if size <= limit else (body[:PREFIX_BYTES], size)


def _too_large(limit: int) -> str:
    return f"its review has more than {limit} bytes"


def _json(body: bytes) -> web.Response:
    return web.Response(body=body, content_type="application/json")
