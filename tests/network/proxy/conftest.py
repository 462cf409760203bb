"""A pod of the test's own: a network namespace with redirecting rules, the sidecar in it as it runs in a cluster.

The sidecar is uid 2102 without capabilities, on a read-only root file system with a /tmp of its own; what is mounted
for it and what it leaves is in `pod.folder`. The application and its clients are programs of this folder.
"""

from __future__ import annotations

import json
import os
import shlex
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from speedscale_runtime.rrpair import recording

HERE = Path(__file__).parent
UID = "2102"
TOKEN = "a-token-of-this-namespace-1"
RULES = (
    "-A OUTPUT -p tcp -m owner --uid-owner 2102 -j RETURN",
    "-A OUTPUT -p tcp -o lo -j RETURN",
    "-A OUTPUT -p tcp -j REDIRECT --to-ports 4140",
    "-A PREROUTING -p tcp -m multiport --dports 4144,4145 -j RETURN",
    "-A PREROUTING -p tcp -j REDIRECT --to-ports 4143",
)
# Its root is read-only, its /tmp fresh, its rights are gone; /mnt is the test's folder.
CONTAINED = (
    "mount --make-rprivate / && {interpreter}"
    'mount --bind "$0" /mnt && mount -t tmpfs -o mode=1777 tmpfs /tmp && mount -o remount,bind,ro / '
    f"&& exec setpriv --reuid={UID} --regid={UID} --clear-groups --no-new-privs --bounding-set=-all "
    '--inh-caps=-all "$@"'
)


def reachable_interpreter() -> str:
    """Return what makes Python itself reachable for another user, where it lies in somebody's home."""
    prefix = Path(sys.base_prefix).resolve()
    hidden = next((p for p in reversed(prefix.parents) if not p.stat().st_mode & 0o001), None)
    if hidden is None:
        return ""
    steps = (
        'mkdir -p "$0/python"',
        f'mount --bind {shlex.quote(str(prefix))} "$0/python"',
        f"mount -t tmpfs -o mode=755 tmpfs {shlex.quote(str(hidden))}",
        f"mkdir -p {shlex.quote(str(prefix))}",
        f'mount --bind "$0/python" {shlex.quote(str(prefix))}',
    )
    return " && ".join(steps) + " && "


class Pod:
    """The namespace with the application and its sidecar."""

    def __init__(self, host: Any, folder: Path) -> None:
        self.host, self.folder = host, folder
        self.log = folder / "goproxy.log"
        self.processes: list[subprocess.Popen[bytes]] = []
        self.applications: list[subprocess.Popen[bytes]] = []

    def environment(self, forwarder: str) -> dict[str, str]:
        return {
            "PROXY_TYPE": "transparent",
            "APP_LABEL": "shop",
            "APP_POD_NAME": "shop-1",
            "APP_POD_NAMESPACE": "default",
            "STATUS_POD_IP": self.host.v4,
            "FORWARDER_ADDR": forwarder,
            "FORWARDER_TOKEN_FILE": "/mnt/token",
            "HOST_RESOLUTION": "none",
            "STATUS_FILE": "/mnt/status.json",
            "STATS_FILE": "/mnt/stats.json",
            "BATCH_LINGER_MS": "5",
            "CONNECT_TIMEOUT_S": "5",
            "MAX_BODY_BYTES": "1000",
            "FLUSH_TIMEOUT_S": "30",
            "DRAIN_QUIET_S": "0.2",
        }

    def start(self, forwarder: str = "127.0.0.1:1", **environment: str) -> subprocess.Popen[bytes]:
        """Start the sidecar and return once it is ready."""
        command = [
            "unshare",
            "--mount",
            "sh",
            "-c",
            CONTAINED.format(interpreter=reachable_interpreter()),
            str(self.folder),
        ]
        command += [sys.executable, "-m", "speedscale_runtime.proxy"]
        process: subprocess.Popen[bytes] = self.host.start(
            command, {**self.environment(forwarder), **environment}, self.log
        )
        self.processes.append(process)
        self.until(lambda: (self.folder / "status.json").exists(), process)
        return process

    def until(self, true: Callable[[], Any], process: subprocess.Popen[bytes] | None = None) -> Any:
        """Return the first true answer; fails with the sidecar's log after half a minute."""
        deadline = time.monotonic() + 90
        while not (found := true()):
            assert process is None or process.poll() is None, self.log.read_text()
            assert time.monotonic() < deadline, self.log.read_text()
            time.sleep(0.02)
        return found

    def events(self, name: str) -> list[dict[str, Any]]:
        lines = [json.loads(line) for line in self.log.read_text().splitlines() if line.startswith("{")]
        return [line for line in lines if line["event"] == name]

    def worker(self) -> int:
        return int(json.loads((self.folder / "status.json").read_text())["workerPid"])

    def ask(self, path: str, port: int = 4144) -> tuple[int, bytes]:
        """Ask the sidecar as the kubelet does, from the node."""
        script = (
            "import http.client, sys; c = http.client.HTTPConnection(sys.argv[1], int(sys.argv[2]), timeout=10); "
            "c.request('GET', sys.argv[3]); r = c.getresponse(); print(r.status); print(r.read().decode())"
        )
        status, _, body = self.host.run(script, self.host.v4, str(port), path).partition("\n")
        return int(status), body.encode()

    def stats(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self.ask("/stats")[1])
        return found

    def rule(self, rule: str) -> None:
        """Change a rule of IPv4."""
        subprocess.run(
            ["nsenter", f"--net=/var/run/netns/{self.host.name}", "iptables", "-t", "nat", *rule.split()], check=True
        )

    def kill_worker(self) -> int:
        """Kill it at once and return who it was."""
        worker = self.worker()
        os.kill(worker, signal.SIGKILL)
        return worker

    def hold_worker_off(self, process: subprocess.Popen[bytes]) -> None:
        """Kill workers until the supervisor waits for seconds before it starts the next one."""
        children = Path(f"/proc/{process.pid}/task/{process.pid}/children")
        for number in range(6):
            for child in self.until(lambda: children.read_text().split(), process):
                os.kill(int(child), signal.SIGKILL)
            self.until(lambda n=number: len(self.events("worker_ended")) > n, process)  # type: ignore[misc]

    def stop(self, process: subprocess.Popen[bytes]) -> dict[str, Any]:
        """Ask all containers to end, as the kubelet does, and return the sidecar's last numbers."""
        process.send_signal(signal.SIGTERM)
        self.end_applications()
        return self.ended(process)

    def ended(self, process: subprocess.Popen[bytes]) -> dict[str, Any]:
        """Wait for the sidecar's end and return its last numbers."""
        assert process.wait(60) == 0, self.log.read_text()
        left: dict[str, Any] = json.loads((self.folder / "stats.json").read_text())
        dropped = left["dropped"]
        assert left["seen"] == left["captured"] + sum(dropped.values()), left
        return left

    def end_applications(self) -> None:
        for process in self.applications:
            process.terminate()
            process.wait(30)
        self.applications.clear()


@pytest.fixture
def pod(hosts: tuple[Any, Any], tmp_path: Path) -> Iterator[Pod]:
    """The second host as a pod with rules; the first one is where its clients and its dependencies are."""
    if not (shutil.which("iptables") and shutil.which("ip6tables") and shutil.which("setpriv")):
        pytest.skip("transparent mode needs iptables, ip6tables and setpriv")
    folder = tmp_path / "pod"
    folder.mkdir()
    folder.chmod(0o777)
    (folder / "token").write_text(TOKEN)
    host = hosts[1]
    for program in ("iptables", "ip6tables"):
        for rule in RULES:
            command = ["nsenter", f"--net=/var/run/netns/{host.name}", program, "-t", "nat", *rule.split()]
            done = subprocess.run(command, capture_output=True, text=True, check=False)
            if done.returncode:
                pytest.skip(f"no rules can be made here: {done.stderr.strip()}")
    made = Pod(host, folder)
    yield made
    for process in made.processes:
        if process.poll() is None:
            process.kill()
            process.wait(30)


@pytest.fixture
def outside(hosts: tuple[Any, Any]) -> Any:
    """The host where the pod's clients and dependencies are."""
    return hosts[0]


Program = Callable[..., int]


@pytest.fixture
def program(pod: Pod, tmp_path: Path) -> Iterator[Program]:
    """Start `origin.py` on a host: `program(host, "http", "0.0.0.0")` returns its port."""
    others: list[subprocess.Popen[bytes]] = []

    def start(host: Any, kind: str, address: str, *arguments: str, **environment: str) -> int:
        started = pod.applications if host is pod.host else others
        status = tmp_path / f"origin{len(pod.applications) + len(others)}.json"
        status.unlink(missing_ok=True)
        command = (sys.executable, str(HERE / "origin.py"), kind, address, *arguments)
        process = host.start(command, {"STATUS_FILE": str(status), **environment}, tmp_path / "origins.log")
        started.append(process)
        pod.until(status.exists, process)
        return int(json.loads(status.read_text())["port"])

    yield start
    pod.end_applications()
    for process in others:
        process.terminate()
        process.wait(30)


@pytest.fixture
def client() -> Callable[..., dict[str, Any]]:
    """Run `client.py` on a host and return what it found; it compares by SHA-256 and fails on a difference."""
    script = (HERE / "client.py").read_text()

    def run(host: Any, *arguments: str) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(host.run(script, *arguments))
        return found

    return run


class Recorded:
    """A forwarder outside of the pod and what it wrote."""

    def __init__(self, port: int, out: Path) -> None:
        self.port, self.out = port, out

    def pairs(self) -> list[Any]:
        return [e.pair for e in recording.read(self.out) if e.pair is not None] if self.out.exists() else []


@pytest.fixture
def recorded(serve: Callable[..., dict[str, Any]], outside: Any, tmp_path: Path) -> Recorded:
    tokens = tmp_path / "tokens"
    tokens.write_text(TOKEN + "\n")
    out = tmp_path / "recorded"
    ready = serve(
        outside,
        "forwarder",
        (sys.executable, "-m", "speedscale_runtime.forwarder"),
        FORWARDER_PORT="0",
        FORWARDER_HOST="0.0.0.0",
        FORWARDER_TOKEN_FILE=str(tokens),
        METRICS_HTTP_PORT="0",
        SPOOL_DIR=str(tmp_path / "spool"),
        EXPORTERS=json.dumps({"recording": {"type": "files", "path": str(out), "format": "jsonl"}}),
    )
    return Recorded(int(ready["port"]), out)
