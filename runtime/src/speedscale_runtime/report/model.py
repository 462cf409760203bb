"""What a report holds: plain frozen data, the same for every format.

Made by `building.build`, changed only by `with_goals`, read by the renderers and by speedctl. Field names are the
vendor's public ones where it has them (`id`, `status`, `successRate`, `configId`, `scenario`, `actualConfig`,
`goals`); `documents/report.schema.json` describes the JSON. Times are milliseconds, rates are per second, shares
are percent. No logic but small derived values; nothing here reads a file, a clock or a random source.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Literal

Status = Literal["Passed", "Missed Goals", "Error", "Canceled"]
Kind = Literal["changed", "missing", "added", "type", "volatile"]
EXIT_CODES: Mapping[str, int] = {"Passed": 0, "Missed Goals": 1, "Canceled": 1, "Error": 2}


@dataclass(frozen=True, slots=True)
class Goal:
    """One goal: `command` (what was measured), `expected` and `actual` as people read them, `PASS` or `FAIL`."""

    command: str
    expected: str
    actual: str
    status: Literal["PASS", "FAIL"]
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Difference:
    """One thing that differs between the recorded and the replayed answer.

    `place` is `status`, `header`, `cookie`, `contentType` or `body`; `path` the place inside it (`items[3].id`, a
    header's name, `line 7`). `added` paths count in the replayed document, all others in the recorded one.
    `pattern` names what makes a value volatile (`uuid`, `date`, …). `fails` is False for what is only shown.
    """

    place: str
    path: str
    kind: Kind
    recorded: str | None
    replayed: str | None
    fails: bool = True
    pattern: str = ""
    assertion: str = ""


@dataclass(frozen=True, slots=True)
class Message:
    """One side of a pair as it is shown: the body is text, at most `building.BODY_SHOWN` characters of it."""

    method: str = ""
    url: str = ""
    status: str = ""
    headers: Mapping[str, list[str]] = field(default_factory=dict)
    body: str = ""
    body_kind: str = "empty"
    body_bytes: int = 0
    cut: bool = False


@dataclass(frozen=True, slots=True)
class Failure:
    """A failing pair with both sides; `same` more pairs of its endpoint fail in the same places."""

    index: int
    iteration: int
    vuser: int
    endpoint: str
    session: str
    error: str
    latency_ms: float
    request: Message
    recorded: Message
    replayed: Message
    differences: tuple[Difference, ...]
    differences_left_out: int = 0
    same: int = 0


@dataclass(frozen=True, slots=True)
class Latency:
    """Milliseconds, from merged HDR histograms; all zero when `count` is 0."""

    count: int = 0
    min: float = 0.0
    avg: float = 0.0
    p50: float = 0.0
    p75: float = 0.0
    p90: float = 0.0
    p95: float = 0.0
    p99: float = 0.0
    max: float = 0.0


@dataclass(frozen=True, slots=True)
class Requests:
    """Counters of a run or an endpoint. `matched` of `compared` pairs passed every assertion."""

    total: int = 0
    succeeded: int = 0
    failed: int = 0
    compared: int = 0
    matched: int = 0
    per_second: float = 0.0
    per_minute: float = 0.0
    response_pct: float = 0.0
    result_match_pct: float | None = None


@dataclass(frozen=True, slots=True)
class Shown:
    """A difference that fails nothing, over all pairs of an endpoint: it changes by itself, or it is new."""

    place: str
    path: str
    kind: Kind
    pattern: str
    count: int


@dataclass(frozen=True, slots=True)
class Endpoint:
    """One row of the endpoint table; `shown` lists differences that do not fail, the commonest first."""

    name: str
    requests: Requests
    status_codes: Mapping[str, int]
    recorded_status_codes: Mapping[str, int]
    latency: Latency
    recorded_latency: Latency
    service_time: Latency
    assertions: Mapping[str, Mapping[str, int]]
    shown: tuple[Shown, ...] = ()
    failures_kept: int = 0
    failures_left_out: int = 0


@dataclass(frozen=True, slots=True)
class Interval:
    """One slice of the run; a slice wider than a second holds the largest quantiles of its seconds, not a mean."""

    start_s: float
    width_s: float
    requests: int
    errors: int
    bytes: int
    quantiles: Mapping[str, float]


@dataclass(frozen=True, slots=True)
class ErrorCause:
    """Requests that got no answer, or a wrong one, by cause and endpoint."""

    cause: str
    endpoint: str
    count: int
    example: str = ""


@dataclass(frozen=True, slots=True)
class Load:
    """What the generator was asked for and what it did. `held` is False when it could not offer its rate."""

    duration_ms: float = 0.0
    offered_rate: float | None = None
    achieved_rate: float | None = None
    dropped: int = 0
    cpu_seconds: float | None = None
    rss_bytes: int | None = None
    held: bool = True
    why: str = ""


@dataclass(frozen=True, slots=True)
class MissedMock:
    """Requests of the application that no mock answered, and what the nearest recorded one has otherwise."""

    command: str
    host: str
    location: str
    tech: str
    verdict: str
    count: int
    reason: str = ""
    nearest: str = ""
    differences: tuple[Mapping[str, Any], ...] = ()
    by_tests: bool = False


@dataclass(frozen=True, slots=True)
class UnusedMock:
    """A recorded answer that was never asked for."""

    command: str
    host: str
    location: str
    tech: str = ""
    count: int = 1


@dataclass(frozen=True, slots=True)
class MockCalls:
    """Some of the calls to mocks. `accuracy` is matches of all of them in percent, None when there were none."""

    total: int = 0
    matched: int = 0
    missed: int = 0
    passthrough: int = 0
    accuracy: float | None = None


@dataclass(frozen=True, slots=True)
class Mocks:
    """What the responder answered. `accuracy` is matches of all requests in percent, None when there were none.

    `by_tests` is what of it the tests caused, as far as the application passes `baggage` on; None where nobody looked.
    """

    total: int = 0
    matched: int = 0
    missed: int = 0
    passthrough: int = 0
    faults: int = 0
    accuracy: float | None = None
    by_tests: MockCalls | None = None
    misses: tuple[MissedMock, ...] = ()
    misses_left_out: int = 0
    unused: tuple[UnusedMock, ...] = ()
    unused_left_out: int = 0
    unservable: Mapping[str, int] = field(default_factory=dict)

    @property
    def told_apart(self) -> MockCalls | None:
        """What the tests caused, where that is known: None also where no call bears the replay's mark."""
        return self.by_tests if self.by_tests is not None and self.by_tests.total else None


@dataclass(frozen=True, slots=True)
class Report:
    """A whole report. `success_rate` is the share of requests that succeeded and passed their assertions, in %."""

    id: str
    status: Status
    reason: str
    success_rate: float
    config_id: str
    scenario: Mapping[str, Any]
    actual_config: Mapping[str, Any]
    goals: tuple[Goal, ...]
    notifications: tuple[str, ...]
    mode: str
    build_tag: str
    started_at: str
    targets: tuple[str, ...]
    requests: Requests
    latency: Latency
    recorded_latency: Latency
    service_time: Latency
    load: Load
    status_codes: Mapping[str, int]
    recorded_status_codes: Mapping[str, int]
    timeline: tuple[Interval, ...]
    errors: tuple[ErrorCause, ...]
    assertions: Mapping[str, Mapping[str, int]]
    endpoints: tuple[Endpoint, ...]
    failures: tuple[Failure, ...]
    failures_left_out: int
    mocks: Mocks | None
    fatal: str = ""
    canceled: bool = False

    @property
    def exit_code(self) -> int:
        """0 for Passed, 1 for Missed Goals and Canceled, 2 for Error."""
        return EXIT_CODES[self.status]


def with_goals(report: Report, goals: tuple[Goal, ...]) -> Report:
    """Return the report with these goals added and its status decided anew."""
    merged = replace(report, goals=report.goals + tuple(goals))
    status, reason = verdict(merged.fatal, merged.canceled, merged.goals)
    return replace(merged, status=status, reason=reason)


def verdict(fatal: str, canceled: bool, goals: tuple[Goal, ...]) -> tuple[Status, str]:
    """Return the status and, in one sentence, why: an error outweighs a cancel, which outweighs the goals."""
    if fatal:
        return "Error", fatal
    if canceled:
        return "Canceled", "the run was stopped before its end"
    missed = [g for g in goals if g.status == "FAIL"]
    if missed:
        first = missed[0]
        more = f", and {len(missed) - 1} more" if len(missed) > 1 else ""
        said = f" ({first.reason})" if first.reason else ""
        return "Missed Goals", f"{first.command} is {first.actual}, wanted {first.expected}{said}{more}"
    if len(goals) == 1:
        return "Passed", f"its goal is met: {goals[0].command} is {goals[0].actual}"
    return "Passed", f"all {len(goals)} goals are met"
