"""The driver: listeners, timers, passthrough tasks and files. The only owner of sockets here.

`Responder.handle` is the data path, read from top to bottom: find the mock, choose the answer, apply a fault,
wait if asked to, send. Everything that is not a plain hit leaves it early.
"""

from __future__ import annotations

import asyncio
import ssl
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import structlog

from speedscale_runtime.rrpair import baggage
from speedscale_runtime.tls.authority import Authority, client_context
from speedscale_schemas.errors import TransientError

from . import answers, faults, lines, misses, timing
from .answers import Answer
from .chains import Chains
from .config import OnMiss, Settings
from .connection import Connection, Slot
from .faults import Effect, Fault
from .live import Live, Target
from .matcher import Asked, Matcher
from .metrics import Counts
from .misses import Why
from .mocks import Mock, Mocks
from .passthrough import Upstream
from .recorder import Recorder
from .results import Results
from .tlslayer import TlsLayer, base_context

_FLUSH_S = 0.5
_TASKS_MAX = 1024
_SAFE = (b"GET", b"HEAD")
_LOOPBACK = ("127.0.0.1", "localhost", "::1", "0.0.0.0")


class Responder:
    """One running responder. `learned` is told of a pair that was recorded on a miss, and makes it a mock."""

    def __init__(
        self,
        settings: Settings,
        mocks: Mocks,
        matcher: Matcher,
        results: Results,
        counts: Counts,
        *,
        authority: Authority | None = None,
        recorder: Recorder | None = None,
        chains: Chains | None = None,
        learned: Callable[[Mock | None], None] = lambda mock: None,
    ) -> None:
        self._settings, self._mocks, self._matcher, self._results = settings, mocks, matcher, results
        self.counts = counts
        self._authority, self._recorder, self._chains, self._learned = authority, recorder, chains, learned
        self._tls_context = base_context(authority.context_for, "localhost") if authority else None
        self._mark = baggage.member(settings.report_id).encode() if settings.report_id else b""
        self._faults: list[Fault] = faults.compile_faults(settings.faults)
        self._plain = not self._faults and not settings.timing_factor and chains is None
        self._upstream = Upstream(_kept(lambda: client_context(extra=settings.upstream_roots)))
        self._connections: set[Connection] = set()
        self._servers: list[asyncio.Server] = []
        self._tasks: set[asyncio.Task[None]] = set()
        self._flusher: asyncio.TimerHandle | None = None
        self._log = structlog.get_logger()
        self.ports: dict[str, int] = {}

    # --- life

    async def start(self) -> None:
        """Listen on every port that the settings name; OSError when one is taken."""
        s = self._settings
        for name, port, proxy in (
            ("proxyPort", s.proxy_port, True),
            ("httpPort", s.http_port, False),
            ("httpsPort", s.https_port, False),
        ):
            if port >= 0:
                self.ports[name] = await self._listen(port, proxy)
        self._flush()

    async def _listen(self, port: int, proxy: bool) -> int:
        loop = asyncio.get_running_loop()
        server = await loop.create_server(
            lambda: Connection(self, proxy=proxy), self._settings.host, port, backlog=1024
        )
        self._servers.append(server)
        return int(server.sockets[0].getsockname()[1])

    async def stop(self) -> None:
        """Stop listening, end what is open, write the results."""
        for server in self._servers:
            server.close()
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        for connection in list(self._connections):
            connection.abort(reset=False)
        if self._flusher is not None:
            self._flusher.cancel()
        for server in self._servers:
            await server.wait_closed()
        if self._recorder is not None:
            self._recorder.close()
        self._results.close(self._mocks, self._matcher.line)

    def _flush(self) -> None:
        self._results.flush()
        self._flusher = asyncio.get_running_loop().call_later(_FLUSH_S, self._flush)

    # --- what connections ask for

    def tls_layer(self) -> TlsLayer | None:
        """See Handler."""
        return TlsLayer(self._tls_context) if self._tls_context is not None else None

    def opened(self, connection: Connection) -> None:
        """See Handler."""
        self.counts.connections += 1
        self.counts.open += 1
        self._connections.add(connection)

    def closed(self, connection: Connection) -> None:
        """See Handler."""
        self.counts.open -= 1
        self._connections.discard(connection)

    def broken(self, reason: str) -> None:
        """See Handler."""
        self.counts.broken[reason] = self.counts.broken.get(reason, 0) + 1

    # --- the data path

    def handle(self, connection: Connection, live: Live, keep: bool) -> None:
        """Answer one request."""
        try:
            mock = self._matcher.find(live)
        except Exception as error:
            self._unknowable(connection, live, keep, error)
            return
        if mock is None:
            self._miss(connection, live, keep, Why.UNKNOWN)
            return
        several = len(mock.answers) > 1
        answer = self._mocks.next(mock, self._matcher.session(live) if several else b"")
        if answer is None:
            self._miss(connection, live, keep, Why.USED_UP)
        elif answer.unservable is not None:
            self._miss(connection, live, keep, _WHY[answer.unservable])
        elif self._plain and keep and answer.plain is None and live.version == "1.1":
            self._results.match(answer.line or self._matcher.line(mock, answer), by_tests=self._by_tests(live))
            connection.send(answer.wire)
        else:
            self._serve(connection, live, keep, mock, answer)

    def _serve(self, connection: Connection, live: Live, keep: bool, mock: Mock, answer: Answer) -> None:
        """Serve with everything that is not the plain case: coding, HTTP/1.0, chains, faults, delays."""
        effect = self._effect(live)
        fault = effect.name if effect else ""
        self._results.match(self._matcher.line(mock, answer), fault, by_tests=self._by_tests(live))
        delay_s = timing.delay_s(answer.delay_ms, self._settings.timing_factor)
        if self._chains is not None and answer.pair is not None:
            delay_s += min(self._chains.delay_ms() / 1000, timing.DELAY_MAX_S)
            answer = answers.render(self._chains.answer(answer.pair))
        if answer.plain is not None and not answers.accepts(_header(live, b"accept-encoding"), answer.coding):
            answer = answer.plain
        old = live.version == "1.0"
        if effect is None:
            data, close = answer.render(close=not keep, http10=old), not keep
        elif effect.connection in ("refuse", "reset", "drop"):
            delay_s += effect.latency_s
            self._later(connection, delay_s, lambda slot: self._sever(connection, slot, effect.connection))
            return
        elif effect.connection == "stall":
            connection.slot()  # never finished; the client gives up
            return
        else:
            delay_s += effect.latency_s
            data, close = _faulty(answer, effect, keep, old)
        if delay_s <= 0:
            connection.send(data, close=close)
        else:
            self._later(connection, delay_s, lambda slot: slot.finish(data, close=close))

    def _by_tests(self, live: Live) -> bool:
        """Whether a test of the replay caused a request, and not somebody who uses the application meanwhile."""
        return bool(live.baggage and self._mark) and baggage.bears(live.baggage, self._mark)

    def _effect(self, live: Live) -> Effect | None:
        if not self._faults:
            return None
        target = live.destination()
        found = None
        for fault in self._faults:  # every one counts, the first that strikes counts
            found = fault.apply(target) if found is None else found
        return found

    def _later(self, connection: Connection, delay_s: float, act: Callable[[Slot], object]) -> None:
        slot = connection.slot()
        if delay_s <= 0:
            act(slot)
        else:
            asyncio.get_running_loop().call_later(delay_s, act, slot)

    @staticmethod
    def _sever(connection: Connection, slot: Slot, how: str) -> None:
        if how == "drop":
            slot.finish(close=True)
        else:
            connection.abort(reset=True)

    # --- misses

    def _miss(self, connection: Connection, live: Live, keep: bool, why: Why) -> None:
        try:
            asked = self._matcher.asked(live)
            near = self._matcher.nearest(asked) if why is Why.UNKNOWN else []
        except Exception as error:
            self._unknowable(connection, live, keep, error)
            return
        if why is Why.UNKNOWN and self._may_pass(live):
            slot = connection.slot()
            task = asyncio.get_running_loop().create_task(self._pass(slot, live, keep, asked, near))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
            return
        line = lines.missed_line(lines.NO_MATCH, asked.signature, asked.digest, why, near)
        self._results.other(lines.NO_MATCH, why, line, by_tests=self._by_tests(live))
        head_only = live.method == b"HEAD"
        data = misses.answer(why, _told(asked), near, close=not keep, head_only=head_only)
        connection.send(data, close=not keep)

    def _unknowable(self, connection: Connection, live: Live, keep: bool, error: Exception) -> None:
        """A rule or chain failed: the service goes on, and what could not be redacted is neither shown nor written."""
        self.counts.redaction_failures += 1
        self._log.error("request not understood", error=type(error).__name__)
        line = lines.missed_line(lines.NO_MATCH, {}, b"", Why.UNREADABLE, [])
        self._results.other(lines.NO_MATCH, Why.UNREADABLE, line, by_tests=self._by_tests(live))
        connection.send(misses.answer(Why.UNREADABLE, {}, [], close=not keep), close=not keep)

    def _may_pass(self, live: Live) -> bool:
        policy, target = self._settings.on_miss, live.target
        if policy is OnMiss.FAIL or target is None or len(self._tasks) >= _TASKS_MAX:
            return False
        if target.port in self.ports.values() and target.host in _LOOPBACK:
            return False  # ourselves
        return policy is not OnMiss.SAFE or live.method in _SAFE

    async def _pass(self, slot: Slot, live: Live, keep: bool, asked: Asked, near: Sequence[Mapping[str, Any]]) -> None:
        assert live.target is not None
        begun_ns, begun = time.time_ns(), time.monotonic()
        target: Target = live.target
        try:
            answered = await self._upstream.ask(live, target, slot, keep=keep)
        except TransientError as error:
            why = Why.PASSTHROUGH_FAILED
            line = lines.missed_line(lines.PASSTHROUGH, asked.signature, asked.digest, why, near)
            self._results.other(lines.PASSTHROUGH, why, line, by_tests=self._by_tests(live))
            slot.write(misses.answer(why, _told(asked), near, detail=error.reason, close=not keep))
            slot.finish(close=not keep)
            return
        except Exception as error:
            self._log.error("passthrough failed", error=type(error).__name__)
            slot.finish(close=True)
            return
        line = lines.missed_line(lines.PASSTHROUGH, asked.signature, asked.digest, "passthrough", [])
        self._results.other(lines.PASSTHROUGH, "passthrough", line, by_tests=self._by_tests(live))
        if self._recorder is not None and answered.complete:
            try:
                pair = self._recorder.record(live, answered, begun_ns, int((time.monotonic() - begun) * 1000))
            except Exception as error:
                self.counts.record_failures += 1
                self._log.error("record failed", error=type(error).__name__)
                return
            self.counts.recorded += 1
            self._learned(self._mocks.add(pair, keep=self._chains is not None))


_WHY = {
    answers.Unservable.TRUNCATED: Why.TRUNCATED,
    answers.Unservable.REQUEST_TRUNCATED: Why.TRUNCATED,
    answers.Unservable.UPGRADE: Why.UPGRADE,
    answers.Unservable.BROKEN: Why.BROKEN,
}


def _faulty(answer: Answer, effect: Effect, keep: bool, http10: bool) -> tuple[bytes, bool]:
    """Return the bytes of an answer with a fault, and whether the connection ends behind them."""
    if effect.status:
        reason = b"Fault Injected"
        closing = b"" if keep else b"Connection: close\r\n"
        start = b"HTTP/1.1 %d %s\r\nX-Speedscale-Message: fault injected\r\n" % (effect.status, reason)
        return start + closing + b"Content-Length: 0\r\n\r\n", not keep
    data = answer.render(close=not keep, http10=http10)
    head, _, body = data.partition(b"\r\n\r\n")
    if effect.corrupt:
        whole = Answer(
            answer.head,
            faults.corrupted(answer.body),
            chunked=answer.chunked,
            bodiless=answer.bodiless,
            coding="",
            delay_ms=0,
        )
        return whole.render(close=not keep, http10=http10), not keep
    if effect.truncate is not None:
        kept = len(body) // 2 if effect.truncate < 0 else effect.truncate
        return head + b"\r\n\r\n" + body[:kept], kept < len(body) or not keep
    return data, not keep


def _told(asked: Asked) -> dict[str, str]:
    signature = {key: value.decode("utf-8", "replace") for key, value in asked.signature.items()}
    names = (
        ("command", "http:method"),
        ("host", "http:host"),
        ("location", "http:url"),
        ("query", "http:queryparams"),
    )
    return {name: signature.get(key, "") for name, key in names}


def _header(live: Live, wanted: bytes) -> str:
    return ",".join(value.decode("latin-1") for name, value in live.headers if name.lower() == wanted)


def _kept(make: Callable[[], ssl.SSLContext]) -> Callable[[], ssl.SSLContext]:
    """Make a context at its first use and keep it."""
    made: list[ssl.SSLContext] = []

    def get() -> ssl.SSLContext:
        if not made:
            made.append(make())
        return made[0]

    return get
