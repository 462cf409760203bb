"""What a capture process told of the plaintext of a connection, compared with what its other end remembers."""

from __future__ import annotations

import subprocess
from collections.abc import Collection

from peers import Talk, digest
from tap import Stream, Tap

from speedscale_runtime.nettap import wire

SURE = frozenset({wire.Certainty.BY_NESTED, wire.Certainty.BY_SESSION})
BY_MEMORY = frozenset({wire.Certainty.BY_NEXT_IO})


def wait_attached(tap: Tap, process: subprocess.Popen[str], source: wire.Source) -> None:
    """Wait until the capture process has found the TLS library of this process."""
    tap.until(lambda: any(p.tgid == process.pid and p.plaintext & 1 << source for p in tap.processes))


def of(tap: Tap, local: int, remote: int, direction: wire.Direction) -> Stream | None:
    """Return the plaintext of this direction, if there is some."""
    found = [
        one
        for key, one in tap.streams.items()
        if key[3] and key[2] == direction and (one.first.local_port, one.first.remote_port) == (local, remote)
    ]
    assert len(found) < 2
    return found[0] if found else None


def check(
    tap: Tap,
    local: int,
    remote: int,
    talk: Talk,
    certainty: Collection[wire.Certainty] = SURE,
    source: wire.Source = wire.Source.OPENSSL,
    midstream: bool = False,
) -> None:
    """The captured end at `local` said and heard what the other end, at `remote`, remembers."""
    for direction, expected in (
        (wire.Direction.SENT, bytes(talk.received)),
        (wire.Direction.RECEIVED, bytes(talk.sent)),
    ):

        def whole(direction: wire.Direction = direction, expected: bytes = expected) -> bool:
            stream = of(tap, local, remote, direction)
            return stream is not None and stream.length >= len(expected)

        tap.until(whole)
        stream = of(tap, local, remote, direction)
        assert stream is not None
        assert not stream.gaps
        assert digest(stream.data) == digest(expected)
        assert {one.source for one in stream.chunks} == {source}
        assert {wire.Certainty(one.certainty) for one in stream.chunks} <= set(certainty)
        assert stream.midstream == midstream
        assert stream.first.local_address[:4] == b"\x7f\x00\x00\x01"
        _check_records(tap, local, remote, direction, len(expected))


def _check_records(tap: Tap, local: int, remote: int, direction: wire.Direction, plain: int) -> None:
    """Of the records themselves, not more than the handshake was told."""
    told = sum(len(data) for stream in tap.of(local, remote, direction) for _, data in stream.pieces)
    assert told < max(8192, plain // 4)
