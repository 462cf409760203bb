"""Taking batches in: what is acknowledged and when, repeats in hand, limits, and group commit."""

from __future__ import annotations

import asyncio
import os
import threading
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest
from prometheus_client import CollectorRegistry

from speedscale_runtime.forwarder.core import Pipeline
from speedscale_runtime.forwarder.intake import Intake, Meta, read_meta
from speedscale_runtime.forwarder.metrics import Metrics
from speedscale_runtime.forwarder.refusals import Reason, Refused
from speedscale_runtime.spool import Committer, Limits, SegmentLog
from speedscale_schemas import frames
from speedscale_schemas.frames import Frame

PAYLOAD = frames.encode(Frame(b'{"service":"shop"}', b"body", b""))


class Rig:
    """An intake over a real spool whose fsync waits for `gate`."""

    def __init__(self, folder: Path, **limits: int) -> None:
        self.gate = threading.Event()
        self.gate.set()
        self.syncs = 0
        self.log = SegmentLog(folder, Limits(limits.pop("max_bytes", 1 << 20), 4096), fsync=self._fsync)
        self.committer = Committer(self.log, asyncio.get_running_loop(), lambda: None)
        self.committer.start()
        self.metrics = Metrics(CollectorRegistry())
        sizes = {"max_batch_bytes": 10_000, "max_inflight_bytes": 30_000} | limits
        self.intake = Intake(self.log, self.committer, self.metrics, **sizes)
        self.intake.pipeline = Pipeline(None, None)

    def _fsync(self, fd: int) -> None:
        self.syncs += 1
        self.gate.wait()
        os.fsync(fd)

    def take(self, sequence: int, payload: bytes = PAYLOAD) -> asyncio.Task[bool]:
        return asyncio.ensure_future(self.intake.take(Meta("s", 1, sequence, False), payload))

    async def close(self) -> None:
        self.gate.set()
        await self.intake.stop()
        await asyncio.to_thread(self.committer.stop)
        self.log.close()


@pytest.fixture
async def rig(tmp_path: Path) -> AsyncIterator[Callable[..., Rig]]:
    made: list[Rig] = []

    def make(**limits: int) -> Rig:
        made.append(Rig(tmp_path / str(len(made)), **limits))
        return made[-1]

    yield make
    for one in made:
        await one.close()


async def reason(task: asyncio.Task[bool]) -> Reason:
    with pytest.raises(Refused) as caught:
        await task
    return caught.value.reason


async def test_it_is_acknowledged_when_durable_and_not_before(rig: Callable[..., Rig]) -> None:
    r = rig()
    r.gate.clear()
    task = r.take(1)
    await asyncio.sleep(0)
    while r.syncs < 2:  # the segment's first, then this batch's
        await asyncio.sleep(0)
    assert not task.done()
    assert not r.log.has("s", 1, 1)
    r.gate.set()
    assert await task is True
    assert r.log.has("s", 1, 1)


async def test_batches_that_wait_share_one_commit(rig: Callable[..., Rig]) -> None:
    r = rig()
    r.gate.clear()
    first = r.take(0)
    while r.syncs < 2:
        await asyncio.sleep(0)
    others = [r.take(n) for n in range(1, 21)]
    while len(r.committer._waiting) < 20:
        await asyncio.sleep(0)
    r.gate.set()
    assert all(await asyncio.gather(first, *others))
    assert r.committer.commits == 2
    assert r.syncs == 3


async def test_a_repeat_in_hand_waits_for_the_first_and_is_not_stored(rig: Callable[..., Rig]) -> None:
    r = rig()
    r.gate.clear()
    first, second = r.take(1), r.take(1)
    while r.syncs < 2:
        await asyncio.sleep(0)
    assert not second.done()
    r.gate.set()
    assert [await first, await second] == [True, False]
    assert r.log.total_pairs == 1
    assert await r.take(1) is False


async def test_a_repeat_in_hand_shares_the_firsts_refusal(rig: Callable[..., Rig]) -> None:
    r = rig()
    broken = PAYLOAD[:-1]
    first, second = r.take(1, broken), r.take(1, broken)
    assert [await reason(first), await reason(second)] == [Reason.MALFORMED, Reason.MALFORMED]
    assert await r.take(1) is True


async def test_what_does_not_fit_is_refused_before_it_is_acknowledged(rig: Callable[..., Rig]) -> None:
    r = rig(max_bytes=1000)
    big = frames.encode(Frame(b"{}", b"x" * 900, b""))
    assert await reason(r.take(1, big)) is Reason.SPOOL_FULL
    assert await r.take(2) is True
    assert not r.log.has("s", 1, 1)


async def test_memory_is_reserved_before_bodies_are_read(rig: Callable[..., Rig]) -> None:
    r = rig()
    reserved = [r.intake.admit(10_000), r.intake.admit(10_000)]
    with pytest.raises(Refused, match="busy"):
        r.intake.admit(10_000)
    with pytest.raises(Refused, match="busy"):
        r.intake.admit(None)  # of unknown length: as large as may be
    r.intake.release(reserved[0])
    r.intake.release(r.intake.admit(None))
    with pytest.raises(Refused, match="too_large"):
        r.intake.admit(10_001)


async def test_nothing_is_taken_without_rules_or_at_the_end(rig: Callable[..., Rig]) -> None:
    r = rig()
    pipeline, r.intake.pipeline = r.intake.pipeline, None
    with pytest.raises(Refused, match="rules"):
        r.intake.admit(10)
    assert await reason(r.take(1)) is Reason.RULES
    r.intake.pipeline = pipeline
    r.intake.close()
    with pytest.raises(Refused, match="stopping"):
        r.intake.admit(10)
    assert await reason(r.take(1)) is Reason.STOPPING


GOOD = {
    frames.H_VERSION: "1",
    frames.H_SENDER: "3f1c",
    frames.H_EPOCH: "0",
    frames.H_SEQUENCE: str((1 << 64) - 1),
    "Content-Encoding": "ZSTD",
}


def test_headers() -> None:
    assert read_meta(GOOD) == Meta("3f1c", 0, (1 << 64) - 1, True)


@pytest.mark.parametrize(
    ("name", "value", "expected"),
    [
        (frames.H_VERSION, "2", Reason.VERSION),
        (frames.H_VERSION, "", Reason.VERSION),
        (frames.H_SENDER, "", Reason.SENDER),
        (frames.H_SENDER, "x" * 129, Reason.SENDER),
        (frames.H_SENDER, "a\tb", Reason.SENDER),
        (frames.H_SENDER, "Zoë", Reason.SENDER),
        (frames.H_EPOCH, "", Reason.SEQUENCE),
        (frames.H_EPOCH, "-1", Reason.SEQUENCE),
        (frames.H_EPOCH, "1.5", Reason.SEQUENCE),
        (frames.H_SEQUENCE, str(1 << 64), Reason.SEQUENCE),
        (frames.H_SEQUENCE, "²", Reason.SEQUENCE),
        (frames.H_SEQUENCE, "9" * 5000, Reason.SEQUENCE),
        ("Content-Encoding", "gzip", Reason.ENCODING),
    ],
)
def test_headers_that_are_refused(name: str, value: str, expected: Reason) -> None:
    with pytest.raises(Refused) as caught:
        read_meta(GOOD | {name: value})
    assert caught.value.reason is expected
