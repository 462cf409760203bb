"""`speedctl record` while its own services are killed: traffic flows, nothing acknowledged is lost, and it says so."""

from __future__ import annotations

import os
import signal
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest
import requests

from speedscale_runtime.rrpair import recording

pytestmark = pytest.mark.integration

COUNT = 40


def ask(session: requests.Session, port: int, number: int) -> None:
    answer = session.get(f"http://127.0.0.1:{port}/item/{number}", timeout=20)
    assert answer.json()["path"] == f"/item/{number}"


def client() -> requests.Session:
    made = requests.Session()
    made.trust_env = False
    return made


def recorded(out: Path) -> Counter[str]:
    found: Counter[str] = Counter()
    for entry in recording.read(out):
        assert entry.pair is not None, entry.error
        found[str(entry.pair.doc["location"])] += 1
    return found


@pytest.mark.parametrize("fmt", ["markdown", "jsonl"])
def test_kill_9_of_the_forwarder_loses_nothing(fmt: str, tmp_path: Path, origins, speedctl: Callable) -> None:
    out, port = tmp_path / "recording", origins.http.rpartition(":")[2]
    arguments = ("--app-port", port, "--proxy-in-port", "0", "--proxy-out-port", "0", "--out", str(out))
    session = speedctl("record", *arguments, "--out-format", fmt)
    ready = session.ready()
    with client() as requests_of:
        for number in range(COUNT):
            ask(requests_of, ready["inPort"], number)
            if number == COUNT // 2:
                os.kill(ready["forwarderPid"], signal.SIGKILL)
    code, summary, err = session.end()
    assert code == 0, err
    assert "the forwarder ended with code -9; it is started again" in err
    assert summary["forwarderRestarts"] == 1
    assert summary["seen"] == summary["captured"] == summary["recorded"] == COUNT
    assert recorded(out) == Counter(f"/item/{n}" for n in range(COUNT))
    assert not (out / ".spool").exists()


def test_kill_9_of_the_worker_is_told_of(tmp_path: Path, origins, speedctl: Callable) -> None:
    out, port = tmp_path / "recording", origins.http.rpartition(":")[2]
    session = speedctl("record", "--app-port", port, "--proxy-in-port", "0", "--proxy-out-port", "0", "--out", str(out))
    ready = session.ready()
    with client() as held, client() as later:
        ask(held, ready["inPort"], 0)
        _until_seen(ready["healthPort"], 1)  # what was sent on is looked at a moment later
        os.kill(ready["workerPid"], signal.SIGKILL)
        ask(later, ready["inPort"], 1)  # never refused: the supervisor accepts
    code, summary, err = session.end()
    assert code == 0, err
    assert summary["connectionsCut"] == 1
    assert summary["seen"] == summary["captured"] + sum(summary["dropped"].values())
    passed_on = summary["opaque"].get("worker_restarting", 0)
    assert summary["seen"] + passed_on >= 2
    assert set(recorded(out)) <= {"/item/0", "/item/1"}


def test_kill_9_of_the_proxy_ends_the_recording_and_keeps_it(tmp_path: Path, origins, speedctl: Callable) -> None:
    out, port = tmp_path / "recording", origins.http.rpartition(":")[2]
    session = speedctl("record", "--app-port", port, "--proxy-in-port", "0", "--proxy-out-port", "0", "--out", str(out))
    ready = session.ready()
    with client() as requests_of:
        for number in range(COUNT):
            ask(requests_of, ready["inPort"], number)
    os.kill(ready["pid"], signal.SIGKILL)
    code, summary, err = session.end(interrupt=False)
    assert code == 2
    assert "the proxy ended with code -9 while recording" in err
    assert summary["recorded"] == COUNT  # the worker hands over what it holds when its supervisor is gone
    assert recorded(out) == Counter(f"/item/{n}" for n in range(COUNT))


def test_a_recording_that_cannot_be_written_says_so_and_keeps_the_pairs(
    tmp_path: Path, origins, speedctl: Callable
) -> None:
    out, port = tmp_path / "recording", origins.http.rpartition(":")[2]
    (out / "raw.jsonl").mkdir(parents=True)  # what the recording would be written to
    flags = ("--app-port", port, "--proxy-in-port", "0", "--proxy-out-port", "0", "--out", str(out))
    session = speedctl("record", *flags, "--out-format", "jsonl")
    ready = session.ready()
    with client() as requests_of:
        ask(requests_of, ready["inPort"], 0)
    session.process.send_signal(signal.SIGINT)
    assert session.process.stderr is not None
    seen = ""
    while "pairs cannot be written" not in seen:
        seen = session.process.stderr.readline()
        assert seen, "it ended without a word"
    code, summary, err = session.end()  # the second Ctrl-C
    assert code == 2
    assert "1 pairs are not written yet" in err
    assert summary["captured"] == 1
    assert summary["recorded"] == 0
    (out / "raw.jsonl").rmdir()
    session.status_file.unlink()
    again = speedctl("record", *flags, "--out-format", "jsonl")
    again.ready()
    assert again.end()[0] == 0
    assert recorded(out) == Counter({"/item/0": 1})
    assert not (out / ".spool").exists()


def test_when_speedctl_itself_is_killed_its_services_do_not_stay(tmp_path: Path, speedctl: Callable) -> None:
    session = speedctl(
        *("record", "--app-port", "1", "--proxy-in-port", "0", "--proxy-out-port", "0"),
        *("--out", str(tmp_path / "recording")),
    )
    ready = session.ready()
    services = _children(session.process.pid) | {ready["pid"], ready["workerPid"]}
    assert len(services) >= 3
    session.process.kill()
    session.process.wait(30)
    deadline = time.monotonic() + 60
    while any(_alive(pid) for pid in services):
        assert time.monotonic() < deadline, "left behind"
        time.sleep(0.05)


def _until_seen(port: int, count: int) -> None:
    deadline = time.monotonic() + 90
    while requests.get(f"http://127.0.0.1:{port}/stats", timeout=10).json()["seen"] < count:
        assert time.monotonic() < deadline, "never seen"


def _children(pid: int) -> set[int]:
    return {int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()}


def _alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes() != b""
    except OSError:
        return False
