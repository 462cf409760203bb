"""`make bench-nettap`: what nettap costs an application, a node's memory and its processors. Needs root and clang.

Real capture process, real ingest, real forwarder. The cost of a call is measured bare, with programs attached that do
not match, and captured, one after the other in rounds, as processor time, and the best round counts, since
others share the machine. `ROUNDS` and `SECONDS` in the environment make it shorter.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from bench.capture import _nginx, _until, _wrk

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "scripts"))

import nettap_build  # noqa: E402

ROUNDS = int(os.environ.get("ROUNDS", "5"))
SECONDS = int(os.environ.get("SECONDS", "10"))
PAIRS, BYTES = 50_000, 200
RATE = 1000
PAGE = ROOT / "docs" / "performance.md"
BEGIN, END = "<!-- nettap -->", "<!-- /nettap -->"
_TICK = os.sysconf("SC_CLK_TCK")
_READY_S, _QUIET_S = 60.0, 5.0
GOALS = {"counted_idle": 60.0, "cpu": 300.0, "not_matching_us": 1.5}
VENDOR = {
    "not_matching_us": "–",
    "captured_us": "about 2.5 µs (0.8 a send, 1.7 a receive)",
    "counted_idle": "748 MiB (408 capture, 340 ingest)",
    "counted_load": "827 MiB (487 capture, 340 ingest)",
    "cpu": "530 m",
}


def run() -> list[dict[str, Any]]:
    """Measure and return rows of what, ours, unit, goal and the vendor's published figure."""
    if os.geteuid() != 0:
        return [{"what": "nettap", "ours": "not run: needs root"}]
    with tempfile.TemporaryDirectory() as folder, contextlib.ExitStack() as stack:
        place = Path(folder)
        inside, outside = (stack.enter_context(_cgroup(name)) for name in ("captured", "other"))
        calls = _calls(place, inside, outside)
        use = _use(place, inside, stack)
    return _rows(calls, use)


def _rows(calls: dict[str, float], use: dict[str, float]) -> list[dict[str, Any]]:
    def row(key: str, what: str, ours: float, unit: str) -> dict[str, Any]:
        goal = f"≤ {GOALS[key]:g} {unit}" if key in GOALS else ""
        return {"what": what, "ours": ours, "unit": unit, "goal": goal, "vendor": VENDOR.get(key, "–")}

    bare = calls["bare"]
    return [
        {
            "what": f"processor time of a send and a recv of {BYTES} bytes, bare",
            "ours": bare,
            "unit": "µs",
            "goal": "",
            "vendor": "–",
        },
        row("not_matching_us", "added where programs are attached and do not match", calls["other"] - bare, "µs"),
        row("captured_us", "added where it is captured", calls["captured"] - bare, "µs"),
        row(
            "counted_idle",
            "memory of both as Kubernetes counts it, rings and maps included, idle",
            use["counted_idle"],
            "MB",
        ),
        row("counted_load", f"the same at {RATE} requests/s", use["counted_load"], "MB"),
        row("maps", "of it maps and rings in the kernel", use["maps"], "MB"),
        row("memory_idle", "proportional set size of both processes, idle", use["memory_idle"], "MB"),
        row("memory_load", f"the same at {RATE} requests/s", use["memory_load"], "MB"),
        row("cpu", f"processor of both, at {RATE} requests/s", use["cpu"], "m"),
        row(
            "pairs",
            f"pairs recorded of {use['requests']:.0f} requests begun, up to 64 cut by wrk",
            use["pairs"],
            "pairs",
        ),
    ]


def _calls(place: Path, inside: Path, outside: Path) -> dict[str, float]:
    """Return microseconds of a pair of calls: bare, attached and not matching, captured."""
    program = place / "pairs"
    source = Path(__file__).parent / "pairs.c"
    subprocess.run(["gcc", "-O2", "-o", str(program), str(source)], check=True)
    found: dict[str, list[float]] = {"bare": [], "other": [], "captured": []}
    for _ in range(ROUNDS):
        found["bare"].append(_pair(program, outside))
        with contextlib.ExitStack() as stack:
            _nettap(place, inside, stack)
            found["other"].append(_pair(program, outside))
            found["captured"].append(_pair(program, inside))
    return {name: min(times) for name, times in found.items()}


def _pair(program: Path, cgroup: Path) -> float:
    command = [str(program), str(PAIRS), str(BYTES)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        (cgroup / "cgroup.procs").write_text(str(process.pid))
        out, _ = process.communicate("go\n", timeout=120)
    return float(out) / 1000


def _use(place: Path, inside: Path, stack: contextlib.ExitStack) -> dict[str, float]:
    """Return megabytes and millicores of capture and ingest, idle and under load."""
    nginx = _nginx(stack, place)
    for name in _children("nginx", place):
        (inside / "cgroup.procs").write_text(name)
    memory = stack.enter_context(_memory_cgroup())
    capture, ingest = _nettap(place, inside, stack, memory)
    both = (capture.pid, ingest.pid)
    time.sleep(2)
    idle, maps = sum(map(_memory, both)), _maps(capture.pid)
    counted = _counted(memory)
    before, began = sum(map(_ticks, both)), time.monotonic()
    load = _wrk(place, nginx, SECONDS, RATE)
    spent = (sum(map(_ticks, both)) - before) / _TICK / (time.monotonic() - began)
    peak, counted_peak = sum(map(_memory, both)), _counted(memory)
    lines = _recorded(place / "recording")
    return {
        "memory_idle": idle,
        "maps": maps,
        "memory_load": peak,
        "counted_idle": counted,
        "counted_load": counted_peak,
        "cpu": spent * 1000,
        "requests": load.sent,
        "pairs": lines,
    }


def _nettap(
    place: Path, inside: Path, stack: contextlib.ExitStack, memory: Path | None = None
) -> tuple[subprocess.Popen[bytes], subprocess.Popen[bytes]]:
    """Start a forwarder, an ingest that asks for cgroup `inside`, and capture; return capture and ingest.

    Capture and ingest run in the cgroup `memory`, if one is given.
    """
    socket = place / "nettap.sock"
    shutil.rmtree(place / "recording", ignore_errors=True)
    exporters = {"files": {"type": "files", "path": str(place / "recording"), "format": "jsonl"}}
    forwarder = _service(
        stack,
        place,
        "speedscale_runtime.forwarder",
        FORWARDER_PORT="0",
        SPEEDSCALE_HOME=str(place / "home"),
        SPOOL_DIR=str(place / "spool"),
        EXPORTERS=json.dumps(exporters),
    )
    targets = [{"path": f"/{inside.name}", "service": "nginx", "namespace": "bench"}]
    ingest = _service(
        stack,
        place,
        "speedscale_runtime.nettap",
        NETTAP_SOCKET_PATH=str(socket),
        FORWARDER_ADDR=f"127.0.0.1:{forwarder[1]['port']}",
        API_HOST="127.0.0.1",
        API_PORT="0",
        NETTAP_CGROUP_TARGETS=json.dumps(targets),
        NETTAP_CAPTURE_LOOPBACK="true",
        memory=memory,
    )
    capture = _started(
        stack,
        [str(nettap_build.ensure() / nettap_build.PROGRAM)],
        place / "capture.log",
        {"NETTAP_SOCKET_PATH": str(socket), "NETTAP_CGROUP_HIERARCHY": "unified"},
        memory,
    )
    _attached(capture, place / "capture.log")
    return capture, ingest[0]


def _recorded(folder: Path) -> int:
    """Return how many pairs are on disk, once no more come."""
    before, since = -1, time.monotonic()
    while time.monotonic() - since < _QUIET_S:
        now = sum(path.read_bytes().count(b"\n") for path in folder.rglob("*.jsonl"))
        if now != before:
            before, since = now, time.monotonic()
        time.sleep(0.1)
    return before


def _attached(capture: subprocess.Popen[bytes], log: Path) -> None:
    """Wait until capture says which cgroups it captures."""
    deadline = time.monotonic() + _READY_S
    while '"event":"targets"' not in log.read_text():
        if capture.poll() is not None or time.monotonic() > deadline:
            raise SystemExit(f"bench: capture does not capture:\n{log.read_text()[-2000:]}")
        time.sleep(0.05)
    time.sleep(1)


def _service(
    stack: contextlib.ExitStack, place: Path, module: str, *, memory: Path | None = None, **settings: str
) -> tuple[subprocess.Popen[bytes], dict[str, Any]]:
    status = place / f"{module}.json"
    status.unlink(missing_ok=True)
    environment = {**settings, "STATUS_FILE": str(status), "METRICS_HTTP_PORT": "0"}
    process = _started(stack, [sys.executable, "-m", module], place / f"{module}.log", environment, memory)
    return process, _until(status, process)  # type: ignore[arg-type]


def _started(
    stack: contextlib.ExitStack, command: list[str], log: Path, settings: dict[str, str], cgroup: Path | None = None
) -> subprocess.Popen[bytes]:
    if cgroup:
        command = ["sh", "-c", f'echo $$ > {cgroup}/cgroup.procs; exec "$@"', "sh", *command]
    with log.open("wb") as file:
        process = subprocess.Popen(command, env={**os.environ, **settings}, stdout=file, stderr=file)
    stack.callback(process.wait)
    stack.callback(process.terminate)
    return process


@contextlib.contextmanager
def _cgroup(name: str) -> Iterator[Path]:
    """Yield an empty cgroup of the unified hierarchy; what is in it at the end goes back to the root."""
    mounts = (line.split() for line in Path("/proc/mounts").read_text().splitlines())
    root = next(Path(where) for _, where, kind, *_ in mounts if kind == "cgroup2")
    made = root / f"bench-nettap-{name}-{os.getpid()}"
    made.mkdir()
    try:
        yield made
    finally:
        for process in (made / "cgroup.procs").read_text().split():
            with contextlib.suppress(OSError):
                (root / "cgroup.procs").write_text(process)
        made.rmdir()


@contextlib.contextmanager
def _memory_cgroup() -> Iterator[Path]:
    """Yield an empty cgroup that counts memory, of whichever version has the controller."""
    mounts = [line.split() for line in Path("/proc/mounts").read_text().splitlines()]
    first = [where for _, where, kind, options, *_ in mounts if kind == "cgroup" and "memory" in options.split(",")]
    made = (
        Path((first or [where for _, where, kind, *_ in mounts if kind == "cgroup2"])[0])
        / f"bench-memory-{os.getpid()}"
    )
    if not first:
        (made.parent / "cgroup.subtree_control").write_text("+memory")
    made.mkdir()
    try:
        yield made
    finally:
        _until_gone(made)


def _until_gone(cgroup: Path) -> None:
    deadline = time.monotonic() + _READY_S
    while True:
        try:
            cgroup.rmdir()
        except OSError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.1)
        else:
            return


def _counted(cgroup: Path) -> float:
    """Return the megabytes that count against a container's limit and for its eviction: all but what can be dropped."""
    usage = next(path for name in ("memory.current", "memory.usage_in_bytes") if (path := cgroup / name).exists())
    stat = dict(line.split() for line in (cgroup / "memory.stat").read_text().splitlines())
    return (int(usage.read_text()) - int(stat.get("total_inactive_file", stat["inactive_file"]))) / 1e6


def _children(name: str, place: Path) -> list[str]:
    """Return the processes of a program that were started with this folder in their arguments, and their children."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            if (folder / "comm").read_text().strip() == name and _belongs(folder, place):
                found.append(folder.name)
    return found


def _belongs(folder: Path, place: Path) -> bool:
    if str(place).encode() in (folder / "cmdline").read_bytes():
        return True
    parent = (folder / "stat").read_text().rpartition(")")[2].split()[1]
    return str(place).encode() in Path("/proc", parent, "cmdline").read_bytes()


def _memory(pid: int) -> float:
    """Return megabytes that are a process's own (proportional set size: shared libraries by share)."""
    text = Path(f"/proc/{pid}/smaps_rollup").read_text()
    return next(int(line.split()[1]) for line in text.splitlines() if line.startswith("Pss:")) * 1024 / 1e6


def _maps(pid: int) -> float:
    """Return megabytes of BPF maps that a process holds, rings included; each map once."""
    sizes: dict[str, int] = {}
    for info in Path(f"/proc/{pid}/fdinfo").iterdir():
        with contextlib.suppress(OSError):
            fields = dict(line.split(":", 1) for line in info.read_text().splitlines() if ":" in line)
            if "map_id" in fields:
                sizes[fields["map_id"]] = int(fields["memlock"])
    return sum(sizes.values()) / 1e6


def _ticks(pid: int) -> int:
    """Return the clock ticks of processor time that a process has used."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return int(fields[11]) + int(fields[12])
