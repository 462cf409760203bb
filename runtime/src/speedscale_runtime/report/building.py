"""Build a report from a results file and, where there is one, a mocks file.

`speedctl report` and `speedctl replay` call `build`. Pure but for reading the two files: no clock, no randomness,
no settings; the same files give the same report. The results file is read twice: first for the values that the
replay put in place of recorded ones (`learning`), then for everything else. Memory is bounded by the number of
endpoints.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from speedscale_runtime.rrpair import RRPair
from speedscale_schemas.errors import ConfigError

from . import goals, learning, mocked, tally
from .answer import Answer
from .assertions import Outcome, Suite, compile_groups
from .failing import failure, fingerprint, weight
from .histograms import Histogram
from .model import ErrorCause, Failure, Goal, Latency, Load, Mocks, Report, verdict
from .reading import MOCKS_NAME, RESULTS_NAME, Lines, ends_well, locate
from .tally import Tally
from .timeline import Timeline
from .volatile import Learnt
from .withheld import Withheld

ENDPOINTS = 2_000
NOTES = 200
FAILURES = 500
TEXT_KEPT = 4 * 1024 * 1024
"""Characters of failing pairs that are kept with their bodies, in the file's order; later ones go without."""

_OTHER = "(other endpoints)"
DEFAULT_ASSERTIONS: tuple[Mapping[str, Any], ...] = (
    {"configs": [{"type": "httpStatusCode", "config": {}}, {"type": "httpResponseBody", "config": {}}]},
)


@dataclass(slots=True)
class _Run:
    """Everything gathered while the results file is read."""

    complete: bool
    run: Mapping[str, Any] = field(default_factory=dict)
    end: Mapping[str, Any] = field(default_factory=dict)
    suite: Suite = field(default_factory=lambda: Suite(()))
    tallies: dict[str, Tally] = field(default_factory=dict)
    timeline: Timeline = field(default_factory=Timeline)
    learnt: Learnt = field(default_factory=Learnt)
    withheld: Withheld = field(default_factory=Withheld)
    pairs: int = 0
    unlike: int = 0
    notes: list[str] = field(default_factory=list)
    room: int = field(default_factory=lambda: TEXT_KEPT)

    def tally(self, name: str) -> Tally:
        """Return the endpoint's counters; beyond `ENDPOINTS` names all others share one."""
        known = self.tallies.get(name)
        if known is None:
            if len(self.tallies) >= ENDPOINTS:
                name = _OTHER
            known = self.tallies.setdefault(name, Tally(name))
        return known


def build(results: Path, mocks: Path | None = None) -> Report:
    """Build the report of one run.

    `results` is a results file or the folder it lies in, `mocks` a mocks file, its folder, or None (then a mocks
    file beside the results is taken, if there is one). Raises ConfigError when there is no results file, when it
    does not begin with a `run` line, or when the test config in it cannot be compiled.
    """
    lines = Lines(locate(results, RESULTS_NAME))
    state = _Run(complete=ends_well(lines.path))
    _learn(lines, state.learnt)
    for line in lines:
        _take(line, state, lines)
    if not state.run:
        raise ConfigError([f"{lines.path}: no `run` line: this is no results file of a replay"])
    mock_lines = _mock_lines(mocks, lines.path)
    mocked_sums = mocked.summarise(mock_lines) if mock_lines is not None else None
    notices = [lines.notice, mock_lines.notice if mock_lines is not None else ""]
    return _report(state, mocked_sums, [n for n in notices if n])


def _mock_lines(mocks: Path | None, results: Path) -> Lines | None:
    if mocks is not None:
        return Lines(locate(mocks, MOCKS_NAME))
    beside = results.parent / MOCKS_NAME
    return Lines(beside) if beside.is_file() else None


def _learn(lines: Lines, learnt: Learnt) -> None:
    for line in lines:
        if line["type"] != "pair" or not isinstance(line.get("replayed"), dict) or _same_request(line):
            continue
        recorded, replayed = _pairs(line) or (None, None)
        if recorded is None or replayed is None:
            continue
        bodies = (recorded.request_body, replayed.request_body)
        learning.learn(recorded.http_request or {}, replayed.http_request or {}, bodies, learnt)


def _same_request(line: Mapping[str, Any]) -> bool:
    """Say whether a pair sent what was recorded, byte for byte: the usual case, and nothing can be learnt from it."""
    sent: list[Any] = [line.get("recorded"), line.get("replayed")]
    for key in ("http", "req"):
        sent = [part.get(key) if isinstance(part, Mapping) else None for part in sent]
    return bool(sent[0] == sent[1])


def _pairs(line: Mapping[str, Any]) -> tuple[RRPair, RRPair | None] | None:
    recorded, replayed = line.get("recorded"), line.get("replayed")
    if not isinstance(recorded, dict):
        return None
    try:
        return RRPair.from_doc(recorded), RRPair.from_doc(replayed) if isinstance(replayed, dict) else None
    except ValueError:
        return None


def _take(line: dict[str, Any], state: _Run, lines: Lines) -> None:
    kind = line["type"]
    try:
        if kind == "pair":
            _take_pair(line, state, lines)
        elif kind == "endpoint":
            state.tally(str(line["endpoint"])).take_totals(line)
        elif kind == "interval":
            state.timeline.take(line)
        elif kind == "run" and not state.run:
            config = line.get("testConfig")
            groups = config.get("assertionGroups") if isinstance(config, Mapping) else None
            state.suite = compile_groups(DEFAULT_ASSERTIONS if groups is None else groups)
            skipped = [s for s in line.get("skipped") or () if isinstance(s, Mapping)]
            state.run = {**line, "skipped": skipped, "targets": list(line.get("targets") or ())}
        elif kind == "end":
            state.end = _end(line)
        elif kind == "note" and len(state.notes) < NOTES:
            state.notes.append(str(line["text"]))
    except (AttributeError, KeyError, OverflowError, TypeError, ValueError) as error:
        lines.leave_out(f"a line of type {kind} has {type(error).__name__} at {error}")


def _end(line: Mapping[str, Any]) -> dict[str, Any]:
    """Return an `end` line with its numbers as numbers; TypeError or ValueError where one is none."""
    typed = dict(line)
    for key in ("durationMs", "offeredRate", "achievedRate", "cpuSeconds"):
        typed[key] = None if line.get(key) is None else float(line[key])
    for key in ("dropped", "rssBytes"):
        typed[key] = None if line.get(key) is None else int(line[key])
    typed["learned"] = {str(kind): int(count) for kind, count in (line.get("learned") or {}).items()}
    return typed


def _take_pair(line: dict[str, Any], state: _Run, lines: Lines) -> None:
    pairs = _pairs(line)
    if pairs is None:
        lines.leave_out("a pair's recorded or replayed side is no RRPair")
        return
    recorded, replayed = pairs
    state.pairs += 1
    counters = state.tally(str(line.get("endpoint") or ""))
    before = Answer.of(recorded)
    after = Answer.of(replayed) if replayed is not None else Answer(0, {}, None)
    counters.recorded_status_codes[str(before.status or "none")] += 1
    state.withheld.take(counters.name, recorded, before, after)
    if not state.complete:
        counters.take_pair_as_totals(line, after.status)
    error = str(line.get("error") or "") or ("" if replayed is not None else "not sent")
    if recorded.http_request is None and not error:
        state.unlike += 1
        return
    outcomes: list[Outcome] = []
    if not error:
        outcomes = state.suite.check(recorded, before, after, state.learnt)
    names = state.suite.names(recorded) if error else ()
    if not counters.take_outcomes(outcomes, names, error) and counters.wants(kind := fingerprint(outcomes, error)):
        kept = failure(line, recorded, replayed, outcomes, slim=state.room <= 0)
        state.room -= weight(kept)
        counters.failures[kind] = kept


def _report(state: _Run, mocks: Mocks | None, notices: list[str]) -> Report:
    run, end = state.run, state.end
    config = run.get("testConfig") if isinstance(run.get("testConfig"), Mapping) else {}
    tallies = sorted(state.tallies.values(), key=lambda t: (-t.failed, -t.requests, t.name))
    duration_ms = float(end.get("durationMs") or state.timeline.seconds * 1000)
    totals = tally.requests(tallies, duration_ms / 1000)
    kept, left_out = _failures(tallies)
    snapshot = str(run.get("snapshot") or "")
    fatal = _fatal(state, totals.total, totals.failed)
    draft = Report(
        id=str(run.get("id") or ""),
        status="Passed",
        reason="",
        success_rate=tally.percent(totals.matched, totals.total),
        config_id=str(config.get("id") or "") if config else "",
        scenario={"id": snapshot, "meta": {"name": str(run.get("snapshotName") or snapshot)}},
        actual_config=config or {},
        goals=(),
        notifications=tuple(_notifications(state, notices)),
        mode=str(run.get("mode") or ""),
        build_tag=str(run.get("buildTag") or ""),
        started_at=str(run.get("startedAt") or ""),
        targets=tuple(str(t) for t in run.get("targets") or ()),
        requests=totals,
        latency=_merged(tallies, "latency"),
        recorded_latency=_merged(tallies, "recorded_latency"),
        service_time=_merged(tallies, "service_time"),
        load=_load(end, duration_ms, fatal),
        status_codes=_sum(tallies, "status_codes"),
        recorded_status_codes=_sum(tallies, "recorded_status_codes"),
        timeline=state.timeline.slices(),
        errors=_errors(tallies),
        assertions=tally.assertions(tallies),
        endpoints=tuple(t.row(duration_ms / 1000) for t in tallies),
        failures=kept,
        failures_left_out=left_out,
        mocks=mocks,
        fatal=fatal,
        canceled=bool(end.get("cancelled")),
    )
    return _judged(draft, (config or {}).get("rules") or [])


def _judged(draft: Report, rules: Any) -> Report:
    wanted: list[Goal] = [goals.judge(draft, condition) for condition in goals.conditions(rules)]
    wanted = wanted or [goals.default_goal(draft)]
    load = goals.load_goal(draft)
    if load is not None:
        wanted.append(load)
    status, reason = verdict(draft.fatal, draft.canceled, tuple(wanted))
    if draft.mode == "mocks" and not draft.fatal:
        return replace(draft, status="Passed", reason="mocks were served; no tests were sent")
    return replace(draft, goals=tuple(wanted), status=status, reason=reason)


def _fatal(state: _Run, total: int, failed: int) -> str:
    """Say why there is nothing to judge, or return an empty string."""
    if not state.complete:
        return f"the results end after {state.pairs:,} pairs without an end line: the run was killed"
    if state.end.get("cancelled") or state.run.get("mode") == "mocks":
        return ""
    if not total:
        skipped = "; ".join(str(s.get("reason")) for s in state.run.get("skipped") or ())
        return "no request was sent" + (f": {skipped}" if skipped else ": the snapshot holds no tests")
    if failed == total:
        causes: dict[str, int] = {}
        for one in state.tallies.values():
            for cause, count in one.causes.items():
                causes[cause] = causes.get(cause, 0) + count
        listed = ", ".join(
            f"{cause} ({count:,})" for cause, count in sorted(causes.items(), key=lambda i: (-i[1], i[0]))
        )
        where = ", ".join(str(t) for t in state.run.get("targets") or ()) or "the target"
        return f"no request got an answer from {where}: {listed or state.end.get('why') or 'no cause given'}"
    return ""


def _load(end: Mapping[str, Any], duration_ms: float, fatal: str) -> Load:
    void = end.get("ok") is False and not end.get("cancelled") and not fatal
    return Load(
        duration_ms=round(duration_ms, 3),
        offered_rate=end.get("offeredRate"),
        achieved_rate=end.get("achievedRate"),
        dropped=end.get("dropped") or 0,
        cpu_seconds=end.get("cpuSeconds"),
        rss_bytes=end.get("rssBytes"),
        held=not void,
        why=str(end.get("why") or ("the generator could not offer the load" if void else "")),
    )


def _notifications(state: _Run, notices: list[str]) -> list[str]:
    said = [*notices, *state.notes]
    said += [
        f"{skipped.get('pairs')} recorded pairs were not replayed: {skipped.get('reason')}"
        for skipped in state.run.get("skipped") or ()
    ]
    if state.unlike:
        said.append(f"{state.unlike:,} pairs of other protocols than HTTP were replayed but not compared")
    if state.run.get("mode") == "load" and not state.pairs:
        said.append("low-data mode: answers were counted by status code and not compared")
    elif state.suite.empty:
        said.append("the test config asserts nothing: every answer passes")
    if withheld := state.withheld.notice():
        said.append(withheld)
    learned = state.end.get("learned") or {}
    if learned:
        listed = ", ".join(f"{kind} {count:,}" for kind, count in sorted(learned.items()))
        said.append(f"smart replacement learnt values of these kinds: {listed}")
    if state.learnt.left_out:
        said.append(f"{state.learnt.left_out:,} replaced values were not remembered; they may show as changed")
    if state.room <= 0:
        said.append(f"failing pairs beyond {TEXT_KEPT // 1024:,} KiB are shown without their bodies")
    cores = int(state.run.get("processes") or 1)
    seconds, cpu = float(state.end.get("durationMs") or 0) / 1000, float(state.end.get("cpuSeconds") or 0)
    if seconds >= 5 and cpu > 0.9 * seconds * cores:
        said.append("the generator used all of its CPU: latency is partly its own; give it more processes or cores")
    return said


def _failures(tallies: list[Tally]) -> tuple[tuple[Failure, ...], int]:
    """Take turns between the endpoints until `FAILURES` are kept; the second value counts what is not shown."""
    queues = [t.kept() for t in tallies if t.failures]
    kept: list[Failure] = []
    for turn in range(tally.FAILURES):
        kept += [queue[turn] for queue in queues if turn < len(queue)][: FAILURES - len(kept)]
    order = {t.name: i for i, t in enumerate(tallies)}
    kept.sort(key=lambda f: (order.get(f.endpoint, len(order)), -f.same, f.iteration, f.index, f.vuser))
    return tuple(kept), sum(t.failed for t in tallies) - len(kept)


def _errors(tallies: list[Tally]) -> tuple[ErrorCause, ...]:
    causes = [ErrorCause(cause, t.name, count) for t in tallies for cause, count in t.causes.items()]
    for t in tallies:
        unanswered = sum(t.causes.values())
        for name, (_, failed) in t.assertions.items():
            wrong = failed - min(unanswered, failed)
            if wrong:
                causes.append(ErrorCause(name, t.name, wrong))
    return tuple(sorted(causes, key=lambda c: (-c.count, c.cause, c.endpoint)))


def _merged(tallies: list[Tally], which: str) -> Latency:
    merged = Histogram()
    for one in tallies:
        merged.add(getattr(one, which))
    return merged.summary()


def _sum(tallies: list[Tally], which: str) -> dict[str, int]:
    sums: dict[str, int] = {}
    for one in tallies:
        for key, count in getattr(one, which).items():
            sums[key] = sums.get(key, 0) + count
    return tally.ordered(sums)
