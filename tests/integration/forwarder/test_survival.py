"""Kills, full disks and slow exporters: what was acknowledged comes out, once."""

from __future__ import annotations

import functools
import json
import subprocess
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import requests

from speedscale_runtime.rrpair import recording

pytestmark = pytest.mark.integration


def exporters(path: Path, **more: object) -> str:
    return json.dumps({"recording": {"type": "files", "path": str(path), "format": "jsonl", **more}})


def recorded(path: Path) -> Counter[str]:
    found: Counter[str] = Counter()
    for entry in recording.read(path):
        assert entry.pair is not None, entry.error
        found[str(entry.pair.doc["location"])] += 1
    return found


class Sender(threading.Thread):
    """Sends batches one after the other, each until acknowledged or the forwarder is gone; notes what was."""

    def __init__(self, forwarder: object, batch: Callable[..., bytes], number: int, first: int) -> None:
        super().__init__()
        self.forwarder, self.batch, self.number = forwarder, batch, number
        self.sequence = first
        self.acknowledged: list[int] = []

    def pairs(self, sequence: int) -> list[int]:
        return [self.number * 1_000_000 + sequence * 10 + i for i in range(5)]

    def run(self) -> None:
        while True:
            payload = self.batch(*self.pairs(self.sequence), response=b"x" * 2000)
            try:
                answer = self.forwarder.post(payload, self.sequence, sender=f"sender-{self.number}")  # type: ignore[attr-defined]
            except requests.RequestException:
                return  # killed: the next sender goes on with this very batch
            assert answer.status_code == 200, answer.text
            self.acknowledged.append(self.sequence)
            self.sequence += 1


def enough(senders: list[Sender], goal: int) -> bool:
    return sum(s.sequence for s in senders) >= goal


def fill(path: Path) -> None:
    with path.open("wb", buffering=0) as file:
        while True:
            file.write(bytes(4096))


@pytest.mark.parametrize("fmt", ["jsonl", "markdown"])
def test_killed_under_load_again_and_again_it_loses_and_doubles_nothing(
    forwarder: Callable, batch: Callable, tmp_path: Path, fmt: str
) -> None:
    out = tmp_path / "out"
    f = forwarder(EXPORTERS=exporters(out, format=fmt), WITH_DLP="false", SPOOL_SEGMENT_BYTES="100000")
    senders = [Sender(f, batch, n, 1) for n in range(3)]
    acknowledged: set[str] = set()
    for _ in range(4):
        for sender in senders:
            sender.start()
        f.until(functools.partial(enough, senders, sum(s.sequence for s in senders) + 40))
        f.kill()
        for sender in senders:
            sender.join()
            acknowledged |= {f"/orders/{n}" for s in sender.acknowledged for n in sender.pairs(s)}
        f.start()
        senders = [Sender(f, batch, s.number, s.sequence) for s in senders]
    attempted = acknowledged | {f"/orders/{n}" for s in senders for n in s.pairs(s.sequence)}
    assert f.end() == 0
    found = recorded(out)
    assert acknowledged <= set(found) <= attempted
    assert {n for n, times in found.items() if times != 1} == set()


def test_sigterm_delivers_what_waits_before_it_ends(forwarder: Callable, batch: Callable, tmp_path: Path) -> None:
    out = tmp_path / "out"
    f = forwarder(EXPORTERS=exporters(out, max_pairs_per_s=10), WITH_DLP="false")
    for sequence in range(1, 21):
        f.post(batch(*range(sequence * 100, sequence * 100 + 50)), sequence)
    assert f.end() == 0
    assert len(recorded(out)) == 1000


def test_a_full_spool_refuses_and_a_slow_exporter_alone_is_cut_off(
    forwarder: Callable, batch: Callable, tmp_path: Path
) -> None:
    both = {
        "good": {"type": "files", "path": str(tmp_path / "good"), "format": "jsonl", "max_pairs_per_s": 0},
        "away": {"otel_endpoint": "http://127.0.0.1:9/v1/logs"},
    }
    f = forwarder(
        EXPORTERS=json.dumps(both),
        WITH_DLP="false",
        SPOOL_MAX_BYTES="400000",
        SPOOL_SEGMENT_BYTES="40000",
        EXPORTER_MAX_LAG_BYTES="150000",
    )
    sent = 0
    for sequence in range(1, 61):

        def stored(sequence: int = sequence) -> bool:
            answer = f.post(batch(sequence, response=b"x" * 20000), sequence)
            assert answer.status_code in (200, 429), answer.text
            return answer.status_code == 200

        f.until(stored)
        sent += 1
    f.until(lambda: f.status()["exporters"]["good"]["lagPairs"] == 0)
    status = f.status()
    assert status["exporters"]["good"]["exported"] == sent
    assert status["exporters"]["good"]["cutOff"] is False
    assert status["exporters"]["away"]["cutOff"] is True
    assert status["exporters"]["away"]["errors"] > 0
    assert status["exporters"]["away"]["lastError"] == "ClientConnectorError"
    assert status["spool"]["bytes"] <= 400_000
    assert 'speedscale_forwarder_exporter_cut_off{exporter="away"} 1.0' in f.metrics()


def test_when_no_exporter_keeps_up_the_spool_fills_and_nothing_acknowledged_goes(
    forwarder: Callable, batch: Callable, tmp_path: Path
) -> None:
    settings = {"WITH_DLP": "false", "SPOOL_MAX_BYTES": "200000", "SPOOL_SEGMENT_BYTES": "20000"}
    f = forwarder(EXPORTERS=json.dumps({"away": {"otel_endpoint": "http://127.0.0.1:9"}}), **settings)
    sequence = 0
    while (answer := f.post(batch(sequence, response=b"x" * 5000), sequence)).status_code == 200:
        sequence += 1
    assert (answer.status_code, answer.json()["reason"]) == (429, "spool_full")
    assert answer.headers["Retry-After"]
    assert f.ready().status_code == 503 or f.post(batch(1), 999).status_code == 200  # a small one may still fit
    assert f.status()["exporters"]["away"]["cutOff"] is False
    f.kill()

    out = tmp_path / "out"
    f.environ["EXPORTERS"] = json.dumps({"away": {"type": "files", "path": str(out), "format": "jsonl"}})
    f.start()
    f.end()
    assert set(recorded(out)) >= {f"/orders/{n}" for n in range(sequence)}


def test_traffic_that_is_too_old_is_deleted_and_counted_also_when_nothing_comes(
    forwarder: Callable, batch: Callable
) -> None:
    f = forwarder(
        EXPORTERS=json.dumps({"away": {"otel_endpoint": "http://127.0.0.1:9"}}), WITH_DLP="false", SPOOL_MAX_AGE_S="1"
    )
    assert f.post(batch(1, 2, 3), 1).status_code == 200
    f.until(lambda: '"event": "spool_expired"' in f.log.read_text())
    assert not [p for p in f.root.rglob("*.spool") if b"/orders/1" in p.read_bytes()]
    assert f.status()["exporters"]["away"]["lagBytes"] < 1000
    assert f.post(batch(1), 1).json() == {"sequence": 1, "duplicate": True}  # it had been acknowledged


@pytest.mark.parametrize("policy", ["each", "none"])
def test_whatever_the_policy_of_fsync_a_killed_process_loses_nothing(
    forwarder: Callable, batch: Callable, tmp_path: Path, policy: str
) -> None:
    out = tmp_path / "out"
    f = forwarder(EXPORTERS=exporters(out), WITH_DLP="false", SPOOL_FSYNC=policy)
    for sequence in range(20):
        assert f.post(batch(sequence), sequence).status_code == 200
    f.kill()
    f.start()
    f.end()
    assert set(recorded(out)) == {f"/orders/{n}" for n in range(20)}


@pytest.fixture
def tiny_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of one megabyte."""
    mount = tmp_path / "tiny"
    mount.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(mount)]
    try:
        subprocess.run(command, check=True, capture_output=True)
    except (OSError, subprocess.CalledProcessError) as error:
        pytest.skip(f"a tmpfs cannot be mounted here: {error}")
    yield mount
    subprocess.run(["umount", "-l", str(mount)], check=True)


def test_a_full_disk_refuses_serves_on_and_recovers(
    forwarder: Callable, batch: Callable, tmp_path: Path, tiny_disk: Path
) -> None:
    out = tmp_path / "out"
    f = forwarder(EXPORTERS=exporters(out, format="jsonl"), WITH_DLP="false", SPOOL_DIR=str(tiny_disk / "spool"))
    assert f.post(batch(1), 1).status_code == 200
    ballast = tiny_disk / "ballast"
    with pytest.raises(OSError, match="No space"):
        fill(ballast)
    refused = f.post(batch(2, response=b"x" * 50_000), 2)
    assert (refused.status_code, refused.json()["reason"]) == (503, "disk_full")
    assert f.status()["refused"]["disk_full"] == 1
    ballast.unlink()
    assert f.post(batch(2, response=b"x" * 50_000), 2).json() == {"sequence": 2}
    assert f.end() == 0
    assert set(recorded(out)) == {"/orders/1", "/orders/2"}
