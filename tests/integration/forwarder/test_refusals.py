"""Receivers over HTTP that refuse: for a while, one record for ever, or with an answer that is none.

Each is a real server; what it does not do by itself is said in its place by what stands before it.
"""

from __future__ import annotations

import base64
import gzip
import json
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import zstandard

sys.path.insert(0, str(Path(__file__).parent))
from destinations import arrived, entry, environment, port_of, settings, uuids
from stubs import Answer, Interposed

pytestmark = pytest.mark.integration

ASKED_S = 2
HTML = Answer(200, {"Content-Type": "text/html"}, b"<html><body>Please log in</body></html>")
JSON, AWS_JSON = {"Content-Type": "application/json"}, {"Content-Type": "application/x-amz-json-1.1"}
PROTOBUF, XML = {"Content-Type": "application/x-protobuf"}, {"Content-Type": "application/xml"}
KINDS = ("http", "s3", "firehose", "backend")
POISON = b"/orders/33"


def xml(code: str) -> bytes:
    return f'<?xml version="1.0" encoding="UTF-8"?><Error><Code>{code}</Code><Message>no</Message></Error>'.encode()


def aws(code: str) -> bytes:
    return json.dumps({"__type": code, "message": "no"}).encode()


def reason(word: str) -> bytes:
    return json.dumps({"reason": word, "message": "no"}).encode()


ASKS = {"Retry-After": str(ASKED_S)}
THROTTLED: dict[str, list[tuple[Answer, str]]] = {
    "http": [
        (Answer(503, {}, b""), "HTTP 503"),
        (Answer(429, {**PROTOBUF, **ASKS}, b""), "HTTP 429"),
    ],
    "s3": [
        (Answer(503, XML, xml("SlowDown")), "AWS: SlowDown"),
        (Answer(429, XML, xml("TooManyRequests")), "AWS: TooManyRequests"),
        (Answer(503, {**XML, **ASKS}, xml("SlowDown")), "AWS: SlowDown"),
    ],
    "firehose": [
        (Answer(400, AWS_JSON, aws("ThrottlingException")), "AWS: ThrottlingException"),
        (Answer(500, {**AWS_JSON, **ASKS}, aws("ServiceUnavailableException")), "AWS: ServiceUnavailableException"),
    ],
    "backend": [
        (Answer(503, JSON, reason("disk_full")), "disk_full: no"),
        (Answer(429, {**JSON, **ASKS}, reason("busy")), "busy: no"),
    ],
}
"""What is said, and how it is named; the last asks for a pause."""

GARBAGE: dict[str, list[Answer]] = {
    "http": [HTML, Answer(200, PROTOBUF, b"\xff\xff\xff nothing"), Answer(302, {"Location": "/login"}, b"")],
    "s3": [HTML, Answer(200, {}, b""), Answer(500, XML, b"<Error><Code>\xff")],
    "firehose": [
        HTML,
        Answer(200, AWS_JSON, b"{}"),
        Answer(200, AWS_JSON, b"[1]"),
        Answer(200, AWS_JSON, b"\xff\xfe"),
        Answer(200, AWS_JSON, b'{"FailedPutCount": 0, "RequestResponses": [{"RecordId": "1"}]}'),
    ],
    "backend": [HTML, Answer(200, JSON, b'{"sequence": 999}'), Answer(200, JSON, b"[]"), Answer(200, JSON, b"\xff")],
}


@pytest.fixture
def interpose(start: Callable[..., Any]) -> Iterator[Callable[[str], tuple[Any, Interposed]]]:
    """Return a function that starts a server of a kind, and what stands before it."""
    running: list[Interposed] = []

    def begin(kind: str) -> tuple[Any, Interposed]:
        server = start(kind)
        before = Interposed(port_of(kind, server))
        running.append(before)
        before.__enter__()
        return server, before

    yield begin
    for before in running:
        before.__exit__()


def begun(forwarder: Callable[..., Any], kind: str, before: Interposed, **more: object) -> Any:
    return forwarder(**settings({"x": entry(kind, before.port, timeout_s=5, **more)}, **environment(kind, before.port)))


@pytest.mark.exporter_faults("http s3 firehose backend", "throttling")
@pytest.mark.parametrize("kind", KINDS)
def test_who_throttles_is_left_alone_as_long_as_it_asks(
    forwarder: Callable[..., Any], batch: Callable[..., bytes], interpose: Callable[..., Any], kind: str
) -> None:
    server, before = interpose(kind)
    f = begun(forwarder, kind, before)
    f.post(batch(*range(10)), 1)
    f.until(lambda: arrived(f))
    asked, errors = len(before.asked), f.status()["exporters"]["x"]["errors"]
    said = THROTTLED[kind]
    names: set[str] = set()
    before.script = [answer for answer, _ in said]
    assert f.post(batch(*range(10, 60)), 2).status_code == 200

    def through() -> bool:
        names.add(f.status()["exporters"]["x"]["lastError"])
        return arrived(f)

    f.until(lambda: not before.script)
    assert f.post(batch(60), 3).status_code == 200  # senders do not notice
    f.until(through)
    f.until(lambda: set(server.uuids()) == set(uuids(*range(61))))
    status = f.status()["exporters"]["x"]
    assert (status["exported"], status["rejected"], status["errors"] - errors) == (61, 0, len(said))
    assert said[-1][1] in names
    last = asked + len(said) - 1
    assert [passed for _, passed in before.asked[asked : last + 2]] == [False] * len(said) + [True]
    assert before.asked[last + 1][0] - before.asked[last][0] >= ASKED_S


@pytest.mark.exporter_faults("http s3 firehose backend", "garbage")
@pytest.mark.parametrize("kind", KINDS)
def test_a_success_that_the_receiver_did_not_say_is_none(
    forwarder: Callable[..., Any], batch: Callable[..., bytes], interpose: Callable[..., Any], kind: str
) -> None:
    server, before = interpose(kind)
    before.script = list(GARBAGE[kind])
    f = begun(forwarder, kind, before)
    assert f.post(batch(*range(20)), 1).status_code == 200
    f.until(lambda: arrived(f))
    f.until(lambda: set(server.uuids()) == set(uuids(*range(20))))
    status = f.status()["exporters"]["x"]
    assert (status["exported"], status["rejected"], status["errors"]) == (20, 0, len(GARBAGE[kind]))


def plain(kind: str, body: bytes) -> bytes:
    """Return a request's body as its receiver reads it."""
    if kind == "s3":
        return gzip.decompress(body) if body[:2] == b"\x1f\x8b" else body
    if kind == "firehose":
        return b"\n".join(base64.b64decode(record["Data"]) for record in json.loads(body)["Records"])
    return zstandard.ZstdDecompressor().decompressobj().decompress(body) if kind == "backend" else body


REFUSED: dict[str, list[Answer]] = {
    "http": [Answer(400, PROTOBUF, b""), Answer(413, {"Content-Type": "text/html"}, b"<html>too large</html>")],
    "s3": [Answer(400, XML, xml("EntityTooLarge")), Answer(413, {"Content-Type": "text/html"}, b"<html></html>")],
    "firehose": [Answer(400, AWS_JSON, aws("InvalidArgumentException")), Answer(413, {}, b"")],
    "backend": [Answer(400, JSON, reason("malformed")), Answer(413, JSON, reason("too_large"))],
}


@pytest.mark.exporter_faults("http s3 firehose backend", "refusal")
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("answer", [0, 1])
def test_a_record_that_is_refused_for_ever_costs_itself_alone(
    forwarder: Callable[..., Any], batch: Callable[..., bytes], interpose: Callable[..., Any], kind: str, answer: int
) -> None:
    server, before = interpose(kind)
    refusal = REFUSED[kind][answer]
    before.refuses = lambda body: refusal if POISON in plain(kind, body) else None
    f = begun(forwarder, kind, before)
    assert f.post(batch(*range(30, 60)), 1).status_code == 200
    f.until(lambda: arrived(f))
    f.until(lambda: set(server.uuids()) == set(uuids(*(n for n in range(30, 60) if n != 33))))
    status = f.status()["exporters"]["x"]
    assert (status["exported"], status["rejected"], status["errors"], status["lost"]) == (29, 1, 0, 0)
