"""The ingest's side of the line for tests: takes the frames of a real capture process and puts streams together."""

from __future__ import annotations

import hashlib
import json
import os
import socket
import subprocess
import sys
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from speedscale_runtime.nettap import wire

DEADLINE_S = 60
PROGRAMS = Path(__file__).parent / "programs"


def cgroup2() -> Path | None:
    """Return where the unified hierarchy is mounted."""
    for line in Path("/proc/mounts").read_text().splitlines():
        _, where, kind, *_ = line.split()
        if kind == "cgroup2":
            return Path(where)
    return None


ROOM = {"NETTAP_RING_BYTES": str(64 << 20)}
"""Programs here write more at once than a busy reader in Python takes; `test_losses` has the small rings."""


@dataclass
class Stream:
    """One direction of one socket: pieces of bytes and gaps by their offsets."""

    first: wire.Chunk
    pieces: list[tuple[int, bytes]] = field(default_factory=list)
    gaps: list[tuple[int, int, wire.Gap]] = field(default_factory=list)
    chunks: list[wire.Chunk] = field(default_factory=list)
    ends: list[int] = field(default_factory=list)

    @property
    def midstream(self) -> bool:
        return any(one.flags & wire.Flag.MIDSTREAM for one in self.chunks)

    @property
    def length(self) -> int:
        """Offset behind the last byte or gap."""
        last = [at + len(data) for at, data in self.pieces] + [at + n for at, n, _ in self.gaps]
        return max(last, default=0)

    @property
    def told(self) -> int:
        """How many bytes were told, as pieces and as gaps; the last gap may come before earlier pieces."""
        return sum(len(data) for _, data in self.pieces) + sum(length for _, length, _ in self.gaps)

    @property
    def data(self) -> bytes:
        """All bytes; AssertionError when pieces and gaps do not cover the stream, each byte once."""
        at, parts = 0, []
        spans = [(begin, len(data), data) for begin, data in self.pieces]
        spans += [(begin, length, b"") for begin, length, _ in self.gaps]
        for begin, length, data in sorted(spans, key=lambda one: one[:2]):
            assert begin == at, f"a span at {begin}, the one before ended at {at}"
            at += length
            parts.append(data)
        return b"".join(parts)

    def lost(self, reason: wire.Gap) -> int:
        return sum(length for _, length, why in self.gaps if why == reason)


@dataclass(frozen=True)
class End:
    """What an application says of one end of one connection."""

    local: int
    remote: int
    sent: tuple[int, str]
    received: tuple[int, str]


class Tap:
    """A running capture process with an ingest that keeps everything."""

    def __init__(self, program: Path, folder: Path, cgroup: Path, environment: dict[str, str]) -> None:
        self.cgroup, self.root = cgroup, cgroup2()
        self.streams: dict[tuple[int, int, int, bool], Stream] = {}
        self.processes: list[wire.Process] = []
        self.cgroups: list[wire.Cgroup] = []
        self.dns: list[tuple[wire.Chunk, bytes]] = []
        self.hello: dict[str, Any] = {}
        self.stats: list[dict[str, Any]] = []
        self.raw: list[bytes] = []
        self.reading = threading.Event()
        self.reading.set()
        self.failed: Exception | None = None
        self._changed = threading.Condition()
        self._path = folder / "nettap.sock"
        self._listener = socket.socket(socket.AF_UNIX)
        self._listener.bind(str(self._path))
        self._listener.listen()
        self._log = (folder / "capture.log").open("ab")
        self.log = folder / "capture.log"
        settings = {"NETTAP_SOCKET_PATH": str(self._path), "NETTAP_CGROUP_HIERARCHY": "unified", **ROOM, **environment}
        self.process = subprocess.Popen(
            [str(program / "speedscale-nettap-capture")], env={**os.environ, **settings}, stderr=self._log
        )
        self._listener.settimeout(DEADLINE_S)
        self._accept()

    def _accept(self) -> None:
        self.hello = {}
        self.line, _ = self._listener.accept()
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()
        self.until(lambda: self.hello)

    def reconnect(self) -> None:
        """Break the line, and wait until the capture process has called again."""
        self.line.shutdown(socket.SHUT_RDWR)
        self._reader.join(DEADLINE_S)
        self.line.close()
        self._accept()

    def close(self) -> None:
        self.process.terminate()
        self.reading.set()
        code = self.process.wait(DEADLINE_S)
        self._reader.join(DEADLINE_S)
        self.line.close()
        self._listener.close()
        self._log.close()
        if self.failed:
            raise self.failed
        assert code == 0, self.log.read_text()

    def target(self, *targets: wire.Target) -> None:
        """Ask for these, and wait until what they ask for is captured."""
        before = len(self.cgroups)
        self.line.sendall(wire.targets(targets))
        if targets:
            self.until(lambda: any(one.event == wire.Event.BEGAN for one in self.cgroups[before:]))
        elif before:
            self.until(lambda: any(one.event == wire.Event.ENDED for one in self.cgroups[before:]))

    def capture(self, ignore_ports: Sequence[int] = ()) -> None:
        """Capture the test's cgroup and all below it."""
        assert self.root is not None
        self.target(wire.Target(1, tuple(ignore_ports), cgroup_path="/" + str(self.cgroup.relative_to(self.root))))

    def until(self, true: Callable[[], Any]) -> None:
        """Wait until it is so; AssertionError after a generous time."""
        end = time.monotonic() + DEADLINE_S
        with self._changed:
            while not true():
                assert self.failed is None, self.failed
                assert time.monotonic() < end, f"it never became so; {self.log.read_text()[-2000:]}"
                self._changed.wait(0.2)

    def _read(self) -> None:
        decoder = wire.Decoder()
        try:
            while True:
                self.reading.wait()
                data = self.line.recv(1 << 20)
                if not data:
                    return
                with self._changed:
                    self.raw.append(data)
                    for kind, body in decoder.feed(data):
                        self._take(kind, body)
                    self._changed.notify_all()
        except Exception as error:
            self.failed = error

    def _take(self, kind: int, body: bytes) -> None:
        if kind == wire.Type.HELLO:
            self.hello = json.loads(body)
        elif kind == wire.Type.STATS:
            self.stats.append(json.loads(body))
        elif kind == wire.Type.PROCESS:
            self.processes.append(wire.process(body))
        elif kind == wire.Type.CGROUP:
            self.cgroups.append(wire.cgroup(body))
        else:
            chunk, payload = wire.chunk(body), body[wire.CHUNK.size :]
            if kind == wire.Type.DNS:
                self.dns.append((chunk, payload))
                return
            key = (chunk.sock, chunk.generation, chunk.direction, bool(chunk.flags & wire.Flag.PLAINTEXT))
            stream = self.streams.setdefault(key, Stream(chunk))
            stream.chunks.append(chunk)
            if kind == wire.Type.CLOSE:
                stream.ends.append(chunk.offset)
            elif chunk.flags & wire.Flag.GAP:
                stream.gaps.append((chunk.offset, chunk.length, wire.Gap(chunk.gap_reason)))
            else:
                stream.pieces.append((chunk.offset, payload))

    def of(self, local: int, remote: int, direction: wire.Direction) -> list[Stream]:
        """Return the streams between these ports, in the order of their sockets."""
        found = [
            (key[1], one)
            for key, one in list(self.streams.items())
            if (one.first.local_port, one.first.remote_port, key[2]) == (local, remote, direction) and not key[3]
        ]
        return [one for _, one in sorted(found, key=lambda pair: pair[0])]

    def run(self, command: Sequence[str | Path], outside: bool = False) -> str:
        """Run a program in the captured cgroup to its end, and return what it printed."""
        with self.start(command, outside) as process:
            out, _ = process.communicate(timeout=DEADLINE_S)
        assert process.returncode == 0, out
        return out

    @contextmanager
    def start(self, command: Sequence[str | Path], outside: bool = False) -> Iterator[subprocess.Popen[str]]:
        """Start a program in the captured cgroup (or outside of it), and kill it in the end."""
        into = "exec" if outside else f"echo $$ > {self.cgroup}/cgroup.procs; exec"
        process = subprocess.Popen(
            ["sh", "-c", f'{into} "$@"', "sh", *map(str, command)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        try:
            yield process
        finally:
            process.kill()
            process.wait()
            for pipe in (process.stdin, process.stdout):
                if pipe is not None:
                    pipe.close()

    def python(self, program: str, *arguments: str, outside: bool = False) -> list[End]:
        """Run one of the programs of tests, and return what it says of its connections."""
        out = self.run([sys.executable, PROGRAMS / program, *arguments], outside)
        return ends(out)

    def settle(self) -> None:
        """Wait until what has happened so far has arrived: a connection made now is seen whole, on the same ring."""
        for end in self.python("calls.py", "send"):
            self.whole(end, wire.Direction.SENT)

    def check(self, end: End) -> tuple[Stream, Stream]:
        """Wait for both directions of one end, to their ends; they are the bytes of the application, without a gap."""
        found = self.whole(end, wire.Direction.SENT), self.whole(end, wire.Direction.RECEIVED)
        for stream, (length, digest) in zip(found, (end.sent, end.received), strict=True):
            assert not stream.gaps, stream.gaps
            assert (len(stream.data), hashlib.sha256(stream.data).hexdigest()) == (length, digest)
            assert set(stream.ends) == {length}
            assert not stream.midstream
        return found

    def whole(self, end: End, direction: wire.Direction) -> Stream:
        """Wait for all of one direction of one end, to its end, and return it."""
        expected = end.sent[0] if direction == wire.Direction.SENT else end.received[0]
        self.until(lambda: any(one.ends and one.told >= expected for one in self.of(end.local, end.remote, direction)))
        (stream,) = self.of(end.local, end.remote, direction)
        return stream

    def counters(self) -> dict[str, dict[str, int]]:
        """Return the counters of STATS that come next."""
        seen = len(self.stats)
        self.until(lambda: len(self.stats) > seen)
        found = self.stats[-1]["counters"]
        return defaultdict(dict, found)


def ends(out: str) -> list[End]:
    """Return the connections that a program of tests printed."""
    return [
        End(one["local"], one["remote"], (one["sent"][0], one["sent"][1]), (one["received"][0], one["received"][1]))
        for one in map(json.loads, out.splitlines())
    ]
