"""Two hosts of the test's own: network namespaces with a cable between them, IPv4 and IPv6, gone afterwards."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest


class Host:
    """One namespace: its addresses, and processes that run in it."""

    def __init__(self, name: str, v4: str, v6: str) -> None:
        self.name, self.v4, self.v6 = name, v4, v6

    def start(self, command: Sequence[str], environment: dict[str, str], log: Path) -> subprocess.Popen[bytes]:
        with log.open("ab") as out:
            return subprocess.Popen(
                ["nsenter", f"--net=/var/run/netns/{self.name}", *command],
                env={**os.environ, **environment},
                stdout=out,
                stderr=out,
            )

    def run(self, script: str, *arguments: str) -> str:
        """Run Python in the namespace and return what it prints; AssertionError with its errors when it fails."""
        done = subprocess.run(
            ["nsenter", f"--net=/var/run/netns/{self.name}", sys.executable, "-c", script, *arguments],
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout.strip()


def _ip(*arguments: str) -> None:
    subprocess.run(["ip", *arguments], check=True, capture_output=True, text=True)


@pytest.fixture
def hosts() -> Iterator[tuple[Host, Host]]:
    """A client and a server host; skipped with the reason where namespaces cannot be made."""
    if os.geteuid() != 0 or not shutil.which("ip") or not shutil.which("nsenter"):
        pytest.skip("network namespaces need root, iproute2 and nsenter")
    number = os.getpid() % 100_000
    names = (f"ssc{number}", f"sss{number}")
    made: list[str] = []
    try:
        for name in names:
            try:
                _ip("netns", "add", name)
            except subprocess.CalledProcessError as error:
                pytest.skip(f"no network namespace can be made here: {error.stderr.strip()}")
            made.append(name)
        _ip("link", "add", "eth0", "netns", names[0], "type", "veth", "peer", "name", "eth0", "netns", names[1])
        found = []
        for index, name in enumerate(names, start=1):
            host = Host(name, f"192.0.2.{index}", f"2001:db8::{index}")
            for arguments in (
                ("addr", "add", f"{host.v4}/24", "dev", "eth0"),
                ("addr", "add", f"{host.v6}/64", "dev", "eth0", "nodad"),
                ("link", "set", "eth0", "up"),
                ("link", "set", "lo", "up"),
            ):
                _ip("-n", name, *arguments)
            found.append(host)
        yield found[0], found[1]
    finally:
        for name in made:
            subprocess.run(["ip", "netns", "del", name], check=False, capture_output=True)


@pytest.fixture
def serve(tmp_path: Path) -> Iterator[Callable[..., dict[str, Any]]]:
    """Start a process on a host and return what it writes to its status file; ended with SIGTERM afterwards."""
    started: list[subprocess.Popen[bytes]] = []

    def start(host: Host, name: str, command: Sequence[str], **environment: str) -> dict[str, Any]:
        status, log = tmp_path / f"{name}.json", tmp_path / f"{name}.log"
        environment = {"STATUS_FILE": str(status), "SPEEDSCALE_HOME": str(tmp_path / "home"), **environment}
        process = host.start(command, environment, log)
        started.append(process)
        deadline = time.monotonic() + 90
        while not status.exists():
            assert process.poll() is None, log.read_text()
            assert time.monotonic() < deadline, log.read_text()
            time.sleep(0.02)
        found: dict[str, Any] = json.loads(status.read_text())
        return found

    yield start
    for process in reversed(started):
        process.send_signal(signal.SIGTERM)
        process.wait(60)
