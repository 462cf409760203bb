"""From exchange to frame: the keys of the record, odd bytes, and times that are unique."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from speedscale_runtime.protocols.exchange import Exchange, Headers
from speedscale_runtime.recording.capture import Facts, Recorder
from speedscale_runtime.recording.causes import Side
from speedscale_runtime.recording.config import Identity
from speedscale_runtime.rrpair.model import RRPair
from speedscale_schemas import frames

NOW = 1_760_021_021_492_895_507  # 2025-10-09T14:43:41.492895507Z


def recorder(**changes: str) -> Recorder:
    who = {
        "service": "shop",
        "cluster": "undefined",
        "namespace": "undefined",
        "app_label": "",
        "pod_name": "",
        "pod_ip": "",
        "proxy_id": "p",
    }
    return Recorder(
        Identity(**{**who, **changes}),
        proxy_type="dual",
        proxy_protocol="tcp:http",
        reverse=("localhost", 8080),
        random_bytes=lambda n: bytes(i % 256 for i in range(n)),
    )


def facts(side: Side = Side.IN) -> Facts:
    made = Facts(7, side, ("10.0.0.9", 5555), NOW)
    made.host, made.port, made.server = "localhost", 8080, ("127.0.0.1", 8080)
    made.bytes_in, made.bytes_out = 100, 200
    return made


def exchange(target: bytes = b"/a", headers: Headers | None = None, body: bytes = b"hi") -> Exchange:
    made = Exchange(b"GET", target, b"1.1", headers if headers is not None else [(b"Host", b"shop")], NOW)
    made.status, made.reason = 200, b"OK"
    made.response_headers = [(b"Content-Type", b"text/plain")]
    made.response_body = body
    made.response_body_length = len(body)
    made.response_end_ns = NOW + 12_700_000
    return made


def pair_of(frame: bytes) -> RRPair:
    decoded, stop = frames.decode_at(frame)
    assert stop == len(frame)
    return RRPair.from_frame(decoded)


def test_the_record_has_the_public_keys() -> None:
    doc = pair_of(recorder().http(facts(), exchange(b"/a?x=1"))).doc
    assert doc == {
        "msgType": "rrpair",
        "resource": "shop",
        "service": "shop",
        "ts": "2025-10-09T14:43:41.492895507Z",
        "l7protocol": "http",
        "duration": 12,
        "tags": {
            "captureMode": "proxy",
            "proxyType": "dual",
            "proxyProtocol": "tcp:http",
            "proxyLocation": "in",
            "proxyVersion": "0.2.0",
            "proxyId": "p",
            "source": "goproxy",
            "reverseProxyHost": "localhost",
            "reverseProxyPort": "8080",
            "sequence": "1",
        },
        "uuid": base64.b64encode(bytes(range(16))).decode(),
        "direction": "IN",
        "cluster": "undefined",
        "namespace": "undefined",
        "network_address": "localhost:8080",
        "command": "GET",
        "location": "/a",
        "status": "200",
        "http": {
            "req": {
                "url": "/a",
                "uri": "/a?x=1",
                "method": "GET",
                "version": "1.1",
                "host": "shop",
                "headers": {"Host": ["shop"]},
                "queryParams": {"x": ["1"]},
            },
            "res": {
                "contentType": "text/plain",
                "statusCode": 200,
                "statusMessage": "200 OK",
                "headers": {"Content-Type": ["text/plain"]},
            },
        },
        "netinfo": {
            "id": "7",
            "startTime": "2025-10-09T14:43:41.492895507Z",
            "downstream": {
                "established": "2025-10-09T14:43:41.492895507Z",
                "ipAddress": "10.0.0.9",
                "port": 5555,
                "bytesSent": "100",
            },
            "upstream": {
                "established": "2025-10-09T14:43:41.492895507Z",
                "ipAddress": "127.0.0.1",
                "port": 8080,
                "hostname": "localhost",
                "bytesSent": "200",
            },
        },
    }


def test_kubernetes_names_become_tags() -> None:
    made = recorder(app_label="shop", pod_name="shop-1", namespace="default", cluster="east")
    pair = pair_of(made.http(facts(), exchange()))
    assert {k: v for k, v in pair.tags.items() if k.startswith("k8s")} == {
        "k8sAppLabel": "shop",
        "k8sAppPodName": "shop-1",
        "k8sAppPodNamespace": "default",
        "k8sClusterName": "east",
    }


def test_outbound_over_tls() -> None:
    where = facts(Side.OUT)
    where.tls, where.client_protocol, where.host, where.port = True, "connect", "::1", 443
    pair = pair_of(recorder().http(where, exchange()))
    assert (pair.direction, pair.doc["l7protocol"], pair.doc["isTls"]) == ("OUT", "https", True)
    assert pair.doc["network_address"] == "[::1]:443"
    assert "reverseProxyHost" not in pair.tags


def test_same_times_are_moved_apart_by_a_nanosecond() -> None:
    made, where = recorder(), facts()
    stamps = [pair_of(made.http(where, exchange())).doc["ts"] for _ in range(5)]
    assert stamps == [f"2025-10-09T14:43:41.49289550{n}Z" for n in range(7, 10)] + [
        f"2025-10-09T14:43:41.49289551{n}Z" for n in range(2)
    ]


def test_headers_of_the_last_message_are_not_taken_for_those_of_another() -> None:
    made, where = recorder(), facts()
    docs = []
    for value in (b"1", b"1", b"2", b"1"):
        one = exchange(headers=[(b"Host", b"h" + value)])
        one.response_headers = [(b"X", value)]
        one.reason = b"Fine"
        docs.append(pair_of(made.http(where, one)).doc["http"])
    assert [d["req"]["host"] for d in docs] == ["h1", "h1", "h2", "h1"]
    assert [d["res"]["headers"]["X"] for d in docs] == [["1"], ["1"], ["2"], ["1"]]


def test_the_reason_phrase_belongs_to_the_answer_it_came_with() -> None:
    made, where = recorder(), facts()
    first, second = exchange(), exchange()
    second.reason = b"Okay"
    messages = [pair_of(made.http(where, e)).doc["http"]["res"]["statusMessage"] for e in (first, second)]
    assert messages == ["200 OK", "200 Okay"]


def test_a_request_of_another_version_is_not_given_the_last_one() -> None:
    made, where = recorder(), facts()
    old = exchange()
    old.http_version = b"1.0"
    versions = [pair_of(made.http(where, e)).doc["http"]["req"]["version"] for e in (exchange(), old)]
    assert versions == ["1.1", "1.0"]


def test_cut_and_incomplete_bodies_are_tagged() -> None:
    one = exchange()
    one.request_body_length, one.response_body_length, one.incomplete = 10, 99, "server_gone"
    tags = pair_of(recorder().http(facts(), one)).tags
    assert tags["requestPayloadTruncated"] == "10"
    assert tags["responsePayloadTruncated"] == "99"
    assert tags["incomplete"] == "server_gone"


def test_trailers_stand_with_the_headers() -> None:
    made, where, one = recorder(), facts(), exchange()
    one.request_trailers, one.response_trailers = [(b"T", b"1")], [(b"Content-Type", b"2")]
    http = pair_of(made.http(where, one)).doc["http"]
    assert http["req"]["headers"]["T"] == ["1"]
    assert http["res"]["headers"]["Content-Type"] == ["text/plain", "2"]
    assert "T" not in pair_of(made.http(where, exchange())).doc["http"]["req"]["headers"]


def test_opaque_connection() -> None:
    where = facts(Side.OUT)
    where.detected, where.sni = "tls", "a.example"
    pair = pair_of(recorder().opaque(where, NOW, NOW + 5_000_000))
    assert (pair.doc["l7protocol"], pair.doc["duration"], pair.doc["location"]) == ("tcp", 5, "localhost:8080")
    assert (pair.tags["detectedProtocol"], pair.tags["tlsSni"]) == ("tls", "a.example")
    assert "http" not in pair.doc


@pytest.mark.parametrize(
    ("query", "params"),
    [
        ("a=1&a=2&b", {"a": ["1", "2"], "b": [""]}),
        ("q=%E2%82%AC+x&=v", {"q": ["€ x"], "": ["v"]}),
        ("bad=%ff%zz", {"bad": ["ÿ%zz"]}),
        ("", {}),
    ],
)
def test_query(query: str, params: dict[str, list[str]]) -> None:
    doc = pair_of(recorder().http(facts(), exchange(b"/?" + query.encode()))).doc
    assert doc["http"]["req"]["queryParams"] == params


_value = st.binary(max_size=20)


@given(
    target=st.binary(min_size=1, max_size=40),
    headers=st.lists(st.tuples(st.binary(min_size=1, max_size=8), _value), max_size=6),
    body=st.binary(max_size=50),
)
def test_any_bytes_make_a_valid_record(target: bytes, headers: Headers, body: bytes) -> None:
    one = exchange(target, headers, body)
    one.response_headers, one.reason = headers, target
    frame = frames.decode_at(recorder().http(facts(), one))[0]
    doc: dict[str, Any] = json.loads(frame.head)
    assert frame.response_body == body
    assert sum(len(v) for v in doc["http"]["res"]["headers"].values()) == len(headers)


_line = st.sampled_from([b"/a", b"/a?x=1&x=2", b"/\xff?q=%C3%A4", b'/"\\'])
_fields = st.lists(
    st.tuples(st.sampled_from([b"Host", b"host", b"Content-Type", b"X\xe9"]), st.sampled_from([b"a", b'"\xff', b""])),
    max_size=3,
)


@given(rounds=st.lists(st.tuples(_line, _fields, _fields, st.sampled_from([b"", b"OK", b"\xfc"])), max_size=8))
def test_what_was_rendered_before_changes_nothing(rounds: list[tuple[bytes, Headers, Headers, bytes]]) -> None:
    """A frame made with the help of the caches is the frame that is made without."""
    remembering, where = recorder(), facts()
    for number, (target, asked, answered, reason) in enumerate([*rounds, *rounds]):
        one = exchange(target, asked)
        one.response_headers, one.reason = answered, reason
        one.started_ns += number
        fresh = recorder()
        fresh._sequence, fresh._random = number, lambda n: bytes(n)
        remembering._random = lambda n: bytes(n)
        plain = fresh.http(facts(), one)
        one.request_line, one.request_block = b"GET %b" % target, repr(asked).encode()
        one.response_head = reason + repr(answered).encode()
        assert remembering.http(where, one) == plain
