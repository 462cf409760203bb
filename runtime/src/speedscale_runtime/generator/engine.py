"""The stages of a run and the vUsers at work in them. Time, connections and results come from outside (`ports`).

In a closed stage a request is due when its recorded think time after the previous answer is over; in an open one
when the rate says so, whether or not answers came (`slots`). No asyncio, no sockets, no files here: tests drive it
with a fake clock.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import islice

from speedscale_runtime.rrpair import RRPair
from speedscale_runtime.transforms import Run

from .causes import Cause
from .load import arrivals, share, start_offset, stop_offset
from .measure import Stats
from .plan import Plan
from .ports import Dial, Handle, Options, Sink, Timers
from .runner import Runner, VUser
from .slots import Slots
from .testconfig import Stage


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
        self.wires: dict[int, tuple[RRPair, bytes]] = {}
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
