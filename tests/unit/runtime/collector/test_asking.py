"""When a report is made, and when it is made anew: on a fake clock, with an analysis that the test lets end."""

from __future__ import annotations

import asyncio
import threading
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from prometheus_client import CollectorRegistry

from speedscale_runtime.collector.asking import Desk, Question
from speedscale_runtime.collector.metrics import Kind, Metrics
from speedscale_runtime.collector.store import Part

QUESTION = Question(generators=1, responders=1)
WAIT_S = 10.0


class Shelf:
    """What pods have brought, by hand."""

    def __init__(self) -> None:
        self.at: dict[str, float] = {}

    def part(self, name: str) -> Part | None:
        return Part(name, Path(name), self.at[name], 1) if name in self.at else None

    def parts(self, kind: Kind) -> list[Part]:
        found = (self.part(name) for name in sorted(self.at) if name.startswith(kind.value))
        return [one for one in found if one is not None]


class Playing:
    """A desk, its clock and shelf, and how many analyses have begun; `go` lets them end."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now, self.shelf, self.go = 100.0, Shelf(), threading.Event()
        self.cases: list[Any] = []
        monkeypatch.setattr("speedscale_runtime.collector.analysis.make", self._make)
        settings: Any = SimpleNamespace(wait_s=WAIT_S, backend=None, report_id="r-1")
        store: Any = self.shelf
        other: Any = None
        self.desk = Desk(settings, store, other, other, Metrics(CollectorRegistry()), lambda: self.now)

    def _make(self, case: Any, *_: object) -> Any:
        self.cases.append(case)
        assert self.go.wait(20)
        return SimpleNamespace(summary={"made": len(self.cases)}, notes=(), folder=None)

    async def answered(self) -> dict[str, Any]:
        """Ask until the report under way is there."""
        self.go.set()
        async with asyncio.timeout(20):
            while (answer := self.desk.answer(QUESTION))[0] == 202:
                await asyncio.sleep(0)
        return answer[1]


async def test_newer_results_of_mocks_that_others_go_on_asking_make_no_other_report(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    play = Playing(monkeypatch)
    play.shelf.at = {"generator-0": 99.0, "responder-a": 98.0}
    assert play.desk.answer(QUESTION)[0] == 202, "its newest results are waited for"
    play.shelf.at["responder-a"] = 101.0
    assert play.desk.answer(QUESTION)[0] == 202, "the report is being made"
    for newer in (102.0, 103.0):
        play.shelf.at["responder-a"] = newer
        assert (await play.answered())["summary"] == {"made": 1}
    assert len(play.cases) == 1


async def test_what_comes_after_it_was_given_up_makes_another_report(monkeypatch: pytest.MonkeyPatch) -> None:
    play = Playing(monkeypatch)
    play.shelf.at = {"generator-0": 99.0}
    assert play.desk.answer(QUESTION) == (202, {"waitingFor": ["1 of 1 responder pods"]})
    play.now += WAIT_S
    assert (await play.answered())["summary"] == {"made": 1}
    assert play.cases[0].missing == ("1 of 1 responder pods has brought no results",)
    play.shelf.at["responder-a"] = 111.0
    assert (await play.answered())["summary"] == {"made": 2}
    assert play.cases[1].missing == ()
