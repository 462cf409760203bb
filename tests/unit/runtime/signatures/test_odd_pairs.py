"""Whatever a document holds, deriving from it and serving it never fails: recordings come from many tools."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from speedscale_runtime import signatures
from speedscale_runtime.responder.answers import render
from speedscale_runtime.rrpair import RRPair
from speedscale_runtime.snapshot.selection import begun_ns, unusable
from speedscale_runtime.snapshot.traffic import Traffic

SCALAR = (
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=20)
)
ANY = SCALAR | st.lists(SCALAR, max_size=2) | st.dictionaries(st.sampled_from(["a", "Cookie", "x"]), SCALAR, max_size=2)
HEADERS = ANY | st.dictionaries(
    st.sampled_from(["Authorization", "Cookie", "content-type", "Content-Encoding", "Traceparent", "X"]), ANY
)
MESSAGE = st.fixed_dictionaries(
    {},
    optional={
        "headers": HEADERS,
        "url": ANY,
        "uri": ANY,
        "host": ANY,
        "method": ANY,
        "queryParams": ANY,
        "statusCode": ANY,
        "statusMessage": ANY,
        "contentType": ANY,
    },
)
DOCUMENT = st.fixed_dictionaries(
    {"http": st.fixed_dictionaries({}, optional={"req": MESSAGE, "res": MESSAGE}) | ANY},
    optional={
        "tags": ANY,
        "ts": ANY,
        "duration": ANY,
        "direction": st.sampled_from(["IN", "OUT", "", None]),
        "l7protocol": ANY,
        "service": ANY,
        "network_address": ANY,
        "signature": ANY,
        "tech": ANY,
        "postgres": ANY,
        "uuid": ANY,
    },
)
BODY = st.none() | st.binary(max_size=40) | st.sampled_from([b'{"token":1}', b'{"access_token":"x"}', b"[[[", b"a=1&b"])


@given(DOCUMENT, BODY, BODY)
def test_no_document_is_too_odd(doc: dict[str, Any], request: bytes | None, response: bytes | None) -> None:
    pair = RRPair(doc, request, response)
    signatures.annotate(pair)
    once = pair.copy().doc
    signatures.annotate(pair)
    assert pair.doc == once
    digest = signatures.digest(signatures.recorded(pair) or signatures.signature(pair))
    assert len(digest) == 16
    begun_ns(pair)
    if unusable(pair) is None:
        traffic = Traffic()
        traffic.add(pair)
        assert len(traffic.document()) == 1
    if pair.http_request is not None:
        render(pair).render(close=True)


@given(st.dictionaries(st.text(max_size=12), st.binary(max_size=30)), st.dictionaries(st.text(), st.binary()))
def test_any_two_signatures_can_be_compared(asked: dict[str, bytes], recorded: dict[str, bytes]) -> None:
    found = signatures.explain(asked, [recorded])
    same = signatures.digest(asked) == signatures.digest(recorded)
    assert same == (not found)
