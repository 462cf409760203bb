"""The recording chain as processes of the test's own: a proxy (supervisor and worker) and a forwarder behind it."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
import urllib.request
from pathlib import Path
from typing import Any

PREFIXES = ("PROXY_", "REVERSE_", "FORWARDER_", "SPEEDSCALE_", "SPOOL_", "TLS_", "HEALTH_", "METRICS_", "EXPORTERS")

_FAULTS = r"fault|worker_\w+|task_failed|http_fault|batch_failed|spool_damaged"
_COMPLAINT = re.compile(rf'Traceback|"event": ?"({_FAULTS})"|^\w*Error\b')


class Service:
    """One service as a process; what it logged is in `log`."""

    def __init__(self, name: str, folder: Path, environment: dict[str, str]) -> None:
        self.name = name
        self.log = folder / f"{name}.log"
        status = folder / f"{name}.json"
        inherited = {k: v for k, v in os.environ.items() if not k.startswith(PREFIXES)}
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", f"speedscale_runtime.{name}"],
                env={**inherited, "SPEEDSCALE_HOME": str(folder / "home"), "STATUS_FILE": str(status), **environment},
                stdout=log,
                stderr=log,
            )
        try:
            until(lambda: status.exists() or self.process.poll() is not None, self)
            assert status.exists(), self.log.read_text()
            self.status: dict[str, Any] = json.loads(status.read_text())
        except BaseException:
            self.kill()
            raise

    def end(self) -> int:
        """Tell it to stop and return its exit code."""
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(120)

    def kill(self) -> None:
        """For the end of a test that failed."""
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()

    def complaints(self) -> list[str]:
        """Lines of the log that tell of a fault of ours."""
        return [line for line in self.log.read_text("utf-8", "replace").splitlines() if _COMPLAINT.search(line)]


class Chain:
    """Proxy in mode `dual` before `origin`, forwarder with a recording in one file."""

    def __init__(self, folder: Path, origin: int) -> None:
        self.folder = folder
        self.recording = folder / "recording"
        exporter = {"type": "files", "path": str(self.recording), "format": "jsonl"}
        self.forwarder = Service(
            "forwarder",
            folder,
            {
                "FORWARDER_HOST": "127.0.0.1",
                "FORWARDER_PORT": "0",
                "METRICS_HTTP_PORT": "0",
                "SPEEDSCALE_FILTER_RULE": "",
                "SPOOL_DIR": str(folder / "spool"),
                "FORWARDER_MAX_BATCH_BYTES": str(4 << 20),
                "DRAIN_TIMEOUT_S": "60",
                # one arena, trimmed: else memory says more of glibc's threads than of ours
                "MALLOC_ARENA_MAX": "1",
                "MALLOC_TRIM_THRESHOLD_": "131072",
                "EXPORTERS": json.dumps({"recording": exporter}),
            },
        )
        try:
            self.proxy = Service("proxy", folder, self._proxy_environment(origin))
        except BaseException:
            self.forwarder.kill()
            raise

    def _proxy_environment(self, origin: int) -> dict[str, str]:
        return {
            "PROXY_TYPE": "dual",
            "PROXY_IN_HOST": "127.0.0.1",
            "PROXY_IN_PORT": "0",
            "PROXY_OUT_HOST": "127.0.0.1",
            "PROXY_OUT_PORT": "0",
            "REVERSE_PROXY_HOST": "127.0.0.1",
            "REVERSE_PROXY_PORT": str(origin),
            "HEALTH_HOST": "127.0.0.1",
            "HEALTH_PORT": "0",
            "METRICS_HTTP_PORT": "0",
            "FORWARDER_ADDR": f"127.0.0.1:{self.forwarder.status['port']}",
            "BATCH_LINGER_MS": "20",
            "FLUSH_TIMEOUT_S": "60",
            "STATS_FILE": str(self.folder / "stats.json"),
        }

    # -- what it says

    def stats(self) -> dict[str, Any]:
        """The proxy's ledger: of the running one, or as it left it."""
        if self.proxy.process.poll() is None:
            return _json(f"http://127.0.0.1:{self.proxy.status['healthPort']}/stats")
        found: dict[str, Any] = json.loads((self.folder / "stats.json").read_text())
        return found

    def forwarded(self) -> dict[str, Any]:
        """The forwarder's status."""
        return _json(f"http://127.0.0.1:{self.forwarder.status['port']}/v1/status")

    def at_rest(self) -> bool:
        """Whether nothing is under way: no connection, no pair, nothing to export."""
        s = self.stats()
        calm = not s["in_flight"] and all(s["opened"][side] == s["closed"][side] for side in s["opened"])
        return calm and all(not e["lagPairs"] for e in self.forwarded()["exporters"].values())

    def settle(self) -> None:
        """Return once the chain is at rest."""
        until(self.at_rest, self.proxy)

    def levels(self) -> dict[str, int]:
        """Private memory in KiB and open files of worker and forwarder."""
        pids = {"worker": self.proxy.status["workerPid"], "forwarder": self.forwarder.status["pid"]}
        found = {f"{name}.files": len(list(Path(f"/proc/{pid}/fd").iterdir())) for name, pid in pids.items()}
        return found | {f"{name}.kib": _private_kib(pid) for name, pid in pids.items()}

    def end(self) -> tuple[int, int]:
        """Stop the proxy, then the forwarder; their exit codes."""
        return self.proxy.end(), self.forwarder.end()

    def kill(self) -> None:
        """For the end of a test that failed."""
        self.proxy.kill()
        self.forwarder.kill()


def until(condition: Any, service: Service, seconds: float = 120) -> None:
    """Ask again until it holds; the bound only ends a test that hangs."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, service.log.read_text("utf-8", "replace")[-4000:]
        time.sleep(0.02)


def _private_kib(pid: int) -> int:
    text = Path(f"/proc/{pid}/smaps_rollup").read_text()
    return sum(int(n) for n in re.findall(r"^Private_\w+:\s+(\d+) kB", text, re.MULTILINE))


def _json(url: str) -> dict[str, Any]:
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    with opener.open(url, timeout=30) as answer:
        found: dict[str, Any] = json.load(answer)
    return found
