"""The sidecar's life in a pod: nothing that is missing stops it, its worker may die, the application ends first."""

from __future__ import annotations

import signal
import threading
from pathlib import Path
from typing import Any

import pytest

pytestmark = pytest.mark.network


def test_everything_missing_at_the_start_then_there(
    pod: Any, outside: Any, program: Any, client: Any, recorded: Any
) -> None:
    (pod.folder / "token").rename(pod.folder / "later")
    port = program(pod.host, "http", "0.0.0.0")
    process = pod.start(f"{outside.v4}:{recorded.port}", TLS_OUT_UNWRAP="true", TLS_CERT_DIR="/mnt/nothing")
    assert pod.ask("/readyz")[0] == 200
    client(outside, pod.host.v4, str(port), "http", "shop.example", "3", "1000")
    pod.until(lambda: pod.stats()["sent"]["no_credentials"])
    assert pod.stats()["captured"] == 0
    (pod.folder / "later").rename(pod.folder / "token")
    pod.until(lambda: pod.stats()["captured"] == 12)
    left = pod.stop(process)
    assert (left["seen"], left["sent"]["unauthorized"]) == (12, 0)
    assert len(recorded.pairs()) == 12


def test_nothing_that_reaches_a_forwarder_is_no_ones_problem_but_the_counters(
    pod: Any, outside: Any, program: Any, client: Any
) -> None:
    port = program(pod.host, "http", "0.0.0.0")
    process = pod.start(
        "https://192.0.2.77:80", FORWARDER_CA_FILE="/mnt/none", QUEUE_MAX_BYTES="65536", SPILL_MAX_BYTES="0",
        FLUSH_TIMEOUT_S="0.1",
    )  # fmt: skip
    client(outside, pod.host.v4, str(port), "http", "shop.example", "20", "100000")
    left = pod.stop(process)
    assert (left["seen"], left["captured"]) == (80, 0)
    assert left["dropped"]["shutdown"] + left["dropped"]["queue_full"] == 80


def test_a_worker_killed_under_load_fails_no_new_connection(
    pod: Any, outside: Any, program: Any, client: Any, tmp_path: Path
) -> None:
    inside, other = program(pod.host, "http", "0.0.0.0"), program(outside, "http", "0.0.0.0")
    process = pod.start(FLUSH_TIMEOUT_S="0")
    end = tmp_path / "end"
    found: list[dict[str, Any]] = []

    def drive(host: Any, address: str, port: int) -> None:
        found.append(client(host, address, str(port), "load", "x.example", "4", str(end)))

    threads = [
        threading.Thread(target=drive, args=(outside, pod.host.v4, inside)),
        threading.Thread(target=drive, args=(pod.host, outside.v4, other)),
    ]
    for thread in threads:
        thread.start()
    try:
        opened: dict[str, int] = {"in": 0, "out": 0}
        for number in range(1, 4):
            pod.until(lambda: all(pod.stats()["opened"][side] > opened[side] + 20 for side in opened))  # noqa: B023
            opened = pod.stats()["opened"]
            pod.kill_worker()
            pod.until(lambda n=number: len(pod.events("serving")) > n)  # type: ignore[misc]
    finally:
        end.touch()
        for thread in threads:
            thread.join()
    left = pod.stop(process)
    refused = [
        failure for each in found for failure in each["failed"] if "Refused" in failure or "timed out" in failure
    ]
    assert not refused
    in_flight = sum(left["cut"].values())
    failed = [failure for each in found for failure in each["failed"]]
    assert len(failed) <= in_flight, (failed, left["cut"])
    assert left["worker_starts"] == 4
    assert sum(each["done"] for each in found) > 120


def test_the_end_of_a_pod_loses_no_request_of_the_application(
    pod: Any, outside: Any, program: Any, client: Any, recorded: Any, tmp_path: Path
) -> None:
    """Both get SIGTERM at once; the application still answers, and still calls others, for as long as it likes."""
    gate = tmp_path / "gate"
    inside = program(pod.host, "http", "0.0.0.0", WAIT_FOR=str(gate))
    other = program(outside, "http", "0.0.0.0")
    process = pod.start(f"{outside.v4}:{recorded.port}")
    late: list[dict[str, Any]] = []
    waiting = threading.Thread(
        target=lambda: late.append(client(outside, pod.host.v4, str(inside), "http", "shop.example", "1", "1000"))
    )
    waiting.start()
    pod.until(lambda: pod.stats()["opened"]["in"])
    process.send_signal(signal.SIGTERM)
    pod.until(lambda: pod.events("stopping"))
    assert pod.ask("/readyz")[0] == 503
    client(pod.host, outside.v4, str(other), "http", "accounts.example", "2", "1000")
    gate.touch()
    waiting.join()
    assert late == [{"requests": 4}]
    client(outside, pod.host.v4, str(inside), "http", "shop.example", "2", "1000")
    assert process.poll() is None
    pod.end_applications()
    left = pod.ended(process)
    assert (left["captured"], left["refused"]["connect_failed"]) == (20, 0)
    assert len(recorded.pairs()) == 20


@pytest.mark.parametrize("native", [False, True], ids=["ordinary", "native"])
def test_where_the_application_has_ended_already_the_sidecar_ends_at_once(
    pod: Any, outside: Any, program: Any, native: bool
) -> None:
    """A Job's end. As a native sidecar it may have others beside it that end after it: they are not waited for."""
    program(pod.host, "http", "0.0.0.0")
    process = pod.start(**({"SIDECAR_RESTART_POLICY": "Always"} if native else {}))
    if not native:
        pod.end_applications()
    process.send_signal(signal.SIGTERM)
    left = pod.ended(process)
    assert left["seen"] == 0
    assert len(pod.events("application_gone")) == (0 if native else 1)


def test_an_application_that_stays_is_served_beyond_the_time_to_drain(
    pod: Any, outside: Any, program: Any, client: Any, recorded: Any
) -> None:
    port = program(pod.host, "http", "0.0.0.0")
    process = pod.start(f"{outside.v4}:{recorded.port}", DRAIN_TIMEOUT_S="0")
    client(outside, pod.host.v4, str(port), "http", "shop.example", "1", "1000")
    process.send_signal(signal.SIGTERM)
    pod.until(lambda: pod.events("flushed"))
    client(outside, pod.host.v4, str(port), "http", "shop.example", "1", "1000")
    pod.end_applications()
    left = pod.ended(process)
    assert (left["captured"], left["dropped"]["shutdown"]) == (4, 4)


@pytest.mark.parametrize("supervised", [False, True], ids=["worker", "supervisor"])
def test_the_supervisor_too_serves_until_the_application_is_gone(
    pod: Any, outside: Any, program: Any, client: Any, supervised: bool
) -> None:
    port = program(pod.host, "http", "0.0.0.0")
    process = pod.start(FLUSH_TIMEOUT_S="0")
    if supervised:
        pod.hold_worker_off(process)
        process.send_signal(signal.SIGTERM)
    else:
        process.send_signal(signal.SIGTERM)
        pod.until(lambda: pod.events("stopping"))
        pod.kill_worker()
    client(outside, pod.host.v4, str(port), "http", "shop.example", "1", "1000")
    pod.end_applications()
    assert process.wait(60) == (0 if supervised else 1)
