"""Recorded answers as bytes: framing is right whatever the recording says."""

from __future__ import annotations

import gzip
from typing import Any

import httptools
import pytest
from hypothesis import given
from hypothesis import strategies as st

from speedscale_runtime.responder import answers
from speedscale_runtime.responder.answers import CHUNK, Unservable, accepts, chunks, render, unservable
from speedscale_runtime.rrpair import RRPair


def pair(
    body: bytes = b"hi", status: int = 200, method: str = "GET", tags: dict[str, str] | None = None, **headers: Any
) -> RRPair:
    got = {name.replace("_", "-"): value if isinstance(value, list) else [value] for name, value in headers.items()}
    res = {"statusCode": status, "statusMessage": f"{status} OK", "headers": got}
    doc = {"tags": tags or {}, "duration": 7, "http": {"req": {"method": method}, "res": res}}
    return RRPair(doc, b"", body)


class Parsed:
    """An independent parser's view of a message."""

    def __init__(self, data: bytes) -> None:
        self.body, self.headers, self.complete = b"", [], False
        parser = httptools.HttpResponseParser(self)
        parser.feed_data(data)
        self.status = parser.get_status_code()

    def on_header(self, name: bytes, value: bytes) -> None:
        self.headers.append((name, value))

    def on_body(self, body: bytes) -> None:
        self.body += body

    def on_message_complete(self) -> None:
        self.complete = True


@given(st.binary(max_size=3 * CHUNK), st.booleans())
def test_a_parser_reads_back_the_body(body: bytes, chunked: bool) -> None:
    answer = render(pair(body, **({"Transfer_Encoding": "chunked"} if chunked else {})))
    parsed = Parsed(answer.wire)
    assert (parsed.complete, parsed.body, parsed.status) == (True, body, 200)


def test_hop_headers_and_lengths_are_ours_and_the_rest_is_as_recorded() -> None:
    given_pair = pair(
        Connection="close",
        Keep_Alive="timeout=5",
        Content_Length="999",
        X_A=["1", "2"],
        Date="Sat, 31 Jan 2026 12:00:00 GMT",
    )
    assert render(given_pair).wire == (
        b"HTTP/1.1 200 OK\r\nX-A: 1\r\nX-A: 2\r\nDate: Sat, 31 Jan 2026 12:00:00 GMT\r\nContent-Length: 2\r\n\r\nhi"
    )


def test_a_recorded_header_cannot_split_the_message() -> None:
    wire = render(pair(X_A="1\r\nInjected: yes\r\n\r\nbody", **{"Bad Name": "x", "Bad\r\nName": "x"})).wire
    assert [name for name, _ in Parsed(wire).headers] == [b"X-A", b"Content-Length"]


def test_text_beyond_latin_1_goes_out_as_utf_8() -> None:
    assert "X-A: ä€\r\n".encode() in render(pair(X_A="ä€")).wire


@pytest.mark.parametrize("coding", ["gzip", "br", "zstd", "deflate"])
def test_a_body_that_was_unpacked_is_packed_again(coding: str) -> None:
    from speedscale_runtime.rrpair import decoding

    answer = render(pair(b'{"a":1}' * 50, Content_Encoding=coding, tags={"decoded": "true"}))
    parsed = Parsed(answer.wire)
    assert parsed.body != b'{"a":1}' * 50
    assert decoding.decoded(parsed.body, {"Content-Encoding": coding}) == b'{"a":1}' * 50
    assert answer.plain is not None
    assert b"Content-Encoding" not in answer.plain.wire
    assert Parsed(answer.plain.wire).body == b'{"a":1}' * 50


def test_a_body_that_was_kept_packed_goes_out_byte_for_byte() -> None:
    packed = gzip.compress(b"x" * 100, mtime=7)
    answer = render(pair(packed, Content_Encoding="gzip"))
    assert Parsed(answer.wire).body == packed
    assert answer.plain is not None
    assert Parsed(answer.plain.wire).body == b"x" * 100


def test_rendering_is_the_same_every_time() -> None:
    make = lambda: render(pair(b"x" * 500, Content_Encoding="gzip", tags={"decoded": "true"})).wire  # noqa: E731
    assert make() == make()


@pytest.mark.parametrize(
    ("header", "coding", "taken"),
    [
        ("gzip, deflate", "gzip", True),
        ("", "gzip", False),
        ("gzip;q=0", "gzip", False),
        ("*", "br", True),
        ("br, *;q=0", "gzip", False),
        ("GZIP;q=0.5", "gzip", True),
        ("gzip", "gzip,br", False),
    ],
)
def test_what_a_client_accepts(header: str, coding: str, taken: bool) -> None:
    assert accepts(header, coding) is taken


@pytest.mark.parametrize(
    ("recorded", "why"),
    [
        (pair(tags={"responsePayloadTruncated": "9"}), Unservable.TRUNCATED),
        (pair(tags={"responsePayloadDropped": "true"}), Unservable.TRUNCATED),
        (pair(tags={"requestPayloadTruncated": "9"}), Unservable.REQUEST_TRUNCATED),
        (pair(status=101), Unservable.UPGRADE),
        (pair(status=0), Unservable.BROKEN),
        (pair(), None),
    ],
)
def test_what_must_not_be_served(recorded: RRPair, why: Unservable | None) -> None:
    assert unservable(recorded) is why
    assert render(recorded).unservable is why


def test_a_message_is_kept_once_and_not_made_anew_for_each_request() -> None:
    answer = render(pair(b"x" * 1000))
    assert answer.wire is answer.wire
    assert answer.body == b"x" * 1000


@given(st.binary(max_size=5 * CHUNK))
def test_chunks_add_up(body: bytes) -> None:
    data = b"".join(chunks(body))
    assert Parsed(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + data).body == body
    assert answers.CHUNK == CHUNK
