"""What clients say to a forward proxy, byte by byte and all at once."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from speedscale_runtime.protocols.authority_form import split
from speedscale_runtime.protocols.preamble import Failure, Forward, Kind, Preamble, Result, Rewriter


def talk(data: bytes, *, cut: int = 0) -> tuple[Result | None, bytes]:
    """Feed `data`; return the result and everything that was sent meanwhile. Bytes behind the result join `rest`."""
    preamble, sent = Preamble(max_head_bytes=500), b""
    for start in range(0, len(data), cut or len(data)):
        result = preamble.feed(data[start : start + (cut or len(data))])
        sent += preamble.outgoing
        preamble.outgoing = b""
        if result is not None:
            after = data[start + (cut or len(data)) :]
            if result.rewriter is not None:
                return merged(result, after), sent
            return result._replace(rest=result.rest + after), sent
    return None, sent


def merged(result: Result, after: bytes) -> Result:
    assert result.rewriter is not None
    pieces = [Forward(result.host, result.port, result.rest, True), *result.pending, *result.rewriter.feed(after)]
    out: list[Forward] = []
    for piece in pieces:
        if out and not piece.new_request:
            out[-1] = out[-1]._replace(data=out[-1].data + piece.data)
        else:
            out.append(piece)
    return result._replace(rest=out[0].data, pending=tuple(out[1:]), rewriter=None)


CASES = [
    (b"CONNECT h.example:443 HTTP/1.1\r\nHost: h\r\n\r\n\x16\x03", Kind.CONNECT, "h.example", 443, b"\x16\x03"),
    (b"CONNECT [2001:db8::1]:8443 HTTP/1.1\r\n\r\n", Kind.CONNECT, "2001:db8::1", 8443, b""),
    (b"CONNECT h:1 HTTP/1.0\n\n\r\n\x05", Kind.CONNECT, "h", 1, b"\r\n\x05"),
    (b"CONNECT 10.0.0.1:80 HTTP/1.0\n\n", Kind.CONNECT, "10.0.0.1", 80, b""),
    (
        b"GET http://h/p?q#f HTTP/1.1\r\nHost: h\r\nProxy-Connection: close\r\nA: b\r\n\r\n",
        Kind.ABSOLUTE,
        "h",
        80,
        b"GET /p?q HTTP/1.1\r\nHost: h\r\nA: b\r\n\r\n",
    ),
    (
        b"GET HTTP://[::1]:81 HTTP/1.1\r\nHost: x\r\n\r\n",
        Kind.ABSOLUTE,
        "::1",
        81,
        b"GET / HTTP/1.1\r\nHost: x\r\n\r\n",
    ),
    (b"GET http://h?q HTTP/1.0\r\n\r\n", Kind.ABSOLUTE, "h", 80, b"GET /?q HTTP/1.0\r\nHost: h\r\n\r\n"),
    (
        b"GET http://me:pw@h:8/ HTTP/1.1\r\nA: b\r\n\r\n",
        Kind.ABSOLUTE,
        "h",
        8,
        b"GET / HTTP/1.1\r\nHost: h:8\r\nA: b\r\n\r\n",
    ),
    (b"OPTIONS http://h HTTP/1.1\r\nHost: h\r\n\r\n", Kind.ABSOLUTE, "h", 80, b"OPTIONS * HTTP/1.1\r\nHost: h\r\n\r\n"),
    (
        b"PUT http://h/ HTTP/1.1\r\nHost: h\r\nproxy-authorization: Basic\r\n eA==\r\nContent-Length: 3\r\n\r\nabc",
        Kind.ABSOLUTE,
        "h",
        80,
        b"PUT / HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\n\r\nabc",
    ),
    (b"GET /p HTTP/1.1\r\nHost: h:8080\r\n\r\n", Kind.ORIGIN, "h", 8080, b"GET /p HTTP/1.1\r\nHost: h:8080\r\n\r\n"),
    (b"GET /p HTTP/1.1\r\n\r\n", Kind.ORIGIN, "", 80, b"GET /p HTTP/1.1\r\n\r\n"),
    (b"\x04\x01\x00\x50\x0a\x00\x00\x01user\x00rest", Kind.SOCKS4, "10.0.0.1", 80, b"rest"),
    (b"\x04\x01\x01\xbb\x00\x00\x00\x07\x00h.example\x00rest", Kind.SOCKS4, "h.example", 443, b"rest"),
    (b"\x05\x02\x02\x00\x05\x01\x00\x01\x0a\x00\x00\x01\x00\x50rest", Kind.SOCKS5, "10.0.0.1", 80, b"rest"),
    (b"\x05\x01\x00\x05\x01\x00\x03\x01h\x00\x50rest", Kind.SOCKS5, "h", 80, b"rest"),
    (b"\x05\x01\x00\x05\x01\x00\x04" + bytes(15) + b"\x01\x00\x50", Kind.SOCKS5, "::1", 80, b""),
    (b"\x16\x03\x01\x02", Kind.OPAQUE, "", 0, b"\x16\x03\x01\x02"),
    (b"GET / HTTP/2.0\r\n\r\nx", Kind.OPAQUE, "", 0, b"GET / HTTP/2.0\r\n\r\nx"),
    (b"GET /" + b"a" * 600, Kind.OPAQUE, "", 0, b"GET /" + b"a" * 600),
    (b"\r\n\r\n\x05\x01", Kind.OPAQUE, "", 0, b"\r\n\r\n\x05\x01"),
    (b"\r\nGET / HTTP/1.1\r\nHost: h\r\n\r\n", Kind.ORIGIN, "h", 80, b"\r\nGET / HTTP/1.1\r\nHost: h\r\n\r\n"),
    (b"\r\n" * 300, Kind.OPAQUE, "", 0, b"\r\n" * 300),
    (b"GET ftp://h/ HTTP/1.1\r\nHost: h\r\n\r\n", Kind.ORIGIN, "h", 80, b"GET ftp://h/ HTTP/1.1\r\nHost: h\r\n\r\n"),
]


@pytest.mark.parametrize("cut", [0, 1, 5])
@pytest.mark.parametrize(("data", "kind", "host", "port", "rest"), CASES)
def test_target_and_rest(data: bytes, kind: Kind, host: str, port: int, rest: bytes, cut: int) -> None:
    result, _ = talk(data, cut=cut)
    assert result is not None
    assert (result.kind, result.host, result.port, result.rest) == (kind, host, port, rest)


@pytest.mark.parametrize("cut", [0, 1])
@pytest.mark.parametrize(
    ("data", "cause", "sent"),
    [
        (b"\x05\x01\x02", "authentication_unsupported", b"\x05\xff"),
        (b"\x05\x00", "authentication_unsupported", b"\x05\xff"),
        (b"\x05\x01\x00\x05\x02\x00\x01\x0a", "command_unsupported", b"\x05\x00\x05\x07\x00\x01" + bytes(6)),
        (b"\x05\x01\x00\x05\x01\x00\x02\x00", "address_type_unsupported", b"\x05\x00\x05\x08\x00\x01" + bytes(6)),
        (b"\x05\x01\x00\x04\x01", "bad_version", b"\x05\x00\x05\x01\x00\x01" + bytes(6)),
        (b"\x05\x01\x00\x05\x01\x00\x03\x03a\nb\x00\x50", "bad_target", b"\x05\x00\x05\x01\x00\x01" + bytes(6)),
        (b"\x05\x01\x00\x05\x01\x00\x03\x00\x00\x50", "bad_target", b"\x05\x00\x05\x01\x00\x01" + bytes(6)),
        (b"\x04\x02\x00\x50\x0a\x00\x00\x01\x00", "command_unsupported", b"\x00\x5b" + bytes(6)),
        (b"\x04\x01\x00\x00\x0a\x00\x00\x01\x00", "bad_target", b"\x00\x5b" + bytes(6)),
        (b"\x04\x01\x00\x50\x0a\x00\x00\x01" + b"u" * 300, "user_too_long", b"\x00\x5b" + bytes(6)),
        (b"\x04\x01\x00\x50\x00\x00\x00\x01\x00" + b"h" * 300, "host_too_long", b"\x00\x5b" + bytes(6)),
    ],
)
def test_refusals_say_so_in_the_client_protocol(data: bytes, cause: str, sent: bytes, cut: int) -> None:
    result, outgoing = talk(data, cut=cut)
    assert result is not None
    assert (result.kind, result.cause) == (Kind.REFUSED, cause)
    assert outgoing == sent


@pytest.mark.parametrize("target", [b"h", b"h:0", b"h:99999", b"/x", b"[::1]", b"a@h:80", b"h:80/x", b"[zz]:80"])
def test_connect_without_a_proper_target_is_a_bad_request(target: bytes) -> None:
    result, sent = talk(b"CONNECT " + target + b" HTTP/1.1\r\n\r\n")
    assert result is not None
    assert result.kind is Kind.REFUSED
    assert sent.startswith(b"HTTP/1.1 400 Bad Request\r\n")


def test_replies() -> None:
    connect, _ = talk(b"CONNECT h:443 HTTP/1.1\r\n\r\n")
    socks4, _ = talk(b"\x04\x01\x00\x50\x0a\x00\x00\x01\x00")
    socks5, greeting = talk(b"\x05\x01\x00\x05\x01\x00\x03\x01h\x00\x50")
    opaque, _ = talk(b"\x00")
    assert connect is not None
    assert socks4 is not None
    assert socks5 is not None
    assert opaque is not None
    assert connect.reply_ok == b"HTTP/1.1 200 Connection established\r\n\r\n"
    assert connect.reply_fail(Failure.TIMEOUT).startswith(b"HTTP/1.1 504 ")
    assert connect.reply_fail(Failure.NOT_ALLOWED).startswith(b"HTTP/1.1 403 ")
    assert connect.reply_fail(Failure.REFUSED).startswith(b"HTTP/1.1 502 ")
    assert (socks4.reply_ok[:2], socks4.reply_fail(Failure.OTHER)[:2]) == (b"\x00\x5a", b"\x00\x5b")
    assert greeting == b"\x05\x00"
    assert socks5.reply_ok == b"\x05\x00\x00\x01" + bytes(6)
    assert {reason: socks5.reply_fail(reason)[1] for reason in Failure} == {
        Failure.REFUSED: 5,
        Failure.UNREACHABLE: 4,
        Failure.UNKNOWN_HOST: 4,
        Failure.TIMEOUT: 6,
        Failure.NOT_ALLOWED: 2,
        Failure.OTHER: 1,
    }
    assert (opaque.reply_ok, opaque.reply_fail(Failure.OTHER)) == (b"", b"")


def test_refusal_body_has_the_length_it_says() -> None:
    result, _ = talk(b"CONNECT h:443 HTTP/1.1\r\n\r\n")
    assert result is not None
    head, _, body = result.reply_fail(Failure.UNKNOWN_HOST).partition(b"\r\n\r\n")
    assert b"Content-Length: %d\r\n" % len(body) in head + b"\r\n"


def test_bytes_of_a_client_that_leaves_early_are_not_lost() -> None:
    for data in (b"GET http://h", b"\x05\x02\x00", b"\x04\x01"):
        preamble = Preamble()
        assert preamble.feed(data) is None
        assert preamble.unread() == data


def test_later_requests_for_other_hosts() -> None:
    stream = (
        b"GET http://one/1 HTTP/1.1\r\nHost: one\r\n\r\n"
        b"POST http://two:81/2 HTTP/1.1\r\nHost: two\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n"
        b"GET /3 HTTP/1.1\r\nHost: two\r\n\r\n"
        b"GET https://three/4 HTTP/1.1\r\nHost: three\r\n\r\n"
    )
    expected = [
        Forward("one", 80, b"GET /1 HTTP/1.1\r\nHost: one\r\n\r\n", True),
        Forward(
            "two",
            81,
            b"POST /2 HTTP/1.1\r\nHost: two\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n",
            True,
        ),
        Forward("two", 81, b"GET /3 HTTP/1.1\r\nHost: two\r\n\r\n", True),
        Forward("three", 443, b"GET /4 HTTP/1.1\r\nHost: three\r\n\r\n", True, tls=True),
    ]
    for cut in (0, 1, 9):
        result, _ = talk(stream, cut=cut)
        assert result is not None
        assert [Forward(result.host, result.port, result.rest, True, result.tls), *result.pending] == expected


@pytest.mark.parametrize(
    ("after", "cause"),
    [
        (b"\x81\x80\x00\x00", ""),  # a websocket's first frame
        (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", ""),
    ],
)
def test_what_follows_an_upgrade_passes_as_it_is(after: bytes, cause: str) -> None:
    rewriter = Rewriter("h", 80, max_head_bytes=500)
    rewriter.feed(b"GET http://h/ws HTTP/1.1\r\nHost: h\r\nUpgrade: websocket\r\n\r\n")
    out = rewriter.feed(after) + rewriter.feed(b"GET http://other/ HTTP/1.1\r\n\r\n")
    assert b"".join(piece.data for piece in out) == after + b"GET http://other/ HTTP/1.1\r\n\r\n"
    assert {(piece.host, piece.new_request) for piece in out} == {("h", False)}
    assert (rewriter.passing, rewriter.cause) == (True, cause)


@pytest.mark.parametrize(
    "bad",
    [
        b"GET http://h/ HTTP/1.1\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\nx",
        b"CONNECT h:1 HTTP/1.1\r\n\r\n",
        b"POST http://h/ HTTP/1.1\r\nHost : x\r\n\r\n",
        b"G" * 600,
    ],
)
@pytest.mark.parametrize("cut", [0, 1])
def test_what_is_not_understood_passes_as_it_is(bad: bytes, cut: int) -> None:
    rewriter = Rewriter("h", 80, max_head_bytes=500)
    first = rewriter.feed(b"GET http://h/ HTTP/1.1\r\nHost: h\r\n\r\n")
    assert [piece.new_request for piece in first] == [True]
    out = [
        piece for i in range(0, len(bad), cut or len(bad)) for piece in rewriter.feed(bad[i : i + (cut or len(bad))])
    ]
    assert b"".join(piece.data for piece in out) == bad
    assert rewriter.passing
    assert rewriter.cause


def test_part_of_a_head_is_given_back_at_the_end() -> None:
    rewriter = Rewriter("h", 80, max_head_bytes=500)
    assert rewriter.feed(b"GET http://") == []
    assert rewriter.eof() == [Forward("h", 80, b"GET http://", False)]
    assert rewriter.eof() == []


@settings(max_examples=100, deadline=None)
@given(st.lists(st.sampled_from(CASES), min_size=1, max_size=3), st.integers(1, 30))
def test_any_chunking_gives_the_same_target_and_bytes(
    cases: list[tuple[bytes, Kind, str, int, bytes]], cut: int
) -> None:
    data = b"".join(case[0] for case in cases)
    whole, sent = talk(data)
    parts, sent_in_parts = talk(data, cut=cut)
    assert whole is not None
    assert parts is not None
    assert sent == sent_in_parts
    assert (whole.kind, whole.host, whole.port, whole.rest) == (parts.kind, parts.host, parts.port, parts.rest)
    assert whole.pending == parts.pending


@pytest.mark.parametrize(
    ("text", "expected"),
    [(b"h", ("h", 7)), (b"h:", ("h", 7)), (b"[fe80::1%eth0]:1", ("fe80::1%eth0", 1)), (b"::1", None), (b"", None)],
)
def test_authorities(text: bytes, expected: tuple[str, int] | None) -> None:
    assert split(text, 7) == expected
