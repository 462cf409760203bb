"""The stages of a run and the vUsers at work in them. Time, connections and results come from outside (`ports`).

In a closed stage a request is due when its recorded think time after the previous answer is over; in an open one
when the rate says so, whether or not answers came (`slots`). No asyncio, no sockets, no files here: tests drive it
with a fake clock.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import islice

from speedscale_runtime.transforms import Run

from .causes import Cause
from .load import arrivals, share, start_offset, stop_offset
from .measure import Stats
from .plan import Plan
from .ports import Dial, Handle, Options, Timers
from .runner import Shared, Sink, VUser
from .slots import Slots
from .testconfig import Stage


class Engine:
    """All vUsers of one process (`process` of `processes`) through all stages."""

    def __init__(
        self, plan: Plan, stages: tuple[Stage, ...], options: Options, *, timers: Timers, dialer: Dial, sink: Sink,
        stats: Stats, make_run: Callable[[int], Run | None], process: int = 0, processes: int = 1,
    ) -> None:  # fmt: skip
        self._plan, self._stages, self._stats = plan, stages, stats
        self._timers = timers
        self.shared = Shared(options, timers, dialer, sink)
        self._make_run = make_run
        self._process, self._processes = process, processes
        self._dropped = 0  # in the open stages that are over
        self.cancelled = False
        self.finished = False
        self.on_finished: Callable[[], None] = lambda: None
        self._vusers: dict[int, VUser] = {}
        self._active: set[int] = set()
        self._stage = -1
        self._end_timer: Handle | None = None
        self._ending = False

    @property
    def iterations(self) -> int:
        """How often a vUser went through all its sessions."""
        return self.shared.iterations

    @property
    def dropped(self) -> int:
        """How many requests were due in open stages and were not sent."""
        slots = self.shared.slots
        return self._dropped + (slots.dropped if slots is not None else 0)

    def start(self) -> None:
        """Begin with the first stage."""
        self._next_stage()

    def cancel(self) -> None:
        """Stop: waits end now, requests that are out end as `cancelled`."""
        if self.finished:
            return
        self.cancelled = True
        self._begin_ending()
        self.shared.dialer.cancel()
        for runner in list(self.shared.in_flight):
            if runner.connection is not None:
                runner.connection.close()
            runner.failed(None, Cause.CANCELLED)

    def expire(self) -> None:
        """End requests whose answer took too long; to be called a few times a second."""
        now = self._timers.now()
        for runner in [r for r in self.shared.in_flight if r.deadline < now]:
            runner.expire()

    def _rested(self, vuser: VUser) -> None:
        """A vUser rests; when all do, the stage (or the run) is over."""
        self._active.discard(vuser.number)
        self._stats.at_work(len(self._active))
        if self._active:
            return
        if self._ending:
            self._finish()
        elif self._end_timer is None or self.shared.slots is None:
            self._next_stage()

    def _next_stage(self) -> None:
        if self._end_timer is not None:
            self._end_timer.cancel()
            self._end_timer = None
        shared = self.shared
        waiting = shared.slots.close(cancelled=self.cancelled) if shared.slots is not None else []
        self._stage += 1
        if self._ending or self._stage >= len(self._stages):
            self._begin_ending()
            return
        if shared.slots is not None:
            self._dropped += shared.slots.dropped
            shared.slots = None
        stage = self._stages[self._stage]
        before = self._stages[self._stage - 1] if self._stage else None
        now = self._timers.now()
        if stage.rate is not None:
            previous = (before.rate or 0.0) if before else 0.0
            due = islice(arrivals(stage, previous), self._process, None, self._processes)
            shared.slots = Slots(self._timers, due, now, stage.max_lag_s)
        self._level(stage, before.vusers if before else 0, now)
        if stage.duration_s:
            self._end_timer = self._timers.at(now + stage.duration_s, self._stage_over)
        for runner in waiting:
            if runner.waits:
                runner.resume()
        if shared.slots is not None:
            shared.slots.tick()

    def _stage_over(self) -> None:
        self._end_timer = None
        self._next_stage()

    def _level(self, stage: Stage, previous: int, now: float) -> None:
        for number in share(max(previous, stage.vusers), self._processes, self._process):
            if number >= stage.vusers:
                self._timers.at(now + stop_offset(stage, previous, number), self._stop, number)
            elif number in self._active:
                self._vusers[number].change(stage.iterations, stage.pace)
            else:
                self._active.add(number)
                offset = start_offset(stage, previous, number) if stage.rate is None else 0.0
                self._timers.at(now + offset, self._start, number, stage)
        if not self._active:
            self._timers.at(now, self._nobody)

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
            sessions = self._plan.sessions
            if self.shared.options.by_session:
                sessions = (sessions[number % len(sessions)],)
            vuser = self._vusers[number] = VUser(self.shared, number, sessions, self._make_run(number), self._rested)
        self._stats.at_work(len(self._active))
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
        if self.shared.slots is not None:
            self.shared.slots.close(cancelled=self.cancelled)
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
