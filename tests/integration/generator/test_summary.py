"""What a run leaves in the container's termination message, and which tests it sends."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from speedscale_runtime.cli import generate
from speedscale_schemas.validation import check

from .conftest import Generator, Request, Server, answer, pair

pytestmark = pytest.mark.integration
Serve = Callable[..., Server]


def summarised(
    generator: Generator, recording: Path, monkeypatch: pytest.MonkeyPatch, **environ: str
) -> dict[str, Any]:
    """Run as in a container and return the termination message."""
    log = generator.folder / "termination-log"
    given = {
        "SNAPSHOT_ID": str(recording),
        "RESULTS_FILE": str(generator.folder / "results.jsonl"),
        "SPEEDSCALE_HOME": str(generator.folder / "home"),
        "TERMINATION_LOG": str(log),
        "TEST_CONFIG_ID": "standard",
        "TEST_REPORT_ID": "r-1",
        "LOG_LEVEL": "error",
        **environ,
    }
    for name, value in given.items():
        monkeypatch.setenv(name, value)
    generate.main()
    made: dict[str, Any] = json.loads(log.read_bytes())
    assert check("replay-summary", made) == []
    return made


def test_a_run_that_passes(serve: Serve, generator: Generator, monkeypatch: pytest.MonkeyPatch) -> None:
    server = serve()
    made = summarised(
        generator,
        generator.record(pair(0), pair(0, uri="/y")),
        monkeypatch,
        CUSTOM_URL=f"http://127.0.0.1:{server.port}",
    )
    assert (made["state"], made["requests"], made["errors"], made["matched"]) == ("Passed", 2, 0, 2)
    assert made["reportID"] == "r-1"
    assert made["goalsMissed"] == 0


def test_goals_that_are_missed_are_named(serve: Serve, generator: Generator, monkeypatch: pytest.MonkeyPatch) -> None:
    async def other(request: Request, writer: asyncio.StreamWriter) -> None:
        answer(writer, {"uri": "other"})

    made = summarised(
        generator, generator.record(pair(0)), monkeypatch, CUSTOM_URL=f"http://127.0.0.1:{serve(other).port}"
    )
    assert made["state"] == "Missed Goals"
    assert made["goalsMissed"] == len(made["goals"]) == 1
    assert made["matched"] < made["compared"]


def test_only_selected_tests_are_sent(serve: Serve, generator: Generator) -> None:
    server = serve()
    recording = generator.record(pair(0, uri="/mine"), pair(0, uri="/theirs", service="other"))
    result = generator.run(recording, f"http://127.0.0.1:{server.port}", environ={"TESTS": "svc:other"})
    assert [line["recorded"]["http"]["req"]["url"] for line in result.of("pair")] == ["/theirs"]
    assert {request.uri for request in server.requests} == {"/theirs"}
