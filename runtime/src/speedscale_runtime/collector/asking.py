"""The operator's question, and what becomes of it: wait for what is still to come, make the report once, store it.

Owned by the server; one event loop. An answer stays the answer until something comes that it was made without: a
responder that others go on asking brings newer results all the time, and a report of each of them would never be told.
Waiting is short, because whoever has not brought anything by then has ended without: half a measurement is told as
such, never waited for.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import structlog

from . import analysis, exporting
from .config import Settings
from .follower import Follower
from .metrics import Kind, Metrics, Outcome
from .refusals import Reason, Refused
from .rings import Rings
from .store import Part, Store

log = structlog.get_logger()
PODS_MAX = 100
STATES = ("Ended", "Canceled")


@dataclass(frozen=True, slots=True)
class Question:
    """How many pods there are, how the replay ended, and when it began (RFC 3339)."""

    generators: int
    responders: int
    state: str = "Ended"
    started: str = ""

    @classmethod
    def read(cls, document: object) -> Question:
        """Return the question; Refused where it is none."""
        if not isinstance(document, dict):
            raise Refused(Reason.MALFORMED, "expected a JSON object")
        generators, responders = counts = (document.get("generators", 0), document.get("responders", 0))
        if not all(isinstance(n, int) and not isinstance(n, bool) and 0 <= n <= PODS_MAX for n in counts):
            raise Refused(Reason.MALFORMED, f"generators and responders: expected numbers from 0 to {PODS_MAX}")
        if document.get("state", "Ended") not in STATES:
            raise Refused(Reason.MALFORMED, f"state: expected one of {', '.join(STATES)}")
        return cls(generators, responders, str(document.get("state", "Ended")), str(document.get("started", ""))[:40])


Answer = tuple[int, dict[str, Any]]


class Desk:
    """Answers questions. `clock` is monotonic and the store's."""

    def __init__(
        self,
        settings: Settings,
        store: Store,
        follower: Follower,
        rings: Rings,
        metrics: Metrics,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._settings, self._store, self._follower, self._rings = settings, store, follower, rings
        self._metrics, self._clock = metrics, clock
        self._asked: float | None = None
        self._of: object = None
        self._task: asyncio.Task[dict[str, Any]] | None = None

    def answer(self, question: Question) -> Answer:
        """Return status and document: 202 with what is waited for, or 200 with what came out."""
        now = self._clock()
        if self._asked is None:
            self._asked = now
        missing, waiting = self._missing(question)
        if waiting and question.state != "Canceled" and now - self._asked < self._settings.wait_s:
            return 202, {"waitingFor": waiting}
        parts, mocks = self._store.parts(Kind.GENERATOR), self._store.parts(Kind.RESPONDER)
        of = (question, tuple(parts), tuple(part.name for part in mocks), tuple(waiting))
        if self._task is None or (self._of != of and self._task.done()):
            stale = [f"{who}: what it answered last may be missing" for who in waiting if who.startswith("the newest")]
            case = analysis.Case(
                question.generators,
                tuple(parts[: question.generators]),
                tuple(mocks),
                (*(f"{who} has brought no results" for who in missing), *stale),
                question.state,
                question.started,
            )
            self._of, self._task = of, asyncio.get_running_loop().create_task(self._make(case))
        if not self._task.done():
            return 202, {"waitingFor": ["the collector's analysis"]}
        return 200, self._task.result()

    async def close(self) -> None:
        """End what is under way."""
        if self._task is not None and not self._task.done():
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    def _missing(self, question: Question) -> tuple[list[str], list[str]]:
        """Return who has brought nothing, and whose results are waited for: a responder's newest, not just any."""
        generators = [
            f"generator {n}" for n in range(question.generators) if self._store.part(f"generator-{n}") is None
        ]
        mocks = self._store.parts(Kind.RESPONDER)
        absent = max(0, question.responders - len(mocks))
        missing = [*generators, *([f"{absent} of {question.responders} responder pods"] if absent else [])]
        old = [part for part in mocks if part.at < (self._asked or 0.0)]
        return missing, [*missing, *(f"the newest results of {part.name}" for part in old)]

    async def _make(self, case: analysis.Case) -> dict[str, Any]:
        settings = self._settings
        try:
            made = await asyncio.to_thread(analysis.make, case, settings, self._follower, self._rings)
        except Exception as error:  # the operator has the generators' own summaries; a report is no reason to fail
            log.error("analysis_failed", cause=type(error).__name__)
            self._metrics.analyses.labels(Outcome.FAILED.value).inc()
            return _document(settings, None, [f"no report could be made: {type(error).__name__}"], "")
        good = made.summary is not None
        self._metrics.analyses.labels((Outcome.DONE if good else Outcome.FAILED).value).inc()
        url, notes = "", list(made.notes)
        if settings.backend is not None:
            exported = await exporting.export(settings, settings.backend, made.folder, made.summary, case.state)
            self._metrics.exports.labels((Outcome.FAILED if exported.note else Outcome.DONE).value).inc()
            url = exported.url
            notes += [exported.note] if exported.note else []
        log.info("analysed", generators=len(case.parts), responders=len(case.mocks), report=good, stored=bool(url))
        return _document(settings, made.summary, notes, url)


def _document(settings: Settings, summary: Mapping[str, Any] | None, notes: list[str], url: str) -> dict[str, Any]:
    return {
        "summary": summary,
        "report": settings.report_id,
        "url": url,
        "stored": ["backend"] if url else [],
        "notes": [note[:1000] for note in notes[:100]],
    }


__all__ = ["Answer", "Desk", "Part", "Question"]
