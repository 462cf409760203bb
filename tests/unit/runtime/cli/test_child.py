"""The user's command beside a verb: environment, exit codes, and that nothing is left behind."""

import os
import signal
import sys
from pathlib import Path

import pytest

from speedscale_runtime.cli import child
from speedscale_runtime.tls.authority import Authority
from speedscale_schemas.errors import ConfigError


def test_every_runtime_finds_the_proxy_and_the_ca(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("JAVA_TOOL_OPTIONS", "-Xmx64m")
    found = child.proxy_environment(4140, Authority.load_or_create(tmp_path))
    for name in ("HTTP_PROXY", "http_proxy", "HTTPS_PROXY", "https_proxy", "ALL_PROXY"):
        assert found[name] == "http://127.0.0.1:4140"
    assert found["NO_PROXY"] == found["no_proxy"] == ""
    assert found["NODE_USE_ENV_PROXY"] == "1"
    assert found["JAVA_TOOL_OPTIONS"].startswith("-Xmx64m ")
    assert "-Dhttps.proxyPort=4140" in found["JAVA_TOOL_OPTIONS"]
    assert Path(found["SSL_CERT_FILE"]).exists()


@pytest.mark.parametrize(("script", "code"), [("exit 0", 0), ("exit 5", 5), ("kill -9 $$", 137)])
def test_the_exit_code_is_passed_on(script: str, code: int) -> None:
    assert child.run(["sh", "-c", script], {}) == code


def test_the_environment_is_added_to_ours() -> None:
    script = '[ "$ADDED" = yes ] && [ -n "$PATH" ]'
    assert child.run(["sh", "-c", script], {"ADDED": "yes"}) == 0


def test_a_command_that_cannot_start_is_named() -> None:
    with pytest.raises(ConfigError, match="cannot start 'no-such-program'"):
        child.Child(["no-such-program"], {})


def test_a_child_and_its_own_children_are_ended(tmp_path: Path) -> None:
    script = f"sleep 600 & echo $! > {tmp_path}/pid; wait"
    with child.Child(["sh", "-c", script], {}) as started:
        child.watch((tmp_path / "pid").exists, child.Interrupt(), 10)
        child.watch(lambda: (tmp_path / "pid").read_text().strip() != "", child.Interrupt(), 10)
        grandchild = int((tmp_path / "pid").read_text())
        assert started.running
    assert not started.running
    child.watch(lambda: not _alive(grandchild), child.Interrupt(), 10)
    assert not _alive(grandchild)


@pytest.mark.parametrize(
    ("line", "said"),
    [
        (
            '{"event": "not_started", "error": "cannot listen on 127.0.0.1 port 1: Address already in use"}',
            "another port",
        ),
        (
            "speedscale-goproxy: environment: REVERSE_PROXY_PORT: 99999: expected 65535 or less",
            "expected 65535 or less",
        ),
        ('{"event": "stopping"}', "ended with code 2"),
        ("no JSON", "ended with code 2"),
        ('"a string"', "ended with code 2"),
    ],
)
def test_a_service_that_cannot_start_says_why(tmp_path: Path, line: str, said: str) -> None:
    log = tmp_path / "service.log"
    log.write_text('{"error": "of an earlier run"}\n')
    script = 'printf "%s\\n" "$SAID"; exit 2'
    with (
        child.Child(["sh", "-c", script], {"SAID": line}, log=log) as service,
        pytest.raises(ConfigError, match=said),
    ):
        child.wait_for_status(service, tmp_path / "status.json", "the proxy", 10)


def _alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes() != b""
    except OSError:
        return False


def test_a_service_that_ends_early_says_so(tmp_path: Path) -> None:
    with (
        child.Child([sys.executable, "-c", "raise SystemExit(3)"], {}) as started,
        pytest.raises(ConfigError, match="the forwarder ended with code 3 before it was ready"),
    ):
        child.wait_for_status(started, tmp_path / "never.json", "the forwarder")


def test_the_first_signal_is_a_wish_and_the_second_an_order() -> None:
    with child.Interrupt() as interrupt:
        os.kill(os.getpid(), signal.SIGINT)
        assert interrupt.seen
        with pytest.raises(KeyboardInterrupt):
            os.kill(os.getpid(), signal.SIGTERM)


def test_nothing_is_left_when_the_user_does_not_wait_for_the_end(monkeypatch: pytest.MonkeyPatch) -> None:
    started = child.Child(["sh", "-c", "trap '' TERM; while :; do sleep 1; done"], {})
    wait = started.process.wait

    def impatient(timeout: float | None = None) -> int:
        if timeout is not None:
            raise KeyboardInterrupt
        return wait()

    monkeypatch.setattr(started.process, "wait", impatient)
    with pytest.raises(KeyboardInterrupt):
        started.stop()
    child.watch(lambda: not started.group_running, child.Interrupt(), 10)  # killed; init takes a moment to reap
    assert not started.group_running
