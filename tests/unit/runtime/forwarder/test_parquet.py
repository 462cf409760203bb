"""Parquet on the local disk: merged, kept whole over crashes, deleted when old, never twice."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from datetime import date
from pathlib import Path
from typing import Any

import duckdb
import pytest

from speedscale_runtime.forwarder import config, exporters
from speedscale_runtime.forwarder.exporters import Item, parquet_files
from speedscale_runtime.forwarder.exporters.parquet import ParquetExporter
from speedscale_runtime.forwarder.exporters.parquet_files import Partitions, TooMuch
from speedscale_runtime.forwarder.exporters.parquet_rows import Row, row
from speedscale_runtime.rrpair import RRPair
from speedscale_schemas.errors import TransientError


def item(n: int, ts: str = "2026-01-02T03:04:05.000000007Z", body: bytes = b"{}", **more: Any) -> Item:
    doc = {"msgType": "rrpair", "uuid": f"u{n}", "ts": ts, "service": "shop", "duration": 3, **more}
    return Item(RRPair({**doc, "http": {"req": {}, "res": {}}}, None, body), 1_000_000_000)


def rows(*numbers: int) -> list[Row]:
    made = [row(item(n), 1 << 20) for n in numbers]
    assert None not in made
    return [r for r in made if r is not None]


def found(root: Path) -> list[str]:
    if not list(root.rglob("*.parquet")):
        return []
    query = f"SELECT uuid FROM read_parquet('{root}/**/*.parquet', hive_partitioning = true)"
    return sorted(str(r[0]) for r in duckdb.sql(query).fetchall())


def exporter(root: Path, since: float = 0.0, now: Callable[[], float] | None = None, **more: Any) -> ParquetExporter:
    text = json.dumps({"x": {"type": "parquet", "path": str(root), **more}})
    (spec,) = config.parse({"EXPORTERS": text}).exporters
    made = exporters.create(spec, since) if now is None else ParquetExporter(spec, since, now)
    assert isinstance(made, ParquetExporter)
    return made


def test_many_small_files_become_one(tmp_path: Path) -> None:
    partitions = Partitions(tmp_path)
    for n in range(12):
        partitions.write("date=2026-01-02/hour=03", rows(n))
        assert partitions.compact("date=2026-01-02/hour=03") == (12 if n == 11 else 0)
    assert len(list(tmp_path.rglob("*.parquet"))) == 1
    assert found(tmp_path) == sorted(f"u{n}" for n in range(12))
    assert not list(tmp_path.rglob(".*.json"))
    partitions.close()


@pytest.mark.parametrize("moment", ["before the new file", "after it", "while old ones go"])
def test_a_merge_that_a_crash_broke_off_is_ended_by_the_next_start(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, moment: str
) -> None:
    partitions = Partitions(tmp_path)
    place = "date=2026-01-02/hour=03"
    for n in range(12):
        partitions.write(place, rows(n))
    original, count = parquet_files._finish, 0

    def crash(*_: object) -> None:
        raise KeyboardInterrupt

    def half(self: Path, missing_ok: bool = False) -> None:
        nonlocal count
        if self.suffix == ".parquet":
            count += 1
            if count > 5:
                raise KeyboardInterrupt
        unlink(self, missing_ok=missing_ok)

    unlink = Path.unlink
    with monkeypatch.context() as patched:
        if moment == "before the new file":
            patched.setattr(parquet_files, "_write_note", crash)
        elif moment == "after it":
            patched.setattr(parquet_files, "_finish", crash)
        else:
            patched.setattr(Path, "unlink", half)
        with pytest.raises(KeyboardInterrupt):
            partitions.compact(place)
    partitions.close()
    assert parquet_files._finish is original
    Partitions(tmp_path).close()
    assert found(tmp_path) == sorted(f"u{n}" for n in range(12))
    assert not [p for p in tmp_path.rglob(".*") if p.is_file()]


async def test_what_an_earlier_process_wrote_is_not_written_again(tmp_path: Path) -> None:
    first = exporter(tmp_path)
    assert (await first.send([item(1), item(2)])).exported == 2
    await first.close()
    again = exporter(tmp_path)
    sent = await again.send([item(1), item(2), item(3)])
    assert (sent.exported, sent.events["deduplicated"]) == (1, 2)
    await again.close()
    assert found(tmp_path) == ["u1", "u2", "u3"]


async def test_a_hand_over_that_breaks_off_between_partitions_comes_again_without_doubles(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    one = exporter(tmp_path)
    items = [item(1), item(2, "2026-01-02T04:00:00Z"), item(3, "no time")]
    original, calls = Partitions.write, 0

    def failing(self: Partitions, partition: str, given: list[Row]) -> Path:
        nonlocal calls
        calls += 1
        if calls == 2:
            raise OSError(28, "No space left on device")
        return original(self, partition, given)

    monkeypatch.setattr(Partitions, "write", failing)
    with pytest.raises(TransientError, match="No space"):
        await one.send(items)
    sent = await one.send(items)
    assert sent.exported + sent.events["deduplicated"] == 3
    await one.close()
    assert found(tmp_path) == ["u1", "u2", "u3"]
    folders = {p.parent.relative_to(tmp_path).as_posix() for p in tmp_path.rglob("*.parquet")}
    assert folders == {"date=2026-01-02/hour=03", "date=2026-01-02/hour=04", "date=1970-01-01/hour=00"}


async def test_what_is_too_large_is_cut_and_odd_values_do_no_harm(tmp_path: Path) -> None:
    one = exporter(tmp_path, max_record_bytes=4096)
    odd = [item(2, status=7, session="\udc80", duration="soon"), item(3, location="/" * 9000)]
    sent = await one.send([item(1, body=b"x" * 9000), *odd])
    assert {k: v for k, v in sent.events.items() if v} == {"cut": 1, "too_large": 1}
    await one.close()
    query = f"SELECT uuid, truncated, response_bytes, status, session, duration_ms FROM '{tmp_path}/**/*.parquet'"
    assert sorted(duckdb.sql(query).fetchall()) == [("u1", True, 9000, "", "", 3.0), ("u2", False, 2, "7", "?", None)]


async def test_days_are_deleted_when_they_are_old(tmp_path: Path) -> None:
    (tmp_path / "date=other").mkdir()
    one = exporter(tmp_path, now=lambda: 1_767_830_400.0, keep_days=3)  # 2026-01-08
    await one.send([item(1), item(2, "2026-01-05T00:00:00Z"), item(3, "2026-01-04T23:59:59Z")])
    await one.close()
    assert found(tmp_path) == ["u2"]
    assert parquet_files.days_ago(1_767_830_400.0, 3) == date(2026, 1, 5)
    assert (tmp_path / "date=other").is_dir()


def test_rows_go_in_by_parts_and_none_is_left_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parquet_files, "_INSERT_ROWS", 3)
    monkeypatch.setattr(parquet_files, "_INSERT_BYTES", 600)
    sizes = [1, 700, 1, 1, 1, 1, 500]
    given = [made for n, size in enumerate(sizes) if (made := row(item(n, body=b"x" * size), 1 << 20)) is not None]
    partitions = Partitions(tmp_path)
    partitions.write("date=2026-01-02/hour=03", given)
    partitions.close()
    assert len(list(tmp_path.rglob("*.parquet"))) == 1
    assert found(tmp_path) == [f"u{n}" for n in range(len(sizes))]


@pytest.mark.exporter_faults("parquet", "refusal")
async def test_what_does_not_fit_at_once_goes_in_parts_and_one_that_never_fits_costs_itself(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = Partitions.write

    def write(self: Partitions, partition: str, given: Sequence[Row]) -> Path:
        if sum(r.size for r in given) > 50_000:
            raise TooMuch
        return whole(self, partition, given)

    monkeypatch.setattr(Partitions, "write", write)
    made = exporter(tmp_path, linger_s=0)
    sizes = [9_000] * 4 + [30_000] + [9_000] * 2
    sent = await made.send([item(n, body=b"x" * size) for n, size in enumerate(sizes)])
    await made.close()
    assert (sent.exported, dict(+sent.events)) == (6, {"too_large": 1})
    assert found(tmp_path) == ["u0", "u1", "u2", "u3", "u5", "u6"]


def test_a_row_for_which_there_is_no_memory_is_too_much(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parquet_files, "_MEMORY", "16MB")
    partitions = Partitions(tmp_path)
    made = row(item(1, body=b"x" * 12_000_000), 1 << 30)
    assert made is not None
    with pytest.raises(TooMuch):
        partitions.write("date=2026-01-02/hour=03", [made])
    partitions.write("date=2026-01-02/hour=03", rows(2))
    partitions.close()
    assert found(tmp_path) == ["u2"]


def test_damaged_files_are_named_and_neither_read_nor_merged(tmp_path: Path) -> None:
    place = tmp_path / "date=2026-01-02" / "hour=03"
    partitions = Partitions(tmp_path)
    for n in range(3):
        partitions.write("date=2026-01-02/hour=03", rows(n))
    whole = next(place.glob("*.parquet")).read_bytes()
    damage = {"part-short.parquet": whole[:-20], "part-empty.parquet": b""}
    for name, data in damage.items():
        (place / name).write_bytes(data)
    assert partitions.uuids(0) >= {"u0", "u1", "u2"}
    for n in range(3, 13):
        partitions.write("date=2026-01-02/hour=03", rows(n))
    assert partitions.compact("date=2026-01-02/hour=03") >= 12
    for name, data in damage.items():
        assert (place / name).read_bytes() == data
        (place / name).unlink()
    assert found(tmp_path) == sorted(f"u{n}" for n in range(13))
    partitions.close()
