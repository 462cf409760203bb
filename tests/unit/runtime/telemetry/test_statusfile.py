"""A status file is there whole or not at all."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from speedscale_runtime.telemetry import statusfile


def test_a_file_is_written_whole_and_leaves_nothing_beside_it(tmp_path: Path) -> None:
    statusfile.write(tmp_path / "status.json", {})
    statusfile.write(str(tmp_path / "status.json"), {"a": 1})
    assert [p.name for p in tmp_path.iterdir()] == ["status.json"]
    assert json.loads((tmp_path / "status.json").read_text()) == {"a": 1}


def test_a_folder_that_is_not_there_is_the_callers_to_name(tmp_path: Path) -> None:
    with pytest.raises(OSError):
        statusfile.write(tmp_path / "none" / "status.json", {})


@pytest.mark.parametrize("left", [None, "", "{"])
def test_what_a_service_could_not_leave_reads_as_empty(left: str | None, tmp_path: Path) -> None:
    if left is not None:
        (tmp_path / "stats.json").write_text(left)
    assert statusfile.read(tmp_path / "stats.json") == {}
