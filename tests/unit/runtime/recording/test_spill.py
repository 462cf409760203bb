"""The spill: a ring of encrypted blocks, first in first out, bounded."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from speedscale_runtime.recording.spill import Block, Ring, Spill, Vault


@given(st.lists(st.tuples(st.integers(1, 40), st.integers(0, 3)), max_size=60))
def test_blocks_never_overlap_and_stay_inside(steps: list[tuple[int, int]]) -> None:
    ring = Ring(100)
    for length, releases in steps:
        block = ring.allocate(length, 1)
        if block is not None:
            assert block.offset + block.length <= 100
            for other in list(ring.blocks)[:-1]:
                assert block.offset >= other.offset + other.length or block.offset + block.length <= other.offset
        for _ in range(min(releases, len(ring.blocks))):
            ring.release(ring.blocks[0])


def test_empty_ring_takes_a_block_of_its_whole_size() -> None:
    ring = Ring(10)
    block = ring.allocate(10, 1)
    assert block is not None
    assert ring.allocate(1, 1) is None
    ring.release(block)
    assert ring.allocate(10, 1) is not None


def test_what_is_written_is_unreadable_and_never_under_the_same_keystream(tmp_path: Path) -> None:
    vault = Vault(str(tmp_path))
    first, second = Block(0, 64, 1, 1), Block(0, 64, 1, 2)
    vault.write(first, b"a" * 64)
    one = vault._file.seek(0) or vault._file.read(64)
    assert vault.read(first) == b"a" * 64
    vault.write(second, b"a" * 64)
    vault._file.seek(0)
    two = vault._file.read(64)
    assert b"aaaa" not in one
    assert one != two
    assert vault.read(second) == b"a" * 64
    assert list(tmp_path.iterdir()) == []
    vault.close()


def test_block_that_is_not_there_is_an_error(tmp_path: Path) -> None:
    vault = Vault(str(tmp_path))
    with pytest.raises(OSError, match="spill file"):
        vault.read(Block(0, 10, 1, 1))
    vault.close()


async def test_first_in_first_out(tmp_path: Path) -> None:
    spill = Spill(max_bytes=100_000, block_bytes=100, directory=str(tmp_path))
    wanted = [b"%03d" % n for n in range(200)]
    assert all(spill.put(frame) for frame in wanted)
    got = b""
    while (found := await spill.take()) is not None:
        got += found[0]
    assert got == b"".join(wanted)
    assert (spill.count, spill.bytes, spill.take_failed()) == (0, 0, 0)
    spill.close()


async def test_full_says_no(tmp_path: Path) -> None:
    spill = Spill(max_bytes=1000, block_bytes=100, directory=str(tmp_path))
    kept = sum(spill.put(b"x" * 50) for _ in range(100))
    assert kept == 20
    assert spill.bytes == 1000
    while await spill.take() is not None:
        pass
    assert spill.put(b"x" * 50)
    spill.close()


async def test_disk_that_fails_costs_pairs_and_nothing_else(tmp_path: Path) -> None:
    spill = Spill(max_bytes=10_000, block_bytes=100, directory=str(tmp_path / "gone"))
    for _ in range(50):
        spill.put(b"x" * 50)
    got = 0
    while (found := await spill.take()) is not None:
        got += found[1]
    assert got + spill.take_failed() == 50
    assert spill.count == spill.bytes == 0
    spill.close()


async def test_while_the_disk_stands_still_only_so_much_waits_in_memory(tmp_path: Path) -> None:
    spill = Spill(max_bytes=100_000, block_bytes=1000, directory=str(tmp_path), stage_bytes=5000)
    taken = 0
    while spill.put(bytes(500)):  # the writer's task does not run before the first await
        taken += 1
    assert taken * 500 == 5000
    found = b""
    while (block := await spill.take()) is not None:
        found += block[0]
    assert len(found) == 5000
    assert spill.put(bytes(500))
    spill.close()
