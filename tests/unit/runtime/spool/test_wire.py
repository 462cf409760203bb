"""A batch as it arrives: headers checked one by one, and a body that cannot grow without a limit."""

from __future__ import annotations

import pytest
import zstandard

from speedscale_runtime.spool.wire import Meta, decompress, read_meta
from speedscale_schemas import frames
from speedscale_schemas.errors import PeerError

GOOD = {frames.H_VERSION: "1", frames.H_SENDER: "pod-1", frames.H_EPOCH: "7", frames.H_SEQUENCE: "18446744073709551615"}


def test_headers_are_read() -> None:
    assert read_meta(GOOD) == Meta("pod-1", 7, (1 << 64) - 1, False)
    assert read_meta({**GOOD, "Content-Encoding": " ZSTD "}).compressed


@pytest.mark.parametrize(
    ("name", "value", "reason"),
    [
        (frames.H_VERSION, "2", "version"),
        (frames.H_SENDER, "", "sender"),
        (frames.H_SENDER, "x" * 129, "sender"),
        (frames.H_SENDER, "a\tb", "sender"),
        (frames.H_EPOCH, "-1", "sequence"),
        (frames.H_SEQUENCE, "18446744073709551616", "sequence"),
        (frames.H_SEQUENCE, "٣", "sequence"),
        ("Content-Encoding", "gzip", "encoding"),
    ],
)
def test_a_wrong_header_is_refused_with_its_reason(name: str, value: str, reason: str) -> None:
    with pytest.raises(PeerError) as caught:
        read_meta({**GOOD, name: value})
    assert caught.value.reason == reason


def test_decompression_has_a_limit_and_takes_several_frames() -> None:
    data = bytes(range(256)) * 1000
    parts = zstandard.compress(data[:1000]) + zstandard.compress(data[1000:])
    assert decompress(parts, len(data)) == data
    with pytest.raises(PeerError) as caught:
        decompress(zstandard.compress(bytes(10_000_000)), 1000)
    assert caught.value.reason == "too_large"
    for broken in (parts[:-1], b"nonsense", zstandard.compress(b"x") + b"tail"):
        with pytest.raises(PeerError) as caught:
            decompress(broken, len(data))
        assert caught.value.reason == "encoding"
    assert decompress(b"", 10) == b""
