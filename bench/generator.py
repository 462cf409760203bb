"""The generator beside wrk, vegeta and Locust's FastHttpUser, on nginx, in one run.

Work: GET requests over 32 connections, one after the other on each, as fast as they go, one process on one core's
worth of Python; a small JSON answer from one nginx worker. Peers and ours take turns; figures are the medians of the
turns: requests a second, and CPU a request of the client alone. wrk comes from the PATH; Locust gets a virtual
environment of its own below `.cache/`; vegeta is used where it is on the PATH or in `.cache/bench`. A peer that is
missing leaves its row without a ratio. `python -m bench generator` prints them.
"""

from __future__ import annotations

import base64
import json
import os
import re
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

TURNS = 3
SECONDS = 3
CONNECTIONS = 32
_LOCUST_START_S = 3
CACHE = Path(__file__).resolve().parent.parent / ".cache" / "bench"
_NGINX = """worker_processes 1; pid {folder}/pid; error_log {folder}/error.log; daemon off;
events {{ worker_connections 4096; }}
http {{ access_log off; keepalive_requests 1000000000;
  client_body_temp_path {folder}/1; proxy_temp_path {folder}/2; fastcgi_temp_path {folder}/3;
  uwsgi_temp_path {folder}/4; scgi_temp_path {folder}/5;
  server {{ listen 127.0.0.1:{port};
    location / {{ default_type application/json; return 200 '{{"id":7001,"name":"widget","tags":["a","b"]}}'; }} }} }}
"""
_LOCUST = """
from locust import FastHttpUser, constant, task

class User(FastHttpUser):
    wait_time = constant(0)

    @task
    def one(self):
        self.client.get("/orders/7001")
"""


@dataclass(frozen=True, slots=True)
class Figure:
    """Requests a second, and microseconds of CPU a request."""

    rate: float
    cpu_us: float


def run() -> list[dict[str, Any]]:
    """Return the rows; each peer's ratio is ours over the peer's, CPU the peer's over ours: above 1 is better."""
    with tempfile.TemporaryDirectory() as name, _nginx(Path(name)) as port:
        folder = Path(name)
        runs: dict[str, Callable[[], Figure | None] | None] = {
            "ours": lambda: _ours(folder, port, "plain"),
            "jwt": lambda: _ours(folder, port, "jwt"),
            "wrk": _wrk(port),
            "vegeta": _vegeta(folder, port),
            "locust": _locust(folder, port),
        }
        figures: dict[str, list[Figure]] = {}
        for _ in range(TURNS):
            for who, one in runs.items():
                figure = one() if one is not None else None
                if figure is not None:
                    figures.setdefault(who, []).append(figure)
    medians = {
        who: Figure(statistics.median(f.rate for f in seen), statistics.median(f.cpu_us for f in seen))
        for who, seen in figures.items()
    }
    return list(_rows(medians))


def _rows(medians: dict[str, Figure]) -> Iterator[dict[str, Any]]:
    ours, jwt = medians["ours"], medians["jwt"]
    rate = "generator: requests a second, one process"
    yield _row(rate, ours.rate, medians.get("wrk"), "wrk", "rate", "≥ 30,000 and ≥ 0.5")
    yield _row(rate, ours.rate, medians.get("locust"), "Locust FastHttpUser", "rate", "≥ 3")
    yield _row("generator: the same with a JWT signed again", jwt.rate, None, "", "rate", "≥ 10,000")
    cpu = "generator: CPU a request"
    yield _row(cpu, ours.cpu_us, medians.get("vegeta"), "vegeta", "cpu", "> 1")
    yield _row(cpu, ours.cpu_us, medians.get("wrk"), "wrk", "cpu", "")


def _row(what: str, ours: float, peer: Figure | None, name: str, kind: str, goal: str) -> dict[str, Any]:
    other = None if peer is None else peer.rate if kind == "rate" else peer.cpu_us
    ratio = None if other is None else ours / other if kind == "rate" else other / ours
    unit = "/s" if kind == "rate" else "µs"
    return {"what": what, "ours": ours, "unit": unit, "peer": other, "peer_name": name, "ratio": ratio, "goal": goal}


def _ours(folder: Path, port: int, kind: str) -> Figure:
    recording = folder / f"{kind}.jsonl"
    recording.write_text("".join(json.dumps(_pair(n, kind)) + "\n" for n in range(20)))
    document: dict[str, Any] = {
        "id": "bench",
        "generator": {
            "lowData": True,
            "stages": [
                {
                    "virtualUsers": {
                        "virtualUsers": str(CONNECTIONS), "duration": SECONDS, "requestDelay": {"timing": "full-speed"},
                    }
                }
            ],
        },
    }  # fmt: skip
    if kind == "jwt":
        extractor = {"type": "http_req_header", "config": {"name": "Authorization"}}
        signing = {"type": "jwt_resign", "config": {"key": "k" * 64}}
        document["transforms"] = {"generator": [{"extractor": extractor, "transforms": [signing]}]}
    results = folder / "results.jsonl"
    environ = {
        **os.environ, "SNAPSHOT_ID": str(recording), "CUSTOM_URL": f"http://127.0.0.1:{port}", "PROCESSES": "1",
        "TEST_CONFIG": json.dumps(document), "RESULTS_FILE": str(results), "LOG_LEVEL": "error",
        "SPEEDSCALE_HOME": str(folder / "home"),
    }  # fmt: skip
    subprocess.run([sys.executable, "-m", "speedscale_runtime.generator"], env=environ, check=True)
    end = json.loads(results.read_text().splitlines()[-1])
    if end["errors"]:
        raise RuntimeError(f"the generator had {end['errors']} errors")
    return Figure(end["achievedRate"], end["cpuSeconds"] / end["requests"] * 1e6)


def _pair(number: int, kind: str) -> dict[str, Any]:
    headers = {"Accept": ["application/json"], "User-Agent": ["bench/1"]}
    if kind == "jwt":
        parts = [{"alg": "HS256", "typ": "JWT"}, {"sub": f"user-{number}", "iat": 1, "exp": 2}]
        token = ".".join(base64.urlsafe_b64encode(json.dumps(p).encode()).rstrip(b"=").decode() for p in parts)
        headers["Authorization"] = [f"Bearer {token}.c2ln"]
    uri = f"/orders/{7001 + number}"
    request = {"method": "GET", "uri": uri, "url": uri, "host": "127.0.0.1", "headers": headers}
    return {
        "msgType": "rrpair", "ts": f"2026-01-01T00:00:{number:02d}Z", "direction": "IN", "l7protocol": "http",
        "duration": 5, "command": "GET", "location": uri, "netinfo": {"id": "1"},
        "http": {"req": request, "res": {"statusCode": 200, "headers": {}, "body": "{}"}},
    }  # fmt: skip


def _wrk(port: int) -> Callable[[], Figure] | None:
    if shutil.which("wrk") is None:
        return None

    def one() -> Figure:
        command = ["wrk", "-t1", f"-c{CONNECTIONS}", f"-d{SECONDS}s", f"http://127.0.0.1:{port}/orders/7001"]
        text, cpu = _timed(command)
        requests = int(re.findall(r"(\d+) requests in", text)[0])
        return Figure(float(re.findall(r"Requests/sec:\s+([\d.]+)", text)[0]), cpu / requests * 1e6)

    return one


def _vegeta(folder: Path, port: int) -> Callable[[], Figure] | None:
    found = shutil.which("vegeta", path=f"{os.environ.get('PATH', '')}:{CACHE}")
    if found is None:
        return None
    targets = folder / "targets"
    targets.write_text(f"GET http://127.0.0.1:{port}/orders/7001\n")

    def one() -> Figure:
        out = folder / "vegeta.bin"
        command = [
            found, "attack", "-targets", str(targets), "-rate", "0", "-max-workers", str(CONNECTIONS), "-workers",
            str(CONNECTIONS), "-duration", f"{SECONDS}s", "-output", str(out),
        ]  # fmt: skip
        _, cpu = _timed(command)
        report = json.loads(
            subprocess.run([found, "report", "-type", "json", str(out)], check=True, capture_output=True).stdout
        )
        return Figure(report["throughput"], cpu / report["requests"] * 1e6)

    return one


def _locust(folder: Path, port: int) -> Callable[[], Figure | None] | None:
    python = CACHE / "locust" / "bin" / "python"
    if not python.exists():
        uv = Path(sys.executable).with_name("uv")
        CACHE.mkdir(parents=True, exist_ok=True)
        try:
            subprocess.run([uv, "venv", "-q", "--python", sys.executable, python.parent.parent], check=True)
            subprocess.run([uv, "pip", "install", "-q", "--python", python, "locust"], check=True)
        except (OSError, subprocess.CalledProcessError):
            shutil.rmtree(python.parent.parent, ignore_errors=True)
            print("locust cannot be installed here; its rows have no ratio", file=sys.stderr)
            return None
    script = folder / "locustfile.py"
    script.write_text(_LOCUST)

    def one() -> Figure | None:
        command = [
            str(python), "-m", "locust", "-f", str(script), "--headless", "-u", str(CONNECTIONS), "-t",
            f"{SECONDS + _LOCUST_START_S}s", "-r", str(CONNECTIONS), "-H", f"http://127.0.0.1:{port}", "--json",
            "--loglevel", "ERROR",
        ]  # fmt: skip
        text, cpu = _timed(command)
        found = json.loads(text)
        if not found:
            print("Locust sent nothing in its time: the machine is too busy; this turn does not count", file=sys.stderr)
            return None
        (stats,) = found
        seconds = stats["last_request_timestamp"] - stats["start_time"]
        return Figure(stats["num_requests"] / seconds, cpu / stats["num_requests"] * 1e6)

    return one


def _timed(command: list[str]) -> tuple[str, float]:
    """Run a command and return its output and the CPU seconds it took."""
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    assert process.stdout is not None
    text = process.stdout.read()
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise RuntimeError(f"{command[0]} ended with {process.returncode}")
    return text, usage.ru_utime + usage.ru_stime


@contextmanager
def _nginx(folder: Path) -> Iterator[int]:
    nginx = shutil.which("nginx", path=f"{os.environ.get('PATH', '')}:/usr/sbin")
    if nginx is None:
        raise RuntimeError("nginx is needed: apt install nginx")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    folder.joinpath("nginx.conf").write_text(_NGINX.format(folder=folder, port=port))
    process = subprocess.Popen([nginx, "-c", str(folder / "nginx.conf")], stderr=subprocess.DEVNULL)
    try:
        for _ in range(100):
            with socket.socket() as probe:
                if not probe.connect_ex(("127.0.0.1", port)):
                    break
            time.sleep(0.05)
        yield port
    finally:
        process.terminate()
        process.wait()
