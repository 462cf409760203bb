"""Names of segment files."""

from __future__ import annotations

from pathlib import Path

import pytest

from speedscale_runtime.spool import Limits, SegmentLog, names


def test_a_name_is_read_back(tmp_path: Path) -> None:
    wanted = [(1, 0), (2, 0xFFFF_FFFF), (999_999_999_999, 5), (1_000_000_000_000, 6)]
    for number, nonce in reversed(wanted):
        (tmp_path / names.name(number, nonce)).touch()
    assert [(f.number, f.nonce) for f in names.find(tmp_path)] == wanted


@pytest.mark.parametrize(
    "other",
    [
        "lock",
        "1-2.spool",
        "000000000001-zzzzzzzz.spool",
        "000000000001-00000001.spool.bak",
        "²00000000001-00000001.spool",
    ],
)
def test_files_of_other_names_are_left_alone(tmp_path: Path, other: str) -> None:
    (tmp_path / other).write_bytes(b"mine")
    log = SegmentLog(tmp_path, Limits())
    try:
        assert len(log.segments()) == 1
        assert not log.recovery.damage
        assert other == "lock" or (tmp_path / other).read_bytes() == b"mine"
    finally:
        log.close()
