"""Processes as they come and go: what is found when, what is not known or not matched, and what is left behind."""

from __future__ import annotations

import ssl
import sys
from pathlib import Path

import peers
import pytest
from built import compiled
from plaintext import SURE, check, of, wait_attached
from tap import DEADLINE_S, Tap
from test_libraries import PROGRAMS, need

from speedscale_runtime.nettap import wire

pytestmark = pytest.mark.kernel


def test_a_library_that_is_loaded_later(tap: Tap, server: peers.Server) -> None:
    with tap.start([sys.executable, PROGRAMS / "later.py", server.port]) as process:
        tap.until(lambda: any(p.tgid == process.pid for p in tap.processes))
        assert not any(p.tgid == process.pid and p.plaintext for p in tap.processes)
        assert process.stdin is not None
        process.stdin.write("load\n")
        process.stdin.flush()
        wait_attached(tap, process, wire.Source.OPENSSL)
        out, _ = process.communicate("go\n", timeout=DEADLINE_S)
        assert process.returncode == 0, out
    ((port, talk),) = server.talks.items()
    check(tap, port, server.port, talk, SURE)


def test_forked_children(tap: Tap, server: peers.Server) -> None:
    """A child that runs no program of its own has its parent's library, and its own sessions."""
    with tap.start([sys.executable, PROGRAMS / "forks.py", server.port, 4]) as process:
        wait_attached(tap, process, wire.Source.OPENSSL)
        out, _ = process.communicate("go\n", timeout=DEADLINE_S)
        assert process.returncode == 0, out
    assert len(server.talks) == 4
    for port, talk in server.talks.items():
        check(tap, port, server.port, talk, SURE)


def test_a_session_older_than_the_capture(tap: Tap, certificate: Path) -> None:
    """What was said before is not known, and said to be so; what is said from then on is whole."""
    tap.target()
    with tap.start([sys.executable, PROGRAMS / "echo.py", certificate]) as process:
        assert process.stdout is not None
        port = int(process.stdout.readline())
        with peers.connect(port) as link:
            link.sendall(b"before")
            assert read(link, 6) == b"before"
            tap.capture()
            wait_attached(tap, process, wire.Source.OPENSSL)
            # Python waits inside SSL_read, which began before: the first line after is its, and is lost.
            link.sendall(b"first!")
            assert read(link, 6) == b"first!"
            talk = peers.Talk()
            for number in range(50):
                line = b"line %d of this talk" % number
                link.sendall(line)
                talk.received += line
                talk.sent += line
                assert read(link, len(line)) == line
            talk.received = bytearray(b"first!") + talk.received  # from here, their RECEIVED
            mine = link.getsockname()[1]
            check_late(tap, port, mine, bytes(talk.received), bytes(talk.sent))


def check_late(tap: Tap, port: int, remote: int, sent: bytes, received: bytes) -> None:
    for direction, expected in ((wire.Direction.SENT, sent), (wire.Direction.RECEIVED, received)):
        length = len(expected)
        tap.until(lambda d=direction, n=length: (s := of(tap, port, remote, d)) and s.length >= n)
        stream = of(tap, port, remote, direction)
        assert stream is not None
        assert stream.midstream
        assert stream.data == expected
        assert not stream.gaps


def read(link: ssl.SSLSocket, length: int) -> bytes:
    data = b""
    while len(data) < length:
        data += link.recv(length - len(data))
    return data


def test_records_that_another_thread_sends_are_a_named_gap(tap: Tap, server: peers.Server) -> None:
    with tap.start([compiled(PROGRAMS / "memory.c", "shared"), server.port, 300_000]) as process:
        wait_attached(tap, process, wire.Source.OPENSSL)
        out, _ = process.communicate("go\n", timeout=DEADLINE_S)
        assert process.returncode == 0, out
        pid = process.pid
    sent, received = map(int, out.split()[-2:])

    def lost(direction: wire.Direction) -> int:
        return sum(
            n
            for key, stream in tap.streams.items()
            if key[:2] == (0, 0) and key[2] == direction and stream.first.tgid == pid
            for _, n, why in stream.gaps
            if why == wire.Gap.UNMATCHED_TLS
        )

    tap.until(lambda: lost(wire.Direction.SENT) == sent and lost(wire.Direction.RECEIVED) == received)
    assert not any(key[3] and stream.pieces for key, stream in tap.streams.items())


def test_tls_of_an_unknown_library_is_told(tap: Tap, server: peers.Server) -> None:
    with tap.start([need("java"), PROGRAMS / "Client.java", server.port, 1000]) as process:
        out, _ = process.communicate("go\n", timeout=DEADLINE_S)
        assert process.returncode == 0, out
        tap.until(lambda: any(p.tgid == process.pid and p.refused for p in tap.processes))
        assert not any(p.tgid == process.pid and p.plaintext for p in tap.processes)
    assert tap.counters()["tls_refused"] == {"no_known_library": 1}


def test_a_process_outside_is_not_seen(tap: Tap, server: peers.Server) -> None:
    """The library's probes are in every process; only those of captured cgroups are told."""
    program = compiled(PROGRAMS / "client.c", "shared")
    with tap.start([program, server.port, 10]) as inside:
        wait_attached(tap, inside, wire.Source.OPENSSL)
        with tap.start([program, server.port, 5000], outside=True) as outside:
            outside.communicate("go\n", timeout=DEADLINE_S)
        ((port, _),) = server.talks.items()
        inside.communicate("go\n", timeout=DEADLINE_S)
    tap.settle()
    assert not any(stream.first.local_port == port for stream in tap.streams.values())
    ((inner, talk),) = ((p, t) for p, t in server.talks.items() if p != port)
    check(tap, inner, server.port, talk, SURE)


def test_with_the_rights_of_the_daemon_set(
    capture_program: Path, cgroup: Path, tmp_path: Path, server: peers.Server
) -> None:
    """Capabilities BPF, PERFMON, NET_ADMIN and SYS_PTRACE, and no other."""
    need("setpriv")
    rights = "-all,+bpf,+perfmon,+net_admin,+sys_ptrace"
    program = tmp_path / "speedscale-nettap-capture"
    program.write_text(
        f"#!/bin/sh\nexec setpriv --bounding-set={rights} --inh-caps={rights} {capture_program / program.name}\n"
    )
    program.chmod(0o755)
    tap = Tap(tmp_path, tmp_path, cgroup, {})
    try:
        if tap.hello["methods"]["tls"]["source"] != "uprobe_multi":
            pytest.skip("uprobes of this kernel (before 6.6) may take CAP_SYS_ADMIN")
        tap.capture()
        with tap.start([compiled(PROGRAMS / "client.c", "shared"), server.port, 10]) as process:
            wait_attached(tap, process, wire.Source.OPENSSL)
            process.communicate("go\n", timeout=DEADLINE_S)
        ((port, talk),) = server.talks.items()
        check(tap, port, server.port, talk, SURE)
    finally:
        tap.close()


def test_probes_are_gone_afterwards(tap: Tap, server: peers.Server) -> None:
    """The program's code is that of its file, byte for byte, as soon as nothing is captured any more."""
    program = compiled(PROGRAMS / "client.c", "static")
    with tap.start([program, server.port, 1]) as process:
        wait_attached(tap, process, wire.Source.OPENSSL)
        assert not is_as_in_file(process.pid, program)
        tap.target()
        tap.until(lambda: is_as_in_file(process.pid, program))
        out, _ = process.communicate("go\n", timeout=DEADLINE_S)
        assert process.returncode == 0, out


def is_as_in_file(pid: int, program: Path) -> bool:
    (line,) = (
        one
        for one in Path(f"/proc/{pid}/maps").read_text().splitlines()
        if " r-xp " in one and one.endswith(str(program))
    )
    span, _, offset, *_ = line.split()
    begin, end = (int(n, 16) for n in span.split("-"))
    with Path(f"/proc/{pid}/mem").open("rb", buffering=0) as memory, program.open("rb") as file:
        memory.seek(begin)
        file.seek(int(offset, 16))
        code = memory.read(end - begin)
        return code == file.read(len(code))
