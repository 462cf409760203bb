"""A real capture process on this machine's kernel, and a cgroup of the test's own for what it captures."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / "tests" / "kernel"), str(ROOT / "scripts")]

import nettap_build  # noqa: E402
from tap import Tap, cgroup2  # noqa: E402


@pytest.fixture(scope="session")
def capture_program() -> Path:
    """Return the folder of the built capture program; skipped with the reason where it cannot be had."""
    if os.geteuid() != 0:
        pytest.skip("BPF programs need root")
    if not Path("/sys/kernel/btf/vmlinux").exists():
        pytest.skip("the kernel has no BTF")
    if cgroup2() is None:
        pytest.skip("no cgroup2 hierarchy is mounted")
    if not shutil.which("clang-14") and not shutil.which("clang"):
        pytest.skip("clang is not installed: make tools")
    return nettap_build.ensure()


@pytest.fixture
def cgroup() -> Iterator[Path]:
    """Return a cgroup of the unified hierarchy, empty and removed afterwards."""
    root = cgroup2()
    if root is None or os.geteuid() != 0:
        pytest.skip("a cgroup needs root and a cgroup2 hierarchy")
    made = root / f"nettap-test-{os.getpid()}"
    made.mkdir()
    try:
        yield made
    finally:
        for one in (*sorted(made.rglob("*"), reverse=True), made):
            if one.is_dir():
                remove(one)


def remove(cgroup: Path) -> None:
    """Remove a cgroup, and what still runs in it."""
    end = time.monotonic() + 60
    while True:
        (cgroup / "cgroup.kill").write_text("1")
        try:
            cgroup.rmdir()
        except OSError:
            if time.monotonic() > end:
                raise
            os.sched_yield()
        else:
            return


@pytest.fixture
def taps(capture_program: Path, cgroup: Path, tmp_path: Path) -> Iterator[Callable[..., Tap]]:
    """Return a maker of capture processes with settings of one's own."""
    running: list[Tap] = []

    def make(**environment: str) -> Tap:
        folder = tmp_path / f"tap{len(running)}"
        folder.mkdir()
        running.append(Tap(capture_program, folder, cgroup, environment))
        return running[-1]

    try:
        yield make
    finally:
        for one in running:
            one.close()


@pytest.fixture
def tap(taps: Callable[..., Tap]) -> Tap:
    """Return a capture process that captures the test's cgroup."""
    one = taps()
    one.capture()
    return one


@pytest.fixture(scope="session")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a file with a key and a certificate for localhost."""
    folder = tmp_path_factory.mktemp("certificate")
    command = "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj /CN=localhost"
    command += " -addext subjectAltName=DNS:localhost,IP:127.0.0.1 -keyout key.pem -out certificate.pem"
    subprocess.run(command.split(), check=True, capture_output=True, cwd=folder)
    both = folder / "both.pem"
    both.write_bytes((folder / "key.pem").read_bytes() + (folder / "certificate.pem").read_bytes())
    return both
