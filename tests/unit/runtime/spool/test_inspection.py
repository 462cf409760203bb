"""What people are shown of a spool: counts and places, also beside a process that uses it, never a pair."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from speedscale_runtime.cli.root import main as speedctl
from speedscale_runtime.spool import Cursors, Limits, Position, Record, SegmentLog, inspection
from speedscale_schemas import frames
from speedscale_schemas.frames import Frame

SECRET = b"never shown 4111111111111111"


def record(n: int, pairs: int = 2) -> Record:
    payload = b"".join(frames.encode(Frame(b'{"uuid": "u"}', SECRET, b"")) for _ in range(pairs))
    return Record("sender-1", 1, n, pairs, payload, n * 10**9)


@pytest.fixture
def spool(tmp_path: Path) -> Path:
    log = SegmentLog(tmp_path / "spool", Limits(10**6, 4096))
    cursors = Cursors(tmp_path / "spool" / "cursors")
    for n in range(1, 41):
        log.append([record(n)])
        if n == 39:
            cursors.save("near", log.end)
    cursors.save("far", Position(0, 0))
    view = inspection.inspect(tmp_path / "spool")  # while another one has it
    assert view.process > 0
    log.close()
    return tmp_path / "spool"


def test_counts_sizes_times_and_how_far_each_exporter_is(spool: Path) -> None:
    view = inspection.inspect(spool)
    assert len(view.segments) > 1
    assert sum(s.pairs for s in view.segments) == 80
    assert (view.segments[0].first_ns, view.segments[-1].last_ns) == (10**9, 40 * 10**9)
    assert [(c.exporter, c.lag_pairs) for c in view.cursors] == [("far", 80), ("near", 2)]
    assert view.cursors[0].lag_bytes == sum(s.bytes for s in view.segments)
    assert not any(s.damaged_bytes or s.unfinished_bytes for s in view.segments)


def test_damage_and_unfinished_ends_are_told_apart_and_left_alone(spool: Path) -> None:
    first, *_, last = sorted(spool.glob("*.spool"))
    data = bytearray(first.read_bytes())
    data[len(data) // 2] ^= 1
    first.write_bytes(data)
    whole = last.read_bytes()
    last.write_bytes(whole[:-5])
    view = inspection.inspect(spool)
    assert view.segments[0].damaged_bytes > 0
    assert view.segments[-1].unfinished_bytes > 0
    assert (first.read_bytes(), last.read_bytes()) == (bytes(data), whole[:-5])


@pytest.mark.parametrize("output", ["text", "json"])
def test_the_command_shows_nothing_of_a_pair(spool: Path, capsys: pytest.CaptureFixture[str], output: str) -> None:
    assert speedctl(["forwarder", "spool", "--dir", str(spool), "-o", output]) == 0
    shown = capsys.readouterr().out
    assert "near" in shown
    assert SECRET.decode() not in shown
    assert "sender-1" not in shown
    if output == "json":
        assert json.loads(shown)["pairs"] == 80


def test_damage_is_an_exit_code_and_no_spool_is_an_error(
    spool: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    first = min(spool.glob("*.spool"))
    data = bytearray(first.read_bytes())
    data[len(data) // 2] ^= 1
    first.write_bytes(data)
    assert speedctl(["forwarder", "spool", "--dir", str(spool)]) == 1
    assert "damaged" in capsys.readouterr().out
    assert speedctl(["forwarder", "spool", "--dir", str(tmp_path / "nowhere")]) == 2
    assert "there is no spool" in capsys.readouterr().err
