"""`speedctl report` from the command line."""

from __future__ import annotations

import json
from typing import Any

import pytest

from speedscale_runtime.cli import root


def test_it_writes_every_format_and_says_that_goals_were_missed(
    results: Any, shop: Any, tmp_path: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = shop(results).write()
    assert root.main(["report", "--in", str(folder), "--out", str(tmp_path / "out")]) == 1
    assert {p.name for p in (tmp_path / "out").iterdir()} == {"report.html", "report.json", "report.md", "report.xml"}
    out = capsys.readouterr().out
    assert "Missed Goals: requests.result-match-pct is 72.28 %" in out
    assert "POST /orders" in out


def test_json_for_scripts(results: Any, shop: Any, capsys: pytest.CaptureFixture[str]) -> None:
    folder = shop(results).write()
    code = root.main(["report", "--in", str(folder), "--format", "json", "-o", "json", "--fail-if", "latency.p99 > 1"])
    printed = json.loads(capsys.readouterr().out)
    assert (code, printed["exitCode"], printed["status"]) == (1, 1, "Missed Goals")
    assert printed["goals"][-1]["command"] == "latency.p99"
    assert [p.rpartition("/")[2] for p in printed["files"]] == ["report.json"]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--format", "pdf"], "unknown format 'pdf'; there are json, html, junit, markdown"),
        (["--fail-if", "latancy.p99 > 1"], "did you mean 'latency.p99'?"),
        (["--mocks", "/nonexistent/mocks.jsonl"], "no such file"),
    ],
)
def test_mistakes_end_with_two_and_a_way_out(
    results: Any, shop: Any, arguments: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = shop(results).write()
    assert root.main(["report", "--in", str(folder), *arguments]) == 2
    assert said in capsys.readouterr().err


def test_help_shows_examples(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        root.main(["report", "--help"])
    assert "speedctl report --in results/replayed" in capsys.readouterr().out
