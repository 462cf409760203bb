"""`speedctl replay` from recording to report, by its exit code and its files."""

from __future__ import annotations

import asyncio
import json
import socket
from collections.abc import Callable
from pathlib import Path

import pytest

from speedscale_runtime.cli.root import main

from .conftest import Generator, Request, Server, answer, pair

pytestmark = pytest.mark.integration
Serve = Callable[..., Server]


@pytest.fixture(autouse=True)
def _home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SPEEDSCALE_HOME", str(tmp_path / "home"))
    monkeypatch.chdir(tmp_path)


def replay(recording: Path, port: int, *more: str) -> int:
    return main(["replay", "--in", str(recording), "--test-against", f"http://127.0.0.1:{port}", *more])


def test_passed(serve: Serve, generator: Generator, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    server = serve()
    code = replay(generator.record(pair(0), pair(0.1, uri="/y")), server.port, "--out", "out", "--build-tag", "v7")
    assert code == 0
    assert sorted(p.name for p in (tmp_path / "out").iterdir()) == [
        "report.html", "report.json", "report.md", "report.xml", "results.jsonl",
    ]  # fmt: skip
    assert json.loads((tmp_path / "out" / "report.json").read_text())["status"] == "Passed"
    assert "Passed" in capsys.readouterr().out


def test_missed_goals(serve: Serve, generator: Generator, capsys: pytest.CaptureFixture[str]) -> None:
    async def changed(request: Request, writer: asyncio.StreamWriter) -> None:
        answer(writer, {"uri": "something else"}, 500)

    server = serve(changed)
    assert replay(generator.record(pair(0)), server.port, "--no-out", "--output", "json") == 1
    assert json.loads(capsys.readouterr().out)["status"] == "Missed Goals"


def test_fail_if(serve: Serve, generator: Generator, tmp_path: Path) -> None:
    server = serve()
    recording = generator.record(pair(0))
    assert replay(recording, server.port, "--no-out", "--fail-if", "requests.total < 1") == 0
    assert replay(recording, server.port, "--no-out", "--fail-if", "requests.total >= 1") == 1
    assert not (tmp_path / "results").exists()


def test_nobody_there_is_an_error(generator: Generator) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        assert replay(generator.record(pair(0)), taken.getsockname()[1], "--no-out") == 2


def test_load(serve: Serve, generator: Generator, capsys: pytest.CaptureFixture[str]) -> None:
    server = serve()
    code = replay(
        generator.record(pair(0), pair(1)),
        server.port,
        "--no-out",
        "--load-test",
        "-u",
        "3",
        "-n",
        "5",
        "--output",
        "json",
    )
    assert code == 0
    assert len(server.requests) == 30
    assert json.loads(capsys.readouterr().out)["status"] == "Passed"


def test_stages_and_transform_sets(serve: Serve, generator: Generator, tmp_path: Path) -> None:
    server = serve()
    chain = {
        "extractor": {"type": "http_url", "config": {"index": "1"}},
        "transforms": [{"type": "constant", "config": {"new": "n"}}],
    }
    blueprints = tmp_path / "blueprints"
    blueprints.mkdir()
    (blueprints / "b.json").write_text(json.dumps({"id": "b", "tokenizeConfig": {"generator": [chain]}}))
    assert (
        replay(generator.record(pair(0)), server.port, "--no-out", "--load-test", "--stage", "rps=20,for=500ms,vus=4")
        == 0
    )
    assert len(server.requests) == 10
    assert {r.uri for r in server.requests} == {"/n"}


WRONG = [
    (["--fail-if", "latency.p99"], "expected METRIC"),
    (["--test-config", "standart"], "did you mean 'standard'"),
    (["--stage", "vu=3"], "write vus=N"),
    (["--timing", "fast"], "--timing"),
    (["--test-against", "ftp://x"], "write [SERVICE=]URL"),
    (["--mocks", "none.jsonl"], "no such file"),
    (["--transform-set", "none.json"], "no readable transform set"),
]


@pytest.mark.parametrize(("arguments", "message"), WRONG)
def test_errors_in_use(
    generator: Generator, arguments: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    target = [] if "--test-against" in arguments else ["--test-against", ":1"]
    assert main(["replay", "--in", str(generator.record(pair(0))), "--no-out", *target, *arguments]) == 2
    assert message in capsys.readouterr().err
