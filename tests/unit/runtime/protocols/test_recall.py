"""The cache of what repeats itself: bounded, and of no influence on what is found."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from speedscale_runtime.protocols.exchange import Exchange
from speedscale_runtime.protocols.http1 import Known, Observer
from speedscale_runtime.protocols.recall import Recall


def test_what_is_asked_for_outlives_what_is_not() -> None:
    cache: Recall[int] = Recall(entries=2)
    cache.put(b"a", 1)
    cache.put(b"b", 2)
    cache.put(b"c", 3)
    assert cache.get(b"a") is None
    assert cache.older(b"a") == 1
    cache.put(b"d", 4)
    assert (cache.get(b"a") or cache.older(b"a"), cache.older(b"b")) == (1, None)


@given(keys=st.lists(st.binary(max_size=40), max_size=60))
def test_bounds_hold_whatever_is_put(keys: list[bytes]) -> None:
    cache: Recall[int] = Recall(entries=8, room=100, key_max=30)
    for number, key in enumerate(keys):
        cache.put(key, number)
        assert len(cache) <= 8
        assert sum(map(len, cache)) <= 100
        assert all(len(known) <= 30 for known in cache)
        if len(key) <= 30:
            assert cache[key] == number


_values = st.sampled_from([b"1", b"2", b" x ", b"chunked", b"a\tb"])
_names = st.sampled_from([b"Host", b"content-length", b"Content-Length", b"Transfer-Encoding", b"X", b"Upgrade"])
_heads = st.builds(
    lambda line, end, fields: line + end + b"".join(n + b": " + v + end for n, v in fields) + end,
    st.sampled_from([b"GET / HTTP/1.1", b"POST /a HTTP/1.0", b"HEAD / HTTP/1.1", b"CONNECT a:1 HTTP/1.1", b"bad"]),
    st.sampled_from([b"\r\n", b"\r\n", b"\n"]),
    st.lists(st.tuples(_names, _values), max_size=3),
)
_answers = st.builds(
    lambda line, fields: line + b"\r\n" + b"".join(n + b": " + v + b"\r\n" for n, v in fields) + b"\r\n",
    st.sampled_from([b"HTTP/1.1 200 OK", b"HTTP/1.0 200 OK", b"HTTP/1.1 204", b"HTTP/1.1 103 x", b"HTTP/1.1 101 x"]),
    st.lists(st.tuples(_names, _values), max_size=3),
)


def _observed(known: Known, request: bytes, answer: bytes) -> list[object]:
    found: list[Exchange] = []
    observer = Observer(found.append, max_body_bytes=100, max_head_bytes=200, known=known)
    observer.feed_request(request, 1)
    observer.feed_response(answer, 2)
    observer.response_eof(3)
    observer.close(4, "closed")
    fields = [{name: getattr(e, name) for name in Exchange.__slots__} for e in found]
    return [observer.mode, observer.cause, *fields]


@given(rounds=st.lists(st.tuples(_heads, _answers), min_size=1, max_size=6))
def test_what_other_connections_said_changes_nothing(rounds: list[tuple[bytes, bytes]]) -> None:
    shared = Known()
    for request, answer in [*rounds, *rounds]:
        assert _observed(shared, request, answer) == _observed(Known(), request, answer)
