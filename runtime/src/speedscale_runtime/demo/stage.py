"""The demo's stage: a folder of its own, a CA of its own, programs started and always ended, ports nobody else has."""

from __future__ import annotations

import contextlib
import datetime
import json
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from speedscale_schemas import x509

_KEPT_RUNS = 5


class StageError(Exception):
    """A step went another way than the story says; the message shows what was printed."""


class Stage:
    """A context manager: `folder` for what is made, `start` for programs, `speedctl` for commands."""

    def __init__(self, base: Path) -> None:
        base.mkdir(parents=True, exist_ok=True)
        _forget_old_runs(base)
        self.folder = Path(tempfile.mkdtemp(prefix=f"{datetime.datetime.now():%Y%m%d-%H%M%S}-", dir=base))
        self.logs = self.folder / "logs"
        self.logs.mkdir()
        self._programs: list[subprocess.Popen[bytes]] = []
        self._reserved: list[socket.socket] = []
        self.environment = {
            **{k: v for k, v in os.environ.items() if not k.lower().endswith("_proxy")},
            "SPEEDSCALE_HOME": str(self.folder / "home"),
            "PYTHONUNBUFFERED": "1",
        }

    def __enter__(self) -> Stage:
        return self

    def __exit__(self, *_: object) -> None:
        for program in reversed(self._programs):
            self.stop(program)
        for reserved in self._reserved:
            reserved.close()

    def reserve_port(self) -> int:
        """Return a free port that stays ours: it is bound, not listened on, and shared with whom we start."""
        held = socket.socket()
        held.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        held.bind(("127.0.0.1", 0))
        self._reserved.append(held)
        return int(held.getsockname()[1])

    def start(self, name: str, command: Sequence[str], environment: dict[str, str] | None = None) -> _Program:
        """Start a program with its output in logs/<name>.log."""
        log = self.logs / f"{name}.log"
        with log.open("ab") as out:
            program = _Program(
                command,
                stdout=out,
                stderr=subprocess.STDOUT,
                env={**self.environment, **(environment or {})},
                start_new_session=True,
            )
        program.log = log
        self._programs.append(program)
        return program

    def stop(self, program: subprocess.Popen[bytes], timeout_s: float = 60.0) -> int:
        """End a program as Ctrl-C would and return its exit code."""
        if program.poll() is None:
            program.send_signal(2)
            try:
                program.wait(timeout_s)
            except subprocess.TimeoutExpired:
                program.kill()
                program.wait()
        if program in self._programs:
            self._programs.remove(program)
        return program.returncode

    def speedctl(self, name: str, *arguments: str, expect: int = 0) -> tuple[int, str]:
        """Run a speedctl command to its end; StageError when its exit code is not `expect`."""
        done = subprocess.run(
            [*SPEEDCTL, *arguments], env=self.environment, capture_output=True, text=True, check=False
        )
        (self.logs / f"{name}.log").write_text(done.stdout + done.stderr)
        if done.returncode != expect:
            raise StageError(
                f"speedctl {' '.join(arguments)}\nended with {done.returncode}, expected {expect}:\n"
                + (done.stdout + done.stderr)[-3000:]
            )
        return done.returncode, done.stdout

    def certificate(self) -> tuple[Path, Path]:
        """Make the shop's own CA and a certificate for localhost; return (CA file, certificate with key)."""
        now = datetime.datetime.now(datetime.UTC).replace(microsecond=0)
        validity = x509.Validity(now - datetime.timedelta(hours=1), now + datetime.timedelta(days=1))
        root_key, leaf_key = x509.new_key(), x509.new_key()
        root = x509.root("Shop demo CA", root_key, validity, serial=1)
        leaf = x509.Issuer(root, root_key).leaf(["localhost", "127.0.0.1"], leaf_key, validity, serial=2)
        folder = self.folder / "home"
        folder.mkdir(exist_ok=True)
        ca_file, chain = folder / "shop-ca.pem", folder / "shop-localhost.pem"
        ca_file.write_bytes(root)
        chain.touch(mode=0o600)
        chain.write_bytes(leaf + leaf_key)
        return ca_file, chain


class _Program(subprocess.Popen[bytes]):
    """A started program that knows its log."""

    log: Path

    def status(self, path: Path, timeout_s: float = 40.0) -> dict[str, Any]:
        """Return what the program writes to its status file once it is ready."""
        deadline = time.monotonic() + timeout_s
        while time.monotonic() < deadline:
            with contextlib.suppress(OSError, ValueError):
                found: dict[str, Any] = json.loads(path.read_text())
                return found
            if self.poll() is not None:
                break
            time.sleep(0.02)
        raise StageError(f"{self.args!r} did not become ready:\n{self.log.read_text()[-3000:]}")

    def wait_for_port(self, port: int, timeout_s: float = 20.0) -> None:
        """Return once something listens on the port."""
        deadline = time.monotonic() + timeout_s
        while time.monotonic() < deadline and self.poll() is None:
            try:
                socket.create_connection(("127.0.0.1", port), 1).close()
            except OSError:
                time.sleep(0.02)
            else:
                return
        raise StageError(f"nothing listens on {port}:\n{self.log.read_text()[-3000:]}")


SPEEDCTL = (sys.executable, "-m", "speedscale_runtime.cli.root")


def _forget_old_runs(base: Path) -> None:
    for old in sorted(p for p in base.iterdir() if p.is_dir())[: -(_KEPT_RUNS - 1) or None]:
        if time.time() - old.stat().st_mtime > 600:
            shutil.rmtree(old, ignore_errors=True)
