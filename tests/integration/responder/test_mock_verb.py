"""`speedctl mock` and `speedctl snapshot` as users run them: processes, exit codes, what is printed."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from speedscale_schemas.validation import check

pytestmark = [
    pytest.mark.integration,
    pytest.mark.skipif(shutil.which("curl") is None, reason="curl is not installed"),
]

ASK = "curl -sS https://api.example.com/v1/items"


@pytest.fixture
def environment(home: Path) -> dict[str, str]:
    kept = {k: v for k, v in os.environ.items() if "proxy" not in k.lower()}
    return {**kept, "SPEEDSCALE_HOME": str(home)}


def speedctl(environment: dict[str, str], cwd: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "speedscale_runtime.cli.root", *arguments],
        env=environment, cwd=cwd, capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip


def test_a_command_gets_its_mocks_and_its_exit_code_is_ours(
    recording: Any, environment: dict[str, str], tmp_path: Path
) -> None:
    recording.add(url="https://api.example.com/v1/items", answer=b'{"n":1}')
    recording.add(url="https://api.example.com/never")
    done = speedctl(environment, tmp_path, "mock", "--in", str(recording.root), "--", "sh", "-c", f"{ASK}; exit 7")
    assert done.returncode == 7, done.stderr
    assert done.stdout.startswith('{"n":1}1 call (100 % matched): 1 from the recording')
    assert "1 of 2 mocks were never used\n  GET api.example.com/never" in done.stdout
    (results,) = (tmp_path / "results").glob("mocked-*/mocks.jsonl")
    assert all(not check("mock-line", json.loads(line)) for line in results.read_text().splitlines())


@pytest.mark.parametrize(("flags", "code"), [([], 0), (["--strict"], 1)])
def test_strict_fails_when_a_call_had_no_recorded_answer(
    recording: Any, environment: dict[str, str], tmp_path: Path, flags: list[str], code: int
) -> None:
    recording.add("POST", "https://api.example.com/v1/items", b'{"a":1}')
    command = ["sh", "-c", f"{ASK} -H content-type:application/json -d '{{\"a\":2}}' >/dev/null"]
    base = ["mock", "--in", str(recording.root), "--no-out", "--on-miss", "fail", *flags, "--"]
    done = speedctl(environment, tmp_path, *base, *command)
    assert done.returncode == code, done.stderr
    assert "a: asked '2', nearest recording '1'" in done.stdout
    assert not (tmp_path / "results").exists()


def test_results_as_json(recording: Any, environment: dict[str, str], tmp_path: Path) -> None:
    recording.add(url="https://api.example.com/v1/items")
    base = ["mock", "--in", str(recording.root), "--out", str(tmp_path / "out"), "-o", "json", "--", "true"]
    done = speedctl(environment, tmp_path, *base)
    told = json.loads(done.stdout)
    assert (told["requests"], told["mocks"], told["unused"], told["exitCode"]) == (0, 1, 1, 0)
    assert told["unusedMocks"] == ["GET api.example.com/v1/items"]


def test_alone_it_runs_until_it_is_interrupted(recording: Any, environment: dict[str, str], tmp_path: Path) -> None:
    recording.add(url="http://api.example.com/v1/items", answer=b'{"n":1}')
    status_file = tmp_path / "status.json"
    base = ["mock", "--in", str(recording.root), "--no-out", "--proxy-out-port", "0", "--status-file", str(status_file)]
    process = subprocess.Popen(
        [sys.executable, "-m", "speedscale_runtime.cli.root", *base],
        env=environment, cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    try:
        deadline = time.monotonic() + 90
        while not status_file.exists() and process.poll() is None and time.monotonic() < deadline:
            os.sched_yield()
        port = json.loads(status_file.read_text())["proxyPort"]
        asked = ["curl", "-sS", "--proxy", f"http://127.0.0.1:{port}", "http://api.example.com/v1/items"]
        assert subprocess.run(asked, capture_output=True, check=True, timeout=30).stdout == b'{"n":1}'
        process.send_signal(signal.SIGINT)
        output, errors = process.communicate(timeout=30)
    finally:
        process.kill()
        process.communicate()
    assert process.returncode == 0, errors
    assert "1 from the recording" in output


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--in", "nowhere"], "nowhere"),
        (["--in", ".", "--mock-timing", "fast"], "none, recorded"),
        (["--in", ".", "--fault", "x"], "expected <regex>:action=value"),
        (["--in", ".", "--mock", "host:nowhere"], "names none of the traffic"),
    ],
)
def test_errors_in_use_are_two_and_say_what_is_wrong(
    recording: Any, environment: dict[str, str], arguments: list[str], said: str
) -> None:
    recording.add()
    done = speedctl(environment, recording.root, "mock", "--no-out", *arguments, "--", "true")
    assert done.returncode == 2
    assert said in done.stderr


def test_a_snapshot_is_made_shown_and_mocked(recording: Any, environment: dict[str, str], tmp_path: Path) -> None:
    recording.add(url="https://api.example.com/v1/items", answer=b'{"n":1}')
    recording.add(url="https://api.example.com/other")
    (recording.root / "broken.json").write_text("{")
    create = ["snapshot", "create", "--in", str(recording.root), "--name", "mine", "-o", "json"]
    made = speedctl(environment, tmp_path, *create, "--filter", '(location IS "/v1/items")')
    assert made.returncode == 0, made.stderr
    told = json.loads(made.stdout)
    assert (told["mocks"], told["tests"], [e["reason"] for e in told["skipped"]]) == (1, 0, ["broken"])
    shown = speedctl(environment, tmp_path, "snapshot", "show", told["manifest"]["id"])
    assert f"snapshot  {told['manifest']['id']}  mine" in shown.stdout
    assert "1  shop:api.example.com:443  JSON" in shown.stdout
    assert "skipped   1 broken" in shown.stdout
    base = ["mock", "--in", told["manifest"]["id"], "--no-out", "--", "sh", "-c", ASK]
    assert speedctl(environment, tmp_path, *base).stdout.startswith('{"n":1}')


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["create", "--in", "nowhere"], "no such recording: nowhere"),
        (["create", "--in", ".", "--service", "other"], "no pair was selected"),
        (["create", "--in", ".", "--filter", "(colour IS red)"], "colour"),
        (["show", "0000"], "neither a file or directory nor a snapshot"),
    ],
)
def test_wrong_snapshots(recording: Any, environment: dict[str, str], arguments: list[str], said: str) -> None:
    recording.add()
    done = speedctl(environment, recording.root, "snapshot", *arguments)
    assert done.returncode == 2
    assert said in done.stderr


def test_a_source_without_answers_is_an_error_that_says_what_mocks_are(
    environment: dict[str, str], tmp_path: Path
) -> None:
    empty = tmp_path / "empty"
    empty.mkdir()
    done = speedctl(environment, tmp_path, "mock", "--in", str(empty), "--no-out", "--", "true")
    assert done.returncode == 2
    assert "holds no answer to serve" in done.stderr
    assert "direction OUT" in done.stderr
