"""The ingest as a process: from a capture's socket to a recording on disk, and what it does about bad company."""

from __future__ import annotations

import json
import signal
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from playing_capture import Capture, Program, until
from prometheus_client.parser import text_string_to_metric_families

from speedscale_runtime.nettap import wire
from speedscale_runtime.rrpair import recording

pytestmark = pytest.mark.integration

GET = b"GET /cart HTTP/1.1\r\nHost: shop\r\n\r\n"
OK = b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 5\r\n\r\nhello"
Start = Callable[..., Program]


def watched(tmp_path: Path) -> Capture:
    """Return a capture that was told its targets and found the cgroup."""
    capture = Capture(tmp_path / "nettap.sock").hello()
    ((number, (uid, path, ports)),) = capture.targets().items()
    assert (uid, path, ports) == ("", "/cart", ())
    capture.cgroup(77, number, "/cart")
    return capture


def recorded(forwarder: Program) -> list[dict[str, Any]]:
    """Return what the forwarder has written of the service of this test."""
    found = (entry.pair.doc for entry in recording.read(forwarder.root / "recording") if entry.pair is not None)
    return [pair for pair in found if pair["service"] == "disk"]


def test_what_capture_tells_becomes_a_recording_on_disk(
    tmp_path: Path, start: Start, forwarder: Program, chunks: ModuleType
) -> None:
    ingest = start(NETTAP_CGROUP_TARGETS=json.dumps([{"path": "/cart", "service": "disk", "namespace": "shop"}]))
    capture = watched(tmp_path)
    told = []
    for number in range(200):
        client = chunks.Tap(sock=2 * number + 1, local=("10.0.0.5", 30000 + number))
        server = chunks.Tap(
            sock=2 * number + 2, role=wire.Role.SERVER, local=("10.0.0.9", 80), remote=("10.0.0.5", 30000 + number)
        )
        told += [*client.sent(GET), *server.received(GET), *server.sent(OK), *client.received(OK)]
        told += [*client.closed(), *server.closed()]
    capture.tell(told)
    until(lambda: ingest.stats()["pairs"]["captured"] == 400, log=ingest.read)
    capture.close()
    assert ingest.end() == 0
    until(lambda: len(recorded(forwarder)) >= 400, log=forwarder.read)
    pairs = recorded(forwarder)
    assert len(pairs) == 400
    assert sorted({(p["direction"], p["service"], p["namespace"], p["location"]) for p in pairs}) == [
        ("IN", "disk", "shop", "/cart"),
        ("OUT", "disk", "shop", "/cart"),
    ]


def test_it_is_observable(tmp_path: Path, start: Start, chunks: ModuleType) -> None:
    ingest = start()
    assert ingest.get("/readyz")[0] == 200
    assert ingest.get("/healthz")[0] == 200
    assert json.loads(ingest.get("/config")[1])["capture"]["connected"] is False
    capture = watched(tmp_path)
    counters = {"probe_calls": {"read": 7}, "ringbuf_drops": {"chunks": 1}, "program_run_time_ns": {"p": 2_000_000_000}}
    stats = {"boot_offset_ns": 1, "counters": {**counters, "sockets_full": {'od"d\n': 3}}}
    capture.send(wire.Type.STATS, json.dumps(stats).encode())
    capture.tell(chunks.Tap().gap(wire.Direction.SENT, 4096, wire.Gap.SENDFILE))
    until(lambda: ingest.stats()["gapBytes"]["sendfile"] == 4096, log=ingest.read)
    shown = json.loads(ingest.get("/config")[1])
    assert shown["capture"]["connected"] is True
    assert shown["targets"][0]["cgroups"] == ["/cart"]
    status, text = ingest.get("/metrics", "metricsPort")
    samples = {
        (s.name, *sorted(s.labels.values())): s.value for f in text_string_to_metric_families(text) for s in f.samples
    }
    assert status == 200
    assert samples[("nettap_probe_calls_total", "read")] == 7
    assert samples[("nettap_ringbuf_drops_total", "chunks")] == 1
    assert samples[("nettap_bpf_program_run_time_seconds_total", "p")] == 2
    assert samples[("speedscale_nettap_capture_counter_total", 'od"d\n', "sockets_full")] == 3
    assert samples[("speedscale_nettap_gap_bytes_total", "sendfile")] == 4096
    assert samples[("speedscale_nettap_capture_connected",)] == 1
    assert samples[("speedscale_nettap_pairs_seen_total",)] == 0
    assert ingest.end() == 0


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        (b"GET / HTTP/1.1\r\n\r\n", "version"),
        (wire.FRAME.pack(wire.Type.STATS, 1, 2) + b"{}", "no_hello"),
        (wire.FRAME.pack(wire.Type.HELLO, 1, 2) + b"{}" + wire.FRAME.pack(99, 1, 0), "type"),
        (wire.FRAME.pack(wire.Type.HELLO, 1, 2) + b"[]", "text"),
        (wire.FRAME.pack(wire.Type.HELLO, 1, 2) + b"{}" + wire.FRAME.pack(2, 1, 3) + b"abc", "too_short"),
    ],
)
def test_what_is_no_frame_ends_the_line_and_the_next_one_is_welcome(
    tmp_path: Path, start: Start, chunks: ModuleType, line: bytes, reason: str
) -> None:
    ingest = start()
    bad = Capture(tmp_path / "nettap.sock")
    bad.raw(line)
    assert bad.ended()
    until(lambda: ingest.stats()["badLines"][reason] == 1, log=ingest.read)
    capture = watched(tmp_path)
    end = chunks.Tap()
    capture.tell([*end.sent(GET), *end.received(OK)])
    until(lambda: ingest.stats()["pairs"]["captured"] == 1, log=ingest.read)
    capture.close()
    bad.close()


def test_a_new_capture_takes_the_place_of_the_old_one(tmp_path: Path, start: Start, chunks: ModuleType) -> None:
    ingest = start()
    first = watched(tmp_path)
    end = chunks.Tap()
    first.tell([*end.sent(GET), *end.received(OK[:-1])])
    until(lambda: ingest.stats()["sockets_open"] == 1, log=ingest.read)
    second = watched(tmp_path)
    assert first.ended()
    until(lambda: ingest.stats()["ended"]["line_lost"] == 1, log=ingest.read)
    again = chunks.Tap(generation=1)
    second.tell([*again.sent(GET), *again.received(OK)])
    until(lambda: ingest.stats()["pairs"]["captured"] == 2, log=ingest.read)
    first.close()
    second.close()


def test_without_a_forwarder_pairs_are_kept_within_bounds_and_counted(
    tmp_path: Path, start: Start, chunks: ModuleType
) -> None:
    ingest = start(
        FORWARDER_ADDR="127.0.0.1:1",
        QUEUE_MAX_BYTES="65536",
        MAX_BODY_BYTES="1024",
        MAX_HEAD_BYTES="4096",
        FLUSH_TIMEOUT_S="0.1",
    )
    capture = watched(tmp_path)
    end = chunks.Tap()
    for _ in range(500):
        capture.tell([*end.sent(GET), *end.received(OK)])
    until(lambda: ingest.stats()["pairs"]["seen"] == 500, log=ingest.read)
    pairs = ingest.stats()["pairs"]
    assert pairs["dropped"]["queue_full"] > 0
    assert pairs["queue_bytes"] <= 65536
    assert pairs["captured"] + pairs["in_flight"] + sum(pairs["dropped"].values()) == 500
    capture.close()
    assert ingest.end() == 0


def test_a_process_that_was_stopped_loses_nothing(tmp_path: Path, start: Start, chunks: ModuleType) -> None:
    ingest = start()
    capture = watched(tmp_path)
    end = chunks.Tap()
    asked, answered = end.sent(GET), end.received(OK)
    capture.tell(answered)  # its request is told while the ingest stands still
    until(lambda: ingest.stats()["kept_bytes"] > 0, log=ingest.read)
    ingest.process.send_signal(signal.SIGSTOP)
    capture.tell(asked)
    ingest.process.send_signal(signal.SIGCONT)
    until(lambda: ingest.stats()["pairs"]["captured"] == 1, log=ingest.read)
    capture.close()


def test_wrong_settings_are_told_all_at_once(tmp_path: Path, start: Start) -> None:
    with pytest.raises(AssertionError) as caught:
        start(API_HOST="here", FORWARDER_ADDR="ftp://x")
    for word in ("API_HOST", "FORWARDER_ADDR"):
        assert word in str(caught.value)


def test_idle_it_is_small(tmp_path: Path, start: Start) -> None:
    ingest = start()
    watched(tmp_path).close()
    rss = next(
        int(line.split()[1])
        for line in Path(f"/proc/{ingest.process.pid}/status").read_text().splitlines()
        if line.startswith("VmRSS")
    )
    assert rss < 40 * 1024  # without a cluster to watch
