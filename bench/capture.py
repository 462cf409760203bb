"""Does `speedctl record` keep every request? nginx, the whole recording chain in front of it, and wrk.

Reproduce with `python -m bench capture`; `SECONDS=5` in the environment makes the runs shorter (30 s each).

Three recordings with 64 connections: one that finds the maximum, one at the maximum, one at half of it. wrk has no
limit of its rate, so the script that it runs here hands out the moments of sending (`delay`), evenly spaced over all
connections. The same script counts the requests that wrk began to send: at its end wrk cuts its connections, so up to
64 requests were sent whose answers it never counted. The proxy saw those too. It captures one of them when the
answer came before the connection was cut, else it counts the request as dropped (`client_gone`). The sum is exact:

    sent = answered + cut = seen = captured + dropped        recorded = captured = lines of the recording

nginx's own count of requests stands in the table as a third witness.
"""

from __future__ import annotations

import contextlib
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
import urllib.request
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from speedscale_schemas.errors import PermanentError

ROOT = Path(__file__).resolve().parent.parent
CONNECTIONS = 64
SECONDS = int(os.environ.get("SECONDS", "30"))
SEARCH_S = min(10, SECONDS)
_BODY = '{"id":1,"name":"widget","price":12.5,"tags":["a","b"],"stock":14}'

# One thread of wrk, so one Lua state counts all requests; RATE 0 means no limit.
_SCRIPT = """
local ffi = require("ffi")
ffi.cdef[[ typedef struct {{ long s; long ns; }} moment; int clock_gettime(int clock, moment *now); ]]
local moment = ffi.new("moment")
local rate = {rate}
local threads = {{}}
local due = 0
sent = -1 -- wrk makes one request of the first thread to look at it, and does not send it
function setup(thread) table.insert(threads, thread) end
function request() sent = sent + 1; return wrk.format("GET", "/item/" .. sent % 100 .. "?page=2") end
local function pace()
  ffi.C.clock_gettime(1, moment)
  local now = tonumber(moment.s) + tonumber(moment.ns) / 1e9
  if due == 0 then due = now end
  due = math.max(due + 1 / rate, now)
  return (due - now) * 1000
end
if rate > 0 then delay = pace end
function done(summary)
  local total = 0
  for _, thread in ipairs(threads) do total = total + thread:get("sent") end
  local e = summary.errors
  print(string.format("RESULT %d %d %d", total, summary.requests, e.connect + e.read + e.write + e.status + e.timeout))
  print(string.format("LASTED %.6f", summary.duration / 1e6))
end
"""


@dataclass
class Load:
    """What wrk counted."""

    sent: int
    answered: int
    errors: int
    seconds: float

    @property
    def rate(self) -> float:
        return self.answered / self.seconds


@dataclass
class Outcome:
    """A recording and the load that it recorded."""

    name: str
    load: Load
    served: int
    summary: dict[str, Any]
    lines: int
    drain_s: float

    @property
    def captured(self) -> int:
        return int(self.summary["captured"])

    @property
    def dropped(self) -> int:
        return sum(self.summary["dropped"].values())

    @property
    def lost(self) -> int:
        """Pairs dropped for a cause of ours: not because wrk cut its connection."""
        gone = ("client_gone", "server_gone", "body_incomplete")
        return sum(n for cause, n in self.summary["dropped"].items() if cause not in gone)

    def problems(self) -> list[str]:
        """Every sum that does not agree."""
        load, s = self.load, self.summary
        sums = {
            "sent == captured + dropped": (load.sent, self.captured + self.dropped),
            "sent == seen": (load.sent, s["seen"]),
            "captured == recorded": (self.captured, s["recorded"]),
            "recorded == lines": (s["recorded"], self.lines),
            "no errors of wrk": (load.errors, 0),
            "nothing lost in the forwarder": (sum(s["lost"].values()), 0),
        }
        return [f"{name}: {a} and {b}" for name, (a, b) in sums.items() if a != b]

    def rows(self) -> list[dict[str, Any]]:
        """Rows for the table of `bench`."""
        load = self.load
        cut = load.sent - load.answered
        causes = ", ".join(f"{cause} {n}" for cause, n in self.summary["dropped"].items()) or "none"
        share = self.captured / load.sent
        required = 1.0 if self.name == "half the maximum" else 0.95
        fine = (self.lost == 0 if required == 1.0 else share >= required) and not self.problems()
        what = f"record at {self.name}"
        return [
            {"what": f"{what}: rate", "ours": load.rate, "unit": f"rps for {load.seconds:.0f} s"},
            {"what": f"{what}: sent, by wrk", "ours": load.sent, "unit": f"{load.answered} answered, {cut} cut"},
            {"what": f"{what}: served, by nginx", "ours": self.served, "unit": "requests"},
            {"what": f"{what}: captured", "ours": self.captured, "unit": f"pairs, {self.lines} lines recorded"},
            {"what": f"{what}: dropped", "ours": self.dropped, "unit": f"pairs: {causes}"},
            {
                "what": f"{what}: captured of sent",
                "ours": f"{share:.4%}",
                "goal": "no drop of ours" if required == 1.0 else f"≥ {required:.0%}",
            },
            {
                "what": f"{what}: sent = captured + dropped = seen, recorded = captured",
                "ours": "; ".join(self.problems()) or "exact",
                "goal": "exact" + ("" if fine else ", MISSED"),
            },
            {"what": f"{what}: drain", "ours": self.drain_s, "unit": "s from Ctrl-C to the end"},
        ]


def run() -> list[dict[str, Any]]:
    """Measure and return rows of what, ours, unit and goal."""
    missing = [tool for tool in ("nginx", "wrk") if shutil.which(tool) is None]
    if missing:
        return [{"what": "recording", "ours": f"not run: install {', '.join(missing)}"}]
    with tempfile.TemporaryDirectory() as folder, contextlib.ExitStack() as stack:
        where = Path(folder)
        origin = _nginx(stack, where)
        found = _record(where, origin, "search", SEARCH_S, 0)
        full = _record(where, origin, "the maximum", SECONDS, 0)
        half = _record(where, origin, "half the maximum", SECONDS, max(found.load.rate, full.load.rate) / 2)
    return [*full.rows(), *half.rows()]


def _record(where: Path, origin: int, name: str, seconds: int, rate: float) -> Outcome:
    """Record one run of wrk from start to end; the recording is gone afterwards."""
    with tempfile.TemporaryDirectory(dir=where) as folder:
        out, status = Path(folder) / "recording", Path(folder) / "status.json"
        command = [sys.executable, "-m", "speedscale_runtime.cli.root", "record", "--app-port", str(origin)]
        command += ["--proxy-in-port", "0", "--proxy-out-port", "0", "--out", str(out), "--out-format", "jsonl"]
        command += ["--status-file", str(status), "--output", "json"]
        before = _served(origin)
        with open(Path(folder) / "stderr", "w+") as errors:
            process = subprocess.Popen(
                command,
                stdout=subprocess.PIPE,
                stderr=errors,
                text=True,
                env={**os.environ, "SPEEDSCALE_HOME": str(where / "home")},
            )
            try:
                ready = _until(status, process)
                load = _wrk(Path(folder), ready["inPort"], seconds, rate)
                began = time.monotonic()
                process.send_signal(signal.SIGINT)
                text, _ = process.communicate()
                drain_s = time.monotonic() - began
            finally:
                process.kill()
                process.wait()
            if process.returncode:
                errors.seek(0)
                raise PermanentError("record", errors.read()[-2000:])
        lines = sum(_lines(path) for path in out.rglob("*.jsonl"))
        return Outcome(name, load, _served(origin) - before - 1, json.loads(text), lines, drain_s)


def _wrk(where: Path, port: int, seconds: int, rate: float) -> Load:
    script = where / "load.lua"
    script.write_text(_SCRIPT.format(rate=rate))
    command = ["wrk", "-t1", f"-c{CONNECTIONS}", f"-d{seconds}s", "-s", str(script), f"http://127.0.0.1:{port}/"]
    text = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    result, lasted = re.search(r"RESULT (\d+) (\d+) (\d+)", text), re.search(r"LASTED ([\d.]+)", text)
    if result is None or lasted is None:
        raise PermanentError("wrk", text)
    sent, answered, errors = (int(n) for n in result.groups())
    return Load(sent, answered, errors, float(lasted[1]))


def _nginx(stack: contextlib.ExitStack, where: Path) -> int:
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        port = int(sock.getsockname()[1])
    (where / "nginx.conf").write_text(
        f"""daemon off; worker_processes 1; pid {where}/nginx.pid; error_log {where}/nginx.log;
events {{ worker_connections 4096; }}
http {{ access_log off; keepalive_requests 1000000000;
  client_body_temp_path {where}/b; proxy_temp_path {where}/p; fastcgi_temp_path {where}/f;
  uwsgi_temp_path {where}/u; scgi_temp_path {where}/s;
  server {{ listen 127.0.0.1:{port};
    location = /served {{ stub_status; }}
    location / {{ default_type application/json; return 200 '{_BODY}'; }} }} }}
"""
    )
    log = str(where / "nginx.log")
    process = subprocess.Popen(["nginx", "-c", str(where / "nginx.conf"), "-e", log])
    stack.callback(process.wait)
    stack.callback(process.terminate)
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        with contextlib.suppress(OSError):
            _served(port)
            return port
        time.sleep(0.05)
    raise PermanentError("nginx", "did not start")


def _served(port: int) -> int:
    """Return how many requests nginx counted until now, this one included."""
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    with opener.open(f"http://127.0.0.1:{port}/served", timeout=5) as answer:
        numbers = re.search(r"(\d+) (\d+) (\d+)", answer.read().decode())
    assert numbers is not None
    return int(numbers[3])


def _until(status: Path, process: subprocess.Popen[str]) -> dict[str, Any]:
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline and process.poll() is None:
        if status.exists():
            found: dict[str, Any] = json.loads(status.read_text())
            return found
        time.sleep(0.02)
    raise PermanentError("record", "not ready")


def _lines(path: Path) -> int:
    with path.open("rb") as file:
        return sum(1 for _ in file)
