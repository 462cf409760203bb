"""The whole way on this machine's kernel: an application, the capture, the ingest; every request a pair at each end."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests" / "integration" / "nettap"))
from playing_capture import Program, until  # noqa: E402

pytestmark = pytest.mark.kernel

REQUESTS, CONNECTIONS = 60, 4


@pytest.fixture
def ingest(capture_program: Path, cgroup: Path, tmp_path: Path) -> Iterator[Program]:
    """An ingest, and a capture that it has told of the test's cgroup."""
    path = tmp_path / "nettap.sock"
    environ = {
        "NETTAP_SOCKET_PATH": str(path),
        "NETTAP_CGROUP_TARGETS": json.dumps([{"path": f"/{cgroup.name}", "service": "shop"}]),
        "NETTAP_CAPTURE_LOOPBACK": "true",
        "FORWARDER_ADDR": "127.0.0.1:1",
        "QUEUE_MAX_BYTES": str(64 << 20),
        "API_HOST": "127.0.0.1",
        "API_PORT": "0",
        "METRICS_HTTP_PORT": "0",
        "FLUSH_TIMEOUT_S": "0.1",
    }
    program = Program("speedscale_runtime.nettap", tmp_path / "ingest", environ)
    settings = {**os.environ, "NETTAP_SOCKET_PATH": str(path), "NETTAP_CGROUP_HIERARCHY": "unified"}
    with (tmp_path / "capture.log").open("ab") as log:
        capture = subprocess.Popen([str(capture_program / "speedscale-nettap-capture")], env=settings, stderr=log)
    try:
        until(lambda: json.loads(program.get("/config")[1])["targets"][0]["cgroups"], log=program.read)
        yield program
    finally:
        capture.terminate()
        capture.wait(60)
        program.end()


def shop(cgroup: Path, *arguments: str) -> int:
    """Run the shop within the cgroup; return how many requests it answered."""

    def enter() -> None:
        (cgroup / "cgroup.procs").write_text(str(os.getpid()))

    command = [sys.executable, str(ROOT / "tests" / "kernel" / "programs" / "shop.py"), *arguments]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, preexec_fn=enter)
    assert done.returncode == 0, done.stderr
    return int(done.stdout)


@pytest.mark.parametrize("secure", [False, True], ids=["http", "https"])
def test_every_request_is_a_pair_at_each_end(ingest: Program, cgroup: Path, tmp_path: Path, secure: bool) -> None:
    extra: tuple[str, ...] = ()
    if secure:
        both = tmp_path / "both.pem"
        names = ("-subj", "/CN=shop", "-addext", "subjectAltName=IP:127.0.0.1")
        made = ("openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", both, "-out", tmp_path / "c.pem")
        subprocess.run([*made, *names], check=True, capture_output=True)
        both.write_bytes(both.read_bytes() + (tmp_path / "c.pem").read_bytes())
        extra = ("tls", str(both))
    assert shop(cgroup, str(REQUESTS), str(CONNECTIONS), *extra) == REQUESTS
    until(lambda: ingest.stats()["pairs"]["seen"] >= 2 * REQUESTS, log=lambda: json.dumps(ingest.stats()))
    until(lambda: ingest.stats()["sockets_open"] == 0, log=lambda: json.dumps(ingest.stats()))
    stats = ingest.stats()
    assert stats["pairs"]["seen"] == 2 * REQUESTS
    assert stats["pairs"]["truncated"] == 0
    assert sum(stats["pairs"]["dropped"].values()) == 0
    assert sum(stats["gaps"].values()) == 0
    assert sum(stats["unread"].values()) == 0
    assert stats["faults"] == 0
