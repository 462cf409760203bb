"""What the programs ask of their surroundings: names, gateways, and the words of iptables when it fails."""

from __future__ import annotations

import ipaddress
import json
import socket
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from speedscale_runtime.interception import backend, iptables, pod, resolving, routes, smartdns
from speedscale_runtime.interception import program as program_module
from speedscale_runtime.interception.backend import Backend, Cause
from speedscale_runtime.interception.mesh import Found, Mesh
from speedscale_runtime.interception.model import Family
from speedscale_schemas.errors import PermanentError

ONE = ipaddress.ip_address("198.51.100.1")


class Time:
    """A clock that only `pause` moves."""

    def __init__(self) -> None:
        self.now, self.lock = 0.0, threading.Lock()

    def __call__(self) -> float:
        return self.now

    def pause(self, seconds: float) -> None:
        with self.lock:
            self.now += seconds


def test_names_found_unknown_and_unanswered() -> None:
    tries: list[str] = []

    def lookup(name: str) -> list[Any]:
        tries.append(name)
        if name == "known.example":
            return [ONE, ONE]
        if name == "late.example" and tries.count(name) == 3:
            return [ONE]
        if name == "unknown.example":
            raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")
        if name == "bad..example":
            raise UnicodeError("label empty")
        raise socket.gaierror(socket.EAI_AGAIN, "Temporary failure in name resolution")

    time = Time()
    wanted = ["known.example", "unknown.example", "bad..example", "late.example", "silent.example", "known.example"]
    found = resolving.resolve(wanted, 100, lookup=lookup, clock=time, pause=time.pause)
    assert found.addresses == {"known.example": (ONE,), "late.example": (ONE,)}
    assert sorted(found.unknown) == ["bad..example", "unknown.example"]
    assert found.unanswered == {"silent.example": "Temporary failure in name resolution"}
    assert tries.count("known.example") == 1


def test_a_server_that_never_answers_ends_with_the_deadline() -> None:
    release = threading.Event()

    def lookup(name: str) -> Iterator[Any]:
        release.wait()
        return iter(())

    try:
        found = resolving.resolve([f"{n}.example" for n in range(40)], 0.05, lookup=lookup)
    finally:
        release.set()
    assert len(found.unanswered) == 40
    assert found.unanswered["7.example"] == "no answer within 0.05 s"


def test_gateways() -> None:
    order = ipaddress.IPv4Address("10.244.0.1").packed
    word = f"{int.from_bytes(order, sys.byteorder):08X}"
    v4 = (
        "Iface\tDestination\tGateway \tFlags\tRefCnt\tUse\tMetric\tMask\t\tMTU\tWindow\tIRTT\n"
        f"eth0\t00000000\t{word}\t0003\t0\t0\t0\t00000000\t0\t0\t0\n"
        f"eth0\t0000F40A\t{word}\t0001\t0\t0\t0\t00FFFFFF\t0\t0\t0\n"
        "eth0\t00000000\t00000000\t0001\t0\t0\t0\t00000000\t0\t0\t0\n"
    )
    assert list(pod.gateways_v4(v4)) == [ipaddress.ip_address("10.244.0.1")]
    zero = "0" * 32
    gateway = ipaddress.ip_address("fd00:244::1").packed.hex()
    v6 = (
        f"{zero} 00 {zero} 00 {gateway} 00000400 00000001 00000000 00000003     eth0\n"
        f"{zero} 00 {zero} 00 {zero} ffffffff 00000001 00000000 00200200       lo\n"
    )
    assert list(pod.gateways_v6(v6)) == [ipaddress.ip_address("fd00:244::1")]
    assert list(pod.gateways_v4("")) == list(pod.gateways_v6("")) == []


def test_a_network_without_ipv6(tmp_path: Path) -> None:
    assert pod.Network.read(tmp_path) == pod.Network()
    (tmp_path / "if_inet6").write_text("00000000000000000000000000000001 01 80 10 80       lo\n")
    assert pod.Network.read(tmp_path) == pod.Network((), True, False)
    (tmp_path / "if_inet6").write_text("fd000244000000000000000000000007 02 40 00 80     eth0\n")
    assert pod.Network.read(tmp_path).ipv6_global


@pytest.fixture
def program(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Make the programs of iptables what a test wants them to say."""

    def make(script: str) -> None:
        path = tmp_path / Backend("nft").program
        path.write_text(f"#!/bin/sh\n{script}\n")
        path.chmod(0o755)
        monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
        monkeypatch.setattr(backend, "_lacking", lambda _: [])

    return make


@pytest.mark.parametrize(
    ("said", "cause", "told"),
    [
        ("Could not fetch rule set generation id: Permission denied (you must be root)", Cause.NO_RIGHT, "NET_ADMIN"),
        ("Extension owner revision 0 not supported, missing kernel module?", Cause.NO_MODULE, "lacks a module"),
        ("iptables-restore: line 2 failed: No chain/target/match by that name.", Cause.NO_MODULE, "-A X -j Y"),
        ("Bad argument `--nonsense' Error occurred at line: 2", Cause.REFUSED, "(the rule is: -A X -j Y)"),
        ("", Cause.REFUSED, "it gave no reason"),
    ],
)
def test_what_iptables_says_becomes_a_cause(program: Any, said: str, cause: Cause, told: str) -> None:
    program(f'cat > /dev/null; printf "%s\\n" "{said.replace("`", chr(39))}" >&2; exit 2')
    with pytest.raises(PermanentError) as error:
        Backend("nft").restore(Family.V4, "*nat\n-A X -j Y\nCOMMIT\n")
    assert error.value.reason == cause
    assert told in str(error.value)


def test_an_image_without_iptables(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(backend, "_path", lambda _: None)
    with pytest.raises(PermanentError, match=r"xtables-nft-multi \(iptables\) is not installed in this image"):
        Backend("nft").tables(Family.V4)


def test_a_name_that_does_not_exist_is_told_and_one_without_an_answer_stops_the_pod(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    wanted = {"RESPONDER_ROUTES": '{"gone.example:80": "10.96.0.1:80", "198.51.100.1:80": "10.96.0.1:80"}'}
    unknown = resolving.Resolved(unknown={"gone.example": "Name or service not known"})
    monkeypatch.setattr(routes, "resolve", lambda *_: unknown)
    prepared = routes._prepare(wanted, False)
    assert "gone.example is not led to the mocks" in prepared.notes[0]
    nat, _ = prepared.planner(Family.V4, {}, [])
    assert "198.51.100.1/32" in nat.chains[0].rules[0]
    monkeypatch.setattr(routes, "resolve", lambda *_: resolving.Resolved(unanswered={"gone.example": "time-out"}))
    with pytest.raises(PermanentError, match=r"gone\.example: no name server answered"):
        routes._prepare(wanted, False).planner(Family.V4, {}, [])


@pytest.mark.parametrize(
    ("found", "istio_cni", "told"),
    [
        (Found(), False, []),
        (Found(), True, ["ISTIO_CNI is set"]),
        (Found(Mesh.ISTIO, True), True, ["Istio's rules are there already"]),
        (Found(Mesh.ISTIO), False, ["Istio's rules are announced"]),
        (Found(Mesh.AMBIENT, True), True, ["ambient"]),
        (Found(Mesh.LINKERD), False, ["nothing is captured"]),
        (Found(Mesh.OTHER, True), False, ["another program"]),
    ],
)
def test_what_is_said_of_meshes(found: Found, istio_cni: bool, told: list[str]) -> None:
    lines = list(iptables.about(found, istio_cni=istio_cni))
    assert len(lines) == len(told)
    assert all(part in line for part, line in zip(told, lines, strict=True))


def test_smartdns_ends_well(capsys: pytest.CaptureFixture[str]) -> None:
    assert smartdns.main() == 0
    assert "nothing_to_do" in capsys.readouterr().err


def test_a_mistake_of_our_own_holds_no_pod_back(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def broken(_: str, __: list[str]) -> Backend:
        raise ZeroDivisionError

    log = tmp_path / "termination-log"
    log.touch()
    monkeypatch.setattr(program_module, "choose", broken)
    monkeypatch.setenv("TERMINATION_LOG", str(log))
    assert iptables.main([]) == 2
    monkeypatch.setenv("ON_FAILURE", "pass")
    assert iptables.main([]) == 0
    assert iptables.main(["--check"]) == 2
    assert json.loads(log.read_text())["cause"] == "fault"
    assert "ZeroDivisionError: this is a mistake of the program's own" in capsys.readouterr().err
