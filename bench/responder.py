"""The responder beside WireMock 3.13.1: the same answers, the same load, in turns within one run.

Load: wrk, one thread, 32 connections, keep-alive, random paths among all that are recorded; answers of about 200
bytes. Both servers are warm (the peer compiles its hot path while it runs: it is loaded until its rate stops growing).
Neither keeps a journal of requests in memory; ours writes its mocks.jsonl all the same. Figures are the best of the
turns; "a core" is by the kernel's accounting of the server process, since machines are shared.
`python -m bench responder` prints them. Needs java, wrk and, for the jar, Maven; without them the peer's column stays
empty.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

SECONDS = 4
TURNS = 2
WARM_MAX = 8
CONNECTIONS = 32
HOST = "api.example.com"
CACHE = Path(__file__).resolve().parent.parent / ".cache"
PEER = "WireMock 3.13.1"
ARTIFACT = "org.wiremock:wiremock-standalone:3.13.1"
_TICK = os.sysconf("SC_CLK_TCK")


@dataclass
class Figure:
    """What one server did: requests a second, CPU microseconds a request, resident megabytes."""

    rate: float
    cpu_us: float
    rss_mb: float

    @property
    def per_core(self) -> float:
        """Requests a second of CPU: what is left of a rate when the machine's other work is left out."""
        return 1e6 / self.cpu_us


def run() -> list[dict[str, Any]]:
    """Return the rows."""
    if shutil.which("wrk") is None:
        print("wrk is not installed: the responder is not measured", file=sys.stderr)
        return []
    jar = _jar()
    rows: list[dict[str, Any]] = []
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        for count in (1, 1000):
            ours, peer = _alternately(root, count, jar)
            label = "1 mock" if count == 1 else f"{count:,} mocks"
            goal = "≥ 30,000" if count == 1 else "the same as with 1"
            rows.append(
                _row(
                    f"responder: {label}, answers a core", ours.per_core, peer.per_core if peer else None, "req/s", goal
                )
            )
            rows.append(_row(f"responder: {label}, wall clock", ours.rate, peer.rate if peer else None, "req/s", ""))
            rows.append(_row(f"responder: {label}, memory", ours.rss_mb, peer.rss_mb if peer else None, "MB", "below"))
        many = _alone(_ours(root, 100_000), 100_000)
        goal = "the same as with 1"
        rows.append(_row("responder: 100,000 mocks, answers a core", many.per_core, None, "req/s", goal))
        tens = _alone(_ours(root, 10_000), 10_000)
        rows.append(_row("responder: 10,000 mocks, memory", tens.rss_mb, None, "MB", "≤ 150"))
        bodies = _alone(_ours(root, 1000, bodies=True), 1000, bodies=True)
        rows.append(_row("responder: JSON bodies, answers a core", bodies.per_core, None, "req/s", "≥ 20,000"))
    return rows


def _row(what: str, ours: float, peer: float | None, unit: str, goal: str) -> dict[str, Any]:
    ratio = ours / peer if peer else None
    return {"what": what, "ours": ours, "peer": peer, "peer_name": PEER, "unit": unit, "ratio": ratio, "goal": goal}


def _alternately(root: Path, count: int, jar: Path | None) -> tuple[Figure, Figure | None]:
    with ExitStack() as stack:
        servers = [stack.enter_context(_ours(root, count))]
        if jar is not None:
            servers.append(stack.enter_context(_wiremock(root, count, jar)))
        for _, port in servers:
            _warm(port, count, bodies=False)
        turns = [[_measure(pid, port, count) for pid, port in servers] for _ in range(TURNS)]
    best = [max(figures, key=lambda figure: figure.per_core) for figures in zip(*turns, strict=True)]
    return best[0], best[1] if jar is not None else None


def _alone(server: AbstractContextManager[tuple[int, int]], count: int, *, bodies: bool = False) -> Figure:
    with server as (pid, port):
        _warm(port, count, bodies=bodies)
        return max(
            (_measure(pid, port, count, bodies=bodies) for _ in range(TURNS)), key=lambda figure: figure.per_core
        )


def _warm(port: int, count: int, *, bodies: bool) -> None:
    """Load a server until its rate grows by less than a tenth."""
    before = 0.0
    for _ in range(WARM_MAX):
        rate, _ = _wrk(port, count, bodies)
        if rate < before * 1.1:
            return
        before = rate


def _measure(pid: int, port: int, count: int, *, bodies: bool = False) -> Figure:
    before = _cpu_s(pid)
    rate, requests = _wrk(port, count, bodies)
    return Figure(rate, (_cpu_s(pid) - before) / max(requests, 1) * 1e6, _rss_mb(pid))


def _wrk(port: int, count: int, bodies: bool) -> tuple[float, int]:
    with tempfile.NamedTemporaryFile("w", suffix=".lua") as script:
        script.write(_LUA_BODIES if bodies else _LUA)
        script.flush()
        command = ["wrk", "-t1", f"-c{CONNECTIONS}", f"-d{SECONDS}s", "-s", script.name, f"http://127.0.0.1:{port}/"]
        done = subprocess.run(
            command, env={**os.environ, "COUNT": str(count)}, capture_output=True, text=True, check=True
        )
    if "Non-2xx" in done.stdout:
        raise RuntimeError(f"not every request was answered:\n{done.stdout}")
    rate = re.search(r"Requests/sec:\s+([\d.]+)", done.stdout)
    requests = re.search(r"(\d+) requests in", done.stdout)
    if rate is None or requests is None:
        raise RuntimeError(f"wrk said something else:\n{done.stdout}")
    return float(rate[1]), int(requests[1])


_LUA = f"""
local count = tonumber(os.getenv("COUNT"))
request = function()
  return wrk.format("GET", "/item/" .. math.random(0, count - 1), {{Host = "{HOST}"}})
end
"""
_LUA_BODIES = f"""
local count = tonumber(os.getenv("COUNT"))
request = function()
  local body = '{{"order":{{"id":' .. math.random(0, count - 1) .. ',"items":[1,2,3]}},"note":"as recorded"}}'
  return wrk.format("POST", "/orders", {{Host = "{HOST}", ["Content-Type"] = "application/json"}}, body)
end
"""


@contextmanager
def _ours(root: Path, count: int, *, bodies: bool = False) -> Iterator[tuple[int, int]]:
    recording = root / f"recording-{count}-{bodies}"
    if not recording.exists():
        recording.mkdir()
        with (recording / "raw.jsonl").open("w") as out:
            out.writelines(json.dumps(_pair(i, bodies)) + "\n" for i in range(count))
    status = root / f"status-{time.monotonic_ns()}.json"
    environment = {
        **os.environ,
        "SNAPSHOT_ID": str(recording),
        "SPEEDSCALE_HOME": str(root / "home"),
        "PROXY_OUT_PORT": "-1",
        "SERVICE_HTTP_PORT": "0",
        "OUT_DIR": str(root / "out"),
        "STATUS_FILE": str(status),
        "LOG_LEVEL": "error",
    }
    process = subprocess.Popen([sys.executable, "-m", "speedscale_runtime.responder"], env=environment)
    try:
        _until(status.exists, process)
        yield process.pid, json.loads(status.read_text())["httpPort"]
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(30)


def _pair(i: int, bodies: bool) -> dict[str, Any]:
    path = "/orders" if bodies else f"/item/{i}"
    req: dict[str, Any] = {"method": "POST" if bodies else "GET", "url": path, "uri": path, "host": HOST}
    req["headers"] = {"Host": [HOST]}
    if bodies:
        req["headers"]["Content-Type"] = ["application/json"]
        req["body"] = json.dumps({"order": {"id": i, "items": [1, 2, 3]}, "note": "as recorded"})
    return {
        "msgType": "rrpair",
        "service": "shop",
        "ts": f"2026-01-31T12:00:00.{i:09d}Z",
        "l7protocol": "http",
        "direction": "OUT",
        "http": {
            "req": req,
            "res": {"statusCode": 200, "statusMessage": "200 OK", "headers": _headers(), "body": _body(i)},
        },
    }


def _headers() -> dict[str, list[str]]:
    return {"Content-Type": ["application/json"], "Cache-Control": ["no-store"]}


def _body(i: int) -> str:
    return json.dumps({"id": i, "name": f"item {i}", "text": "x" * 160})


@contextmanager
def _wiremock(root: Path, count: int, jar: Path) -> Iterator[tuple[int, int]]:
    folder = root / f"wiremock-{count}"
    if not folder.exists():
        (folder / "mappings").mkdir(parents=True)
        stubs = [
            {
                "request": {"method": "GET", "urlPath": f"/item/{i}"},
                "response": {
                    "status": 200,
                    "headers": {name: values[0] for name, values in _headers().items()},
                    "body": _body(i),
                },
            }
            for i in range(count)
        ]
        (folder / "mappings" / "all.json").write_text(json.dumps({"mappings": stubs}))
    port = _free_port()
    command = ["java", "-jar", str(jar), "--port", str(port), "--root-dir", str(folder), "--no-request-journal"]
    process = subprocess.Popen([*command, "--disable-banner"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        _until(lambda: _answers(port), process)
        yield process.pid, port
    finally:
        process.terminate()
        process.wait(30)


def _jar() -> Path | None:
    """Return the peer's jar, fetched once into .cache; None where that cannot be."""
    path = CACHE / "wiremock-standalone-3.13.1.jar"
    if path.exists():
        return path if shutil.which("java") else None
    if shutil.which("mvn") is None or shutil.which("java") is None:
        print("java or Maven is not installed: no peer is measured", file=sys.stderr)
        return None
    CACHE.mkdir(exist_ok=True)
    command = ["mvn", "-q", "-B", "dependency:copy", f"-Dartifact={ARTIFACT}", f"-DoutputDirectory={CACHE}"]
    done = subprocess.run(command, capture_output=True, check=False)
    return path if done.returncode == 0 and path.exists() else None


def _until(ready: Any, process: subprocess.Popen[bytes], timeout_s: float = 60) -> None:
    deadline = time.monotonic() + timeout_s
    while not ready():
        if process.poll() is not None or time.monotonic() > deadline:
            raise RuntimeError(f"{process.args!r} did not start")
        time.sleep(0.05)


def _answers(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), 1).close()
    except OSError:
        return False
    return True


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _cpu_s(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(") ")[2].split()
    return (int(fields[11]) + int(fields[12])) / _TICK


def _rss_mb(pid: int) -> float:
    found = re.search(r"VmRSS:\s+(\d+)", Path(f"/proc/{pid}/status").read_text())
    return int(found[1]) / 1024 if found else 0.0
