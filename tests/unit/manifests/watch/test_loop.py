"""The loop, step by step: no thread, no sleep, a clock that only the test moves."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from speedscale_manifests.output import Changes
from speedscale_manifests.watch import Cycle, Debounce, Fingerprints, watch
from speedscale_schemas.errors import ConfigError

WROTE = Changes(("a.yaml",), (), ())


class Stage:
    """A clock, a place to wait, and files: each wait takes one line of the script; after the last it is Ctrl-C.

    A line is (seconds that pass at most, whether an event came, whether a file changed).
    """

    def __init__(self, *script: tuple[float, bool, bool]) -> None:
        self.now = 100.0
        self.script: Iterator[tuple[float, bool, bool]] = iter(script)
        self.waits: list[float] = []
        self.is_other = False
        self.told: list[Cycle] = []
        self.built_at: list[float] = []

    def clock(self) -> float:
        return self.now

    def wait(self, seconds: float) -> bool:
        self.waits.append(seconds)
        try:
            passed, event, self.is_other = next(self.script)
        except StopIteration:
            raise KeyboardInterrupt from None
        self.now += min(passed, seconds)
        return event

    def changed(self) -> bool:
        was, self.is_other = self.is_other, False
        return was

    def run(self, build: Callable[[], Changes] = lambda: WROTE) -> int:
        def noted() -> Changes:
            self.built_at.append(self.now)
            return build()

        return watch(noted, self.changed, self, self.told.append, self.clock, Debounce(0.25, 1.0))


def test_it_builds_at_once_and_ends_with_ctrl_c() -> None:
    stage = Stage((9.0, False, False))
    assert stage.run() == 1
    assert stage.told == [Cycle(WROTE, (), 0.0)]


def test_it_builds_again_when_the_file_is_quiet() -> None:
    stage = Stage((9.0, False, False), (0.125, True, True), (0.125, True, True), (9.0, False, False))
    assert stage.run() == 2
    assert stage.built_at == [100.0, pytest.approx(100.0 + 1.0 + 0.125 + 0.125 + 0.25)]


def test_an_event_without_a_change_builds_nothing() -> None:
    stage = Stage((9.0, False, False), *[(0.125, True, False)] * 5)
    assert stage.run() == 1


def test_a_change_that_no_event_told_of_is_seen_with_the_next_heartbeat() -> None:
    stage = Stage((9.0, False, False), (9.0, False, True), (9.0, False, False), (9.0, False, False))
    assert stage.run() == 2
    assert max(stage.waits) == 1.0


def test_a_broken_file_is_told_and_survived() -> None:
    answers: list[Changes | Exception] = [
        WROTE,
        ConfigError(["values.yaml:3: namspace: unknown key", "values.yaml:9: second"]),
        FileNotFoundError(2, "No such file or directory", "values.yaml"),
        WROTE,
    ]

    def build() -> Changes:
        answer = answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer

    one = ((9.0, False, False), (0.125, True, True))
    stage = Stage(*one, *one, *one, (9.0, False, False))
    assert stage.run(build) == 4
    assert [cycle.problems for cycle in stage.told] == [
        (),
        ("values.yaml:3: namspace: unknown key", "values.yaml:9: second"),
        ("values.yaml: No such file or directory",),
        (),
    ]
    assert [cycle.changes for cycle in stage.told] == [WROTE, None, None, WROTE]


def test_a_bug_is_no_broken_file() -> None:
    def build() -> Changes:
        raise RuntimeError("bug")

    with pytest.raises(RuntimeError):
        Stage().run(build)


def test_a_change_during_a_build_is_built_next(tmp_path: Path) -> None:
    file = tmp_path / "values.yaml"
    stage = Stage((9.0, False, False), (9.0, False, False), (9.0, False, False))
    built: list[str] = []

    def build() -> Changes:
        built.append(file.read_text() if file.exists() else "")
        if len(built) == 1:
            file.write_text("saved meanwhile")
        return WROTE

    watch(build, Fingerprints([file]).changed, stage, stage.told.append, stage.clock)
    assert built == ["", "saved meanwhile"]


def test_the_seconds_of_a_cycle_are_those_of_the_clock() -> None:
    stage = Stage()

    def build() -> Changes:
        stage.now += 0.75
        return WROTE

    stage.run(build)
    assert stage.told[0].seconds == pytest.approx(0.75)
