"""Damaged requests to a forward proxy, and damaged batches of frames with the reason that refuses each.

Seeded like `mutations`, beside which it is loaded.
"""

from __future__ import annotations

import base64
import json
import random
import socket
import struct
import uuid
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field

import zstandard

from speedscale_runtime.rrpair import RRPair
from speedscale_schemas import frames
from speedscale_schemas.frames import Frame

# Why a damaged batch is refused, in these trials.
REASONS = ("malformed", "encoding", "version", "sender", "sequence", "too_large")
_MAX_BATCH = 4 << 20  # what the chain's forwarder takes


def outbound(r: random.Random, port: int) -> bytes:
    """A damaged word of a client to the forward proxy. Its address stays as it is: nobody else shall be called."""
    from fuzz_services_mutations import plain, spoil

    address = b"127.0.0.1:%d" % port
    kind = r.randrange(6)
    if kind == 0:
        rest = b"X-A: b\r\nContent-Length: 4\r\nConnection: keep-alive\r\n\r\nbody"
        return b"POST http://" + address + b"/bad?a=b HTTP/1.1\r\nHost: " + address + b"\r\n" + spoil(r, rest)
    if kind == 1:
        return spoil(r, b"GET http:") + b"//" + address + b"/bad HTTP/1.1\r\n\r\n"
    if kind == 2:
        return b"CONNECT " + address + b" HTTP/1.1\r\n" + spoil(r, b"Host: a\r\nX: y\r\n\r\n" + plain(r))
    if kind == 3:
        return spoil(r, b"CONNECT") + b" " + address + b" HTTP/1.1\r\n\r\n" + plain(r)
    if kind == 4:
        whole = b"\x05\x01\x00\x05\x01\x00\x01\x7f\x00\x00\x01" + struct.pack(">H", port) + plain(r)
        return bytes([r.choice((5, 5, 5, 6)), r.choice((0, 1, 1))]) + whole[2 : r.randrange(3, len(whole))]
    return r.randbytes(1) + r.randbytes(r.randrange(40))


# -- frames


def frame(r: random.Random) -> Frame:
    """A captured pair of a kind that a proxy sends."""
    number = r.randrange(10**6)
    method = r.choice(("GET", "POST", "DELETE"))
    request = b"" if method == "GET" else json.dumps({"item": number, "note": "a ``` b\n### RESPONSE ###"}).encode()
    response = r.choice((b"", b"{}", json.dumps({"ok": True, "list": [1, 2.5, None]}).encode(), r.randbytes(30)))
    head = {
        "msgType": "rrpair",
        "uuid": base64.b64encode(uuid.UUID(int=r.getrandbits(128)).bytes).decode(),
        "ts": f"2026-01-02T03:04:{r.randrange(60):02}.{r.randrange(10**9):09}Z",
        "l7protocol": "http",
        "direction": r.choice(("IN", "OUT")),
        "service": "shop",
        "command": method,
        "location": f"/items/{number}",
        "status": "200",
        "network_address": "shop:80",
        "http": {
            "req": {
                "url": f"/items/{number}",
                "uri": f"/items/{number}?q=\u00e9",
                "version": "1.1",
                "method": method,
                "host": "shop",
                "headers": {"Host": ["shop"], "Accept": ["*/*", "text/html"]},
            },
            "res": {"statusCode": 200, "statusMessage": "200 OK", "headers": {"X-A": ["a, b"]}},
        },
    }
    return Frame(json.dumps(head).encode(), request, response)


def pairs(r: random.Random, count: int) -> list[RRPair]:
    """Pairs as a forwarder has them."""
    return [RRPair.from_frame(frame(r)) for _ in range(count)]


# -- batches


@dataclass
class Trial:
    """A request to the forwarder and what may come of it: `stored`, or reasons."""

    kind: str
    body: bytes
    headers: dict[str, str]
    outcomes: tuple[str, ...]
    frames: list[Frame] = field(default_factory=list)
    unreadable: int = 0
    damaged_heads: bool = False


@dataclass
class Expected:
    """What the forwarder must have counted."""

    refused: Counter[str] = field(default_factory=Counter)
    pairs: int = 0
    duplicates: int = 0
    unreadable: int = 0
    uuids: set[str] = field(default_factory=set)
    seen: set[str] = field(default_factory=set)

    def count(self, trial: Trial, reason: str) -> None:
        """Take the answer to a trial."""
        if reason != "stored":
            self.refused[reason] += 1
            return
        sequence = trial.headers[frames.H_SEQUENCE]
        if sequence in self.seen:
            self.duplicates += 1
            return
        self.seen.add(sequence)
        self.pairs += len(trial.frames)
        self.unreadable += trial.unreadable
        if not trial.damaged_heads:
            self.uuids |= {json.loads(f.head)["uuid"] for f in trial.frames[trial.unreadable :]}


def valid(r: random.Random, sequence: int) -> Trial:
    """A batch in order, compressed or not."""
    taken = [frame(r) for _ in range(r.randint(1, 5))]
    body = b"".join(frames.encode(f) for f in taken)
    headers = {
        "Content-Type": frames.BATCH_CONTENT_TYPE,
        frames.H_VERSION: frames.BATCH_VERSION,
        frames.H_SENDER: "fuzz",
        frames.H_EPOCH: "1",
        frames.H_SEQUENCE: str(sequence),
    }
    return Trial("valid", body, headers, ("stored",), taken)


def _refused(trial: Trial, kind: str, body: bytes, *outcomes: str, **headers: str) -> Trial:
    named = {k.replace("_", "-"): v for k, v in headers.items()}
    return Trial(kind, body, trial.headers | named, outcomes)


def _flipped(r: random.Random, t: Trial) -> Trial:
    body = bytearray(t.body)
    body[r.randrange(len(body))] ^= 1 << r.randrange(8)
    return _refused(t, "one bit", bytes(body), "malformed")


def _torn(r: random.Random, t: Trial) -> Trial:
    last = len(frames.encode(t.frames[-1]))
    return _refused(t, "cut off", t.body[: len(t.body) - r.randrange(1, last)], "malformed")


def _trailing(r: random.Random, t: Trial) -> Trial:
    return _refused(t, "something behind", t.body + r.randbytes(r.randint(1, 40)), "malformed")


def _lengths(r: random.Random, t: Trial) -> Trial:
    head = struct.pack(">4sIIII", b"SSF1", r.choice((0, 1, 2**32 - 1, 2**31)), 0, r.choice((0, 2**32 - 1)), 0)
    return _refused(t, "lengths", head + t.body[20:], "malformed")


def _no_zstd(r: random.Random, t: Trial) -> Trial:
    return _refused(t, "no zstd", t.body, "encoding", Content_Encoding="zstd")


def _short_zstd(r: random.Random, t: Trial) -> Trial:
    packed = zstandard.compress(t.body)
    return _refused(t, "short zstd", packed[: r.randrange(1, len(packed))], "encoding", Content_Encoding="zstd")


def _flipped_zstd(r: random.Random, t: Trial) -> Trial:
    packed = bytearray(zstandard.ZstdCompressor(write_checksum=True).compress(t.body))
    packed[r.randrange(len(packed))] ^= 1 << r.randrange(8)
    outcomes = ("encoding", "malformed", "too_large", "stored")  # a bit that says nothing may be another one
    return Trial("a bit of zstd", bytes(packed), t.headers | {"Content-Encoding": "zstd"}, outcomes, t.frames)


def _bomb(r: random.Random, t: Trial) -> Trial:
    return _refused(t, "bomb", zstandard.compress(bytes(_MAX_BATCH + 1)), "too_large", Content_Encoding="zstd")


def _other_coding(r: random.Random, t: Trial) -> Trial:
    return _refused(t, "coding", t.body, "encoding", Content_Encoding=r.choice(("gzip", "br", "zstd, zstd", "x")))


def _version(r: random.Random, t: Trial) -> Trial:
    return _refused(t, "version", t.body, "version", **{frames.H_VERSION: r.choice(("0", "2", "", "1 ", "one")[:3])})


def _sender(r: random.Random, t: Trial) -> Trial:
    return _refused(t, "sender", t.body, "sender", **{frames.H_SENDER: r.choice(("", "x" * 129))})


def _sequence(r: random.Random, t: Trial) -> Trial:
    name = r.choice((frames.H_SEQUENCE, frames.H_EPOCH))
    return _refused(t, "sequence", t.body, "sequence", **{name: r.choice(("", "-1", "1.0", str(2**64), "1" * 40))})


def _zstd(r: random.Random, t: Trial) -> Trial:
    packed = zstandard.compress(t.body)
    return Trial("zstd", packed, t.headers | {"Content-Encoding": "zstd"}, ("stored",), t.frames)


def _again(r: random.Random, t: Trial) -> Trial:
    headers = t.headers | {frames.H_SEQUENCE: "0"}
    return Trial("again", t.body, headers, ("stored",), t.frames)


def _bad_heads(r: random.Random, t: Trial) -> Trial:
    """Whole frames with heads that are no pairs: the batch is taken, those are counted as dropped."""
    heads = (b"{ ", b"\xff\xfe", b'"a"', b"[]", b"12", b'{"http": 1', b"nul", b"{}{}")
    bad = [Frame(r.choice(heads), r.randbytes(5), b"") for _ in range(r.randint(1, 3))]
    taken = bad + t.frames
    body = b"".join(frames.encode(f) for f in taken)
    return Trial("heads", body, t.headers, ("stored",), taken, unreadable=len(bad))


def _odd_heads(r: random.Random, t: Trial) -> Trial:
    """Heads with damage and a checksum that agrees with it."""
    from fuzz_services_mutations import spoil

    taken = [Frame(b"  " + spoil(r, f.head), f.request_body, f.response_body) for f in t.frames]
    body = b"".join(frames.encode(f) for f in taken)
    return Trial("odd heads", body, t.headers, ("stored",), taken, damaged_heads=True)


_KINDS: tuple[Callable[[random.Random, Trial], Trial], ...] = (
    _flipped,
    _torn,
    _trailing,
    _lengths,
    _no_zstd,
    _short_zstd,
    _flipped_zstd,
    _bomb,
    _other_coding,
    _version,
    _sender,
    _sequence,
    _zstd,
    _again,
    _bad_heads,
    _odd_heads,
)


def trial(r: random.Random, number: int) -> Trial:
    """The `number`th batch, damaged or not."""
    made = valid(r, number)
    return made if number == 0 or r.random() < 0.2 else r.choice(_KINDS)(r, made)


def break_off(r: random.Random, port: int, number: int) -> None:
    """Speak to the forwarder as no client should, and leave in the middle."""
    from fuzz_services_mutations import spoil

    made = valid(r, 1000 + number)
    head = f"POST {frames.BATCH_PATH} HTTP/1.1\r\nHost: a\r\n" + "".join(
        f"{k}: {v}\r\n" for k, v in made.headers.items()
    )
    length = f"Content-Length: {len(made.body)}\r\n\r\n".encode()
    chunks = b"Transfer-Encoding: chunked\r\n\r\n%x\r\n" % len(made.body) + made.body + b"\r\nzz\r\n"
    data = r.choice(
        (
            head.encode() + length + made.body[: r.randrange(len(made.body))],
            head.encode() + chunks[: r.randrange(30, len(chunks) - 4)],
            head.encode() + chunks,
            spoil(r, head.encode() + length) + made.body[:-1],
            head.encode()[: r.randrange(1, len(head))],
            r.randbytes(r.randint(1, 300)),
        )
    )
    if r.random() < 0.5:
        say(port, data)
        return
    with socket.create_connection(("127.0.0.1", port)) as sock:
        sock.sendall(data)
        if r.random() < 0.5:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


def say(port: int, data: bytes) -> bytes:
    """Send bytes, say that no more will come, and return the answer."""
    answer = b""
    with socket.create_connection(("127.0.0.1", port)) as sock:
        sock.sendall(data)
        sock.shutdown(socket.SHUT_WR)
        while more := sock.recv(65536):
            answer += more
    return answer
