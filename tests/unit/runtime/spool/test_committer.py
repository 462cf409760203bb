"""Group commit: who shares an fsync, and how long one waits for it."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from speedscale_runtime.spool import Committer, Limits, Record, SegmentLog


class Log:
    """Counts appends; the first one waits for `go`."""

    def __init__(self) -> None:
        self.groups: list[int] = []

    def append(self, records: list[Record]) -> list[None]:
        self.groups.append(len(records))
        return [None] * len(records)

    def rotate(self) -> None:
        pass


def record(n: int) -> Record:
    return Record("s", 1, n, 0, b"", n)


@pytest.mark.parametrize(("each", "groups"), [(False, [1, 9]), (True, [1] * 10)])
async def test_batches_of_a_window_share_a_commit_unless_each_has_its_own(each: bool, groups: list[int]) -> None:
    log = Log()
    window = 0.0 if each else 0.2
    committer = Committer(log, asyncio.get_running_loop(), lambda: None, window_s=window, each=each)  # type: ignore[arg-type]
    committer.start()
    await committer.append(record(0))
    await asyncio.gather(*(committer.append(record(n)) for n in range(1, 10)))
    await asyncio.to_thread(committer.stop)
    assert log.groups == groups


async def test_the_end_does_not_wait_for_a_window(tmp_path: Path) -> None:
    log = SegmentLog(tmp_path, Limits())
    committer = Committer(log, asyncio.get_running_loop(), lambda: None, window_s=3600)
    committer.start()
    await committer.append(record(0))
    waiting = asyncio.ensure_future(committer.append(record(1)))
    await asyncio.sleep(0)
    await asyncio.to_thread(committer.stop)
    await waiting
    assert log.has("s", 1, 1)
    log.close()


async def test_a_segment_ends_when_it_is_rolled_though_nothing_comes(tmp_path: Path) -> None:
    log = SegmentLog(tmp_path, Limits())
    rolled = asyncio.Event()
    committer = Committer(log, asyncio.get_running_loop(), rolled.set)
    committer.start()
    await committer.append(record(5))
    await asyncio.sleep(0)
    rolled.clear()
    assert log.expired(5).segment == 1
    place = log.expired(6)
    assert place > log.end
    assert log.release(place) == []  # it is written to
    committer.roll()
    await rolled.wait()
    assert [s.number for s in log.release(place)] == [1]
    assert log.has("s", 1, 5)  # who sent what outlives the segment
    await asyncio.to_thread(committer.stop)
    log.close()
