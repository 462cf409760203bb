"""A vUser, and the sessions that it walks through: wait, transform, send, hear the answer, go on.

Latency counts from when a request was due, service time from when it was sent. Made by `engine`, which is told when
a vUser rests; answers come from `client`.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Protocol

from speedscale_runtime.rrpair import RRPair
from speedscale_runtime.transforms import Run

from . import ports
from .causes import CONNECT, Cause
from .client import CountingConnection
from .plan import Session, Test
from .ports import Dial, Handle, Options, Timers
from .slots import Slots
from .wire import UnsendableError, encode

_REFUSED_PAUSE_S = 0.005
_IDEMPOTENT = {"GET", "HEAD", "OPTIONS", "PUT", "DELETE"}


class Sink(Protocol):
    """Takes each request that ended, and learns from answers."""

    def ended(self, runner: Runner, connection: CountingConnection | None, end: float, cause: Cause | None) -> None:
        """One request ended; its test, request, due and sent time stand on the runner."""
        ...


@dataclass(slots=True, eq=False)
class Shared:
    """What all vUsers of a process share. `slots` is None in a closed stage; `wires` has what was encoded, by test."""

    options: Options
    timers: Timers
    dialer: Dial
    sink: Sink
    in_flight: dict[Runner, None] = field(default_factory=dict)
    wires: dict[int, tuple[RRPair, bytes]] = field(default_factory=dict)
    slots: Slots | None = None
    iterations: int = 0


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
        "request",
        "sent",
        "session",
        "shared",
        "test",
        "vuser",
        "wire",
    )

    def __init__(self, vuser: VUser, session: Session) -> None:
        self.vuser = vuser
        self.shared = vuser.shared
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
        if self.shared.slots is not None:
            self.shared.slots.ready(self)
        else:
            self.grant(self.shared.timers.now())

    def grant(self, due: float) -> None:
        """Send now; an open stage calls this for a request that was due at `due`."""
        self._waiting = False
        self._fire(due)

    def answered(self, connection: CountingConnection, end: float) -> None:
        """The connection has the whole answer."""
        shared = self.shared
        shared.in_flight.pop(self, None)
        shared.sink.ended(self, connection, end, None)
        if not connection.alive:
            self.vuser.forget(self.test)
        self._advance(end)

    def failed(self, connection: CountingConnection | None, cause: Cause, *, untouched: bool = False) -> None:
        """There is no answer. A request on a kept connection that was already gone is sent again, once."""
        shared = self.shared
        self.vuser.forget(self.test)
        if untouched and not self._retried and self.test.method in _IDEMPOTENT:
            self._retried = True
            self._dial()
            return
        shared.in_flight.pop(self, None)
        now = shared.timers.now()
        shared.sink.ended(self, None, now, cause)
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
        shared = self.shared
        if shared.slots is not None:
            self._waiting = True
            shared.slots.ready(self)
            return
        due = end if first else end + self.test.gap_s * vuser.pace
        if soon or due - end > ports.EARLY_S or (first and due > shared.timers.now()):
            self._timer = shared.timers.at(due - ports.EARLY_S, self._fire, due)
        else:
            self._fire(due)

    def _fire(self, due: float) -> None:
        self._timer = None
        shared, vuser, test = self.shared, self.vuser, self.test
        now = shared.timers.now()
        self.due = min(due, now)
        self.sent = None
        self._retried = False
        if vuser.run is None:
            self.request, self.wire = test.pair, test.wire
        else:
            self.wire = test.wire
            self.request = vuser.run.request(test.pair, test.index)
            if self.request is not test.pair:
                written = shared.wires.get(test.index)
                if written is not None and written[0] is self.request:
                    self.wire = written[1]
                elif not self._encode(test):
                    self._unsendable(now)
                    return
                if vuser.run.delay_ms:
                    self._timer = shared.timers.at(now + vuser.run.delay_ms / 1000, self._go)
                    self.due = now + vuser.run.delay_ms / 1000
                    return
        self.deadline = now + shared.options.timeout_s
        shared.in_flight[self] = None
        kept = vuser.connections.get(test.slot)
        if kept is None or not kept.alive or kept.owner is not None:
            self._dial()
        else:
            self.connection = kept
            self.sent = kept.send(self.wire, self, test.head_only)

    def _encode(self, test: Test) -> bool:
        shared = self.shared
        try:
            options = shared.options
            authority = test.target.authority
            self.wire = encode(self.request, authority, rewrite_host=options.rewrite_host, mark=options.mark)
        except UnsendableError:
            return False
        shared.wires[test.index] = (self.request, self.wire)
        return True

    def _go(self) -> None:
        self._timer = None
        shared = self.shared
        self.deadline = shared.timers.now() + shared.options.timeout_s
        shared.in_flight[self] = None
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
            if self not in self.shared.in_flight or attempt != (self.vuser.iteration, self._pos):
                connection.close()
                return
            self.vuser.keep(self.test, connection)
            self._send(connection)

        def failed(cause: Cause) -> None:
            if self in self.shared.in_flight and attempt == (self.vuser.iteration, self._pos):
                self.failed(None, cause)

        self.connection = None
        self.shared.dialer.dial(self.test.target, opened, failed)

    def _unsendable(self, now: float) -> None:
        self.shared.sink.ended(self, None, now, Cause.TRANSFORM)
        self._advance(now, soon=True)


class VUser:
    """One virtual user: its sessions, variables, tables and connections."""

    __slots__ = (
        "_at_work",
        "_left",
        "_rested",
        "connections",
        "iteration",
        "number",
        "pace",
        "run",
        "runners",
        "shared",
        "stopping",
    )

    def __init__(
        self, shared: Shared, number: int, sessions: tuple[Session, ...], run: Run | None,
        rested: Callable[[VUser], None],
    ) -> None:  # fmt: skip
        """`rested` is called each time that it has done what a stage asked of it, or was stopped."""
        self.shared = shared
        self._rested = rested
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
            self.shared.iterations += 1
            self._left -= 1
        if self.stopping or self._left == 0:
            self._rested(self)
        else:
            self.shared.timers.at(0.0, self._iterate)

    def keep(self, test: Test, connection: CountingConnection) -> None:
        """Keep a connection for the recorded one it stands for; the oldest idle one goes when there are too many."""
        self.connections[test.slot] = connection
        if len(self.connections) > self.shared.options.connections_max:
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
            self._rested(self)
            return
        self.iteration += 1
        self._at_work = len(self.runners)
        now = self.shared.timers.now()
        for runner in list(self.runners):
            runner.begin(now + runner.session.offset_s * self.pace)
