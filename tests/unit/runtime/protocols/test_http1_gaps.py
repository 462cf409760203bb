"""What the HTTP/1 observer does about bytes that were not seen: certain, or no pair at all."""

from __future__ import annotations

import pytest

from speedscale_runtime.protocols.exchange import Cause, Exchange, Mode
from speedscale_runtime.protocols.http1 import Observer

GET = b"GET /a HTTP/1.1\r\nHost: h\r\n\r\n"
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"


@pytest.fixture
def done() -> list[Exchange]:
    return []


@pytest.fixture
def observer(done: list[Exchange]) -> Observer:
    return Observer(done.append, max_body_bytes=1000, max_head_bytes=1000)


@pytest.mark.parametrize(
    ("head", "before", "missing", "after"),
    [
        (b"Content-Length: 10\r\n\r\n", b"abc", 5, b"ij"),
        (b"Content-Length: 10\r\n\r\n", b"abc", 7, b""),
        (b"Content-Length: 10\r\n\r\n", b"", 10, b""),
        (b"Transfer-Encoding: chunked\r\n\r\n", b"a\r\nabc", 5, b"ij\r\n0\r\n\r\n"),
        (b"Transfer-Encoding: chunked\r\n\r\n", b"a\r\nabc", 7, b"\r\n0\r\n\r\n"),
    ],
)
@pytest.mark.parametrize("side", ["request", "response"])
def test_within_a_body_whose_end_is_known_the_stream_goes_on(
    observer: Observer, done: list[Exchange], side: str, head: bytes, before: bytes, missing: int, after: bytes
) -> None:
    if side == "request":
        observer.feed_request(b"POST /p HTTP/1.1\r\n" + head + before, 1)
        assert observer.miss_request(missing, "ring_full", 2)
        observer.feed_request(after + GET, 3)
        observer.feed_response(OK + OK, 4)
        kept, length = done[0].request_body, done[0].request_body_length
    else:
        observer.feed_request(GET + GET, 1)
        observer.feed_response(b"HTTP/1.1 200 OK\r\n" + head + before, 1)
        assert observer.miss_response(missing, "ring_full", 2)
        observer.feed_response(after + OK, 3)
        kept, length = done[0].response_body, done[0].response_body_length
    first, second = done
    assert kept == b"abc"[: len(kept)]
    assert len(kept) == (3 if before else 0)
    assert length == 10
    assert (first.gap, second.gap, first.incomplete) == ("ring_full", "", "")
    assert second.response_body == b"ok"
    assert observer.between


def test_until_the_end_of_the_connection_anything_may_be_missing(observer: Observer, done: list[Exchange]) -> None:
    observer.feed_request(GET, 1)
    observer.feed_response(b"HTTP/1.1 200 OK\r\n\r\nabc", 2)
    assert observer.miss_response(99, "sendfile", 3)
    observer.feed_response(b"xyz", 4)
    observer.response_eof(5)
    assert (done[0].response_body, done[0].response_body_length, done[0].gap) == (b"abc", 105, "sendfile")


@pytest.mark.parametrize(
    ("fed", "missing"),
    [
        (b"", 5),  # between messages
        (b"HTTP/1.1 200", 5),  # in a head
        (b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nab", 3),  # over the end of a body
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nab", 3),  # over the end of a chunk
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4", 1),
    ],
)
def test_elsewhere_nothing_of_the_server_is_paired_any_more(
    observer: Observer, done: list[Exchange], fed: bytes, missing: int
) -> None:
    observer.feed_request(GET, 1)
    observer.feed_response(fed, 2)
    assert not observer.miss_response(missing, "ring_full", 3)
    assert (observer.mode, observer.cause) == (Mode.OPAQUE, Cause.GAP)
    assert [exchange.incomplete for exchange in done] == [Cause.GAP]
    observer.feed_response(OK, 4)
    assert len(done) == 1


def test_requests_that_were_whole_still_get_their_answers(observer: Observer, done: list[Exchange]) -> None:
    observer.feed_request(GET + b"POST /p HTTP/1.1\r\nContent-Length: 4\r\n\r\nab", 1)
    assert not observer.miss_request(30, "ring_full", 2)
    assert observer.lost
    observer.feed_request(GET, 3)  # nobody knows of which message this is a part
    observer.feed_response(OK + OK, 4)
    assert [(e.method, e.status, e.incomplete) for e in done] == [(b"GET", 200, ""), (b"POST", 200, Cause.GAP)]
    observer.feed_response(OK, 5)
    assert (observer.mode, observer.cause) == (Mode.OPAQUE, Cause.GAP)
    assert len(done) == 2


def test_with_nothing_begun_a_missing_request_ends_the_reading_at_once(observer: Observer) -> None:
    assert not observer.miss_request(3, "ring_full", 1)
    assert (observer.mode, observer.cause) == (Mode.OPAQUE, Cause.GAP)


def test_what_is_kept_is_known(observer: Observer) -> None:
    assert observer.kept_bytes == 0
    observer.feed_request(b"POST /p HTTP/1.1\r\nContent-Length: 100\r\n\r\n" + b"x" * 60, 1)
    assert observer.kept_bytes == 60
    observer.feed_request(b"x" * 40, 1)
    assert observer.kept_bytes == 100
    observer.feed_response(OK, 2)
    assert observer.kept_bytes == 0
