"""The verb: which files it reads, how it ends, and the pre-commit hook that calls it."""

from __future__ import annotations

import io
import json
import os
import shlex
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest
import yaml

from speedscale_runtime.cli.root import main

ROOT = Path(__file__).resolve().parents[4]
WRONG = """\
apiVersion: apps/v1
kind: Deployment
metadata:
  annotations:
    sidecar.speedscale.com/inject: "on"
"""
RIGHT = WRONG.replace('"on"', '"true"')
WARNED = RIGHT + '    operator.speedscale.com/sut: "true"\n'
Capsys = pytest.CaptureFixture[str]


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def lint(*arguments: str) -> int:
    return main(["lint", *arguments])


def test_good_bad_and_misused(folder: Path, capsys: Capsys) -> None:
    (folder / "wrong.yaml").write_text(WRONG)
    (folder / "right.yaml").write_text(RIGHT)
    assert lint("right.yaml") == 0
    told = capsys.readouterr()
    assert (told.out, told.err) == ("", "0 errors in 1 file\n")
    assert lint("right.yaml", "wrong.yaml") == 1
    told = capsys.readouterr()
    assert told.out.startswith("wrong.yaml:5:5: error SPD002: sidecar.speedscale.com/inject: ")
    assert told.err == "1 error in 2 files\n"
    assert lint("nothing.yaml") == 2
    assert "nothing.yaml: no such file" in capsys.readouterr().err


def test_a_folder_with_all_below_it_but_hidden_ones(folder: Path, capsys: Capsys) -> None:
    for name in ("b/deep/x.yml", "a.yaml", ".git/x.yaml", "node_modules/p/x.yaml", "b/notes.txt", "b/Kustomization"):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(WRONG)
    assert lint(".", "a.yaml", str(folder / "b"), "--format", "json") == 1
    told = json.loads(capsys.readouterr().out)
    assert [p["file"] for p in told["problems"]] == ["a.yaml", "b/Kustomization", "b/deep/x.yml"]
    assert told["files"] == 3


def test_standard_input(folder: Path, capsys: Capsys, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", SimpleNamespace(buffer=io.BytesIO(WRONG.encode())))
    assert lint("-") == 1
    assert capsys.readouterr().out.startswith("stdin:5:5: error SPD002")


def test_warnings_fail_when_they_are_told_to(folder: Path, capsys: Capsys) -> None:
    (folder / "x.yaml").write_text(WARNED)
    assert lint("x.yaml") == 0
    assert lint("x.yaml", "--strict") == 1
    assert lint("x.yaml", "--strict", "--disable", "SPD005, set-by-operator") == 0
    assert lint("x.yaml", "--disable", "SPD0007") == 2
    assert "did you mean SPD007?" in capsys.readouterr().err


def test_broken_files_are_findings_beside_those_of_others(folder: Path, capsys: Capsys) -> None:
    (folder / "broken.yaml").write_bytes(b"a: [\xff")
    (folder / "wrong.yaml").write_text(WRONG)
    assert lint(".") == 1
    assert [line[:10] for line in capsys.readouterr().out.splitlines() if line[:1] != " "] == [
        "broken.yam",
        "wrong.yaml",
    ]
    assert lint("--disable", "unreadable", "broken.yaml") == 0


def test_a_file_that_cannot_be_opened_is_a_finding(
    folder: Path, capsys: Capsys, monkeypatch: pytest.MonkeyPatch
) -> None:
    (folder / "x.yaml").write_text(RIGHT)

    def refuse(path: Path) -> bytes:
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr(Path, "read_bytes", refuse)
    assert lint("x.yaml") == 1
    assert "x.yaml:1:1: error SPD090: cannot be read from here on: Permission denied" in capsys.readouterr().out


def test_a_kustomization_beside_a_file_says_that_it_is_a_patch(folder: Path) -> None:
    (folder / "kustomization.yaml").write_text("patches: [{path: patch.yaml}]\n")
    (folder / "patch.yaml").write_text(RIGHT.replace("inject", "tls-out"))
    assert lint("--strict", "patch.yaml") == 0
    (folder / "kustomization.yaml").write_text("resources: [patch.yaml]\n")
    assert lint("--strict", "patch.yaml") == 1


@pytest.mark.parametrize("style", ["text", "json", "sarif", "github"])
def test_every_format_prints_the_same_bytes_each_time(folder: Path, capsys: Capsys, style: str) -> None:
    (folder / "x.yaml").write_text(WRONG + WARNED)
    (folder / "y.yaml").write_text(WRONG)
    assert lint(".", "--format", style) == 1
    first = capsys.readouterr().out
    assert lint("y.yaml", "x.yaml", "--format", style) == 1
    assert capsys.readouterr().out == first
    assert str(folder) not in first


def hooks() -> list[dict[str, object]]:
    loaded: list[dict[str, object]] = yaml.safe_load((ROOT / ".pre-commit-hooks.yaml").read_text())
    return loaded


def test_the_hooks_are_what_pre_commit_expects() -> None:
    assert [hook["id"] for hook in hooks()] == ["speedctl-lint", "speedctl-lint-strict"]
    for hook in hooks():
        assert {"id", "name", "description", "entry", "language", "types", "require_serial"} == set(hook)
        assert (hook["language"], hook["types"], hook["require_serial"]) == ("system", ["yaml"], True)


@pytest.mark.parametrize(("hook", "code"), [("speedctl-lint", 0), ("speedctl-lint-strict", 1)])
def test_the_hooks_entry_runs_as_pre_commit_runs_it(folder: Path, hook: str, code: int) -> None:
    (folder / "x.yaml").write_text(WARNED)
    entry = next(str(known["entry"]) for known in hooks() if known["id"] == hook)
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    done = subprocess.run(
        [*shlex.split(entry), "x.yaml"], env={**os.environ, "PATH": path}, capture_output=True, text=True, timeout=60
    )
    assert (done.returncode, "warning SPD007" in done.stdout) == (code, True), done.stderr
