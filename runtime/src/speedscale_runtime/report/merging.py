"""Results of several generator pods, and of several responder pods, as those of one run.

The collector calls it; what comes out is a results file and a mocks file like any other, of which the report is a pure
function. Counters are sums, histograms are added, percentiles of a second are the largest of its parts (a mean of
percentiles is none). Lines are streamed; memory is bounded by endpoints, seconds of the run, and unused mocks.

Rules: the run begins when its first pod did, and the seconds of the others are moved by as much as they began later.
vUsers are numbered on. One pod's void measurement voids the whole. Where a pod's file has no `end` line, neither
has the merged one: half a measurement is none. A mock is unused when no pod used it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any, BinaryIO

import orjson

from speedscale_schemas import hdr
from speedscale_schemas.errors import ConfigError

from .reading import Lines

_HISTOGRAMS = ("latencyHdr", "serviceTimeHdr", "recordedLatencyHdr")
NOTES_MAX, NOTE_MAX = 200, 1000
Line = dict[str, Any]


def merge_results(parts: Sequence[Path], out: Path, notes: Sequence[str] = ()) -> None:
    """Merge results files, in the order of their pods, into `out`, whole or not at all.

    ConfigError when one has no `run` line, or is of another snapshot than the first. `notes` become lines of their own.
    """
    heads = [_head(path) for path in parts]
    if not heads:
        raise ConfigError(["there are no results to merge"])
    others = sorted({str(h["snapshot"]) for h in heads} - {str(heads[0]["snapshot"])})
    if others:
        raise ConfigError(
            [f"results of another snapshot: {', '.join(others)}; the first pod's is {heads[0]['snapshot']}"]
        )
    starts = [_epoch_s(head) for head in heads]
    merged = _Merged()
    with _whole(out) as file:
        _write(file, _run(heads, starts))
        _notes(file, notes)
        for path, start in zip(parts, starts, strict=True):
            merged.begin(start - min(starts))
            for line in Lines(path):
                if line["type"] in ("pair", "note"):
                    _write(file, merged.pair(line))
                else:
                    merged.take(line)
        for line in merged.lines(len(parts)):
            _write(file, line)


def mocks_only(out: Path, run: Mapping[str, Any], notes: Sequence[str] = ()) -> None:
    """Write the results file of a replay that sent no tests. `run`: `id`, `snapshot`, `testConfig`, `startedAt`, …"""
    head = {"type": "run", "version": 1, "mode": "mocks", "targets": [], "seed": 0, "tests": 0, "processes": 0}
    zeros = ("durationMs", "requests", "errors", "iterations", "achievedRate", "dropped", "cpuSeconds", "rssBytes")
    with _whole(out) as file:
        _write(file, {**head, **run})
        _notes(file, notes)
        _write(file, {"type": "end", **dict.fromkeys(zeros, 0), "offeredRate": None, "ok": True, "why": ""})


def merge_mocks(parts: Sequence[Path], out: Path) -> None:
    """Merge mocks files, in the order of their pods, into `out`, whole or not at all."""
    if len(parts) == 1:
        with _whole(out) as file, parts[0].open("rb") as source:
            while data := source.read(1 << 20):
                file.write(data)
        return
    unused: Counter[bytes] = Counter()
    kept: dict[bytes, Line] = {}
    ends: list[Line] = []
    with _whole(out) as file:
        for number, path in enumerate(parts):
            for line in Lines(path):
                if line["type"] == "unused":
                    key = orjson.dumps([line.get(k) for k in ("command", "host", "location", "signature", "instance")])
                    unused[key] += 1
                    kept[key] = line
                elif line["type"] == "end":
                    ends.append(line)
                elif line["type"] != "run" or number == 0:
                    _write(file, line)
        nowhere = [kept[key] for key, count in unused.items() if count == len(parts)]
        for line in nowhere:
            _write(file, line)
        if len(ends) == len(parts):
            _write(file, _mock_end(ends, len(nowhere)))


@dataclass(slots=True)
class _Endpoint:
    line: Line
    requests: int = 0
    errors: int = 0
    matched: int = 0
    causes: Counter[str] = field(default_factory=Counter)
    codes: Counter[str] = field(default_factory=Counter)
    histograms: dict[str, Counter[int]] = field(default_factory=dict)

    def take(self, line: Mapping[str, Any]) -> None:
        """Add another pod's line of this endpoint."""
        self.requests += int(line["requests"])
        self.errors += int(line["errors"])
        self.matched += int(line.get("matched", 0))
        self.causes.update({str(k): int(v) for k, v in line.get("errorCauses", {}).items()})
        self.codes.update({str(k): int(v) for k, v in line.get("statusCodes", {}).items()})
        for name in _HISTOGRAMS:
            self.histograms.setdefault(name, Counter()).update(dict(hdr.decode(line[name])))

    def whole(self) -> Line:
        """Return the line of all pods."""
        return {
            **self.line,
            "requests": self.requests,
            "errors": self.errors,
            "errorCauses": dict(sorted(self.causes.items())),
            "statusCodes": dict(sorted(self.codes.items())),
            "matched": self.matched,
            **{name: hdr.encode(counts) for name, counts in self.histograms.items()},
        }


class _Merged:
    """What cannot be copied line by line."""

    def __init__(self) -> None:
        self._endpoints: dict[str, _Endpoint] = {}
        self._seconds: dict[int, list[Line]] = {}
        self._ends: list[tuple[float, Line]] = []
        self._later_s, self._vusers, self._highest = 0.0, 0, -1

    def begin(self, later_s: float) -> None:
        """Another pod's lines follow; it began so much later than the first."""
        self._later_s = max(0.0, later_s)
        self._vusers, self._highest = self._vusers + self._highest + 1, -1

    def pair(self, line: Line) -> Line:
        """Return a pair line as it stands in the whole."""
        if line["type"] != "pair":
            return line
        self._highest = max(self._highest, int(line.get("vuser") or 0))
        later_ms = self._later_s * 1000
        moved = {k: round(line[k] + later_ms, 3) for k in ("scheduledMs", "sentMs") if line.get(k) is not None}
        return {**line, **moved, "vuser": int(line.get("vuser") or 0) + self._vusers}

    def take(self, line: Line) -> None:
        """Add any other line."""
        if line["type"] == "endpoint":
            self._endpoints.setdefault(str(line["endpoint"]), _Endpoint(line)).take(line)
        elif line["type"] == "interval":
            self._seconds.setdefault(int(line["second"]) + round(self._later_s), []).append(line)
        elif line["type"] == "end":
            self._ends.append((self._later_s, line))

    def lines(self, parts: int) -> Iterator[Line]:
        """Yield what stands at the end."""
        yield from (endpoint.whole() for endpoint in self._endpoints.values())
        for second in sorted(self._seconds):
            yield _interval(second, self._seconds[second])
        if len(self._ends) == parts:
            yield _end(self._ends)


def _interval(second: int, every: Sequence[Line]) -> Line:
    codes: Counter[str] = Counter()
    latency: dict[str, float] = {}
    for one in every:
        codes.update({str(k): int(v) for k, v in (one.get("statusCodes") or {}).items()})
        for name, value in (one.get("latencyMs") or {}).items():
            latency[name] = max(latency.get(name, 0.0), float(value))
    sums = ("requests", "errors", "sentBytes", "receivedBytes", "vusers")
    made = {key: sum(int(one.get(key) or 0) for one in every) for key in sums}
    return {
        "type": "interval",
        "second": second,
        **made,
        "statusCodes": dict(sorted(codes.items())),
        "latencyMs": latency,
    }


def _end(ends: Sequence[tuple[float, Line]]) -> Line:
    lines = [line for _, line in ends]
    duration = max(later * 1000 + float(line["durationMs"]) for later, line in ends)
    sums = ("requests", "errors", "iterations", "dropped", "rssBytes")
    made: Line = {key: sum(int(line.get(key) or 0) for line in lines) for key in sums}
    learned: Counter[str] = Counter()
    for line in lines:
        learned.update({str(k): int(v) for k, v in (line.get("learned") or {}).items()})
    rates = [float(line["offeredRate"]) for line in lines if line.get("offeredRate") is not None]
    why = [f"pod {n}: {line['why']}" for n, line in enumerate(lines) if line.get("why")]
    return {
        "type": "end",
        **made,
        "durationMs": round(duration, 3),
        "offeredRate": sum(rates) if rates else None,
        "achievedRate": round(made["requests"] * 1000 / duration, 3) if duration else 0.0,
        "cpuSeconds": round(sum(float(line.get("cpuSeconds") or 0) for line in lines), 3),
        "learned": dict(sorted(learned.items())),
        "cancelled": any(line.get("cancelled") for line in lines),
        "ok": all(line.get("ok", True) for line in lines),
        "why": lines[0].get("why", "") if len(lines) == 1 else "; ".join(why),
    }


def _mock_end(ends: Sequence[Line], unused: int) -> Line:
    def added(key: str) -> dict[str, int]:
        sums: Counter[str] = Counter()
        for line in ends:
            sums.update({str(k): int(v) for k, v in (line.get(key) or {}).items()})
        return dict(sorted(sums.items()))

    verdicts, faults = added("verdicts"), added("faults")
    asked, faulty = sum(verdicts.values()), sum(faults.values())
    matched = verdicts.get("MATCH", 0) - faulty
    return {
        "type": "end",
        "requests": asked,
        "verdicts": verdicts,
        **({"byTests": added("byTests")} if any("byTests" in line for line in ends) else {}),
        "reasons": added("reasons"),
        "faults": faults,
        "matchPct": round(100 * matched / (asked - faulty), 3) if asked > faulty else None,
        "mocks": ends[0].get("mocks", 0),
        "unused": unused,
        "linesLeftOut": sum(int(line.get("linesLeftOut") or 0) for line in ends),
        "at": max(str(line.get("at", "")) for line in ends),
    }


def _run(heads: Sequence[Line], starts: Sequence[float]) -> Line:
    first = min(range(len(heads)), key=lambda number: starts[number])
    targets = sorted({str(target) for head in heads for target in head.get("targets") or ()})
    return {
        **heads[0],
        "startedAt": heads[first].get("startedAt", ""),
        "targets": targets,
        "mode": "load" if any(head.get("mode") == "load" for head in heads) else heads[0].get("mode", "functional"),
        "processes": sum(int(head.get("processes") or 0) for head in heads),
    }


def _head(path: Path) -> Line:
    for line in Lines(path):
        if line["type"] == "run":
            return line
        break
    raise ConfigError([f"{path}: no `run` line: this is no results file of a replay"])


def _epoch_s(head: Mapping[str, Any]) -> float:
    try:
        return datetime.fromisoformat(str(head.get("startedAt", "")).replace("Z", "+00:00")).timestamp()
    except ValueError:
        return 0.0


def _notes(file: BinaryIO, notes: Sequence[str]) -> None:
    for note in notes[:NOTES_MAX]:
        _write(file, {"type": "note", "text": note[:NOTE_MAX]})


def _write(file: BinaryIO, line: Mapping[str, Any]) -> None:
    file.write(orjson.dumps(line, option=orjson.OPT_APPEND_NEWLINE))


class _whole:
    """A file that appears whole, or not at all."""

    def __init__(self, path: Path) -> None:
        self._path, self._part = path, path.with_name(path.name + ".new")

    def __enter__(self) -> BinaryIO:
        self._file = self._part.open("wb")
        return self._file

    def __exit__(self, kind: type[BaseException] | None, *rest: object) -> None:
        self._file.close()
        if kind is None:
            self._part.replace(self._path)
        else:
            self._part.unlink(missing_ok=True)
