"""Content codings: undone in any number and order, bounded, and done again to the same bytes."""

from __future__ import annotations

import gzip
import zlib

import brotli
import pytest
import zstandard
from hypothesis import given
from hypothesis import strategies as st

from speedscale_runtime.rrpair import decoding
from speedscale_runtime.rrpair.decoding import decoded, encoded
from speedscale_schemas.errors import PeerError

TEXT = b'{"card":"none here","n":[1,2,3]}' * 40
RAW = zlib.compressobj(wbits=-15)
RAW_DEFLATE = RAW.compress(TEXT) + RAW.flush()
MEMBERS = gzip.compress(TEXT[:500]) + gzip.compress(TEXT[500:]) + b"\0\0"
FRAMES = zstandard.compress(TEXT[:500]) + zstandard.compress(TEXT[500:])


@pytest.mark.parametrize(
    ("coding", "body"),
    [
        ("gzip", gzip.compress(TEXT)),
        ("x-gzip", gzip.compress(TEXT)),
        ("GZIP", gzip.compress(TEXT)),
        ("gzip", MEMBERS),
        ("deflate", zlib.compress(TEXT)),
        ("deflate", RAW_DEFLATE),
        ("br", brotli.compress(TEXT)),
        ("zstd", zstandard.compress(TEXT)),
        ("zstd", FRAMES),
        ("identity", TEXT),
        ("", TEXT),
        ("gzip, br", brotli.compress(gzip.compress(TEXT))),
        ("br,identity , zstd", zstandard.compress(brotli.compress(TEXT))),
    ],
)
def test_codings_are_undone(coding: str, body: bytes) -> None:
    assert decoded(body, {"Content-Encoding": [coding]}) == TEXT
    assert decoded(body, {"content-encoding": coding}) == TEXT


def test_codings_in_several_fields() -> None:
    body = zlib.compress(gzip.compress(TEXT))
    assert decoded(body, {"Content-Encoding": ["gzip", "deflate"], "X": [None]}) == TEXT


@pytest.mark.parametrize("headers", [None, {}, {"Content-Encoding": None}, {"Content-Encoding": [None]}])
def test_without_a_coding(headers: dict[str, object] | None) -> None:
    assert decoded(TEXT, headers) == TEXT
    assert encoded(TEXT, headers) == TEXT


@pytest.mark.parametrize("coding", ["gzip", "deflate", "br", "zstd"])
def test_a_body_that_was_stored_decoded_is_returned_as_it_is(coding: str) -> None:
    assert decoded(TEXT, {"Content-Encoding": [coding]}) == TEXT
    assert decoded(b"", {"Content-Encoding": [coding]}) == b""


@pytest.mark.parametrize("coding", ["gzip", "deflate", "br", "zstd"])
def test_a_body_that_is_cut_short_is_refused(coding: str) -> None:
    body = encoded(TEXT, {"Content-Encoding": [coding]})
    with pytest.raises(PeerError) as caught:
        decoded(body[: len(body) // 2], {"Content-Encoding": [coding]})
    assert caught.value.reason == "content-coding"


@pytest.mark.parametrize("coding", ["deflate", "br"])
def test_binary_that_is_not_so_coded_is_refused(coding: str) -> None:
    with pytest.raises(PeerError) as caught:
        decoded(b"\x89PNG\r\n\x1a\n\x00\xff" * 9, {"Content-Encoding": [coding]})
    assert caught.value.reason == "content-coding"


def test_a_flipped_bit_is_refused() -> None:
    body = bytearray(gzip.compress(TEXT))
    body[-6] ^= 1
    with pytest.raises(PeerError):
        decoded(bytes(body), {"Content-Encoding": ["gzip"]})


def test_unknown_codings_are_refused() -> None:
    for act in (decoded, encoded):
        with pytest.raises(PeerError, match="'compress' is unknown; known are br, deflate, gzip"):
            act(TEXT, {"Content-Encoding": ["gzip, compress"]})


def test_a_tower_of_codings_is_refused() -> None:
    with pytest.raises(PeerError, match="9 codings"):
        decoded(TEXT, {"Content-Encoding": [", ".join(["gzip"] * 9)]})


@pytest.mark.parametrize("coding", ["gzip", "deflate", "br", "zstd"])
def test_size_is_bounded(coding: str) -> None:
    body = encoded(b"x" * 5000, {"Content-Encoding": [coding]})
    assert len(decoded(body, {"Content-Encoding": [coding]}, size_max=5000)) == 5000
    with pytest.raises(PeerError) as caught:
        decoded(body, {"Content-Encoding": [coding]}, size_max=4999)
    assert caught.value.reason == "content-coding-size"


@pytest.mark.parametrize("coding", ["br", "zstd"])
def test_a_bomb_is_refused_by_its_ratio(coding: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(decoding, "RATIO_FREE", 1000)
    body = encoded(b"\0" * 3_000_000, {"Content-Encoding": [coding]})
    assert len(body) * decoding.RATIO_MAX < 3_000_000
    with pytest.raises(PeerError) as caught:
        decoded(body, {"Content-Encoding": [coding]})
    assert caught.value.reason == "content-coding-size"


def test_the_best_that_deflate_can_do_is_not_a_bomb() -> None:
    body = gzip.compress(b"\0" * 4_000_000, 9)
    assert len(decoded(body, {"Content-Encoding": ["gzip"]})) == 4_000_000


@given(st.binary(max_size=300), st.lists(st.sampled_from(["gzip", "deflate", "br", "zstd", "x-gzip"]), max_size=3))
def test_encoding_is_undone_and_deterministic(body: bytes, names: list[str]) -> None:
    headers = {"Content-Encoding": [", ".join(names)]}
    coded = encoded(body, headers)
    assert decoded(coded, headers) == body
    assert encoded(body, headers) == coded


@given(st.binary(max_size=100), st.sampled_from(["gzip", "deflate", "br", "zstd", "gzip, br"]))
def test_any_bytes_decode_or_are_refused(body: bytes, coding: str) -> None:
    try:
        said = type(decoded(b"\x1f\x8b" + body, {"Content-Encoding": [coding]})).__name__
    except PeerError as error:
        said = error.reason
    assert said in ("bytes", "content-coding", "content-coding-size")
