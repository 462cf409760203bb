"""Hostile documents: the work they get grows with their size and no faster, and beyond it they are replaced whole.

Work is counted by the engine, not timed.
"""

from __future__ import annotations

import base64
import gzip
import json
from collections.abc import Callable

import brotli
import pytest
import zstandard

from speedscale_runtime.demo.leaks import find_leaks
from speedscale_runtime.dlp import Redactor
from speedscale_runtime.dlp.prefilter import Prefilter
from speedscale_runtime.dlp.traverse import compression
from speedscale_runtime.dlp.work import MAX_DOCUMENT, MAX_HITS, MAX_TAKEN, TooMuch, Work
from speedscale_schemas.frames import Frame

MAIL = b"ada@example.org"
KB = 1024


def redacted(redactor: Redactor, data: bytes, kind: str = "", coding: str = "") -> bytes:
    headers = {"Content-Type": [kind], **({"Content-Encoding": [coding]} if coding else {})}
    head = json.dumps({"http": {"res": {"headers": headers}}}).encode()
    return redactor.redact_frame(Frame(head, b"", data)).frame.response_body


def work(redactor: Redactor, data: bytes, kind: str = "") -> int:
    redactor.engine.forget()
    redacted(redactor, data, kind)
    return redactor.engine.work.done


def replaced(data: bytes) -> bool:
    return data.startswith(b"REDACTED-UNDECODABLE-") and len(data) < 64


SHAPES: dict[str, tuple[Callable[[int], bytes], str]] = {
    "values in text": (lambda n: b"ada@example.org " * (n // 16), ""),
    "values in JSON": (lambda n: b"[" + b'"ada@example.org",' * (n // 18) + b"1]", "application/json"),
    "names in JSON": (lambda n: b"[" + b'{"password":"x%yz12"},' * (n // 22) + b"1]", "application/json"),
    "escapes": (lambda n: b"\\u0040" * (n // 6), ""),
    "percent": (lambda n: b"%2541" * (n // 5), ""),
    "references": (lambda n: b"&amp;#64;" * (n // 9), ""),
    "layers of all": (lambda n: b"%2541&amp;amp;\\\\\\\\u0041%25" * (n // 26), ""),
    "form": (lambda n: b"a=%41&" * (n // 6), "application/x-www-form-urlencoded"),
    "parts": (lambda n: b"--x\r\n\r\nada@example.org\r\n" * (n // 24), "multipart/form-data; boundary=x"),
    "elements": (lambda n: b"<a b='c'>" * (n // 18) + b"<p>ada@example.org</p>" * (n // 44), "text/xml"),
    "tags that never close": (lambda n: b"<a '\"'" * (n // 7) + MAIL, "text/xml"),
    "events": (lambda n: b"data: ada@example.org\n" * (n // 22), "text/event-stream"),
    "rows": (lambda n: b"name,password\n" + b"x,hunter2xy\n" * (n // 12), "text/csv"),
    "rows of SQL that never end": (lambda n: b"INSERT INTO t (password) VALUES ('" + b"''" * (n // 2), ""),
    "names and quotes": (lambda n: b"password='''" * (n // 12), ""),
    "base64": (lambda n: b"SGVsbG8gd29ybGQsIGhlbGxvIHdvcmxk" * (n // 32), ""),
    "base64 in pieces": (lambda n: b"SGVsbG8gd29ybGQsIGhlbGxv/" * (n // 25), ""),
    "hex": (lambda n: b"48656c6c6f20776f726c64" * (n // 22), ""),
    "UTF-16": (lambda n: ("a@b.co " * (n // 14)).encode("utf-16-le"), "application/octet-stream"),
    "fields": (lambda n: b"\x0a\x0fada@example.org" * (n // 17), "application/x-protobuf"),
    "tokens that begin": (lambda n: b"eyJhbGciOi " * (n // 11), ""),
}


@pytest.mark.parametrize("name", SHAPES)
def test_work_grows_with_the_size_and_no_faster(standard: Redactor, name: str) -> None:
    make, kind = SHAPES[name]
    some = work(standard, make(12 * KB), kind)
    more = work(standard, make(48 * KB), kind)
    assert more <= 5 * some + 100_000, (some, more)


def test_what_orders_of_undoing_share_is_read_once(standard: Redactor) -> None:
    """Four encodings in eight layers are 65,536 orders, and a few dozen texts."""
    data = SHAPES["layers of all"][0](8 * KB)
    assert work(standard, data) < 900 * len(data)
    assert redacted(standard, data) == data


@pytest.mark.parametrize("coding", ["gzip", "br", "zstd"])
def test_a_bomb_is_not_inflated_beyond_the_cap(standard: Redactor, coding: str) -> None:
    plain = b"\0" * (compression.MAX_PLAIN + KB)
    data = {
        "gzip": lambda: gzip.compress(plain, 9),
        "br": lambda: bytes(brotli.compress(plain, quality=1)),
        "zstd": lambda: zstandard.compress(plain, 1),
    }[coding]()
    assert replaced(redacted(standard, data, "", coding))
    with pytest.raises(compression.Unreadable, match="cap") as caught:
        compression.decompress(coding, data)
    assert caught.value.partial <= compression.MAX_PLAIN + 33 * KB * KB


def test_many_small_streams_and_members_have_an_end(standard: Redactor) -> None:
    assert replaced(redacted(standard, gzip.compress(b"") * 5000, "", "gzip"))
    inner = b"\x00\x01" + gzip.compress(b"x" * 20)
    assert replaced(redacted(standard, inner * 400, "application/octet-stream"))


@pytest.mark.parametrize("layers", [3, 40])
def test_encodings_in_encodings(standard: Redactor, layers: int) -> None:
    data = MAIL
    for _ in range(layers):
        data = base64.b64encode(gzip.compress(data, mtime=0)) if layers > 3 else base64.b64encode(data)
    assert find_leaks(redacted(standard, data), [MAIL.decode()]) == []
    assert standard.engine.work.done < 10_000_000


@pytest.mark.parametrize(
    "data",
    [
        b'{"a":' * 100_000 + b'"ada@example.org"' + b"}" * 100_000,
        b"[" * 100_000 + b'"ada@example.org"',
        b"<a>" * 30_000 + MAIL + b"</a>" * 30_000,
        b'{"password":' * 900 + b'"hunter2xy, ada@example.org"' + b"}" * 900,
    ],
    ids=["objects", "arrays that stay open", "elements", "names"],
)
def test_deep_documents_are_read(standard: Redactor, data: bytes) -> None:
    out = redacted(standard, data, "application/json" if data[:1] != b"<" else "text/xml")
    assert find_leaks(out, ["ada@example.org", "hunter2xy"]) == []


def test_a_document_that_is_too_large_is_not_searched(standard: Redactor, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> list[tuple[int, int]]:
        raise AssertionError("searched")

    data = b"a" * (MAX_DOCUMENT + 1)
    monkeypatch.setattr(Prefilter, "scan", refuse)
    assert replaced(redacted(standard, data))


def test_more_hits_than_can_be_held_are_refused(standard: Redactor, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("speedscale_runtime.dlp.prefilter.MAX_HITS", 1000)
    with pytest.raises(TooMuch, match="hits"):
        standard.engine.hits(b"ada@example.org " * 2000)
    assert replaced(redacted(standard, b"ada@example.org " * 2000))
    assert MAX_HITS == 1_000_000


def test_more_values_than_can_be_taken_are_refused(standard: Redactor, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("speedscale_runtime.dlp.work.MAX_TAKEN", 1000)
    assert redacted(standard, b"ada@example.org " * 900).count(b"REDACTED-EMAIL-") == 900
    assert replaced(redacted(standard, b"ada@example.org " * 1100))
    assert MAX_TAKEN == 200_000


def test_a_head_that_asks_for_too_much_loses_that_leaf_alone(
    standard: Redactor, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("speedscale_runtime.dlp.work.MAX_TAKEN", 100)
    doc = {"tags": {"a": "ada@example.org " * 200, "b": "from bob@example.org"}, "ts": "2026-01-02T03:04:05Z"}
    new = json.loads(standard.redact_frame(Frame(json.dumps(doc).encode(), b"", b"")).frame.head)
    assert new["tags"]["a"].startswith("REDACTED-UNDECODABLE-")
    assert "bob@" not in new["tags"]["b"]
    assert new["ts"] == doc["ts"]


def test_many_echoes_cost_one_pass(standard: Redactor) -> None:
    values = [f"hunter{i:05}xy" for i in range(800)]
    data = json.dumps([{"password": v} for v in values] + [f"saw {v}, then" for v in values]).encode()
    out = redacted(standard, data, "application/json")
    assert find_leaks(out, values[::37]) == []
    assert json.loads(out)[-1].startswith("saw REDACTED-PASSWORD-")


def test_the_allowance_has_a_top_and_starts_anew() -> None:
    left = Work()
    left.begin(MAX_DOCUMENT)
    left.spend(2_000_000_000)
    with pytest.raises(TooMuch, match="nested"):
        left.spend(1)
    left.begin(10)
    left.spend(8_000_000)
    assert left.taken == 0
    with pytest.raises(TooMuch, match="larger"):
        left.begin(MAX_DOCUMENT + 1)
