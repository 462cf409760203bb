"""The generator's console script: a summary at its end, in the file that Kubernetes keeps."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from speedscale_runtime.cli import generate
from speedscale_runtime.generator.config import termination_log
from speedscale_runtime.generator.server import Summary
from speedscale_schemas.validation import check, schema


def test_a_run_that_cannot_be_made_says_why(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    log = tmp_path / "termination-log"
    monkeypatch.setenv("TERMINATION_LOG", str(log))
    monkeypatch.setenv("SNAPSHOT_ID", "none-such")
    monkeypatch.setenv("SNAPSHOT_DIR", str(tmp_path))
    monkeypatch.setenv("SPEEDSCALE_HOME", str(tmp_path))
    assert generate.main() == 2
    made = json.loads(log.read_bytes())
    assert check("replay-summary", made) == []
    assert made["state"] == "Error"
    assert "none-such" in made["reason"]


def test_results_that_are_none_are_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    log = tmp_path / "termination-log"
    monkeypatch.setenv("TERMINATION_LOG", str(log))
    summary = Summary("r", tmp_path / "none.jsonl", 3, 3, ok=False, why="x", cancelled=False)
    generate._at_end(summary, "")
    made = json.loads(log.read_bytes())
    assert (made["state"], made["requests"], made["errors"]) == ("Error", 3, 3)


def test_a_file_that_cannot_be_written_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("TERMINATION_LOG", str(tmp_path / "no" / "folder"))
    generate._at_end(None, "why")
    assert "no/folder" in capsys.readouterr().err


def test_the_file_is_the_container_s_own_where_none_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    own = tmp_path / "log"
    monkeypatch.setattr("speedscale_runtime.generator.config._TERMINATION_LOG", own)
    assert termination_log({}) is None
    own.touch()
    assert termination_log({}) == own
    assert termination_log({"TERMINATION_LOG": "/elsewhere"}) == Path("/elsewhere")


_GOAL = st.fixed_dictionaries({k: st.text(max_size=128) for k in ("command", "expected", "actual")})


@given(st.text(max_size=1024), st.lists(_GOAL, max_size=32))
def test_a_summary_always_fits(reason: str, goals: list[dict[str, str]]) -> None:
    base = dict(schema("replay-summary")["examples"][0])
    data = generate.encoded({**base, "reason": reason, "goals": goals, "location": "/results/results.jsonl"})
    assert len(data) <= generate.MAX_BYTES
    assert json.loads(data)["state"] == base["state"]
