"""Which sockets are captured, and which bytes belong to which: identity, joining in the middle, targets, names."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import threading
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from tap import PROGRAMS, Tap, ends

from speedscale_runtime.nettap import wire

pytestmark = pytest.mark.kernel

SENT, RECEIVED = wire.Direction.SENT, wire.Direction.RECEIVED


@pytest.mark.parametrize(("program", "count"), [("storm", 300), ("fork_server", 40)])
def test_descriptors_and_addresses_that_are_reused(tap: Tap, program: str, count: int) -> None:
    found = tap.python("moves.py", program, str(count))
    assert len(found) == 2 * count
    for end in found:
        tap.check(end)
    assert len({key[:2] for key in tap.streams}) == 2 * count


def test_ipv4_on_an_ipv6_socket(tap: Tap) -> None:
    client, server = tap.python("moves.py", "mapped")
    for end in (client, server):
        sent, _ = tap.check(end)
        loopback = bytes([127, 0, 0, 1]) + bytes(12)
        assert (sent.first.family, sent.first.local_address, sent.first.remote_address) == (4, loopback, loopback)


@pytest.mark.parametrize("ending", ["reset", "unread"])
def test_connections_that_break(tap: Tap, ending: str) -> None:
    for end in tap.python("moves.py", ending):
        for direction in (SENT, RECEIVED):
            stream = tap.whole(end, direction)
            assert not stream.gaps
            assert len(stream.data) == (end.sent if direction == SENT else end.received)[0]


def test_joined_in_the_middle(taps: Callable[..., Tap]) -> None:
    tap = taps()
    with tap.start([sys.executable, PROGRAMS / "moves.py", "midstream"]) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdout.readline()
        tap.capture()
        process.stdin.write("\n")
        process.stdin.flush()
        out = process.stdout.read()
        assert process.wait() == 0
    client, server, quiet, asleep = ends(out)
    for end in (client, server):
        for direction, (length, _) in ((SENT, end.sent), (RECEIVED, end.received)):
            stream = tap.whole(end, direction)
            assert (len(stream.data), stream.gaps) == (length, [])
    assert tap.whole(client, SENT).data == b"after"
    assert tap.whole(client, SENT).midstream
    assert tap.whole(server, RECEIVED).midstream
    assert not tap.whole(client, RECEIVED).midstream
    for end, direction in ((quiet, SENT), (asleep, RECEIVED)):
        assert tap.whole(end, direction).data == b"to the sleeper"
        assert not tap.whole(end, direction).midstream


def test_others_are_not_seen(tap: Tap) -> None:
    for end in tap.python("calls.py", "send", outside=True):
        outside = {end.local, end.remote}
    tap.settle()
    seen = {one.first.tgid for one in tap.streams.values()}
    assert not any({one.first.local_port, one.first.remote_port} == outside for one in tap.streams.values())
    assert seen


def test_ignored_ports(taps: Callable[..., Tap]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        tap = taps()
        tap.capture([port])
        talk = "import socket, sys; c = socket.create_connection(('127.0.0.1', int(sys.argv[1]))); c.sendall(b'x' * 99)"
        tap.run([sys.executable, "-c", talk, str(port)])
    tap.settle()
    assert not [one for one in tap.streams.values() if port in (one.first.local_port, one.first.remote_port)]
    assert tap.counters()["bytes_left_out"]["ignored_port"] == 99


@pytest.mark.parametrize("style", ["cgroupfs", "systemd"])
@pytest.mark.parametrize("when", ["before", "after"])
def test_a_pod_by_its_uid(taps: Callable[..., Tap], cgroup: Path, style: str, when: str) -> None:
    """Its cgroup is found whether it is there when it is asked for or made later, and so are its containers."""
    uid = str(uuid.uuid5(uuid.NAMESPACE_DNS, f"{style}-{when}"))
    name = f"pod{uid}" if style == "cgroupfs" else f"kubepods-besteffort-pod{uid.replace('-', '_')}.slice"
    pod, other = cgroup / name, cgroup / f"pod{uuid.uuid5(uuid.NAMESPACE_DNS, 'other')}"
    tap = taps()
    targets = wire.targets((wire.Target(7, (), pod_uid=uid),))
    other.mkdir()
    if when == "before":
        pod.mkdir()
    tap.line.sendall(targets)
    if when == "after":
        seen = len(tap.stats)
        tap.until(lambda: len(tap.stats) > seen)
        pod.mkdir()
    tap.until(lambda: any(one.path.endswith(name) for one in tap.cgroups))
    container = pod / "0123456789abcdef"
    container.mkdir()
    tap.cgroup = other
    unseen = tap.python("calls.py", "send")
    tap.cgroup = container
    client, server = tap.python("calls.py", "send")
    tap.check(client)
    sent, _ = tap.check(server)
    assert sent.first.cgroup == container.stat().st_ino
    tap.until(lambda: any(one.path.endswith(container.name) and one.target == 7 for one in tap.cgroups))
    assert not tap.of(unseen[0].local, unseen[0].remote, SENT)
    container.rmdir()
    tap.until(lambda: any(one.event == wire.Event.ENDED and one.cgroup == sent.first.cgroup for one in tap.cgroups))


@pytest.mark.parametrize("controller", ["memory", "pids"])
def test_a_hierarchy_of_version_1(taps: Callable[..., Tap], controller: str) -> None:
    root = Path("/sys/fs/cgroup") / controller
    if not (root / "cgroup.procs").exists():
        pytest.skip(f"no hierarchy of {controller}")
    folder = root / f"nettap-test-{os.getpid()}"
    folder.mkdir()
    try:
        tap = taps(NETTAP_CGROUP_HIERARCHY=controller)
        tap.cgroup, tap.root = folder, root
        tap.capture()
        client, server = tap.python("calls.py", "send")
        sent, _ = tap.check(client)
        tap.check(server)
        assert sent.first.cgroup == folder.stat().st_ino
        tap.python("calls.py", "send", outside=True)
        tap.settle()
        assert len(tap.streams) == 8
    finally:
        folder.rmdir()


def links(tap: Tap) -> int:
    """Return how many attachments to the kernel the process holds."""
    found = 0
    for one in Path(f"/proc/{tap.process.pid}/fdinfo").iterdir():
        found += "link_type" in one.read_text()
    return found


def test_attached_only_while_something_is_asked_for(taps: Callable[..., Tap]) -> None:
    tap = taps()
    assert not links(tap)
    tap.capture()
    assert links(tap)
    tap.target()
    tap.until(lambda: not links(tap))
    tap.python("calls.py", "send")
    tap.capture()
    tap.settle()
    assert len(tap.streams) == 4


def test_a_line_that_breaks(taps: Callable[..., Tap]) -> None:
    """Nothing is captured without an ingest; the next one gets a stream of its own, joined in the middle."""
    tap = taps()
    with tap.start([sys.executable, PROGRAMS / "moves.py", "midstream"]) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdout.readline()
        tap.capture()
        tap.reconnect()
        assert not links(tap)
        tap.capture()
        process.stdin.write("\n")
        process.stdin.flush()
        client, *_ = ends(process.stdout.read())
    assert tap.whole(client, SENT).data == b"after"
    assert tap.whole(client, SENT).midstream


ANSWER = b"\x12\x34\x81\x80" + bytes(60)


@pytest.fixture
def name_server() -> Iterator[str]:
    """Return the address of a server on port 53, by UDP and TCP, that gives one answer to all."""
    address = f"127.77.{os.getpid() % 250 + 1}.53"
    datagrams, listener = socket.socket(socket.AF_INET, socket.SOCK_DGRAM), socket.socket()
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    for one in (datagrams, listener):
        one.bind((address, 53))
    listener.listen()

    def by_udp() -> None:
        while True:
            question, who = datagrams.recvfrom(2000)
            if not question:
                return
            datagrams.sendto(ANSWER, who)

    def by_tcp() -> None:
        accepted, _ = listener.accept()
        with accepted:
            if accepted.recv(2000):
                accepted.sendall(len(ANSWER).to_bytes(2, "big") + ANSWER)

    threads = [threading.Thread(target=by_udp), threading.Thread(target=by_tcp)]
    for thread in threads:
        thread.start()
    try:
        yield address
    finally:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as last:
            last.sendto(b"", (address, 53))
        with socket.socket() as last:
            last.connect_ex((address, 53))
        for thread in threads:
            thread.join()
        datagrams.close()
        listener.close()


def test_answers_of_name_servers(tap: Tap, name_server: str) -> None:
    tap.run([sys.executable, PROGRAMS / "moves.py", "names", name_server])
    tap.until(lambda: len(tap.dns) >= 5)
    tap.settle()
    assert [message for _, message in tap.dns] == [ANSWER] * 5
    for chunk, _ in tap.dns:
        assert (chunk.family, chunk.remote_port) == (4, 53)
        assert chunk.remote_address == socket.inet_aton(name_server) + bytes(12)


def test_processes(tap: Tap) -> None:
    with tap.start([sys.executable, PROGRAMS / "moves.py", "waits"]) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdout.readline()
        tap.until(lambda: any(one.tgid == process.pid for one in tap.processes))
        process.stdin.close()
        process.wait()
        process.stdin = None
    tap.until(lambda: any((one.tgid, one.event) == (process.pid, wire.Event.ENDED) for one in tap.processes))


def test_a_process_that_is_there_already(taps: Callable[..., Tap]) -> None:
    tap = taps()
    with tap.start([sys.executable, PROGRAMS / "moves.py", "waits"]) as process:
        assert process.stdout is not None
        process.stdout.readline()
        tap.capture()
        tap.until(lambda: any(one.tgid == process.pid and one.event == wire.Event.BEGAN for one in tap.processes))


def test_bad_settings_are_refused(capture_program: Path) -> None:
    for name, value in (("NETTAP_METHOD", "magic"), ("NETTAP_RING_BYTES", "5000"), ("NETTAP_LINE_BYTES", "x")):
        done = subprocess.run(
            [str(capture_program / "speedscale-nettap-capture")],
            env={**os.environ, name: value},
            capture_output=True,
            text=True,
            check=False,
        )
        assert (done.returncode, name in done.stderr) == (2, True)
