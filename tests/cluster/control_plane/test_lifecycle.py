"""A cluster leaves nothing behind, however its owner ends, and lives on where it shall."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from harness.cluster import Cluster
from harness.process import NotReady, Process

ROOT = Path(__file__).resolve().parents[3]
COMPONENTS = {"etcd", "kube-apiserver", "kube-controller-manager"}
OWNER = f"""
import sys, pathlib
sys.path[:0] = [{str(ROOT / "tests" / "cluster")!r}]
from harness.cluster import Cluster
with Cluster(pathlib.Path(sys.argv[1])):
    print("ready", flush=True)
    sys.stdin.read()
"""


def alive(pids: set[int]) -> set[int]:
    """Return those that run: a killed one may stay as a zombie."""
    return {pid for pid in pids if Path(f"/proc/{pid}/cmdline").exists() and _command(pid)}


def _command(pid: int) -> bytes:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return b""


def pids(folder: Path) -> set[int]:
    found = {path.stem: json.loads(path.read_text(encoding="utf-8"))["pid"] for path in folder.glob("*.pid")}
    assert set(found) == COMPONENTS
    return set(found.values())


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGINT, None], ids=["killed", "interrupted", "ends"])
def test_nothing_is_left_when_its_owner_is_gone(how: signal.Signals | None, cluster: Cluster, tmp_path: Path) -> None:
    folder = tmp_path / "it"
    with subprocess.Popen(
        [sys.executable, "-c", OWNER, str(folder)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    ) as owner:
        assert owner.stdout is not None
        assert owner.stdout.readline() == b"ready\n"
        running = pids(folder)
        assert alive(running) == running
        if how is not None:
            owner.send_signal(how)
        owner.communicate(timeout=60)
    Cluster.until(lambda: not alive(running), "all processes are gone")
    assert folder.exists() == (how is signal.SIGKILL), "who is killed cannot tidy up; who ends does"


def test_one_that_does_not_start_says_why_and_leaves_nothing(tmp_path: Path) -> None:
    process = Process("it", tmp_path)
    process.start(["sh", "-c", "echo 'no such flag' >&2; exit 3"])
    with pytest.raises(NotReady, match=r"it ended before it was ready(.|\n)*no such flag"):
        process.wait(lambda: False, 30)
    process.start(["sleep", "600"])
    with pytest.raises(NotReady, match="was not ready in 0 s"):
        process.wait(lambda: False, 0)
    process.stop()
    assert process.pid is None


def test_a_pid_that_is_somebody_elses_is_never_signalled(tmp_path: Path) -> None:
    with subprocess.Popen(["sleep", "600"], start_new_session=True) as other:
        record = {"pid": other.pid, "command": ["/usr/bin/etcd", "--name=etcd"]}
        (tmp_path / "it.pid").write_text(json.dumps(record), encoding="utf-8")
        process = Process("it", tmp_path)
        assert process.pid is None
        process.stop()
        assert other.poll() is None
        other.kill()


def test_one_that_will_not_stop_is_killed(tmp_path: Path) -> None:
    process = Process("it", tmp_path)
    process.start(["sh", "-c", "trap '' TERM; echo armed; while :; do sleep 600 & wait; done"])
    process.wait(lambda: "armed" in process.tail(), 30)
    pid = process.pid
    process.stop(deadline_s=0)
    assert pid is not None
    assert not alive({pid})


def make(verb: str, cache: Path) -> subprocess.CompletedProcess[str]:
    # the programs stay where they are: only the state of this cluster lies elsewhere
    tools = cache / "speedscale" / "tools"
    tools.parent.mkdir(parents=True, exist_ok=True)
    if not tools.exists():
        sys.path.insert(0, str(ROOT / "scripts"))
        import go_tools

        tools.symlink_to(go_tools.cache() / "tools")
    environment = {**os.environ, "XDG_CACHE_HOME": str(cache)}
    command = [sys.executable, str(ROOT / "scripts" / "cluster.py"), verb]
    return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=120, check=False)


def test_up_lives_on_is_idempotent_and_down_takes_it_away(cluster: Cluster, tmp_path: Path) -> None:
    cache = tmp_path / "cache"
    folder = cache / "speedscale" / "cluster"
    try:
        first = make("up", cache)
        assert first.returncode == 0, first.stderr
        assert first.stdout == f"export KUBECONFIG={folder}/kubeconfig\n"
        assert "kube-apiserver is ready after" in first.stderr
        running = pids(folder)
        again = make("up", cache)
        assert (again.stdout, pids(folder)) == (first.stdout, running)
        assert "runs already" in again.stderr
        assert make("status", cache).returncode == 0
        assert "kube-system" in cluster.kubectl("get", "namespaces", kubeconfig=folder / "kubeconfig")

        os.kill(json.loads((folder / "etcd.pid").read_text(encoding="utf-8"))["pid"], signal.SIGKILL)
        healed = make("up", cache)
        assert healed.returncode == 0, healed.stderr
        assert not alive(running), "what was left of the broken one is gone"
        running = pids(folder)
    finally:
        down = make("down", cache)
    assert down.returncode == 0
    assert not alive(running)
    assert not folder.exists()
    assert make("status", cache).returncode == 1
    assert "nothing runs" in make("down", cache).stderr
