"""The forwarder killed under load, again and again: what was acknowledged is counted at every exporter.

    make bench-kills
    python -m bench.forwarder_kills [--kills 200] [--exporters jsonl,parquet,otlp,s3] [--seconds 600] [--dlp] [--clock]

Senders post batches one after the other, each until it is acknowledged, as a sidecar does; the process is killed with
SIGKILL at random moments, also while it starts, and started again. With `--clock` its wall clock jumps back and forth
before each kill and between them (needs libfaketime), and traffic may be no older than an hour. At the end it drains.
Prints acknowledged, delivered, duplicated (removable by uuid) and lost for each exporter, the largest memory, and how
long it took; exit 1 where anything was lost or came from nowhere.
"""

from __future__ import annotations

import argparse
import asyncio
import base64
import contextlib
import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
import uuid
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiohttp

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "scripts"))
import export_servers as servers
import kafka_server
import wall_clock

from speedscale_runtime.rrpair import recording
from speedscale_schemas import frames
from speedscale_schemas.frames import Frame

BATCH_PAIRS = 5
SENDERS = 3
PAUSE_S = 0.02
"""Of a sender that was not answered."""
SETTLE_S = 10.0
BATCHES_MAX = 60
"""A kill comes after 1 to so many batches more, all senders together."""
PROGRESS_S = 10.0
CLOCKS = (0, 3600, -7200, 86400, 864000, -60)


@dataclass
class Tally:
    """One exporter's account."""

    delivered: int
    duplicated: int
    lost: int
    unknown: int


@dataclass
class Account:
    """What was sent and acknowledged, by uuid, and how often the process was killed and started."""

    attempted: set[str] = field(default_factory=set)
    acknowledged: set[str] = field(default_factory=set)
    refused: Counter[str] = field(default_factory=Counter)
    kills: int = 0
    peak_kb: int = 0


class Process:
    """The forwarder in `root`; its port is found in its status file."""

    def __init__(self, root: Path, settings: dict[str, str], clock: wall_clock.WallClock | None) -> None:
        self.root, self.settings, self.clock = root, settings, clock
        self.status = root / "status.json"
        self.child: subprocess.Popen[bytes] | None = None
        self.port = 0

    def start(self) -> None:
        """Start it; do not wait."""
        self.status.unlink(missing_ok=True)
        kept = {k: v for k, v in os.environ.items() if not k.startswith(("FORWARDER_", "SPEEDSCALE_", "SPOOL_"))}
        faked = self.clock.environment() if self.clock is not None else {}
        with (self.root / "log").open("ab") as log:
            self.child = subprocess.Popen(
                [sys.executable, "-m", "speedscale_runtime.forwarder"],
                env={**kept, **self.settings, **faked},
                stdout=log,
                stderr=log,
            )

    async def listening(self, seconds: float) -> bool:
        """Wait until it listens; say whether it does."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            with contextlib.suppress(FileNotFoundError, ValueError):
                self.port = int(json.loads(self.status.read_text())["port"])
                return True
            assert self.child is not None
            if self.child.poll() is not None:
                raise RuntimeError((self.root / "log").read_text()[-3000:])
            await asyncio.sleep(0.01)
        return False

    def kill(self) -> int:
        """Kill it; return the most memory it had, in kB."""
        assert self.child is not None
        peak = 0
        with contextlib.suppress(OSError):
            lines = Path(f"/proc/{self.child.pid}/status").read_text().splitlines()
            peak = next((int(line.split()[1]) for line in lines if line.startswith("VmHWM")), 0)
        self.child.kill()
        self.child.wait()
        self.port = 0
        return peak


def _batch(sender: int, sequence: int) -> tuple[bytes, list[str]]:
    made, names = [], []
    for index in range(BATCH_PAIRS):
        name = base64.b64encode(uuid.UUID(int=(sender << 64) | (sequence << 8) | index).bytes).decode()
        head = {
            "msgType": "rrpair",
            "uuid": name,
            "ts": f"2026-01-02T03:{sequence // 60 % 60:02d}:{sequence % 60:02d}.{sender:03d}{index:03d}Z",
            "l7protocol": "http",
            "direction": "IN",
            "service": "shop",
            "namespace": "default",
            "network_address": "shop:80",
            "location": f"/{sender}/{sequence}/{index}",
            "http": {"req": {"method": "GET", "uri": "/", "url": "/", "version": "1.1"}, "res": {"statusCode": 200}},
        }
        made.append(frames.encode(Frame(json.dumps(head).encode(), b"", b"x" * 1500)))
        names.append(name)
    return b"".join(made), names


async def _send(process: Process, account: Account, number: int, ended: asyncio.Event) -> None:
    """Post batches, each until it is acknowledged or the end has come."""
    sequence = 0
    async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=20)) as session:
        while not ended.is_set():
            payload, names = _batch(number, sequence)
            account.attempted.update(names)
            while not await _posted(session, process, account, payload, number, sequence):
                if ended.is_set():
                    return
                await asyncio.sleep(PAUSE_S)
            account.acknowledged.update(names)
            sequence += 1


async def _posted(
    session: aiohttp.ClientSession, process: Process, account: Account, payload: bytes, number: int, sequence: int
) -> bool:
    if not process.port:
        return False
    headers = {
        frames.H_VERSION: frames.BATCH_VERSION,
        frames.H_SENDER: f"sender-{number}",
        frames.H_EPOCH: "1",
        frames.H_SEQUENCE: str(sequence),
    }
    try:
        url = f"http://127.0.0.1:{process.port}{frames.BATCH_PATH}"
        async with session.post(url, data=payload, headers=headers) as answer:
            if answer.status == 200:
                return True
            account.refused[str((await answer.json())["reason"])] += 1
    except (aiohttp.ClientError, OSError, TimeoutError, ValueError):
        account.refused["connection"] += 1
    return False


async def _load(process: Process, account: Account, kills: int, seconds: float) -> None:
    rng = random.Random(7)
    ended = asyncio.Event()
    senders = [asyncio.create_task(_send(process, account, n, ended)) for n in range(1, SENDERS + 1)]
    deadline = time.monotonic() + seconds
    process.start()
    while account.kills < kills and time.monotonic() < deadline:
        if rng.random() < 0.9:  # else it is killed while it starts, recovers, reads what was written
            await process.listening(120)
            if process.clock is not None:
                process.clock.step(rng.choice(CLOCKS))
            await _progress(account, rng.randint(1, BATCHES_MAX) * BATCH_PAIRS)
            await asyncio.sleep(rng.uniform(0, 0.1))
        else:
            await process.listening(rng.uniform(0.2, 1.5))
        account.peak_kb = max(account.peak_kb, process.kill())
        account.kills += 1
        if process.clock is not None:
            process.clock.step(rng.choice(CLOCKS))
        process.start()
    if process.clock is not None:
        process.clock.step(0)  # AWS takes nothing from who is a quarter of an hour off
    await process.listening(120)
    ended.set()
    await asyncio.gather(*senders)


async def _progress(account: Account, pairs: int) -> None:
    """Wait until so many more pairs are acknowledged; not for ever, for a spool may be full."""
    wanted, deadline = len(account.acknowledged) + pairs, time.monotonic() + PROGRESS_S
    while len(account.acknowledged) < wanted and time.monotonic() < deadline:
        await asyncio.sleep(0.005)


def _drain(process: Process, seconds: float) -> None:
    assert process.child is not None
    process.child.send_signal(signal.SIGTERM)
    process.child.wait(seconds)


def _recorded(folder: Path) -> list[str]:
    return [str(entry.pair.doc["uuid"]) for entry in recording.read(folder) if entry.pair is not None]


def _parquet(folder: Path) -> list[str]:
    import duckdb

    query = "SELECT uuid FROM read_parquet(?, hive_partitioning = false)"
    return [str(row[0]) for row in duckdb.execute(query, [f"{folder}/**/*.parquet"]).fetchall()]


def _exporters(
    names: list[str], root: Path, running: contextlib.ExitStack
) -> tuple[dict[str, dict[str, Any]], dict[str, Callable[[], list[str]]], servers.Server | None]:
    """Return EXPORTERS, how what arrived is counted, and the backend if any, starting the servers that are wanted."""
    backend = None
    entries: dict[str, dict[str, Any]] = {}
    counts: dict[str, Callable[[], list[str]]] = {}
    kinds: dict[str, type[servers.Server]] = {
        "otlp": servers.Collector,
        "grpc": servers.Collector,
        "s3": servers.S3Server,
        "firehose": servers.Aws,
        "kafka": kafka_server.Kafka,
        "backend": servers.Backend,
    }
    for name in names:
        if name == "jsonl":
            entries[name] = {"type": "files", "format": "jsonl", "path": str(root / name), "max_pairs_per_s": 0}
            counts[name] = lambda: _recorded(root / "jsonl")
        elif name == "parquet":
            entries[name] = {"type": "parquet", "path": str(root / name), "linger_s": 0.5}
            counts[name] = lambda: _parquet(root / "parquet")
        elif why := kinds[name].missing():
            print(f"{name}: left out: {why}", file=sys.stderr)
        else:
            server = running.enter_context(kinds[name](root / f"server-{name}"))
            entries[name] = _entry(name, server)
            counts[name] = server.uuids
            backend = server if name == "backend" else backend
    return entries, counts, backend


def _environment(clock: bool, backend: servers.Server | None) -> dict[str, str]:
    limits = {"SPOOL_MAX_AGE_S": "3600", "EXPORTER_MAX_LAG_S": "3600"} if clock else {}
    url = f"http://127.0.0.1:{backend.port}" if backend is not None else ""
    named = {"SPEEDSCALE_APP_URL": url, "SPEEDSCALE_API_KEY": servers.API_KEY} if url else {}
    return {**limits, **named, **servers.KEYS}


def _entry(name: str, server: servers.Server) -> dict[str, Any]:
    url = f"http://127.0.0.1:{server.port}"
    if isinstance(server, servers.Collector):
        return {"otel_endpoint": server.grpc, "protocol": "grpc"} if name == "grpc" else {"otel_endpoint": server.http}
    if name == "s3":
        return {"type": "s3", "bucket": servers.BUCKET, "endpoint_url": url, "linger_s": 0.5}
    if name == "firehose":
        return {"type": "firehose", "stream": servers.STREAM, "endpoint_url": url}
    if name == "backend":
        return {"type": "backend"}
    return {"type": "kafka", "brokers": [f"127.0.0.1:{server.port}"], "topic": kafka_server.TOPIC}


def run(
    kills: int, names: list[str], seconds: float, *, clock: bool = False, redact: bool = False
) -> tuple[Account, dict[str, Tally]]:
    """Do it all in a folder of its own; return the accounts."""
    with tempfile.TemporaryDirectory() as folder, contextlib.ExitStack() as running:
        root = Path(folder)
        entries, counts, backend = _exporters(names, root, running)
        process = Process(
            root,
            {
                "FORWARDER_PORT": "0",
                "METRICS_HTTP_PORT": "0",
                "STATUS_FILE": str(root / "status.json"),
                "SPEEDSCALE_HOME": str(root / "home"),
                "SPOOL_SEGMENT_BYTES": "262144",
                "DRAIN_TIMEOUT_S": "300",
                "WITH_DLP": "true" if redact else "false",
                "EXPORTERS": json.dumps(entries),
                **_environment(clock, backend),
            },
            wall_clock.WallClock(root / "clock") if clock else None,
        )
        account = Account()
        try:
            asyncio.run(_load(process, account, kills, seconds))
            _drain(process, 330)
        finally:
            if process.child is not None and process.child.poll() is None:
                process.kill()
        return account, {name: _settled(account, count) for name, count in counts.items()}


def _settled(account: Account, count: Callable[[], list[str]]) -> Tally:
    """Return an exporter's account; a server that writes a moment after it answered is given that moment."""
    deadline = time.monotonic() + SETTLE_S
    while (tally := _tally(account, count())).lost and time.monotonic() < deadline:
        time.sleep(0.1)
    return tally


def _tally(account: Account, found: list[str]) -> Tally:
    times = Counter(found)
    return Tally(
        delivered=len(times),
        duplicated=len(found) - len(times),
        lost=len(account.acknowledged - times.keys()),
        unknown=len(times.keys() - account.attempted),
    )


def main(arguments: list[str] | None = None) -> int:
    """Print the account; 1 where something was lost."""
    parser = argparse.ArgumentParser(prog="python -m bench.forwarder_kills", description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--kills", type=int, default=200)
    parser.add_argument("--exporters", default="jsonl,parquet,otlp,grpc,s3,firehose,kafka,backend")
    parser.add_argument("--seconds", type=float, default=1800, help="end earlier, with the kills done by then")
    parser.add_argument("--clock", action="store_true", help="the wall clock jumps between kills (libfaketime)")
    parser.add_argument("--dlp", action="store_true", help="redact as well; compiling rules makes each start slower")
    args = parser.parse_args(arguments)
    if args.clock and (why := wall_clock.missing()):
        print(f"--clock: {why}", file=sys.stderr)
        return 2
    began = time.monotonic()
    account, tallies = run(args.kills, args.exporters.split(","), args.seconds, clock=args.clock, redact=args.dlp)
    print(f"killed {account.kills} times; acknowledged {len(account.acknowledged):,} pairs; ", end="")
    print(f"peak memory {account.peak_kb / 1024:.0f} MB; attempts refused {sum(account.refused.values()):,}; ", end="")
    print(f"{time.monotonic() - began:,.0f} s")
    print(f"{'exporter':<12} {'delivered':>10} {'duplicated':>11} {'lost':>6} {'unknown':>8}")
    for name, tally in tallies.items():
        print(f"{name:<12} {tally.delivered:>10,} {tally.duplicated:>11,} {tally.lost:>6,} {tally.unknown:>8,}")
    return 1 if any(tally.lost or tally.unknown for tally in tallies.values()) or not account.acknowledged else 0


if __name__ == "__main__":
    sys.exit(main())
