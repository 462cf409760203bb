"""vUsers, their sessions and the stages: what is sent when. Time, connections and results come from outside.

A `Runner` walks one session of one vUser: wait, transform, send, hear the answer, go on. In a closed stage the
next request is due when its recorded think time after the previous answer is over; in an open one when the rate
says so, whether or not answers came. Latency counts from when a request was due, service time from when it was
sent. No asyncio, no sockets, no files here: tests drive it with a fake clock.
"""

from __future__ import annotations

from collections import OrderedDict, deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import islice
from typing import Any, Protocol

from speedscale_runtime.rrpair import RRPair
from speedscale_runtime.transforms import Run

from .causes import CONNECT, Cause
from .client import CountingConnection
from .load import arrivals, share, start_offset, stop_offset
from .measure import Stats
from .plan import Plan, Session, Test
from .targets import Target
from .testconfig import Stage
from .wire import UnsendableError, encode

_EARLY_S = 0.0005
_REFUSED_PAUSE_S = 0.005
_IDEMPOTENT = {"GET", "HEAD", "OPTIONS", "PUT", "DELETE"}
BACKLOG_MAX = 100_000


class Handle(Protocol):
    """A timer that was set."""

    def cancel(self) -> None:
        """Do not call back."""
        ...


class Timers(Protocol):
    """The clock (monotonic seconds) and timers on it."""

    def now(self) -> float:
        """Return seconds."""
        ...

    def at(self, when: float, callback: Callable[..., None], *arguments: Any) -> Handle:
        """Call back at `when`, or soon when that is past."""
        ...


class Dial(Protocol):
    """Opens connections."""

    def dial(
        self, target: Target, opened: Callable[[CountingConnection], None], failed: Callable[[Cause], None]
    ) -> None:
        """Open one; one of the callbacks is called later, never before this returns."""
        ...

    def cancel(self) -> None:
        """Give up on connections that are being opened."""
        ...


class Sink(Protocol):
    """Takes each finished request that is to be kept, and learns from answers."""

    def ended(self, runner: Runner, connection: CountingConnection | None, end: float, cause: Cause | None) -> None:
        """One request ended; its test, request, due and sent time stand on the runner."""
        ...


@dataclass(frozen=True, slots=True)
class Options:
    """What the engine has to know of the test config; `connections_max` is per vUser."""

    rewrite_host: bool
    timeout_s: float
    by_session: bool
    connections_max: int


class Runner:
    """One session of one vUser."""

    __slots__ = (
        "_pos",
        "_retried",
        "_timer",
        "_waiting",
        "connection",
        "deadline",
        "due",
        "engine",
        "request",
        "sent",
        "session",
        "test",
        "vuser",
        "wire",
    )

    def __init__(self, vuser: VUser, session: Session) -> None:
        self.vuser = vuser
        self.engine = vuser.engine
        self.session = session
        self.test: Test = session.tests[0]
        self.request: RRPair = self.test.pair
        self.wire = b""
        self.due = 0.0
        self.sent: float | None = None
        self.deadline = 0.0
        self.connection: CountingConnection | None = None
        self._pos = -1
        self._retried = False
        self._timer: Handle | None = None
        self._waiting = False

    def begin(self, at: float) -> None:
        """Start the session at `at`."""
        self._pos = -1
        self._advance(at, first=True)

    def stop(self) -> None:
        """End a wait; a request that is out is still waited for."""
        if self._timer is not None or self._waiting:
            if self._timer is not None:
                self._timer.cancel()
            self._timer = None
            self._waiting = False
            self.vuser.session_done()

    @property
    def waits(self) -> bool:
        """Whether it waits for an open stage to let it send."""
        return self._waiting

    def resume(self) -> None:
        """The stage that it waited for is over; go on in the next one."""
        if self.engine.slots is not None:
            self.engine.slots.ready(self)
        else:
            self.grant(self.engine.timers.now())

    def grant(self, due: float) -> None:
        """Send now; an open stage calls this for a request that was due at `due`."""
        self._waiting = False
        self._fire(due)

    def answered(self, connection: CountingConnection, end: float) -> None:
        """The connection has the whole answer."""
        engine = self.engine
        engine.in_flight.pop(self, None)
        engine.sink.ended(self, connection, end, None)
        if not connection.alive:
            self.vuser.forget(self.test)
        self._advance(end)

    def failed(self, connection: CountingConnection | None, cause: Cause, *, untouched: bool = False) -> None:
        """There is no answer. A request on a kept connection that was already gone is sent again, once."""
        engine = self.engine
        self.vuser.forget(self.test)
        if untouched and not self._retried and self.test.method in _IDEMPOTENT:
            self._retried = True
            self._dial()
            return
        engine.in_flight.pop(self, None)
        now = engine.timers.now()
        engine.sink.ended(self, None, now, cause)
        self._advance(now + _REFUSED_PAUSE_S if cause in CONNECT else now, soon=True)

    def expire(self) -> None:
        """The answer took too long."""
        connection, self.connection = self.connection, None
        if connection is not None:
            connection.close()
        self.failed(None, Cause.TIMEOUT if self.sent is not None else Cause.CONNECT_TIMEOUT)

    def _advance(self, end: float, *, first: bool = False, soon: bool = False) -> None:
        self._pos += 1
        vuser = self.vuser
        if vuser.stopping or self._pos >= len(self.session.tests):
            vuser.session_done()
            return
        self.test = self.session.tests[self._pos]
        engine = self.engine
        if engine.slots is not None:
            self._waiting = True
            engine.slots.ready(self)
            return
        due = end if first else end + self.test.gap_s * vuser.pace
        if soon or due - end > _EARLY_S or (first and due > engine.timers.now()):
            self._timer = engine.timers.at(due - _EARLY_S, self._fire, due)
        else:
            self._fire(due)

    def _fire(self, due: float) -> None:
        self._timer = None
        engine, vuser, test = self.engine, self.vuser, self.test
        now = engine.timers.now()
        self.due = min(due, now)
        self.sent = None
        self._retried = False
        if vuser.run is None:
            self.request, self.wire = test.pair, test.wire
        else:
            self.wire = test.wire
            self.request = vuser.run.request(test.pair, test.index)
            if self.request is not test.pair:
                try:
                    self.wire = encode(self.request, test.target.authority, rewrite_host=engine.options.rewrite_host)
                except UnsendableError:
                    self._unsendable(now)
                    return
                if vuser.run.delay_ms:
                    self._timer = engine.timers.at(now + vuser.run.delay_ms / 1000, self._go)
                    self.due = now + vuser.run.delay_ms / 1000
                    return
        self.deadline = now + engine.options.timeout_s
        engine.in_flight[self] = None
        kept = vuser.connections.get(test.slot)
        if kept is None or not kept.alive or kept.owner is not None:
            self._dial()
        else:
            self.connection = kept
            self.sent = kept.send(self.wire, self, test.head_only)

    def _go(self) -> None:
        self._timer = None
        engine = self.engine
        self.deadline = engine.timers.now() + engine.options.timeout_s
        engine.in_flight[self] = None
        kept = self.vuser.connections.get(self.test.slot)
        if kept is None or not kept.alive or kept.owner is not None:
            self._dial()
        else:
            self._send(kept)

    def _send(self, connection: CountingConnection) -> None:
        self.connection = connection
        self.sent = connection.send(self.wire, self, self.test.head_only)

    def _dial(self) -> None:
        attempt = (self.vuser.iteration, self._pos)

        def opened(connection: CountingConnection) -> None:
            if self not in self.engine.in_flight or attempt != (self.vuser.iteration, self._pos):
                connection.close()
                return
            self.vuser.keep(self.test, connection)
            self._send(connection)

        def failed(cause: Cause) -> None:
            if self in self.engine.in_flight and attempt == (self.vuser.iteration, self._pos):
                self.failed(None, cause)

        self.connection = None
        self.engine.dialer.dial(self.test.target, opened, failed)

    def _unsendable(self, now: float) -> None:
        self.engine.sink.ended(self, None, now, Cause.TRANSFORM)
        self._advance(now, soon=True)


class VUser:
    """One virtual user: its sessions, variables, tables and connections."""

    __slots__ = (
        "_at_work",
        "_left",
        "connections",
        "engine",
        "iteration",
        "number",
        "pace",
        "run",
        "runners",
        "stopping",
    )

    def __init__(self, engine: Engine, number: int, sessions: tuple[Session, ...], run: Run | None) -> None:
        self.engine = engine
        self.number = number
        self.run = run
        self.runners = [Runner(self, session) for session in sessions]
        self.connections: OrderedDict[int, CountingConnection] = OrderedDict()
        self.iteration = -1
        self.pace = 1.0
        self.stopping = False
        self._left = 0
        self._at_work = 0

    def start(self, iterations: int, pace: float) -> None:
        """Begin; `iterations` 0 means until stopped."""
        self.stopping = False
        self.pace = pace
        self._left = iterations
        self._iterate()

    def change(self, iterations: int, pace: float) -> None:
        """Go on into the next stage, also when the last one told it to stop."""
        self.stopping = False
        self._left = iterations
        self.pace = pace

    def stop(self) -> None:
        """Finish what is out, then rest."""
        if not self.stopping:
            self.stopping = True
            for runner in self.runners:
                runner.stop()

    def session_done(self) -> None:
        """One of the sessions is through, or gave up because the vUser stops."""
        self._at_work -= 1
        if self._at_work:
            return
        if not self.stopping:
            self.engine.iterations += 1
            self._left -= 1
        if self.stopping or self._left == 0:
            self.engine.vuser_done(self)
        else:
            self.engine.timers.at(0.0, self._iterate)

    def keep(self, test: Test, connection: CountingConnection) -> None:
        """Keep a connection for the recorded one it stands for; the oldest idle one goes when there are too many."""
        self.connections[test.slot] = connection
        if len(self.connections) > self.engine.options.connections_max:
            for key, old in self.connections.items():
                if old.owner is None and old is not connection:
                    old.close()
                    del self.connections[key]
                    break

    def forget(self, test: Test) -> None:
        """The connection of this test is gone."""
        self.connections.pop(test.slot, None)

    def close(self) -> None:
        """Close every connection."""
        for connection in self.connections.values():
            connection.close()
        self.connections.clear()

    def _iterate(self) -> None:
        if self.stopping:
            self.engine.vuser_done(self)
            return
        self.iteration += 1
        self._at_work = len(self.runners)
        now = self.engine.timers.now()
        for runner in list(self.runners):
            runner.begin(now + runner.session.offset_s * self.pace)


class Slots:
    """Requests that are due in an open stage, and the runners that wait for one.

    A due request that finds no runner waits; after `max_lag_s`, or beyond BACKLOG_MAX of them, it is dropped and
    counted.
    """

    def __init__(self, engine: Engine, due: Iterator[float], begin: float, max_lag_s: float) -> None:
        self._engine = engine
        self._due = due
        self._begin = begin
        self._max_lag_s = max_lag_s
        self._next: float | None = None
        self._waiting: deque[Runner] = deque()
        self._backlog: deque[float] = deque()
        self._timer: Handle | None = None
        self._pull()

    def ready(self, runner: Runner) -> None:
        """A runner can send; it gets the oldest due request, or waits."""
        oldest = self._engine.timers.now() - self._max_lag_s
        while self._backlog:
            due = self._backlog.popleft()
            if due >= oldest:
                runner.grant(due)
                return
            self._engine.dropped += 1
        self._waiting.append(runner)

    def tick(self) -> None:
        """Hand out what is due, and set the timer for what comes next."""
        self._timer = None
        now = self._engine.timers.now()
        while self._next is not None and self._next <= now + _EARLY_S:
            due = self._next
            self._pull()
            runner = self._pick()
            if runner is not None:
                runner.grant(due)
            elif len(self._backlog) < BACKLOG_MAX:
                self._backlog.append(due)
            else:
                self._engine.dropped += 1
        if self._next is not None:
            self._timer = self._engine.timers.at(self._next - _EARLY_S, self.tick)

    def close(self) -> list[Runner]:
        """End of the stage: what is due and was not sent is dropped. Return the runners that wait."""
        if self._timer is not None:
            self._timer.cancel()
        self._engine.dropped += len(self._backlog)
        self._backlog.clear()
        if self._next is not None and not self._engine.cancelled:
            self._engine.dropped += 1 + sum(1 for _ in self._due)
        self._next = None
        waiting = [runner for runner in self._waiting if runner.waits]
        self._waiting.clear()
        return waiting

    def _pick(self) -> Runner | None:
        while self._waiting:
            runner = self._waiting.popleft()
            if runner.waits:
                return runner
        return None

    def _pull(self) -> None:
        offset = next(self._due, None)
        self._next = None if offset is None else self._begin + offset


class Engine:
    """All vUsers of one process (`process` of `processes`) through all stages."""

    def __init__(
        self, plan: Plan, stages: tuple[Stage, ...], options: Options, *, timers: Timers, dialer: Dial, sink: Sink,
        stats: Stats, make_run: Callable[[int], Run | None], process: int = 0, processes: int = 1,
    ) -> None:  # fmt: skip
        self.plan, self.stages, self.options = plan, stages, options
        self.timers, self.dialer, self.sink, self.stats = timers, dialer, sink, stats
        self._make_run = make_run
        self._process, self._processes = process, processes
        self.in_flight: dict[Runner, None] = {}
        self.slots: Slots | None = None
        self.iterations = 0
        self.dropped = 0
        self.cancelled = False
        self.finished = False
        self.on_finished: Callable[[], None] = lambda: None
        self._vusers: dict[int, VUser] = {}
        self._active: set[int] = set()
        self._stage = -1
        self._end_timer: Handle | None = None
        self._ending = False

    def start(self) -> None:
        """Begin with the first stage."""
        self._next_stage()

    def cancel(self) -> None:
        """Stop: waits end now, requests that are out end as `cancelled`."""
        if self.finished:
            return
        self.cancelled = True
        self._begin_ending()
        self.dialer.cancel()
        for runner in list(self.in_flight):
            if runner.connection is not None:
                runner.connection.close()
            runner.failed(None, Cause.CANCELLED)

    def expire(self) -> None:
        """End requests whose answer took too long; to be called a few times a second."""
        now = self.timers.now()
        for runner in [r for r in self.in_flight if r.deadline < now]:
            runner.expire()

    def vuser_done(self, vuser: VUser) -> None:
        """A vUser rests; when all do, the stage (or the run) is over."""
        self._active.discard(vuser.number)
        self.stats.at_work(len(self._active))
        if self._active:
            return
        if self._ending:
            self._finish()
        elif self._end_timer is None or self.slots is None:
            self._next_stage()

    def _next_stage(self) -> None:
        if self._end_timer is not None:
            self._end_timer.cancel()
            self._end_timer = None
        waiting = self.slots.close() if self.slots is not None else []
        self._stage += 1
        if self._ending or self._stage >= len(self.stages):
            self._begin_ending()
            return
        self.slots = None
        stage = self.stages[self._stage]
        before = self.stages[self._stage - 1] if self._stage else None
        now = self.timers.now()
        if stage.rate is not None:
            previous = (before.rate or 0.0) if before else 0.0
            due = islice(arrivals(stage, previous), self._process, None, self._processes)
            self.slots = Slots(self, due, now, stage.max_lag_s)
        self._level(stage, before.vusers if before else 0, now)
        if stage.duration_s:
            self._end_timer = self.timers.at(now + stage.duration_s, self._stage_over)
        for runner in waiting:
            if runner.waits:
                runner.resume()
        if self.slots is not None:
            self.slots.tick()

    def _stage_over(self) -> None:
        self._end_timer = None
        self._next_stage()

    def _level(self, stage: Stage, previous: int, now: float) -> None:
        for number in share(max(previous, stage.vusers), self._processes, self._process):
            if number >= stage.vusers:
                self.timers.at(now + stop_offset(stage, previous, number), self._stop, number)
            elif number in self._active:
                self._vusers[number].change(stage.iterations, stage.pace)
            else:
                self._active.add(number)
                offset = start_offset(stage, previous, number) if stage.rate is None else 0.0
                self.timers.at(now + offset, self._start, number, stage)
        if not self._active:
            self.timers.at(now, self._nobody)

    def _nobody(self) -> None:
        if not self._active and not self.finished:
            self._next_stage()

    def _start(self, number: int, stage: Stage) -> None:
        if self._ending:
            self._active.discard(number)
            if not self._active:
                self._finish()
            return
        vuser = self._vusers.get(number)
        if vuser is None:
            sessions = self.plan.sessions
            if self.options.by_session:
                sessions = (sessions[number % len(sessions)],)
            vuser = self._vusers[number] = VUser(self, number, sessions, self._make_run(number))
        self.stats.at_work(len(self._active))
        vuser.start(stage.iterations, stage.pace)

    def _stop(self, number: int) -> None:
        if number in self._vusers:
            self._vusers[number].stop()

    def _begin_ending(self) -> None:
        if self._ending:
            return
        self._ending = True
        if self._end_timer is not None:
            self._end_timer.cancel()
        if self.slots is not None:
            self.slots.close()
        waiting = [n for n in self._active if n not in self._vusers]
        self._active.difference_update(waiting)
        for number in list(self._active):
            self._vusers[number].stop()
        if not self._active:
            self._finish()

    def _finish(self) -> None:
        if self.finished:
            return
        self.finished = True
        for vuser in self._vusers.values():
            vuser.close()
        self.on_finished()
