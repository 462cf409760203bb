"""Transparent mode with real rules of the kernel: each byte arrives, each connection where it was meant to go."""

from __future__ import annotations

from typing import Any

import pytest

pytestmark = pytest.mark.network

EVERY = {"v4": "0.0.0.0", "v6": "::"}


@pytest.mark.parametrize("family", ["v4", "v6"])
def test_inbound_reaches_the_application_where_it_listens(
    pod: Any, outside: Any, program: Any, client: Any, recorded: Any, family: str
) -> None:
    port = program(pod.host, "http", EVERY[family])
    process = pod.start(f"{outside.v4}:{recorded.port}")
    assert client(outside, getattr(pod.host, family), str(port), "http", "shop.example", "5", "300000")
    left = pod.stop(process)
    assert (left["captured"], left["opened"]["in"], left["opened"]["out"]) == (20, 6, 0)
    found = recorded.pairs()
    assert {p.doc["network_address"] for p in found} == {f"shop.example:{port}"}
    assert {p.doc["direction"] for p in found} == {"IN"}
    assert {p.doc["netinfo"]["downstream"]["ipAddress"] for p in found} == {getattr(outside, family)}


@pytest.mark.parametrize("family", ["v4", "v6"])
def test_outbound_goes_to_where_the_application_wanted(
    pod: Any, outside: Any, program: Any, client: Any, recorded: Any, family: str
) -> None:
    port = program(outside, "http", EVERY[family])
    process = pod.start(f"{outside.v4}:{recorded.port}")
    assert client(pod.host, getattr(outside, family), str(port), "http", "accounts.example", "5", "300000")
    left = pod.stop(process)
    assert (left["captured"], left["opened"]["in"], left["opened"]["out"]) == (20, 0, 6)
    found = recorded.pairs()
    assert {p.doc["network_address"] for p in found} == {f"accounts.example:{port}"}
    assert {p.doc["netinfo"]["upstream"]["ipAddress"] for p in found} == {getattr(outside, family)}


def test_a_server_that_speaks_first_is_not_delayed(
    pod: Any, outside: Any, program: Any, client: Any, recorded: Any
) -> None:
    inside, other = program(pod.host, "banner", "0.0.0.0"), program(outside, "banner", "0.0.0.0")
    process = pod.start(f"{outside.v4}:{recorded.port}", TLS_OUT_UNWRAP="true", TLS_CERT_DIR="/mnt/none")
    client(outside, pod.host.v4, str(inside), "banner", "1000000")
    client(pod.host, outside.v4, str(other), "banner", "1000000")
    left = pod.stop(process)
    assert left["opaque"]["not_http"] == 2
    assert sum(left["bytes"].values()) > 2_000_000
    assert {p.doc["network_address"] for p in recorded.pairs()} == {f"{pod.host.v4}:{inside}", f"{outside.v4}:{other}"}


def test_nobody_listens_is_a_reset_and_counted(pod: Any, outside: Any) -> None:
    process = pod.start()
    said = outside.run(
        "import socket, sys\n"
        "try:\n    s = socket.create_connection((sys.argv[1], 9), timeout=10); s.sendall(b'x'); print(s.recv(1))\n"
        "except ConnectionResetError: print('reset')",
        pod.host.v4,
    )
    assert said == "reset"
    assert pod.stop(process)["refused"]["connect_failed"] == 1


@pytest.mark.parametrize("supervised", [False, True], ids=["worker", "supervisor"])
def test_loops_are_refused_and_counted(pod: Any, outside: Any, supervised: bool) -> None:
    """To our own listeners, and where the rules do not exempt ourselves."""
    process = pod.start()
    if supervised:
        pod.hold_worker_off(process)
    knock = (
        "import socket, sys\n"
        "for host, port in zip(sys.argv[1::2], sys.argv[2::2]):\n"
        "    try:\n"
        "        s = socket.create_connection((host, int(port)), timeout=10)\n"
        "        s.sendall(b'GET / HTTP/1.0\\r\\n\\r\\n'); print(s.recv(1))\n"
        "    except ConnectionResetError: print('reset')\n"
    )
    assert outside.run(knock, pod.host.v4, "4143").split() == ["reset"]
    assert pod.host.run(knock, "127.0.0.1", "4140", "127.0.0.1", "4143").split() == ["reset"] * 2
    pod.rule("-D OUTPUT -p tcp -m owner --uid-owner 2102 -j RETURN")
    assert pod.host.run(knock, outside.v4, "9").split() == ["reset"]
    pod.rule("-I OUTPUT -p tcp -m owner --uid-owner 2102 -j RETURN")
    left = pod.stop(process)
    assert left["refused"]["loop"] == 4, left["refused"]
