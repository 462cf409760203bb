"""`speedctl synth --watch` as a process: a broken file, an editor that renames, a file that comes later, Ctrl-C."""

from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

pytestmark = pytest.mark.integration


class Watching:
    """The process, and what it says line by line; a line that never comes ends with the test's own time limit."""

    def __init__(self, folder: Path, *arguments: str) -> None:
        command = [sys.executable, "-m", "speedscale_runtime.cli.root", "synth", "--watch", *arguments]
        # A shell ignores Ctrl-C for what it starts in the background, and so would whatever is started from there.
        ignored = signal.signal(signal.SIGINT, signal.default_int_handler)
        try:
            self.process = subprocess.Popen(
                command, cwd=folder, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True
            )
        finally:
            signal.signal(signal.SIGINT, ignored)

    def until(self, word: str) -> str:
        """Return the next line with a word in it."""
        assert self.process.stderr is not None
        seen = []
        for line in self.process.stderr:
            seen.append(line)
            if word in line:
                return line
        raise AssertionError(f"ended without {word!r}: {seen}")

    def end(self) -> int:
        """Press Ctrl-C and return the exit code."""
        self.process.send_signal(signal.SIGINT)
        return self.process.wait(60)


@contextmanager
def _watching(folder: Path, *arguments: str) -> Iterator[Watching]:
    watching = Watching(folder, *arguments)
    try:
        yield watching
    finally:
        watching.process.kill()
        watching.process.wait()
        assert watching.process.stderr is not None
        watching.process.stderr.close()


def _replace(path: Path, text: str) -> None:
    """Save as vim and many others do: write aside, rename over."""
    aside = path.with_name(path.name + "~")
    aside.write_text(text)
    aside.replace(path)


def test_a_day_of_editing(tmp_path: Path) -> None:
    file = tmp_path / "values.yaml"
    file.write_text("clusterName: one\n")
    config = tmp_path / "dist" / "operator" / "configmap-speedscale-operator.yaml"
    with _watching(tmp_path) as watching:
        assert ", 0 unchanged, 0 deleted in dist/" in watching.until(" written")
        assert "one" in config.read_text()
        untouched = (tmp_path / "dist" / "kustomization.yaml").stat().st_mtime_ns

        _replace(file, "clusterName: two\n")
        assert " deleted in dist/" in watching.until(" written")
        assert "two" in config.read_text()

        file.write_text("clusterName: [broken\n")
        assert "values.yaml" in watching.until("values.yaml:")
        watching.until("nothing written; waiting for values.yaml")
        assert "two" in config.read_text()

        file.unlink()
        watching.until("nothing written; waiting for values.yaml")

        _replace(file, "clusterName: three\n")
        watching.until(" written")
        assert "three" in config.read_text()
        assert (tmp_path / "dist" / "kustomization.yaml").stat().st_mtime_ns == untouched
        assert watching.end() == 0


def test_a_layer_that_is_made_later(tmp_path: Path) -> None:
    (tmp_path / "values.yaml").write_text("clusterName: one\n")
    with _watching(tmp_path, "--values", "values.yaml", "--values", "envs/prod.yaml", "--out", "out") as watching:
        watching.until("nothing written; waiting for values.yaml, envs/prod.yaml")
        (tmp_path / "envs").mkdir()
        (tmp_path / "envs" / "prod.yaml").write_text("clusterName: prod\n")
        watching.until(" written")
        assert "prod" in (tmp_path / "out" / "operator" / "configmap-speedscale-operator.yaml").read_text()
        assert watching.end() == 0
