"""From what pods have brought to the report: merged results, mocks, notes, and everything else in one folder.

    <root>/report/results.jsonl mocks.jsonl events.json resources.json logs/<pod>_<container>.log

Called by the server in a thread. The report is made by the code of `speedctl report`, of these files alone, so that
whoever has the folder has the same report.
"""

from __future__ import annotations

import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson

from speedscale_runtime import report
from speedscale_runtime.report import merging
from speedscale_runtime.report.reading import MOCKS_NAME, RESULTS_NAME
from speedscale_runtime.report.summary import summary_of
from speedscale_schemas.errors import ConfigError

from . import logs
from .config import Settings
from .follower import Follower
from .rings import Rings
from .store import Part


@dataclass(frozen=True, slots=True)
class Case:
    """What is analysed: how many generator pods there are, what was brought, and sentences about what is missing.

    `state` is how the replay ended, as the operator says; `started` is RFC 3339.
    """

    generators: int
    parts: tuple[Part, ...]
    mocks: tuple[Part, ...]
    missing: tuple[str, ...]
    state: str = "Ended"
    started: str = ""


@dataclass(frozen=True, slots=True)
class Made:
    """What came out: the summary (None where there was nothing to judge), the report's files, and notes."""

    summary: Mapping[str, Any] | None
    folder: Path
    notes: tuple[str, ...]


def make(case: Case, settings: Settings, follower: Follower, rings: Rings) -> Made:
    """Make the report. OSError of the disk; what is wrong with results becomes a note."""
    folder = settings.results / "report"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    follower.look()
    notes = [*follower.notes(), *case.missing]
    notes += _beside(folder, settings, follower, rings)
    results, mocks = _files(case.parts, RESULTS_NAME, notes), _files(case.mocks, MOCKS_NAME, notes)
    if mocks:
        merging.merge_mocks(mocks, folder / MOCKS_NAME)
    summary = None
    try:
        if case.generators and not results:
            return Made(None, folder, tuple(notes))
        if case.generators:
            merging.merge_results(results, folder / RESULTS_NAME, notes)
        else:
            merging.mocks_only(folder / RESULTS_NAME, _run(case, settings), notes)
        made = report.build(folder)
    except ConfigError as error:
        return Made(None, folder, (*notes, *(f"no report could be made: {problem}" for problem in error.problems)))
    if len(results) == case.generators:
        summary = {**summary_of(made, ""), "reportID": settings.report_id}
    return Made(summary, folder, tuple(notes))


def _beside(folder: Path, settings: Settings, follower: Follower, rings: Rings) -> list[str]:
    """Write events, resource use and logs; return what is to be said about them."""
    # events quote images, names and probes' answers: the last may be the application's words
    redact, why = logs.redactor(settings.dlp_rule, settings.home, settings.dlp_key)
    notes = [why] if why else []
    usage = {name: {"cpuCoresMax": u.cpu_max, "memoryBytesMax": u.memory_max, "samples": u.samples}
             for name, u in follower.usage.items()}  # fmt: skip
    if usage:
        (folder / "resources.json").write_bytes(orjson.dumps(usage, option=orjson.OPT_INDENT_2))
    if why:
        return notes
    if follower.events:
        events = orjson.dumps(list(follower.events.values()))
        if redact is not None:
            events = redact.redact_text(events, "application/json")[0]
        (folder / "events.json").write_bytes(events)
    _, said = logs.write(rings.logs(), folder / "logs", redact)
    return [*notes, *([said] if said else [])]


def _files(parts: Sequence[Part], name: str, notes: list[str]) -> list[Path]:
    found = []
    for part in parts:
        if (part.folder / name).is_file():
            found.append(part.folder / name)
        else:
            notes.append(f"{part.name} has no {name} among its results")
    return found


def _run(case: Case, settings: Settings) -> dict[str, Any]:
    return {
        "id": settings.report_id,
        "snapshot": settings.snapshot_id,
        "testConfig": {"id": settings.test_config_id},
        "startedAt": case.started,
        "buildTag": settings.build_tag,
    }
