"""The segment log: what was acknowledged is there after any crash, and nothing else is."""

from __future__ import annotations

import errno
import os
import shutil
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from speedscale_runtime.spool import Limits, Position, Reader, Record, SegmentLog, SpoolFull, SpoolLocked
from speedscale_schemas import frames
from speedscale_schemas.frames import Frame

SMALL = Limits(max_bytes=1 << 20, segment_bytes=700)


def record(sequence: int, pairs: int = 1, body: bytes = b"body", sender: str = "s1", epoch: int = 1) -> Record:
    payload = b"".join(frames.encode(Frame(b'{"n":%d}' % sequence, body, b"")) for _ in range(pairs))
    return Record(sender, epoch, sequence, pairs, payload, 1_000 + sequence)


def read_all(log: SegmentLog) -> list[Record]:
    reader = Reader(log, Position(0, 0))
    found = []
    while (item := reader.next()) is not None:
        found.append(item)
    reader.close()
    return found


def test_what_is_appended_is_read_in_order_over_segments(tmp_path: Path) -> None:
    log = SegmentLog(tmp_path, SMALL)
    wanted = [record(i, pairs=i % 3, body=b"x" * i * 7) for i in range(40)]
    for item in wanted:
        assert log.append([item]) == [None]
    assert len(log.segments()) > 2
    assert read_all(log) == wanted
    assert log.total_pairs == sum(r.pairs for r in wanted)
    log.close()


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_a_crash_at_any_byte_keeps_the_acknowledged_and_invents_nothing(tmp_path: Path, data: st.DataObject) -> None:
    folder = tmp_path / "spool"
    shutil.rmtree(folder, ignore_errors=True)
    log = SegmentLog(folder, SMALL)
    acknowledged: list[tuple[Record, Position]] = []
    sizes = data.draw(st.lists(st.tuples(st.integers(0, 3), st.binary(max_size=120)), min_size=1, max_size=12))
    for i, (pairs, body) in enumerate(sizes):
        item = record(i, pairs, body)
        log.append([item])
        acknowledged.append((item, log.end))
    log.close()
    last = max(folder.glob("*.spool"))
    cut = data.draw(st.integers(0, last.stat().st_size))
    os.truncate(last, cut)
    if data.draw(st.booleans()):
        with last.open("ab") as file:  # pages that were never written out read as zeros
            file.write(bytes(data.draw(st.integers(1, 80))))

    number = int(last.name[:12])
    kept = [item for item, end in acknowledged if end.segment < number or end.offset <= cut]
    again = SegmentLog(folder, SMALL)
    assert read_all(again) == kept
    assert all(again.has(r.sender, r.epoch, r.sequence) for r in kept)
    assert not any(again.has(r.sender, r.epoch, r.sequence) for r, _ in acknowledged if r not in kept)
    more = record(1000)
    again.append([more])
    assert read_all(again) == [*kept, more]
    again.close()


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_a_flipped_byte_loses_its_own_record_only(tmp_path: Path, data: st.DataObject) -> None:
    folder = tmp_path / "spool"
    shutil.rmtree(folder, ignore_errors=True)
    log = SegmentLog(folder, Limits(1 << 20, 1 << 20))
    ends, wanted = [log.end.offset], []
    for i in range(6):
        wanted.append(record(i, 1 + i % 2, data.draw(st.binary(max_size=60))))
        log.append([wanted[-1]])
        ends.append(log.end.offset)
    log.close()
    (path,) = folder.glob("*.spool")
    at = data.draw(st.integers(ends[0], ends[-1] - 1))
    raw = bytearray(path.read_bytes())
    raw[at] ^= data.draw(st.integers(1, 255))
    path.write_bytes(raw)
    hit = next(i for i in range(6) if at < ends[i + 1])

    again = SegmentLog(folder, SMALL)
    assert read_all(again) == wanted[:hit] + wanted[hit + 1 :]
    lost = ends[hit + 1] - ends[hit]
    found = again.recovery
    assert found.torn_bytes + sum(length for _, _, length in found.damage) == lost
    assert all(offset == ends[hit] for _, offset, _ in found.damage)
    again.close()


def test_a_body_that_looks_like_a_record_is_none(tmp_path: Path) -> None:
    log = SegmentLog(tmp_path, SMALL)
    inner = record(77)
    from speedscale_runtime.spool import records

    forged = records.encode(inner, nonce=0)
    log.append([record(1, body=forged), record(2)])
    start = log.end
    log.close()
    (path,) = tmp_path.glob("*.spool")
    raw = bytearray(path.read_bytes())
    raw[raw.index(b"SSB1")] ^= 1  # the outer record's magic
    path.write_bytes(raw)
    again = SegmentLog(tmp_path, SMALL)
    assert [r.sequence for r in read_all(again)] == [2]
    assert start.segment == 1
    again.close()


def test_a_full_spool_refuses_what_does_not_fit_and_takes_what_does(tmp_path: Path) -> None:
    log = SegmentLog(tmp_path, Limits(max_bytes=600, segment_bytes=200))
    big, small = record(1, body=b"x" * 600), record(2)
    refused, stored = log.append([big, small])
    assert isinstance(refused, SpoolFull)
    assert refused.reason == "spool_full"
    assert stored is None
    assert read_all(log) == [small]
    assert not log.has("s1", 1, 1)
    log.close()


def test_room_comes_back_when_segments_are_released(tmp_path: Path) -> None:
    log = SegmentLog(tmp_path, Limits(max_bytes=2000, segment_bytes=300))
    i = 0
    while log.append([record(i)]) == [None]:
        i += 1
    reader = Reader(log, Position(0, 0))
    while reader.next():
        pass
    assert log.release(reader.position)
    assert log.append([record(i)]) == [None]
    reader.close()
    log.close()


@pytest.mark.parametrize(("number", "reason"), [(errno.ENOSPC, "disk_full"), (errno.EIO, "disk_error")])
@pytest.mark.parametrize("where", ["write", "partial", "fsync"])
def test_a_failing_disk_refuses_and_recovers(tmp_path: Path, where: str, number: int, reason: str) -> None:
    broken = False

    def write(fd: int, data: bytes) -> int:
        if broken and where == "write":
            raise OSError(number, "no")
        if broken and where == "partial":
            if len(data) < 10:
                raise OSError(number, "no")
            return os.write(fd, data[: len(data) // 2])
        return os.write(fd, data)

    def fsync(fd: int) -> None:
        if broken and where == "fsync":
            raise OSError(number, "no")
        os.fsync(fd)

    log = SegmentLog(tmp_path, SMALL, write=write, fsync=fsync)
    assert log.append([record(1)]) == [None]
    broken = True
    (first,) = log.append([record(2)])
    assert isinstance(first, SpoolFull)
    assert first.reason == reason
    (second,) = log.append([record(2)])  # now a new segment cannot be begun either
    assert isinstance(second, SpoolFull)
    assert read_all(log) == [record(1)]
    broken = False
    assert log.append([record(3)]) == [None]
    assert read_all(log) == [record(1), record(3)]
    log.close()
    again = SegmentLog(tmp_path, SMALL)
    assert read_all(again) == [record(1), record(3)]
    assert not again.recovery.damage
    assert not again.recovery.torn_bytes
    again.close()


def test_it_opens_on_a_full_disk_and_gives_out_what_it_has(tmp_path: Path) -> None:
    log = SegmentLog(tmp_path, SMALL)
    log.append([record(1)])
    log.close()

    def full(fd: int, data: bytes) -> int:
        raise OSError(errno.ENOSPC, "no")

    again = SegmentLog(tmp_path, SMALL, write=full)
    assert read_all(again) == [record(1)]
    again.close()


def test_a_second_process_is_kept_out(tmp_path: Path) -> None:
    log = SegmentLog(tmp_path, SMALL)
    with pytest.raises(SpoolLocked, match=str(os.getpid())):
        SegmentLog(tmp_path, SMALL)
    log.close()
    SegmentLog(tmp_path, SMALL).close()


def test_known_senders_outlive_their_segments(tmp_path: Path) -> None:
    log = SegmentLog(tmp_path, SMALL)
    for i in range(30):
        log.append([record(i)])
    log.release(log.end)
    log.close()
    again = SegmentLog(tmp_path, SMALL)
    assert all(again.has("s1", 1, i) for i in range(30))
    assert not again.has("s1", 1, 30)
    assert not again.has("s1", 2, 3)
    again.close()


def test_a_reader_counts_what_was_deleted_before_it_came(tmp_path: Path) -> None:
    log = SegmentLog(tmp_path, SMALL)
    slow = Reader(log, Position(0, 0))
    for i in range(30):
        log.append([record(i)])
    assert slow.next() == record(0)
    assert log.behind(slow.position, slow.pair)[1] == 29
    gone = log.release(log.end)
    rest = []
    while (item := slow.next()) is not None:
        rest.append(item)
    # the open file can be read to its end; what stood in the segments behind it is lost
    assert slow.lost_pairs == 29 - len(rest) > 0
    assert gone
    assert log.behind(slow.position, slow.pair)[1] == 0
    slow.close()
    log.close()


def test_a_reader_resumes_where_its_cursor_stands(tmp_path: Path) -> None:
    log = SegmentLog(tmp_path, SMALL)
    for i in range(20):
        log.append([record(i)])
    reader = Reader(log, Position(0, 0))
    for _ in range(7):
        reader.next()
    at, behind = reader.position, log.behind(reader.position, reader.pair)
    reader.close()
    log.close()
    again = SegmentLog(tmp_path, SMALL)
    resumed = Reader(again, at)
    assert again.behind(resumed.position, resumed.pair)[1] == behind[1] == 13
    assert resumed.next() == record(7)
    resumed.close()
    again.close()


def test_many_senders_do_not_make_a_segment_of_every_batch(tmp_path: Path) -> None:
    log = SegmentLog(tmp_path, SMALL)
    for i in range(200):
        log.append([record(5, sender=f"sender-{i}")])
    known = len(log.segments())
    for i in range(20):
        log.append([record(6 + i)])
    assert len(log.segments()) - known <= 4
    log.close()


def test_a_reader_does_not_stumble_over_a_segment_that_goes_as_it_comes(tmp_path: Path) -> None:
    log = SegmentLog(tmp_path, SMALL)
    reader = Reader(log, Position(0, 0))
    for i in range(30):
        log.append([record(i)])
    stale = log.segments()
    log.release(log.end)
    real = log.segments
    answers = [stale]  # what the reader saw just before they went
    log.segments = lambda: answers.pop() if answers else real()  # type: ignore[method-assign]
    reader.close()
    found = []
    while (item := reader.next()) is not None:
        found.append(item.sequence)
    assert found == sorted(found)
    assert found[-1] == 29
    reader.close()
    log.close()
