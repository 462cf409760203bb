"""Progress and results, on a clock of the test's own."""

import argparse
import io
import json

import pytest

from speedscale_runtime.cli.output import Progress, emit, fail


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_progress_is_silent_for_two_seconds_and_then_gives_rate_and_time_left() -> None:
    clock, out = Clock(), Terminal()
    progress = Progress("reading", 1000, stream=out, clock=clock)
    progress.update(10)
    clock.now += 1.9
    progress.update(90)
    assert out.getvalue() == ""
    clock.now += 0.1
    progress.update(100)
    assert "reading: 100 of 1,000 (10 %), 50/s, 18 s left" in out.getvalue()
    progress.close()
    assert out.getvalue().endswith("\n")


def test_progress_off_a_terminal_prints_whole_lines_every_ten_seconds() -> None:
    clock, out = Clock(), io.StringIO()
    progress = Progress("sent", stream=out, clock=clock)
    for _ in range(30):
        clock.now += 1
        progress.update(int(clock.now))
    progress.close()
    assert out.getvalue().count("\n") == 3
    assert "\x1b" not in out.getvalue()


def test_results_as_json_or_text(capsys: pytest.CaptureFixture[str]) -> None:
    emit(argparse.Namespace(output="json"), {"a": "é"}, "text")
    assert json.loads(capsys.readouterr().out) == {"a": "é"}
    emit(argparse.Namespace(output="text"), {"a": 1}, "text")
    assert capsys.readouterr().out == "text\n"


def test_errors_go_to_stderr_with_a_remedy(capsys: pytest.CaptureFixture[str]) -> None:
    assert fail("no recording in x", "speedctl record makes one") == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err == "speedctl: no recording in x\n  speedctl record makes one\n"
