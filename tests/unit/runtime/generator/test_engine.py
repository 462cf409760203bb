"""What is sent when, on a clock that the test moves: closed and open model, think time, order, coordinated omission."""

from __future__ import annotations

import heapq
from collections.abc import Callable
from typing import Any

import pytest

from speedscale_runtime.generator import ports
from speedscale_runtime.generator.causes import Cause
from speedscale_runtime.generator.engine import Engine
from speedscale_runtime.generator.measure import Stats
from speedscale_runtime.generator.plan import build
from speedscale_runtime.generator.ports import Options
from speedscale_runtime.generator.runner import Runner
from speedscale_runtime.generator.targets import Target
from speedscale_runtime.generator.testconfig import Stage
from speedscale_runtime.rrpair import RRPair
from speedscale_runtime.transforms import Run, compile_set


class Clock:
    """Timers on a heap; `run` moves time to each in turn."""

    def __init__(self) -> None:
        self.time = 0.0
        self._heap: list[tuple[float, int, Any]] = []
        self._number = 0

    def now(self) -> float:
        return self.time

    def at(self, when: float, callback: Callable[..., None], *arguments: Any) -> Any:
        self._number += 1
        entry = _Timer(callback, arguments)
        heapq.heappush(self._heap, (max(when, self.time), self._number, entry))
        return entry

    def run(self, until: float = 1e9) -> None:
        while self._heap and self._heap[0][0] <= until:
            when, _, entry = heapq.heappop(self._heap)
            self.time = max(self.time, when)
            if not entry.cancelled:
                entry.callback(*entry.arguments)
        if until < 1e9:
            self.time = max(self.time, until)


class _Timer:
    def __init__(self, callback: Callable[..., None], arguments: tuple[Any, ...]) -> None:
        self.callback, self.arguments, self.cancelled = callback, arguments, False

    def cancel(self) -> None:
        self.cancelled = True


class Connection:
    """Answers after a time that the server chooses."""

    def __init__(self, server: Server) -> None:
        self.server, self.alive, self.owner = server, True, None
        self.status, self.received = 200, 10
        self.number = server.opened
        server.opened += 1

    def send(self, data: bytes, owner: Any, head_only: bool) -> float:
        self.owner = owner
        now = self.server.clock.time
        self.server.seen.append((round(now, 4), data.split(b" ")[1].decode(), self.number))
        self.server.wire.append(data)
        delay = self.server.delay(len(self.server.seen) - 1)
        if delay is not None:
            self.server.clock.at(now + delay, self._answer, owner)
        return now

    def _answer(self, owner: Any) -> None:
        if self.owner is owner:
            self.owner = None
            owner.answered(self, self.server.clock.time)

    def close(self) -> None:
        self.alive, self.owner = False, None


class Server:
    """A dialer: connections open at once, unless `refuse`."""

    def __init__(self, clock: Clock, delay: Callable[[int], float | None]) -> None:
        self.clock, self.delay = clock, delay
        self.opened = 0
        self.refuse: Cause | None = None
        self.seen: list[tuple[float, str, int]] = []
        self.wire: list[bytes] = []

    def dial(self, target: Target, opened: Callable[[Any], None], failed: Callable[[Cause], None]) -> None:
        if self.refuse:
            self.clock.at(self.clock.time, failed, self.refuse)
        else:
            self.clock.at(self.clock.time, opened, Connection(self))

    def cancel(self) -> None:
        pass


class Sink:
    def __init__(self) -> None:
        self.rows: list[tuple[str, float, float | None, float, str]] = []

    def ended(self, runner: Runner, connection: Any, end: float, cause: Cause | None) -> None:
        sent = None if runner.sent is None else round(runner.sent, 4)
        name = str(runner.test.pair.doc["location"])
        self.rows.append((name, round(runner.due, 4), sent, round(end, 4), cause.value if cause else ""))


def pairs(*rows: tuple[float, str, str] | tuple[float, str, str, str], duration: int = 100) -> list[RRPair]:
    made = []
    for at, path, session, *connection in rows:
        made.append(
            RRPair(
                {
                    "ts": f"2026-01-01T00:00:{at:06.3f}Z", "duration": duration, "session": session, "location": path,
                    "command": "GET", "netinfo": {"id": connection[0] if connection else session},
                    "http": {"req": {"method": "GET", "uri": path, "host": "app:80"}, "res": {"statusCode": 200}},
                }
            )
        )  # fmt: skip
    return made


class World:
    """An engine with its fakes."""

    def __init__(
        self, recording: list[RRPair], *stages: Stage, delay: Callable[[int], float | None] = lambda _: 0.1,
        timeout_s: float = 30.0, by_session: bool = False, make_run: Callable[[int], Run | None] = lambda _: None,
        process: int = 0, processes: int = 1, smart: bool = False,
    ) -> None:  # fmt: skip
        self.clock = Clock()
        self.server = Server(self.clock, delay)
        self.sink = Sink()
        plan = build(recording, smart_replace=smart)
        self.engine = Engine(
            plan, stages, Options(False, timeout_s, by_session, 16), timers=self.clock, dialer=self.server,
            sink=self.sink, stats=Stats(len(plan.endpoints), 0.0), make_run=make_run, process=process,
            processes=processes,
        )  # fmt: skip
        self.done = False
        self.engine.on_finished = self._finished

    def _finished(self) -> None:
        self.done = True

    def run(self, until: float = 1e9) -> World:
        self.engine.start()
        self.clock.run(until)
        return self

    @property
    def sent(self) -> list[tuple[float, str]]:
        return [(at, path) for at, path, _ in self.server.seen]


@pytest.fixture(autouse=True)
def _exact(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ports, "EARLY_S", 0.0)


THREE = pairs((0, "/a", "s"), (1, "/b", "s"), (3, "/c", "s"))


def test_recorded_pace_keeps_think_time_between_answer_and_request() -> None:
    world = World(THREE, Stage(1), delay=lambda _: 0.5).run()
    # recorded gaps after the end of the answer: 0.9 s and 1.9 s; answers now take 0.5 s instead of 0.1 s
    assert world.sent == [(0.0, "/a"), (1.4, "/b"), (3.8, "/c")]
    assert world.done
    assert world.engine.iterations == 1


@pytest.mark.parametrize(("pace", "second"), [(2.0, 1.9), (0.5, 0.55), (0.0, 0.1)])
def test_pace_multiplies_think_time(pace: float, second: float) -> None:
    assert World(THREE, Stage(1, pace=pace)).run().sent[1] == (second, "/b")


def test_overlapping_requests_wait_for_each_other_and_gaps_are_never_negative() -> None:
    world = World(pairs((0, "/a", "s"), (0.05, "/b", "s"), (0.06, "/c", "s")), Stage(1), delay=lambda _: 0.3).run()
    assert world.sent == [(0.0, "/a"), (0.3, "/b"), (0.6, "/c")]


def test_sessions_run_in_parallel_at_their_recorded_offset() -> None:
    recording = pairs((0, "/a1", "a"), (0.5, "/b1", "b"), (1, "/a2", "a"), (1.5, "/b2", "b"))
    world = World(recording, Stage(1), delay=lambda _: 10.0).run()
    assert world.sent[:2] == [(0.0, "/a1"), (0.5, "/b1")]


def test_each_recorded_connection_has_its_own_and_keeps_it() -> None:
    recording = pairs((0, "/1", "s", "x"), (1, "/2", "s", "y"), (2, "/3", "s", "x"))
    world = World(recording, Stage(2, iterations=2, pace=0)).run()
    used = {(path, number) for _, path, number in world.server.seen}
    assert world.server.opened == 4
    assert len(used) == 6
    assert {n for p, n in used if p == "/1"} == {n for p, n in used if p == "/3"}


def test_without_a_recorded_connection_each_session_has_one() -> None:
    recording = pairs((0, "/1", "a", ""), (0, "/2", "b", ""), (1, "/3", "a", ""), (1, "/4", "b", ""))
    world = World(recording, Stage(1, iterations=3, pace=0)).run()
    assert world.server.opened == 2
    assert len(world.sent) == 12


def test_iterations_and_vusers() -> None:
    world = World(THREE, Stage(3, iterations=4, pace=0)).run()
    assert world.engine.iterations == 12
    assert len(world.sent) == 36
    assert world.done


def test_a_ramp_starts_vusers_one_after_the_other_and_the_duration_ends_them() -> None:
    one = pairs((0, "/a", "s"))
    world = World(one, Stage(4, duration_s=10, ramp_s=4, iterations=0, pace=1.0), delay=lambda _: 1.0).run()
    assert next(at for at, _, number in world.server.seen if number == 3) == 3.0
    assert max(at for at, _ in world.sent) < 10.0
    assert world.done
    assert len(world.sent) == 10 + 9 + 8 + 7


def test_stages_follow_each_other_and_a_falling_level_stops_vusers() -> None:
    one = pairs((0, "/a", "s"))
    world = World(
        one, Stage(4, duration_s=2, iterations=0), Stage(1, duration_s=2, iterations=0), Stage(2, iterations=1),
        delay=lambda _: 0.5,
    ).run()  # fmt: skip
    per_second = [sum(second <= at < second + 1 for at, _ in world.sent) for second in range(5)]
    assert per_second[:4] == [8, 8, 2, 2]
    assert world.done


def test_latency_counts_from_when_a_request_was_due_in_an_open_stage() -> None:
    # 10 requests a second, one vUser; the fifth answer takes 2 s: what was due meanwhile is late, and is said to be
    world = World(
        pairs((0, "/a", "s")), Stage(1, rate=10.0, duration_s=1.0, iterations=0, pace=0),
        delay=lambda n: 2.0 if n == 4 else 0.01,
    ).run(0.95)  # fmt: skip
    world.clock.run()
    due = [row[1] for row in world.sink.rows]
    assert due[:5] == [0.0, 0.1, 0.2, 0.3, 0.4]
    assert world.engine.dropped == 5, "due while the one vUser waited, and the stage ended before it was free"


def test_a_late_request_keeps_its_due_time() -> None:
    world = World(
        pairs((0, "/a", "s")), Stage(1, rate=10.0, duration_s=3.0, iterations=0, pace=0),
        delay=lambda n: 1.0 if n == 0 else 0.01,
    ).run()  # fmt: skip
    late = [(due, sent) for _, due, sent, _, _ in world.sink.rows if sent is not None and sent - due > 0.5]
    assert late[0] == (0.0, 0.0) or late[0] == (0.1, 1.0)
    assert (0.1, 1.0) in late
    assert world.engine.dropped == 0
    assert len(world.sink.rows) == 30


def test_the_closed_model_hides_no_lateness_it_caused_itself() -> None:
    world = World(THREE, Stage(1), delay=lambda _: 0.5)
    world.engine.start()
    world.clock.run(0.5)
    world.clock.time = 2.0  # the machine stalls: the second request was due at 1.4 s
    world.clock.run()
    assert world.sink.rows[1][1:3] == (1.4, 2.0)


def test_requests_later_than_the_lag_are_dropped_and_counted() -> None:
    world = World(
        pairs((0, "/a", "s")), Stage(1, rate=10.0, duration_s=3.0, iterations=0, pace=0, max_lag_s=0.25),
        delay=lambda n: 1.0 if n == 0 else 0.001,
    ).run()  # fmt: skip
    assert world.engine.dropped == 7
    assert len(world.sink.rows) == 23


def test_rates_ramp_and_are_shared_by_processes() -> None:
    stage = Stage(4, rate=20.0, duration_s=2.0, ramp_s=1.0, iterations=0, pace=0)
    worlds = [World(pairs((0, "/a", "s")), stage, delay=lambda _: 0.001, process=n, processes=2).run() for n in (0, 1)]
    sent = sorted(at for world in worlds for at, _ in world.sent)
    assert len(sent) == 30
    assert sum(at < 1.0 for at in sent) == 10
    assert abs(len(worlds[0].sent) - len(worlds[1].sent)) <= 1


def test_an_open_stage_may_follow_a_closed_one_and_the_other_way_round() -> None:
    world = World(
        pairs((0, "/a", "s")), Stage(2, duration_s=1, iterations=0, pace=0),
        Stage(2, rate=5.0, duration_s=1, iterations=0, pace=0), Stage(2, iterations=3, pace=0), delay=lambda _: 0.3,
    ).run()  # fmt: skip
    assert world.done
    per_second = [sum(second <= at < second + 1 for at, _ in world.sent) for second in (0, 1)]
    assert per_second == [8, 5]


def test_no_answer_in_time_and_refused_connections_are_errors_and_the_session_goes_on() -> None:
    world = World(THREE, Stage(1, pace=0), delay=lambda n: None if n == 0 else 0.1, timeout_s=2.0)
    world.engine.start()
    for tick in range(40):
        world.clock.at(tick / 10, world.engine.expire)
    world.clock.run()
    assert [row[4] for row in world.sink.rows] == ["timeout", "", ""]
    refused = World(THREE, Stage(1, pace=0))
    refused.server.refuse = Cause.REFUSED
    refused.run()
    assert [(row[2], row[4]) for row in refused.sink.rows] == [(None, "refused")] * 3
    assert refused.done


def test_a_kept_connection_that_was_gone_is_replaced_once() -> None:
    world = World(THREE, Stage(1, pace=0), delay=lambda n: None if n == 1 else 0.1)
    world.engine.start()
    world.clock.run(0.2)
    (runner,) = world.engine.shared.in_flight
    runner.failed(None, Cause.CLOSED, untouched=True)
    world.clock.run()
    assert [row[4] for row in world.sink.rows] == ["", "", ""]
    assert world.server.opened == 2


@pytest.mark.parametrize("when", [0.05, 0.5, 2.0])
def test_cancel_ends_at_once_and_keeps_what_was_measured(when: float) -> None:
    world = World(THREE, Stage(2, iterations=50), delay=lambda _: 0.1)
    world.engine.start()
    world.clock.run(when)
    before = len(world.sink.rows)
    world.engine.cancel()
    assert world.done
    assert world.engine.cancelled
    assert all(row[4] == "cancelled" for row in world.sink.rows[before:])
    sent = len(world.sent)
    world.clock.run()
    assert len(world.sent) == sent


def test_one_session_for_each_vuser() -> None:
    recording = pairs((0, "/a", "a"), (0, "/b", "b"))
    world = World(recording, Stage(3, pace=0), by_session=True).run()
    assert sorted(path for _, path in world.sent) == ["/a", "/a", "/b"]


def stream(seed: int) -> list[bytes]:
    chain = {
        "extractor": {"type": "http_req_header", "config": {"name": "X-Id"}},
        "transforms": [{"type": "rand_string", "config": {"pattern": "[a-z]{16}"}}],
    }
    made = compile_set({"generator": [chain]})
    world = World(
        THREE, Stage(3, iterations=2, pace=0), make_run=lambda n: Run(made, seed=seed, vuser=n, clock=lambda: 0.0)
    ).run()
    return world.server.wire


def test_the_same_seed_sends_the_same_bytes() -> None:
    assert stream(1) == stream(1) != stream(2)
    assert len(set(stream(1))) == 18
