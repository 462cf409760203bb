"""The forwarder beside the same work done with the standard library alone.

Work: pairs of about 2 KB, filtered by the rule `standard`, redacted by the rule `standard`, on disk with one fsync a
batch. Ours: frames through `forwarder.core` into a spool. Peer: one NDJSON line a pair with bodies in base64, `json`,
one `re` alternation of a few detectors, a file. Both in this process, in turns; figures are pairs a CPU second
(a core), the best of the turns. `python -m bench forwarder` prints them.
"""

from __future__ import annotations

import asyncio
import base64
import hashlib
import hmac
import json
import os
import random
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import aiohttp

from speedscale_runtime import dlp, filters
from speedscale_runtime.forwarder.core import Pipeline
from speedscale_runtime.spool import Limits, Record, SegmentLog
from speedscale_schemas import frames
from speedscale_schemas.frames import Frame

BATCH_PAIRS = 64
BATCHES = 40
TURNS = 3
GOAL = 20_000
KEY = b"a key for benchmarks, 32 bytes.."

Pair = tuple[dict[str, Any], bytes, bytes]


def run() -> list[dict[str, Any]]:
    """Return the rows: work alone, and the running service with HTTP around it."""
    pairs = corpus(BATCH_PAIRS * BATCHES)
    size = sum(len(json.dumps(h)) + len(q) + len(s) for h, q, s in pairs) / len(pairs)
    with tempfile.TemporaryDirectory() as folder:
        ours, peer = _alternately(_ours(pairs, Path(folder) / "ours"), _peer(pairs, Path(folder) / "peer"), len(pairs))
        plain, _ = _alternately(_ours(pairs, Path(folder) / "plain", redact=False), None, len(pairs))
        service = _service(pairs, Path(folder))
    name = "json + re + base64, one thread"
    what = f"forwarder: filter, redact and spool pairs of {size:,.0f} bytes, a core"
    return [
        _row(what, ours, peer, name, f"≥ {GOAL:,}"),
        _row("forwarder: the same without redaction", plain, peer, name, ""),
        _row("forwarder: the running service, HTTP and a recording included", service, peer, name, ""),
    ]


def _row(what: str, ours: float, peer: float, name: str, goal: str) -> dict[str, Any]:
    row = {"what": what, "ours": ours, "peer": peer, "peer_name": name, "unit": "pairs/s", "ratio": ours / peer}
    return row | {"goal": goal}


def as_captured(head: dict[str, Any]) -> bytes:
    """Return a head as recorders write it: without spaces."""
    return json.dumps(head, separators=(",", ":")).encode()


def corpus(count: int) -> list[Pair]:
    """Return pairs of about 2 KB as a shop sends them: a fifth with personal data, one in fifty a health check."""
    rng = random.Random(1)
    return [_pair(i, rng) for i in range(count)]


def _pair(i: int, rng: random.Random) -> Pair:
    probe, personal = i % 50 == 0, i % 5 == 0
    path = "/healthz" if probe else f"/api/v1/orders/{rng.randrange(10**6)}"
    headers = {
        "Host": ["shop.example.com"],
        "User-Agent": ["kube-probe/1.29" if probe else "Mozilla/5.0 (X11; Linux x86_64) Firefox/128.0"],
        "Accept": ["application/json"],
        "Accept-Encoding": ["gzip, deflate"],
        "Content-Type": ["application/json"],
    }
    head = {
        "msgType": "rrpair",
        "uuid": base64.b64encode(rng.randbytes(16)).decode(),
        "ts": f"2026-01-02T03:{i // 60000 % 60:02d}:{i // 1000 % 60:02d}.{i % 1000:03d}000001Z",
        "l7protocol": "http",
        "duration": rng.randrange(1, 90),
        "tags": {"captureMode": "proxy", "source": "goproxy", "proxyLocation": "in", "sequence": str(i)},
        "direction": "IN",
        "cluster": "undefined",
        "namespace": "shop",
        "service": "orders",
        "network_address": "shop.example.com:80",
        "command": "POST",
        "location": path,
        "status": "200",
        "http": {
            "req": {
                "url": path,
                "uri": path + "?expand=lines",
                "version": "1.1",
                "method": "POST",
                "host": "shop.example.com",
                "headers": headers,
                "queryParams": {"expand": ["lines"]},
            },
            "res": {
                "contentType": "application/json",
                "statusCode": 200,
                "statusMessage": "200 OK",
                "headers": {"Content-Type": ["application/json"], "Server": ["nginx"]},
            },
        },
    }
    words = ["alpha", "bravo", "carbon", "delta", "ember", "fjord", "garnet", "harbor"]
    lines = [{"sku": f"{rng.choice(words)}-{rng.randrange(999)}", "count": rng.randrange(9)} for _ in range(22)]
    request = {"note": rng.choice(words), "gift": False}
    if personal:
        request |= {"contact": f"{rng.choice(words)}.{rng.randrange(99)}@example.com"}
    return head, json.dumps(request).encode(), json.dumps({"lines": lines, "state": "open"}).encode()


def _ours(pairs: list[Pair], folder: Path, *, redact: bool = True) -> Callable[[], None]:
    redactor = dlp.compile_rule(dlp.builtin("standard"), dlp.KeyRing({"k": KEY})) if redact else None
    pipeline = Pipeline(filters.compile_rule(filters.builtin("standard")), redactor)
    encoded = [frames.encode(Frame(as_captured(h), q, s)) for h, q, s in pairs]
    batches = [b"".join(encoded[i : i + BATCH_PAIRS]) for i in range(0, len(encoded), BATCH_PAIRS)]

    def turn() -> None:
        log = SegmentLog(folder, Limits())
        for sequence, payload in enumerate(batches):
            done = pipeline.process(payload)
            log.append([Record("bench", 1, sequence, done.pairs, done.payload, 0)])
        log.close()
        shutil.rmtree(folder)

    return turn


_DROPPED = re.compile(r"ELB-HealthChecker/|kube-probe|Prometheus/|GoogleHC/|/healthz|/livez|/readyz|datadog|newrelic")
_PERSONAL = re.compile(
    r"[\w.+-]{1,64}@[\w-]{1,63}(?:\.[\w-]{2,63})+|\b(?:\d[ -]?){13,19}\b|\b\d{3}-\d{2}-\d{4}\b|"
    r"eyJ[\w-]{5,}\.[\w-]{5,}\.[\w-]*|AKIA[0-9A-Z]{16}|\bBearer [\w.~+/-]{8,}"
)


def _peer(pairs: list[Pair], folder: Path) -> Callable[[], None]:
    lines = []
    for head, request, response in pairs:
        doc = json.loads(json.dumps(head))
        doc["http"]["req"]["bodyBase64"] = base64.b64encode(request).decode()
        doc["http"]["res"]["bodyBase64"] = base64.b64encode(response).decode()
        lines.append(json.dumps(doc))

    def token(found: re.Match[str]) -> str:
        return "REDACTED-" + hmac.new(KEY, found[0].encode(), hashlib.sha256).hexdigest()[:20]

    def one(line: str) -> str | None:
        doc = json.loads(line)
        req = doc["http"]["req"]
        if _DROPPED.search(req["headers"]["User-Agent"][0]) or _DROPPED.search(req["url"]):
            return None
        for part in (req, doc["http"]["res"]):
            text = base64.b64decode(part["bodyBase64"]).decode()
            part["bodyBase64"] = base64.b64encode(_PERSONAL.sub(token, text).encode()).decode()
        return json.dumps(doc)

    def turn() -> None:
        with folder.open("w") as file:
            for start in range(0, len(lines), BATCH_PAIRS):
                kept = [out for line in lines[start : start + BATCH_PAIRS] if (out := one(line)) is not None]
                file.write("\n".join(kept) + "\n")
                file.flush()
                os.fsync(file.fileno())

    return turn


def _alternately(ours: Callable[[], None], peer: Callable[[], None] | None, count: int) -> tuple[float, float]:
    best = [0.0, 0.0]
    for _ in range(TURNS):
        for i, turn in enumerate((ours, peer)):
            if turn is not None:
                start = time.process_time()
                turn()
                best[i] = max(best[i], count / (time.process_time() - start))
    return best[0], best[1]


def _service(pairs: list[Pair], folder: Path) -> float:
    """Post the corpus to a forwarder process; return pairs a second of its CPU, start-up left out."""
    status = folder / "status.json"
    exporter = {"recording": {"type": "files", "path": str(folder / "out"), "format": "jsonl"}}
    environ = os.environ | {
        "FORWARDER_PORT": "0",
        "METRICS_HTTP_PORT": "0",
        "STATUS_FILE": str(status),
        "SPEEDSCALE_HOME": str(folder / "home"),
        "EXPORTERS": json.dumps(exporter),
        "LOG_LEVEL": "error",
    }
    command = [sys.executable, "-m", "speedscale_runtime.forwarder"]
    process = subprocess.Popen(command, env=environ)
    try:
        while not status.exists():
            if process.poll() is not None:
                raise RuntimeError("the forwarder did not start")
            time.sleep(0.05)
        url = f"http://127.0.0.1:{json.loads(status.read_text())['port']}{frames.BATCH_PATH}"
        before = _cpu_s(process.pid)
        sent = asyncio.run(_post_all(url, pairs))
        return sent / (_cpu_s(process.pid) - before)
    finally:
        process.terminate()
        process.wait()


async def _post_all(url: str, pairs: list[Pair], senders: int = 4, rounds: int = 4) -> int:
    encoded = [frames.encode(Frame(as_captured(h), q, s)) for h, q, s in pairs]
    batches = [b"".join(encoded[i : i + BATCH_PAIRS]) for i in range(0, len(encoded), BATCH_PAIRS)]

    async def send(session: aiohttp.ClientSession, number: int) -> None:
        for sequence, payload in enumerate(batches[number::senders] * rounds):
            headers = {
                frames.H_VERSION: frames.BATCH_VERSION,
                frames.H_SENDER: f"bench-{number}",
                frames.H_EPOCH: "1",
                frames.H_SEQUENCE: str(sequence),
            }
            async with session.post(url, data=payload, headers=headers) as response:
                if response.status != 200:
                    raise RuntimeError(f"{response.status} {await response.text()}")

    async with aiohttp.ClientSession() as session:
        await asyncio.gather(*(send(session, n) for n in range(senders)))
    return len(pairs) * rounds


def _cpu_s(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
