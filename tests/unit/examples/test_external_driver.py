"""The example that keeps mocks up around a command: whatever happens to the command, the TrafficReplay is deleted."""

from __future__ import annotations

import functools
import os
import signal
import subprocess
from pathlib import Path

import pytest

SCRIPT = Path(__file__).resolve().parents[3] / "examples" / "external-driver" / "with-mocks.sh"
KUBECTL = """#!/bin/sh
echo "$@" >> "$CALLS"
case "$1" in
  wait) exit "${WAIT_CODE:-0}" ;;
  get) echo "checkout: image cannot be pulled" ;;
esac
"""
APPLY, WAIT, DELETE = "apply --namespace shop -f it.yaml", "wait --namespace shop", "delete --namespace shop -f it.yaml"


@pytest.fixture
def environment(tmp_path: Path) -> dict[str, str]:
    """PATH begins with a kubectl that notes how it is called."""
    kubectl = tmp_path / "bin" / "kubectl"
    kubectl.parent.mkdir()
    kubectl.write_text(KUBECTL, encoding="utf-8")
    kubectl.chmod(0o755)
    (tmp_path / "calls").touch()
    path = os.pathsep.join([str(kubectl.parent), os.environ["PATH"]])
    return {"PATH": path, "CALLS": str(tmp_path / "calls")}


def calls(environment: dict[str, str]) -> list[str]:
    return Path(environment["CALLS"]).read_text(encoding="utf-8").splitlines()


def begun(call: str) -> str:
    return next((known for known in (APPLY, WAIT, DELETE) if call.startswith(known)), call)


def run(environment: dict[str, str], *command: str) -> subprocess.CompletedProcess[str]:
    whole = [str(SCRIPT), "shop", "it.yaml", *command]
    return subprocess.run(whole, env=environment, capture_output=True, text=True, check=False, timeout=60)


@pytest.mark.parametrize("code", [0, 7])
def test_the_command_runs_among_mocks_and_its_code_is_ours(environment: dict[str, str], code: int) -> None:
    done = run(environment, "sh", "-c", f'echo driven >> "$CALLS"; exit {code}')
    assert done.returncode == code, done.stderr
    assert [begun(call) for call in calls(environment)] == [APPLY, WAIT, "driven", DELETE]


def test_mocks_that_do_not_come_up_are_told_and_nothing_is_driven(environment: dict[str, str]) -> None:
    done = run({**environment, "WAIT_CODE": "1"}, "sh", "-c", 'echo driven >> "$CALLS"')
    assert done.returncode == 2
    assert "checkout: image cannot be pulled" in done.stderr
    assert [begun(call) for call in calls(environment) if not call.startswith("get")] == [APPLY, WAIT, DELETE]


@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 143), (signal.SIGINT, 130)])
def test_a_signal_ends_command_and_mocks(
    environment: dict[str, str], tmp_path: Path, number: signal.Signals, code: int
) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    loop = f"trap 'echo ended >> \"$CALLS\"; exit' TERM; echo up > {pipe}; while :; do sleep 0.05; done"
    whole = [str(SCRIPT), "shop", "it.yaml", "sh", "-c", loop]
    # Who runs these tests in the background of a shell has them ignore SIGINT, and a shell cannot trap what it ignores.
    heard = functools.partial(signal.signal, number, signal.SIG_DFL)
    with subprocess.Popen(whole, env=environment, stderr=subprocess.PIPE, preexec_fn=heard) as running:
        try:
            assert pipe.read_text(encoding="utf-8") == "up\n"
            running.send_signal(number)
            assert running.wait(60) == code
        finally:
            running.kill()
    assert {DELETE, "ended"} == {begun(call) for call in calls(environment)[2:]}


def test_too_few_arguments_are_told(environment: dict[str, str]) -> None:
    done = run(environment)
    assert done.returncode == 2
    assert "usage:" in done.stderr
    assert calls(environment) == []
