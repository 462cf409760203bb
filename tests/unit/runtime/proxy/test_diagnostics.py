"""Lines about connections: bounded, and without contents."""

from __future__ import annotations

import json
from pathlib import Path

from structlog.testing import capture_logs

from speedscale_runtime.proxy.diagnostics import Diary
from speedscale_runtime.recording.capture import Facts
from speedscale_runtime.recording.causes import Opaque, Side


def facts() -> Facts:
    found = Facts(1, Side.OUT, ("10.0.0.7", 40000), 1_700_000_000_000_000_000)
    found.host, found.port, found.server, found.sni = "accounts.example", 443, ("192.0.2.1", 443), "accounts.example"
    found.bytes_in, found.bytes_out = 10, 20
    return found


def test_a_connection_leaves_a_line(tmp_path: Path) -> None:
    diary = Diary(str(tmp_path))
    diary.note(facts(), Opaque.UPSTREAM_UNVERIFIED, 0, 1_700_000_001_500_000_000)
    diary.close()
    (line,) = (tmp_path / "connections.jsonl").read_text().splitlines()
    found = json.loads(line)
    assert (found["host"], found["opaque"], found["ms"]) == ("accounts.example", "upstream_unverified", 1500)
    assert (found["destination"], found["bytesIn"], found["bytesOut"]) == ("192.0.2.1 443", 10, 20)


def test_two_files_at_most(tmp_path: Path) -> None:
    diary = Diary(str(tmp_path), file_bytes=1000)
    for _ in range(50):
        diary.note(facts(), None, 1, 1_700_000_000_000_000_000)
    diary.close()
    sizes = [path.stat().st_size for path in tmp_path.iterdir()]
    assert len(sizes) == 2
    assert all(size <= 1000 for size in sizes)


def test_a_folder_that_is_not_there_is_said_once(tmp_path: Path) -> None:
    diary = Diary(str(tmp_path / "none"))
    with capture_logs() as logs:
        for _ in range(3):
            diary.note(facts(), None, 1, 1_700_000_000_000_000_000)
    assert [entry["event"] for entry in logs] == ["diagnostics_not_written"]
