"""The observer, as transcripts: `>` is what the client sent, `<` what the server sent, in this order."""

from __future__ import annotations

from dataclasses import dataclass, field

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from speedscale_runtime.protocols.exchange import Cause, Exchange, Mode
from speedscale_runtime.protocols.http1 import PIPELINE_MAX, Observer

Transcript = list[tuple[str, bytes]]

GET = b"GET /a HTTP/1.1\r\nHost: h\r\n\r\n"
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"


@dataclass
class Run:
    exchanges: list[Exchange] = field(default_factory=list)
    observer: Observer = None  # type: ignore[assignment]

    @property
    def one(self) -> Exchange:
        assert len(self.exchanges) == 1
        return self.exchanges[0]


def play(transcript: Transcript, *, cut: int = 0, max_body: int = 1000, max_head: int = 400) -> Run:
    """Play a transcript; `cut` splits every piece into parts of so many bytes. Time counts the transcript's lines."""
    run = Run()
    run.observer = observer = Observer(run.exchanges.append, max_body_bytes=max_body, max_head_bytes=max_head)
    for now, (side, data) in enumerate(transcript, 1):
        parts = [data[i : i + cut] for i in range(0, len(data), cut)] if cut else [data]
        for part in parts:
            if side == ">":
                observer.feed_request(part, now)
            elif side == "<":
                observer.feed_response(part, now)
        if side == ">eof":
            observer.request_eof(now)
        elif side == "<eof":
            observer.response_eof(now)
        elif side == "close":
            observer.close(now, data.decode())
    return run


def facts(exchange: Exchange) -> dict[str, object]:
    return {name: getattr(exchange, name) for name in Exchange.__slots__}


def test_request_and_response_are_kept_as_they_were_on_the_wire() -> None:
    run = play(
        [
            (">", b"POST /x?y=1 HTTP/1.1\r\nHOST: h\r\nX-a: 1\r\nx-A:2 \r\nContent-Length: 3\r\nEmpty:\r\n\r\nabc"),
            ("<", b"HTTP/1.1 201 Made it\r\ncontent-length: 4\r\n\r\n"),
            ("<", b"done"),
        ]
    )
    one = run.one
    assert (one.method, one.target, one.http_version) == (b"POST", b"/x?y=1", b"1.1")
    assert one.request_headers == [
        (b"HOST", b"h"),
        (b"X-a", b"1"),
        (b"x-A", b"2"),
        (b"Content-Length", b"3"),
        (b"Empty", b""),
    ]
    assert (one.request_body, one.request_body_length) == (b"abc", 3)
    assert (one.status, one.reason, one.response_body, one.response_body_length) == (201, b"Made it", b"done", 4)
    assert (one.started_ns, one.request_end_ns, one.response_start_ns, one.response_end_ns) == (1, 1, 2, 3)
    assert one.incomplete == ""
    assert run.observer.mode is Mode.ACTIVE


def test_keep_alive_gives_one_exchange_after_another() -> None:
    run = play([(">", GET), ("<", OK), (">", GET.replace(b"/a", b"/b")), ("<", OK)])
    assert [e.target for e in run.exchanges] == [b"/a", b"/b"]


def test_pipelined_requests_are_answered_in_order() -> None:
    requests = b"".join(b"GET /%d HTTP/1.1\r\n\r\n" % n for n in range(3))
    answers = b"".join(b"HTTP/1.1 20%d X\r\nContent-Length: 1\r\n\r\n%d" % (n, n) for n in range(3))
    run = play([(">", requests), ("<", answers)])
    assert [(e.target, e.status, e.response_body) for e in run.exchanges] == [
        (b"/0", 200, b"0"),
        (b"/1", 201, b"1"),
        (b"/2", 202, b"2"),
    ]


def test_pipeline_bound_turns_the_connection_opaque_and_loses_nothing() -> None:
    run = play([(">", GET * (PIPELINE_MAX + 1))])
    assert run.observer.cause == Cause.PIPELINE_TOO_DEEP
    assert len(run.exchanges) == PIPELINE_MAX + 1
    assert {e.incomplete for e in run.exchanges} == {Cause.PIPELINE_TOO_DEEP}


def test_pipelined_request_bodies_share_one_limit() -> None:
    post = b"POST / HTTP/1.1\r\nContent-Length: 6\r\n\r\nabcdef"
    run = play([(">", post * 3), ("<", OK * 3), (">", post), ("<", OK)], max_body=8)
    assert [e.request_body for e in run.exchanges] == [b"abcdef", b"ab", b"", b"abcdef"]
    assert [e.request_body_length for e in run.exchanges] == [6, 6, 6, 6]


def test_chunks_extensions_and_trailers_both_ways() -> None:
    run = play(
        [
            (
                ">",
                b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n"
                b"3;ext=1\r\nabc\r\n2 \r\nde\r\n0\r\nX-Sum: 5\r\nx-sum: 6\r\n\r\n",
            ),
            ("<", b"HTTP/1.1 200 OK\r\ntransfer-encoding: gzip, Chunked\r\n\r\nA\r\n0123456789\r\n000\r\n\r\n"),
        ]
    )
    one = run.one
    assert (one.request_body, one.request_body_length) == (b"abcde", 5)
    assert one.request_trailers == [(b"X-Sum", b"5"), (b"x-sum", b"6")]
    assert (one.response_body, one.response_trailers, one.incomplete) == (b"0123456789", [], "")


@pytest.mark.parametrize("framing", [b"Content-Length: 12", b"Transfer-Encoding: chunked"])
def test_body_is_cut_at_the_limit_and_its_length_stays_true(framing: bytes) -> None:
    body = b"hello, world" if b"Length" in framing else b"5\r\nhello\r\n7\r\n, world\r\n0\r\n\r\n"
    run = play(
        [
            (">", b"POST / HTTP/1.1\r\n" + framing + b"\r\n\r\n" + body),
            ("<", b"HTTP/1.1 200 OK\r\n" + framing + b"\r\n\r\n" + body),
            (">", GET),
            ("<", OK),
        ],
        max_body=7,
    )
    first, second = run.exchanges
    assert (first.request_body, first.request_body_length) == (b"hello, ", 12)
    assert (first.response_body, first.response_body_length) == (b"hello, ", 12)
    assert second.response_body == b"ok"


@pytest.mark.parametrize(
    ("method", "status", "fields"),
    [
        (b"HEAD", b"200", b"Content-Length: 500\r\n"),
        (b"HEAD", b"200", b"Transfer-Encoding: chunked\r\n"),
        (b"HEAD", b"404", b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n"),
        (b"GET", b"204", b""),
        (b"GET", b"204", b"Content-Length: 7\r\n"),
        (b"GET", b"304", b"Content-Length: 500\r\n"),
        (b"GET", b"200", b"Content-Length: 0\r\n"),
    ],
)
def test_responses_without_a_body(method: bytes, status: bytes, fields: bytes) -> None:
    run = play(
        [
            (">", method + b" /1 HTTP/1.1\r\n\r\n"),
            ("<", b"HTTP/1.1 " + status + b" X\r\n" + fields + b"\r\n"),
            (">", GET),
            ("<", OK),
        ]
    )
    assert [(e.status, e.response_body) for e in run.exchanges] == [(int(status), b""), (200, b"ok")]


def test_interim_statuses_do_not_end_the_exchange() -> None:
    run = play(
        [
            (">", b"POST / HTTP/1.1\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\n"),
            ("<", b"HTTP/1.1 100 Continue\r\n\r\n"),
            (">", b"hi"),
            ("<", b"HTTP/1.1 103 Early Hints\r\nLink: </s>\r\n\r\n" + OK),
        ]
    )
    assert (run.one.interim, run.one.status, run.one.request_body) == ([100, 103], 200, b"hi")


def test_final_status_without_100_and_a_body_that_comes_all_the_same() -> None:
    run = play(
        [
            (">", b"POST / HTTP/1.1\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\n"),
            ("<", b"HTTP/1.1 401 No\r\nContent-Length: 0\r\n\r\n"),
            (">", b"hi" + GET),
            ("<", OK),
        ]
    )
    assert [(e.status, e.request_body, e.incomplete) for e in run.exchanges] == [(401, b"hi", ""), (200, b"", "")]


def test_client_that_sends_a_request_instead_of_the_refused_body_is_never_mispaired() -> None:
    run = play(
        [
            (">", b"POST /1 HTTP/1.1\r\nExpect: 100-continue\r\nContent-Length: 900\r\n\r\n"),
            ("<", b"HTTP/1.1 401 No\r\nContent-Length: 0\r\n\r\n"),
            (">", GET),
            ("<", OK),
        ]
    )
    assert run.observer.cause == Cause.UNSOLICITED_RESPONSE
    assert [(e.target, e.status, e.incomplete) for e in run.exchanges] == [(b"/1", 401, Cause.UNSOLICITED_RESPONSE)]


def test_websocket_upgrade_ends_http() -> None:
    run = play(
        [
            (">", b"GET /ws HTTP/1.1\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n"),
            ("<", b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n\r\n\x81\x00"),
            (">", b"\x81\x80GET / HTTP/1.1\r\n\r\n"),
            ("close", b""),
        ]
    )
    assert (run.one.status, run.one.upgraded, run.one.incomplete) == (101, True, "")
    assert run.observer.mode is Mode.TUNNEL
    assert run.observer.tunnel_response == b"\x81\x00"


def test_refused_upgrade_goes_on_with_what_was_held() -> None:
    ask = b"GET /1 HTTP/1.1\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n\r\n"
    run = play([(">", ask + GET), ("<", OK + OK), (">", ask), ("<", OK)])
    assert [(e.target, e.status) for e in run.exchanges] == [(b"/1", 200), (b"/a", 200), (b"/1", 200)]
    assert run.observer.mode is Mode.ACTIVE


def test_half_close_behind_a_refused_upgrade() -> None:
    ask = b"GET /1 HTTP/1.1\r\nUpgrade: h2c\r\n\r\n"
    run = play([(">", ask + GET + b"GET /cut"), (">eof", b""), ("<", OK + OK), ("<eof", b"")])
    assert [(e.target, e.status, e.incomplete) for e in run.exchanges] == [
        (b"/1", 200, ""),
        (b"/a", 200, ""),
        (b"", 0, Cause.CLIENT_GONE),
    ]


def test_upgrade_that_nobody_asked_for() -> None:
    run = play([(">", GET), ("<", b"HTTP/1.1 101 Hm\r\n\r\n")])
    assert (run.observer.mode, run.observer.cause) == (Mode.OPAQUE, Cause.BAD_UPGRADE)
    assert run.one.incomplete == Cause.BAD_UPGRADE


def test_connect_granted_with_bytes_sent_too_early() -> None:
    run = play(
        [
            (">", b"CONNECT h:443 HTTP/1.1\r\nHost: h:443\r\n\r\n\x16\x03\x01"),
            ("<", b"HTTP/1.1 200 Connection established\r\nContent-Length: 9\r\n\r\n"),
        ]
    )
    assert (run.one.upgraded, run.observer.mode, run.observer.tunnel_request) == (True, Mode.TUNNEL, b"\x16\x03\x01")


def test_connect_refused_stays_http() -> None:
    run = play(
        [
            (">", b"CONNECT h:443 HTTP/1.1\r\n\r\n"),
            ("<", b"HTTP/1.1 407 Auth\r\nContent-Length: 2\r\n\r\nno"),
            (">", GET),
            ("<", OK),
        ]
    )
    assert [(e.status, e.response_body) for e in run.exchanges] == [(407, b"no"), (200, b"ok")]


def test_bytes_held_behind_connect_are_bounded() -> None:
    run = play([(">", b"CONNECT h:443 HTTP/1.1\r\n\r\n" + b"x" * 401)])
    assert run.observer.cause == Cause.PIPELINE_TOO_DEEP


@pytest.mark.parametrize("head", [b"HTTP/1.0 200 OK\r\n\r\n", b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n"])
def test_body_that_ends_with_the_connection(head: bytes) -> None:
    run = play([(">", b"GET / HTTP/1.0\r\n\r\n"), ("<", head + b"some "), ("<", b"text"), ("<eof", b"")])
    assert (run.one.response_body, run.one.incomplete, run.one.response_end_ns) == (b"some text", "", 4)


def test_body_that_ends_with_a_broken_connection_is_incomplete() -> None:
    run = play([(">", GET), ("<", b"HTTP/1.1 200 OK\r\n\r\nsome"), ("close", b"server_gone")])
    assert (run.one.response_body, run.one.incomplete) == (b"some", Cause.SERVER_GONE)


def test_half_close_of_the_client_still_gets_its_answer() -> None:
    run = play([(">", GET), (">eof", b""), ("<", OK), ("<eof", b"")])
    assert (run.one.status, run.one.incomplete) == (200, "")


@pytest.mark.parametrize(
    ("transcript", "expected"),
    [
        ([(">", b"POST / HTTP/1.1\r\nContent-Length: 9\r\n\r\nab"), (">eof", b""), ("<", OK)], Cause.CLIENT_GONE),
        ([(">", b"GET / HTTP/1.1\r\nHo"), (">eof", b""), ("<", OK)], Cause.CLIENT_GONE),
        ([(">", GET), ("<eof", b"")], Cause.SERVER_GONE),
        ([(">", GET), ("<", b"HTTP/1.1 2"), ("<eof", b"")], Cause.SERVER_GONE),
        ([(">", GET), ("<", OK[:-1]), ("<eof", b"")], Cause.SERVER_GONE),
        ([(">", b"GET / HT"), ("close", b"client_gone")], Cause.CLIENT_GONE),
        ([(">", GET), ("close", b"")], Cause.CLOSED),
        ([("<eof", b""), (">", GET), ("close", b"server_gone")], Cause.SERVER_GONE),
        ([(">", b"GET / HTTP/1.1\r\nUpgrade: x\r\n\r\n"), ("close", b"client_gone")], Cause.CLIENT_GONE),
    ],
)
def test_what_is_cut_off_is_handed_over_with_its_cause(transcript: Transcript, expected: Cause) -> None:
    assert play(transcript).one.incomplete == expected


def test_request_held_behind_an_unanswered_upgrade_is_not_lost() -> None:
    run = play([(">", b"GET /1 HTTP/1.1\r\nUpgrade: x\r\n\r\n" + GET), ("close", b"server_gone")])
    assert [(e.target, e.incomplete) for e in run.exchanges] == [(b"/1", "server_gone"), (b"/a", "server_gone")]


def test_answer_before_the_request_is_whole() -> None:
    run = play(
        [
            (">", b"POST / HTTP/1.1\r\nContent-Length: 4\r\n\r\nab"),
            ("<", b"HTTP/1.1 413 Too large\r\nContent-Length: 0\r\n\r\n"),
            (">", b"cd"),
            (">", GET),
            ("<", OK),
        ]
    )
    assert [(e.status, e.request_body, e.incomplete) for e in run.exchanges] == [(413, b"abcd", ""), (200, b"", "")]


def test_answer_before_the_request_head_is_whole() -> None:
    run = play(
        [
            (">", b"GET /long HTTP/1.1\r\nA: b\r\nCookie: x"),
            ("<", b"HTTP/1.1 431 Too large\r\nContent-Length: 2\r\n\r\nno"),
            (">", b"yz\r\n\r\n"),
            ("<", OK),
        ]
    )
    one = run.one
    assert (one.method, one.target, one.request_headers) == (b"GET", b"/long", [(b"A", b"b")])
    assert (one.status, one.response_body, one.incomplete) == (431, b"no", Cause.EARLY_RESPONSE)
    assert (run.observer.mode, run.observer.cause) == (Mode.OPAQUE, Cause.EARLY_RESPONSE)


def test_response_that_nobody_asked_for() -> None:
    run = play([("<", b"HTTP/1.1 408 Timeout\r\n\r\n")])
    assert (run.observer.mode, run.observer.cause, run.exchanges) == (Mode.OPAQUE, Cause.UNSOLICITED_RESPONSE, [])


@pytest.mark.parametrize(
    "head",
    [
        b"GET /a HTTP/1.1\nHost: h\nB: c\n\n",
        b"\r\n\r\nGET /a HTTP/1.1\r\nHost:h\r\nB:\t c \t\r\n\r\n",
        b"GET /a HTTP/1.1\r\nHost: h\nB: c\r\n\n",
    ],
)
def test_lenient_heads(head: bytes) -> None:
    run = play([(">", head), ("<", OK.replace(b"\r\n", b"\n"))])
    assert run.one.request_headers == [(b"Host", b"h"), (b"B", b"c")]
    assert run.one.response_body == b"ok"


def test_bare_line_feeds_before_a_blank_line() -> None:
    for cut in (0, 1):
        run = play([(">", b"GET /1 HTTP/1.1\n\n\r\nGET /2 HTTP/1.1\n\n"), ("<", OK + OK)], cut=cut)
        assert [e.target for e in run.exchanges] == [b"/1", b"/2"]


def test_folded_field_is_joined() -> None:
    run = play([(">", b"GET / HTTP/1.1\r\nA: one\r\n  two\r\n\tthree \r\nB: c\r\n\r\n"), ("<", OK)])
    assert run.one.request_headers == [(b"A", b"one two three"), (b"B", b"c")]


def test_absolute_form_and_odd_methods_pass_through() -> None:
    run = play(
        [(">", b"M-SEARCH http://h:8080/x HTTP/1.1\r\n\r\n"), ("<", b"HTTP/1.1 200\r\nContent-Length: 0\r\n\r\n")]
    )
    assert (run.one.method, run.one.target, run.one.reason) == (b"M-SEARCH", b"http://h:8080/x", b"")


BAD_REQUESTS = [
    (b"\x16\x03\x01", Cause.BAD_REQUEST_LINE),
    (b"GET /\r\n", Cause.BAD_REQUEST_LINE),
    (b"GET / HTTP/2.0\r\n", Cause.BAD_REQUEST_LINE),
    (b"GET  / HTTP/1.1\r\n", Cause.BAD_REQUEST_LINE),
    (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", Cause.BAD_REQUEST_LINE),
    (b"GET / HTTP/1.1\r\nHost : h\r\n\r\n", Cause.BAD_HEADER),
    (b"GET / HTTP/1.1\r\n folded: first\r\n\r\n", Cause.BAD_HEADER),
    (b"GET / HTTP/1.1\r\nA: b\rc\r\n\r\n", Cause.BAD_HEADER),
    (b"GET / HTTP/1.1\r\nA: b\0c\r\n\r\n", Cause.BAD_HEADER),
    (b"GET / HTTP/1.1\r\nnocolon\r\n\r\n", Cause.BAD_HEADER),
    (b"GET / HTTP/1.1\r\n: empty\r\n\r\n", Cause.BAD_HEADER),
    (b"GET / HTTP/1.1\r\nA: " + b"b" * 400 + b"\r\n\r\n", Cause.HEAD_TOO_LONG),
    (b"GET /" + b"b" * 400, Cause.HEAD_TOO_LONG),
    (b"POST / HTTP/1.1\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n", Cause.AMBIGUOUS_LENGTH),
    (b"POST / HTTP/1.1\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n", Cause.AMBIGUOUS_LENGTH),
    (b"POST / HTTP/1.1\r\nContent-Length: 1, 2\r\n\r\n", Cause.AMBIGUOUS_LENGTH),
    (b"POST / HTTP/1.1\r\nContent-Length: +1\r\n\r\n", Cause.AMBIGUOUS_LENGTH),
    (b"POST / HTTP/1.1\r\nContent-Length:\r\n\r\n", Cause.AMBIGUOUS_LENGTH),
    (b"POST / HTTP/1.1\r\nContent-Length: " + b"9" * 30 + b"\r\n\r\n", Cause.AMBIGUOUS_LENGTH),
    (b"POST / HTTP/1.1\r\nTransfer-Encoding: gzip\r\n\r\n", Cause.AMBIGUOUS_LENGTH),
    (b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked, gzip\r\n\r\n", Cause.AMBIGUOUS_LENGTH),
    (b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n", Cause.AMBIGUOUS_LENGTH),
    (b"POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n", Cause.AMBIGUOUS_LENGTH),
    (b"CONNECT h:1 HTTP/1.1\r\nContent-Length: 1\r\n\r\n", Cause.AMBIGUOUS_LENGTH),
    (b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nx\r\n", Cause.BAD_CHUNK),
    (b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n2\nab\r\n", Cause.BAD_CHUNK),
    (b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nabc\r\n", Cause.BAD_CHUNK),
    (b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n1;" + b"e" * 5000, Cause.BAD_CHUNK),
    (b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n" + b"f" * 16 + b"\r\n", Cause.BAD_CHUNK),
    (b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\nA: " + b"b" * 400, Cause.HEAD_TOO_LONG),
    (b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\nbad\r\n\r\n", Cause.BAD_HEADER),
]


@pytest.mark.parametrize("cut", [0, 1, 7])
@pytest.mark.parametrize(("request_bytes", "cause"), BAD_REQUESTS)
def test_doubt_about_a_request_makes_the_connection_opaque(request_bytes: bytes, cause: Cause, cut: int) -> None:
    run = play([(">", GET), (">", request_bytes), ("<", OK)], cut=cut)
    assert (run.observer.mode, run.observer.cause) == (Mode.OPAQUE, cause)
    assert {e.incomplete for e in run.exchanges} == {cause}
    assert run.exchanges[0].status == 0


BAD_RESPONSES = [
    (b"SSH-2.0\r\n", Cause.BAD_STATUS_LINE),
    (b"HTTP/1.1 20 OK\r\n", Cause.BAD_STATUS_LINE),
    (b"HTTP/1.1 200 OK\r\nA b\r\n\r\n", Cause.BAD_HEADER),
    (b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n", Cause.AMBIGUOUS_LENGTH),
    (b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 3\r\n\r\n", Cause.AMBIGUOUS_LENGTH),
    (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked, identity\r\n\r\n", Cause.AMBIGUOUS_LENGTH),
    (b"HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", Cause.AMBIGUOUS_LENGTH),
    (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n-1\r\n", Cause.BAD_CHUNK),
    (b"HTTP/1.1 200 OK\r\nA: " + b"b" * 400 + b"\r\n\r\n", Cause.HEAD_TOO_LONG),
    (OK + b"extra", Cause.UNSOLICITED_RESPONSE),
]


@pytest.mark.parametrize("cut", [0, 1, 7])
@pytest.mark.parametrize(("response", "cause"), BAD_RESPONSES)
def test_doubt_about_a_response_makes_the_connection_opaque(response: bytes, cause: Cause, cut: int) -> None:
    run = play([(">", GET), ("<", response), (">", GET)], cut=cut)
    assert (run.observer.mode, run.observer.cause) == (Mode.OPAQUE, cause)
    assert len(run.exchanges) == 1
    assert run.one.incomplete == ("" if cause is Cause.UNSOLICITED_RESPONSE else cause)


def test_equal_lengths_given_twice_are_one_length() -> None:
    run = play([(">", b"POST / HTTP/1.1\r\nContent-Length: 2\r\ncontent-length: 2, 2\r\n\r\nab"), ("<", OK)])
    assert (run.one.request_body, run.one.incomplete) == (b"ab", "")


def test_blank_lines_after_a_response_are_not_a_response() -> None:
    run = play([(">", GET), ("<", OK + b"\r\n"), (">", GET), ("<", OK)])
    assert [e.incomplete for e in run.exchanges] == ["", ""]


def test_nothing_is_read_after_close_and_close_happens_once() -> None:
    run = play([(">", GET), ("close", b"client_gone"), ("<", OK), ("close", b"x"), (">", GET), (">eof", b"")])
    assert run.one.incomplete == Cause.CLIENT_GONE


def test_representation_names_no_payload() -> None:
    run = play([(">", b"GET /secret HTTP/1.1\r\nA: secret\r\n\r\n"), ("<", OK.replace(b"ok", b"no"))])
    assert repr(run.one) == "<Exchange b'GET' 200 >"


# -- any chunking of the same bytes gives the same exchanges ---------------------------------------------------------

names = st.sampled_from([b"A", b"x-trace", b"Accept", b"Cookie"])
values = st.sampled_from([b"", b"1", b"a b", b"x" * 50, b"\xc3\xa9"])
ends = st.sampled_from([b"\r\n", b"\r\n", b"\r\n", b"\n"])


@st.composite
def messages(draw: st.DrawFn, first: bytes, *, bodyless: bool = False) -> bytes:
    end = draw(ends)
    lines = [
        first,
        *(
            n + draw(st.sampled_from([b":", b": ", b":  "])) + v
            for n, v in draw(st.lists(st.tuples(names, values), max_size=3))
        ),
    ]
    body = draw(st.binary(max_size=30))
    kind = draw(st.sampled_from(["none", "length", "chunked", "both", "broken"]))
    if bodyless:
        kind, body = "none", b""
    if kind in ("length", "both"):
        lines.append(b"Content-Length: %d" % len(body))
    if kind in ("chunked", "both"):
        lines.append(b"Transfer-Encoding: chunked")
        size = draw(st.integers(1, 10))
        chunks = [body[i : i + size] for i in range(0, len(body), size)]
        trailer = draw(st.sampled_from([b"", b"T: 1\r\n"]))
        body = b"".join(b"%x\r\n%b\r\n" % (len(c), c) for c in chunks) + b"0\r\n" + trailer + b"\r\n"
    if kind == "none" and not first.startswith(b"HTTP"):
        body = b""
    if kind == "none" and first.startswith(b"HTTP") and not bodyless:
        lines.append(b"Content-Length: 0")
        body = b""
    return end.join(lines) + end + end + body


@st.composite
def transcripts(draw: st.DrawFn) -> Transcript:
    out: Transcript = []
    for _ in range(draw(st.integers(1, 4))):
        count = draw(st.integers(1, 3))
        asked = [draw(st.sampled_from([b"GET", b"POST", b"HEAD", b"PUT"])) for _ in range(count)]
        out.append((">", b"".join(draw(messages(m + b" /p HTTP/1.1")) for m in asked)))
        for m in asked:
            status = draw(st.sampled_from([b"200 OK", b"204 No", b"404 X", b"304 Y"]))
            bodyless = m == b"HEAD" or status[:3] in (b"204", b"304")
            interim = draw(st.sampled_from([b"", b"", b"HTTP/1.1 103 Hint\r\nA: b\r\n\r\n"]))
            out.append(("<", interim + draw(messages(b"HTTP/1.1 " + status, bodyless=bodyless))))
    end = draw(st.sampled_from([[(">eof", b"")], [("<eof", b"")], [("close", b"client_gone")]]))
    keep = draw(st.integers(0, len(out)))
    return [*out[:keep], *end, *out[keep:], ("close", b"closed")]


@settings(max_examples=80, deadline=None)
@given(transcripts(), st.integers(1, 40), st.integers(0, 40), st.sampled_from([40, 100, 4000]))
def test_any_chunking_gives_the_same_exchanges(transcript: Transcript, cut: int, body: int, head: int) -> None:
    whole = play(transcript, max_body=body, max_head=head)
    for size in {1, cut}:
        parts = play(transcript, cut=size, max_body=body, max_head=head)
        assert [facts(e) for e in parts.exchanges] == [facts(e) for e in whole.exchanges]
        assert (parts.observer.mode, parts.observer.cause) == (whole.observer.mode, whole.observer.cause)
