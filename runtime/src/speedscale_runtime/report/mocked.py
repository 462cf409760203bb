"""What the responder answered, added up from mocks.jsonl: verdicts, misses with their nearest mock, unused mocks.

Called by `building` when there is a mocks file. Misses of the same request line are one row with a count; at most
`MISSES` rows and `UNUSED` unused mocks are kept, the rest counted. Faults that were injected on purpose stay out of
the accuracy. What the replay's tests caused is counted apart: others may use the workload meanwhile.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from .model import MissedMock, MockCalls, Mocks, UnusedMock
from .tally import percent

MISSES = 200
UNUSED = 500
_DIFFERENCES = 20


@dataclass(slots=True)
class _Sums:
    verdicts: dict[str, int] = field(default_factory=lambda: {"MATCH": 0, "NO_MATCH": 0, "PASSTHROUGH": 0})
    by_tests: dict[str, int] = field(default_factory=dict)
    looked: bool = False
    faults: int = 0
    misses: dict[tuple[str, str, str, str, bool], MissedMock] = field(default_factory=dict)
    left_out: int = 0
    unused: dict[tuple[str, str, str], UnusedMock] = field(default_factory=dict)
    unused_left_out: int = 0
    unservable: dict[str, int] = field(default_factory=dict)


def summarise(lines: Iterable[Mapping[str, Any]]) -> Mocks:
    """Return the sums over the lines of a mocks file."""
    sums = _Sums()
    for line in lines:
        if line["type"] == "mock":
            _mock(line, sums)
        elif line["type"] == "unused":
            _unused(line, sums)
        elif line["type"] == "run":
            unservable = line.get("unservable")
            sums.unservable = dict(sorted(unservable.items())) if isinstance(unservable, Mapping) else {}
        elif line["type"] == "end":
            _end(line, sums)
    matched, missed = sums.verdicts["MATCH"], sums.verdicts["NO_MATCH"]
    passthrough = sums.verdicts["PASSTHROUGH"]
    total = matched + missed + passthrough
    return Mocks(
        total=total,
        matched=matched,
        missed=missed,
        passthrough=passthrough,
        faults=sums.faults,
        accuracy=percent(matched, total) if total else None,
        by_tests=_calls(sums.by_tests) if sums.looked or sums.by_tests else None,
        misses=tuple(
            sorted(sums.misses.values(), key=lambda m: (not m.by_tests, -m.count, m.host, m.location, m.command))
        ),
        misses_left_out=sums.left_out,
        unused=tuple(sorted(sums.unused.values(), key=lambda u: (u.host, u.location, u.command))),
        unused_left_out=sums.unused_left_out,
        unservable=sums.unservable,
    )


def _end(line: Mapping[str, Any], sums: _Sums) -> None:
    by_tests = line.get("byTests")
    sums.looked = isinstance(by_tests, Mapping)
    if line.get("linesLeftOut"):
        # Only the responder's own counts know of requests that got no line.
        sums.verdicts.update({str(k): int(v) for k, v in (line.get("verdicts") or {}).items()})
        sums.by_tests.update({str(k): int(v) for k, v in (by_tests or {}).items()})
        sums.left_out += int(line["linesLeftOut"])


def _calls(verdicts: Mapping[str, int]) -> MockCalls:
    matched, missed, passed = (verdicts.get(kind, 0) for kind in ("MATCH", "NO_MATCH", "PASSTHROUGH"))
    total = matched + missed + passed
    return MockCalls(total, matched, missed, passed, percent(matched, total) if total else None)


def _mock(line: Mapping[str, Any], sums: _Sums) -> None:
    if line.get("fault"):
        sums.faults += 1
        return
    verdict = str(line.get("verdict", "NO_MATCH"))
    sums.verdicts[verdict] = sums.verdicts.get(verdict, 0) + 1
    by_tests = line.get("cause") == "tests"
    if by_tests:
        sums.by_tests[verdict] = sums.by_tests.get(verdict, 0) + 1
    if verdict == "MATCH":
        return
    command, host, location = (str(line.get(k) or "") for k in ("command", "host", "location"))
    key = (verdict, command, host, location, by_tests)
    known = sums.misses.get(key)
    if known is not None:
        sums.misses[key] = replace(known, count=known.count + 1)
    elif len(sums.misses) >= MISSES:
        sums.left_out += 1
    else:
        nearest, differences = _nearest(line.get("nearest"))
        sums.misses[key] = MissedMock(
            command,
            host,
            location,
            str(line.get("tech") or ""),
            verdict,
            1,
            str(line.get("reason") or ""),
            nearest,
            differences,
            by_tests,
        )


def _nearest(nearest: Any) -> tuple[str, tuple[Mapping[str, Any], ...]]:
    """Take the nearest recorded mock: one object or a list of them, the first is the nearest."""
    if isinstance(nearest, list):
        nearest = nearest[0] if nearest else None
    if not isinstance(nearest, Mapping):
        return "", ()
    named = " ".join(str(nearest[k]) for k in ("command", "host", "location") if nearest.get(k))
    differences = nearest.get("differences")
    return named or str(nearest.get("digest") or nearest.get("signature") or ""), tuple(
        d for d in (differences if isinstance(differences, list) else []) if isinstance(d, Mapping)
    )[:_DIFFERENCES]


def _unused(line: Mapping[str, Any], sums: _Sums) -> None:
    entries = line.get("mocks")
    for entry in entries if isinstance(entries, list) else [line]:
        command, host, location = (str(entry.get(k) or "") for k in ("command", "host", "location"))
        count = int(entry.get("count") or 1)
        key = (command, host, location)
        known = sums.unused.get(key)
        if known is not None:
            sums.unused[key] = replace(known, count=known.count + count)
        elif len(sums.unused) >= UNUSED:
            sums.unused_left_out += count
        else:
            sums.unused[key] = UnusedMock(command, host, location, str(entry.get("tech") or ""), count)
