"""Folders as archives: the same bytes each time, and nothing but plain files back."""

from __future__ import annotations

import io
from pathlib import Path

import pytest
import zstandard

from speedscale_runtime.delivery import archive
from speedscale_schemas.errors import PeerError


def folder(root: Path, **files: bytes) -> Path:
    for name, data in files.items():
        path = root / name.replace("__", "/").replace("_", ".")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    return root


def test_there_and_back(tmp_path: Path) -> None:
    one = folder(tmp_path / "a", results_jsonl=b"x" * 1000, logs__pod_log=b"", empty=b"", half_new=b"no", p_part0=b"no")
    (one / "link").symlink_to("/etc/passwd")
    (one / ".hidden").write_bytes(b"no")
    packed = io.BytesIO()
    assert archive.pack(one, packed) == 3
    again = io.BytesIO()
    archive.pack(one, again)
    assert packed.getvalue() == again.getvalue()
    there = tmp_path / "b"
    there.mkdir()
    archive.unpack(io.BytesIO(packed.getvalue()), there)
    found = {p.relative_to(there).as_posix(): p.read_bytes() for p in there.rglob("*") if p.is_file()}
    assert found == {"results.jsonl": b"x" * 1000, "logs/pod.log": b"", "empty": b""}


@pytest.mark.parametrize(
    ("limits", "said"),
    [
        (archive.Limits(total=1000), "more than 1,000 bytes"),
        (archive.Limits(files=1), "more than 1 files"),
        (archive.Limits(ratio=2, slack=0), "more than 2 times"),
    ],
)
def test_limits(tmp_path: Path, limits: archive.Limits, said: str) -> None:
    packed = io.BytesIO()
    archive.pack(folder(tmp_path / "a", one=b"x" * 5000, two=b"y"), packed)
    there = tmp_path / "b"
    there.mkdir()
    with pytest.raises(PeerError, match=said):
        archive.unpack(io.BytesIO(packed.getvalue()), there, limits)


def test_a_window_that_asks_for_memory_is_refused(tmp_path: Path) -> None:
    parameters = zstandard.ZstdCompressionParameters(window_log=27, enable_ldm=True)
    data = zstandard.ZstdCompressor(compression_params=parameters).compressobj().compress(b"x" * 100)
    compressor = zstandard.ZstdCompressor(compression_params=parameters).compressobj()
    data = compressor.compress(b"x" * 4096) + compressor.flush()
    with pytest.raises(PeerError, match="no zstd"):
        archive.unpack(io.BytesIO(data), tmp_path)


def test_every_cut_is_noticed(tmp_path: Path) -> None:
    packed = io.BytesIO()
    archive.pack(folder(tmp_path / "a", one=bytes(range(256)) * 8), packed)
    plain = zstandard.ZstdDecompressor().decompressobj().decompress(packed.getvalue())
    for number, size in enumerate((100, 511, 600, 2048, 512 + 2048)):
        there = tmp_path / f"b{number}"
        there.mkdir()
        with pytest.raises(PeerError):
            archive.unpack(io.BytesIO(zstandard.ZstdCompressor().compress(plain[:size])), there)
