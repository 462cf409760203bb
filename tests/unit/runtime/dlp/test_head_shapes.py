"""Heads of a known shape are redacted as bytes: the same bytes and findings as when they are parsed."""

from __future__ import annotations

import gzip
import json
import random
from typing import Any

import pytest

from speedscale_runtime.dlp import KeyRing, Redactor, builtin, compile_rule
from speedscale_schemas.frames import Frame

KEYS = KeyRing({"k1": b"k" * 32})
BODY = b'{"contact":"ada@example.org"}'
ODD = (
    '"/orders/7"',
    '"a \\"quoted\\" word"',
    '"caf\\u00e9"',
    '"café"',
    '"ada@example.org"',
    '"from bob@example.org, see 4111 1111 1111 1111"',
    '""',
    '"2026-01-02T03:04:05.123456789Z"',
    '"F//1gjosr203pNxsGcfb/A=="',
    '"a\u00a0b"',
    '"a\tb"',
    '["x"',
    "17",
    "-3",
    "01",
    "1.5",
    "1e3",
    "4111111111111111",
    "12345678901234567890",
    "null",
    '{"a":"b"}',
    '"dGhlIG1haWwgaXMgYWRhQGV4YW1wbGUub3Jn"',
    '"https://example.org/a?email=ada%40example.org"',
    '"REDACTED-EMAIL-0123456789abcdef0123"',
)


def pair_of_redactors() -> tuple[Redactor, Redactor]:
    shaped, parsed = (compile_rule(builtin("standard"), KEYS) for _ in range(2))
    parsed._shapes = None
    return shaped, parsed


def head(**values: str) -> bytes:
    """Return a head, tight, whose values are given as JSON."""
    v = {
        "ts": '"2026-01-02T03:04:05Z"',
        "path": '"/a"',
        "agent": '"curl"',
        "auth": '"Bearer abcdefgh12345678"',
    } | values
    return (
        f'{{"msgType":"rrpair","ts":{v["ts"]},"duration":{v.get("duration", "3")},'
        f'"tags":{{"a":{v.get("tag", chr(34) * 2)}}},'
        f'"network_address":"shop:80","location":{v["path"]},"http":{{"req":{{"url":{v["path"]},"host":"shop:80",'
        f'"headers":{{"User-Agent":[{v["agent"]}],"Authorization":[{v["auth"]}],"Accept":["a/b","c/d"]}}}},'
        f'"res":{{"headers":{{"Content-Type":["application/json"],"Content-Length":["{v.get("length", "29")}"]}}}}}}}}'
    ).encode()


def outcome(redactor: Redactor, frame: Frame) -> Any:
    try:
        done = redactor.redact_frame(frame)
    except ValueError:
        return "refused"
    return done.frame.head, done.frame.request_body, done.frame.response_body, [repr(f) for f in done.findings]


def test_the_same_as_parsed_whatever_stands_in_the_gaps() -> None:
    shaped, parsed = pair_of_redactors()
    rng = random.Random(5)
    for i in range(700):
        values = {"path": f'"/orders/{i}"', "agent": rng.choice(('"curl"', '"wget"')), "duration": str(i)}
        if i > 100 and i % 3 == 0:
            values[rng.choice(("ts", "path", "agent", "auth", "duration", "tag"))] = rng.choice(ODD)
        body = BODY if i % 4 == 0 else b""
        frame = Frame(head(**values), b"", body)
        assert outcome(shaped, frame) == outcome(parsed, frame), frame.head
    assert shaped._shapes is not None
    assert shaped._shapes.hits > 300
    assert any(s.open for s in shaped._shapes._recent)


@pytest.mark.parametrize("spaced", [False, True])
def test_every_odd_value_in_every_gap(spaced: bool) -> None:
    shaped, parsed = pair_of_redactors()
    for i in range(80):
        plain = head(path=f'"/orders/{i}"')
        shaped.redact_frame(Frame(_spaced(plain) if spaced else plain, b"", b""))
    for gap in ("ts", "path", "agent", "auth", "duration", "tag"):
        for value in ODD:
            raw = head(**{gap: value})
            try:
                raw = _spaced(raw) if spaced else raw
            except ValueError:
                continue
            assert outcome(shaped, Frame(raw, b"", b"")) == outcome(parsed, Frame(raw, b"", b"")), raw


def _spaced(raw: bytes) -> bytes:
    return json.dumps(json.loads(raw), ensure_ascii=False).encode()


def test_headers_that_follow_from_the_body_are_made_right() -> None:
    shaped, parsed = pair_of_redactors()
    coded = gzip.compress(BODY, mtime=0)
    for extra in ("", '"ETag":["abc"],', '"Content-Encoding":["gzip"],', '"Digest":["md5=abc"],'):
        body = coded if "gzip" in extra else BODY
        for _ in range(5):
            raw = head(length=str(len(body))).replace(b'"Content-Length"', extra.encode() + b'"Content-Length"')
            mine, theirs = (outcome(r, Frame(raw, b"", body)) for r in (shaped, parsed))
            assert mine == theirs
            headers = json.loads(mine[0])["http"]["res"]["headers"]
            assert headers["Content-Length"] == [str(len(mine[2]))]


def test_a_body_that_was_cut_and_one_that_cannot_be_read() -> None:
    shaped, parsed = pair_of_redactors()
    for tag, body in (("responsePayloadTruncated", b'{"contact":"ada@exa'), ("other", b"\x1f\x8b\x08\x00torn")):
        for _ in range(4):
            raw = head().replace(b'"tags":{', f'"tags":{{"{tag}":"true",'.encode())
            assert outcome(shaped, Frame(raw, b"", body)) == outcome(parsed, Frame(raw, b"", body))


def test_a_name_twice_and_marks_of_our_own_are_parsed() -> None:
    shaped, parsed = pair_of_redactors()
    for raw in (
        b'{"a":"x","a":"ada@example.org"}',
        b'{"a":"x","dlpModified":true,"dlpRule":"standard","b":"ada@example.org"}',
    ):
        for _ in range(4):
            assert outcome(shaped, Frame(raw, b"", b"")) == outcome(parsed, Frame(raw, b"", b""))
    assert shaped._shapes is not None
    assert shaped._shapes.hits == 0


def test_values_are_kept_no_longer_than_the_memory_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("speedscale_runtime.dlp.traverse.head_walk._GENERATION_CHARS", 4096)
    shaped, parsed = pair_of_redactors()
    for i in range(300):
        frame = Frame(head(agent=f'"agent {i % 90}"'), b"", b"")
        assert outcome(shaped, frame) == outcome(parsed, frame)
    kept = sum(len(s.raw) for s in shaped._head.walk._spots)
    assert kept < 60
