"""Every value in every format under every encoding around it: nothing is left under any decoding, twice is once.

What is found with values in it is also tried with harmless ones: a document without a value keeps its bytes.
"""

from __future__ import annotations

import base64
import gzip
import json
import random
import zlib
from collections.abc import Callable
from urllib.parse import quote
from xml.etree import ElementTree
from xml.sax.saxutils import escape, quoteattr

import brotli
import pytest
import zstandard
from hypothesis import given, settings
from hypothesis import strategies as st

from speedscale_runtime.demo.leaks import find_leaks
from speedscale_runtime.dlp import KeyRing, Redactor, builtin, compile_rule
from speedscale_runtime.dlp.traverse import protobuf
from speedscale_schemas.frames import Frame

Write = Callable[[str], bytes]


@pytest.fixture(scope="module")
def standard() -> Redactor:
    return compile_rule(builtin("standard"), KeyRing({"k": b"e" * 32}))


def _field(number: int, data: bytes) -> bytes:
    return protobuf._write(number << 3 | 2) + protobuf._write(len(data)) + data


def _message(value: str) -> bytes:
    return _field(1, b"lamp") + _field(2, _field(3, value.encode()) + b"\x20\x07") + b"\x28\x96\x01"


def _parts(value: str) -> bytes:
    return f'--XX\r\nContent-Disposition: form-data; name="note"\r\n\r\n{value}\r\n--XX--\r\n'.encode()


FORMATS: dict[str, tuple[Write, str]] = {
    "json": (lambda v: json.dumps({"note": [v, 7], "x": {"y": "lamp"}}).encode(), "application/json"),
    "json unicode": (
        lambda v: ('{"note":"' + "".join(f"\\u{ord(c):04x}" for c in v) + '"}').encode(),
        "application/json",
    ),
    "json in json": (lambda v: json.dumps({"a": json.dumps({"b": json.dumps([v])})}).encode(), "application/json"),
    "lines of json": (lambda v: f'{{"n":1}}\n{json.dumps({"note": v})}\n'.encode(), "application/x-ndjson"),
    "xml": (lambda v: f"<r><note>{escape(v)}</note><n a='1'/></r>".encode(), "text/xml"),
    "xml attribute": (lambda v: f"<r><n note={quoteattr(v)}/></r>".encode(), "text/xml"),
    "xml references": (lambda v: ("<r>" + "".join(f"&#{ord(c)};" for c in v) + "</r>").encode(), "text/xml"),
    "xml data": (lambda v: f"<r><![CDATA[{v}]]></r>".encode(), "text/xml"),
    "form": (lambda v: f"a=1&note={quote(v, safe='')}&b=2".encode(), "application/x-www-form-urlencoded"),
    "form twice": (lambda v: f"note={quote(quote(v, safe=''), safe='')}".encode(), "application/x-www-form-urlencoded"),
    "parts": (_parts, "multipart/form-data; boundary=XX"),
    "events": (lambda v: f"event: a\ndata: {json.dumps({'note': v})}\n\n".encode(), "text/event-stream"),
    "rows": (lambda v: f'id,note\n1,"{v}"\n2,lamp\n'.encode(), "text/csv"),
    "graphql": (
        lambda v: json.dumps({"query": "query($n:String){a(n:$n)}", "variables": {"n": v}}).encode(),
        "application/json",
    ),
    "sql": (lambda v: f"SELECT 1 FROM t WHERE note = '{v}' AND n = 7".encode(), "text/plain"),
    "protobuf": (_message, "application/x-protobuf"),
    "grpc": (
        lambda v: b"\x00" + len(_message(v)).to_bytes(4, "big") + _message(v),
        "application/grpc",
    ),
    "text": (lambda v: f"note: {v} .".encode(), "text/plain"),
    "utf-16": (lambda v: json.dumps({"note": v}).encode("utf-16"), "application/json; charset=utf-16"),
    "utf-32": (lambda v: json.dumps({"note": v}).encode("utf-32"), "application/json"),
    "between binary": (lambda v: b"\x82\xa4note\xd9" + bytes([len(v) + 128]) + v.encode() + b"\xc0\x00\xff", ""),
}
CODINGS: dict[str, Callable[[bytes], bytes]] = {
    "": lambda b: b,
    "gzip": lambda b: gzip.compress(b, mtime=0),
    "deflate": zlib.compress,
    "br": lambda b: bytes(brotli.compress(b)),
    "zstd": zstandard.compress,
}
WRAPS: dict[str, Callable[[bytes], bytes]] = {
    "": lambda b: b,
    "base64": base64.b64encode,
    "base64 of gzip": lambda b: base64.b64encode(gzip.compress(b, mtime=0)),
    "base64 of zstd": lambda b: base64.b64encode(zstandard.compress(b)),
    "base64url in json": lambda b: json.dumps({"d": base64.urlsafe_b64encode(b).rstrip(b"=").decode()}).encode(),
    "hex": lambda b: b.hex().encode(),
    "in lines": base64.encodebytes,
}


def _card(rng: random.Random) -> str:
    digits = "4" + "".join(str(rng.randrange(10)) for _ in range(14))
    total = sum(int(d) if i % 2 else sum(divmod(2 * int(d), 10)) for i, d in enumerate(reversed(digits)))
    return digits + str(-total % 10)


VALUES: dict[str, Callable[[random.Random], str]] = {
    "email": lambda r: f"ada.{r.randrange(10**6)}@mail{r.randrange(100)}.example.org",
    "card": _card,
    "ssn": lambda r: f"{r.randrange(100, 600)}-{r.randrange(10, 99)}-{r.randrange(1000, 9999)}",
    "github": lambda r: "ghp_" + "".join(r.choices("abcdefghijklmnopqrstuvwxyzABCDEFGHIJ0123456789", k=36)),
}


def _frame(data: bytes, kind: str, coding: str) -> Frame:
    headers = {"Content-Type": [kind], **({"Content-Encoding": [coding]} if coding else {})}
    return Frame(json.dumps({"http": {"res": {"headers": headers}}}).encode(), b"", data)


def _written(shape: str, wrap: str, value: str) -> tuple[bytes, str]:
    write, kind = FORMATS[shape]
    return WRAPS[wrap](write(value)), kind if not wrap else ("application/json" if "json" in wrap else "text/plain")


@settings(max_examples=500, deadline=None, derandomize=True)
@given(
    st.sampled_from(sorted(FORMATS)),
    st.sampled_from(sorted(WRAPS)),
    st.sampled_from(sorted(CODINGS)),
    st.sampled_from(sorted(VALUES)),
    st.integers(0, 10**6),
)
def test_nothing_is_left_and_twice_is_once(
    standard: Redactor, shape: str, wrap: str, coding: str, kind: str, seed: int
) -> None:
    value = VALUES[kind](random.Random(seed))
    data, content_type = _written(shape, wrap, value)
    once = standard.redact_frame(_frame(CODINGS[coding](data), content_type, coding))
    assert once.modified
    assert find_leaks([once.frame.response_body, once.frame.head], [value]) == []
    assert not standard.redact_frame(once.frame).modified


@pytest.mark.parametrize("shape", sorted(FORMATS))
@pytest.mark.parametrize("wrap", sorted(WRAPS))
def test_each_format_under_each_encoding(standard: Redactor, shape: str, wrap: str) -> None:
    value = VALUES["email"](random.Random(len(shape) + len(wrap)))
    data, kind = _written(shape, wrap, value)
    out = standard.redact_frame(_frame(data, kind, "")).frame.response_body
    assert find_leaks(out, [value]) == []
    assert b"UNDECODABLE" not in out


@pytest.mark.parametrize("coding", sorted(CODINGS))
@pytest.mark.parametrize("shape", sorted(FORMATS))
def test_without_a_value_every_byte_stays(standard: Redactor, shape: str, coding: str) -> None:
    for wrap in WRAPS:
        data, kind = _written(shape, wrap, "A very fine lamp, in brass")
        frame = _frame(CODINGS[coding](data), kind, coding)
        assert standard.redact_frame(frame).frame is frame, wrap


@settings(max_examples=150, deadline=None, derandomize=True)
@given(
    st.sampled_from(["json", "json in json", "xml", "xml attribute", "protobuf", "grpc", "form"]), st.integers(0, 10**6)
)
def test_the_shape_stays(standard: Redactor, shape: str, seed: int) -> None:
    value = VALUES["email"](random.Random(seed))
    data, kind = _written(shape, "", value)
    out = standard.redact_frame(_frame(data, kind, "")).frame.response_body
    if kind == "application/json":
        assert _keys(json.loads(out)) == _keys(json.loads(data))
    elif kind == "text/xml":
        assert [e.tag for e in ElementTree.fromstring(out).iter()] == [
            e.tag for e in ElementTree.fromstring(data).iter()
        ]
    elif shape in ("protobuf", "grpc"):
        start = 5 if shape == "grpc" else 0
        read = protobuf.parse(out[start:])
        assert read is not None
        assert [f.number for f in read] == [1, 2, 5]
        assert shape != "grpc" or int.from_bytes(out[1:5], "big") == len(out) - 5
    else:
        assert out.startswith(b"a=1&note=REDACTED-EMAIL-")
        assert out.endswith(b"&b=2")


def _keys(value: object) -> object:
    if isinstance(value, dict):
        return {k: _keys(v) for k, v in value.items()}
    return [_keys(v) for v in value] if isinstance(value, list) else type(value)
