"""Overflow of the outbox on disk, unreadable to anybody: an unlinked file under a key that is only in memory.

Called by `outbox` on the event loop's thread; the file is written and read on a thread of the loop's executor, one
block at a time, so that a slow disk never holds up traffic. Pairs are not redacted yet at this point, and no
unredacted byte may rest on a disk readable, hence AES-256-CTR under a key made at first use; a block's nonce is its
running number and is never used again. What is in the file dies with the process.

Bounds: the file never exceeds `max_bytes` (a ring of blocks); in memory, what waits to be written stays below
`stage_bytes` beside the block being written. When nothing more fits, `put` says no and the caller counts.
"""

from __future__ import annotations

import asyncio
import os
import tempfile
from collections import deque
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.ciphers import Cipher
    from cryptography.hazmat.primitives.ciphers.modes import CTR


STAGE_BYTES = 2 * 1024 * 1024


class Block(NamedTuple):
    """A block in the file: where, how long, how many pairs, under which nonce."""

    offset: int
    length: int
    pairs: int
    number: int


class Vault:
    """The encrypted file. Blocking calls, for one thread at a time."""

    def __init__(self, directory: str) -> None:
        """Make file and key; OSError when the folder does not do."""
        self._file = tempfile.TemporaryFile(dir=directory or None, buffering=0)  # noqa: SIM115
        self._key = os.urandom(32)

    def write(self, block: Block, data: bytes) -> None:
        """Encrypt and write a block; OSError."""
        coded = self._cipher(block.number).encryptor().update(data)
        written = 0
        while written < len(coded):
            written += os.pwrite(self._file.fileno(), coded[written:], block.offset + written)

    def read(self, block: Block) -> bytes:
        """Read and decrypt a block; OSError."""
        data = os.pread(self._file.fileno(), block.length, block.offset)
        if len(data) != block.length:
            raise OSError(f"spill file: {len(data)} of {block.length} bytes at {block.offset}")
        return self._cipher(block.number).decryptor().update(data)

    def close(self) -> None:
        """Give the disk space back."""
        self._file.close()

    def _cipher(self, number: int) -> Cipher[CTR]:
        from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

        return Cipher(algorithms.AES(self._key), modes.CTR(number.to_bytes(8, "big") + bytes(8)))


class Ring:
    """Where blocks lie in a file of `size` bytes: first in, first out, each in one piece."""

    def __init__(self, size: int) -> None:
        self.size = size
        self.blocks: deque[Block] = deque()
        self._next = 0
        self._number = 0

    def allocate(self, length: int, count: int) -> Block | None:
        """Return a place behind the newest block, None when none is large enough."""
        if not self.blocks:
            offset = 0
            if length > self.size:
                return None
        else:
            first = self.blocks[0].offset
            offset = self._next
            if offset > first:
                if offset + length > self.size:
                    offset = 0
                    if length > first:
                        return None
            elif offset + length > first:
                return None
        self._number += 1
        block = Block(offset, length, count, self._number)
        self.blocks.append(block)
        self._next = offset + length
        return block

    def release(self, block: Block) -> None:
        """Give the place of a block back: the oldest, or the newest when it could not be written."""
        self.blocks.remove(block)


class Spill:
    """A first-in, first-out store of frames: `put` on one side, `take` (whole blocks) on the other."""

    def __init__(self, *, max_bytes: int, block_bytes: int, directory: str, stage_bytes: int = STAGE_BYTES) -> None:
        """`stage_bytes` bridges the moments in which the disk stands still, the first use of the cipher among them."""
        self._ring = Ring(max_bytes)
        self._stage_bytes = stage_bytes
        self._block_bytes = min(block_bytes, max_bytes)
        self._directory = directory
        self._vault: Vault | None = None
        self._filling: list[bytes] = []
        self._filling_bytes = 0
        self._sealed: deque[list[bytes]] = deque()
        self._staged = 0  # bytes in `_filling` and `_sealed`
        self._io = asyncio.Lock()
        self._writer: asyncio.Task[None] | None = None
        self.count = 0
        self.bytes = 0
        self.failed = 0  # pairs lost to disk errors, not yet fetched by `take_failed`

    def put(self, frame: bytes) -> bool:
        """Keep a frame; False when it does not fit. Call on the loop's thread, with the loop running."""
        if self.bytes + len(frame) > self._ring.size:
            return False
        if self._staged and self._staged + len(frame) > self._stage_bytes:
            return False  # the disk is slower than what comes in
        if self._filling and self._filling_bytes + len(frame) > self._block_bytes:
            self._seal()
        self._filling.append(frame)
        self._staged += len(frame)
        self._filling_bytes += len(frame)
        self.count += 1
        self.bytes += len(frame)
        return True

    async def take(self) -> tuple[bytes, int] | None:
        """Return the oldest frames, joined, and their number; None when there are none."""
        while self.count:
            if self._writer is not None:
                await asyncio.shield(self._writer)
                continue
            if self._ring.blocks:
                found = await self._read(self._ring.blocks[0])
                if found is not None:
                    return found
                continue
            data = b"".join(self._filling)
            count = len(self._filling)
            self._filling, self._filling_bytes = [], 0
            self._staged -= len(data)
            self._gone(len(data), count)
            return data, count
        return None

    def take_failed(self) -> int:
        """Return how many pairs disk errors cost since the last call."""
        failed, self.failed = self.failed, 0
        return failed

    def close(self) -> None:
        """Forget everything."""
        if self._vault is not None:
            self._vault.close()

    def _seal(self) -> None:
        self._sealed.append(self._filling)
        self._filling, self._filling_bytes = [], 0
        if self._writer is None:
            self._writer = asyncio.get_running_loop().create_task(self._write_all())

    async def _write_all(self) -> None:
        try:
            while self._sealed:
                frames = self._sealed.popleft()
                data = b"".join(frames)
                self._staged -= len(data)
                block = self._ring.allocate(len(data), len(frames))
                if block is None:
                    self._lost(len(data), len(frames))
                    continue
                try:
                    async with self._io:
                        await asyncio.get_running_loop().run_in_executor(None, self._write, block, data)
                except OSError:
                    self._ring.release(block)
                    self._lost(len(data), len(frames))
        finally:
            self._writer = None

    async def _read(self, block: Block) -> tuple[bytes, int] | None:
        assert self._vault is not None
        try:
            async with self._io:
                data = await asyncio.get_running_loop().run_in_executor(None, self._vault.read, block)
        except OSError:
            self._ring.release(block)
            self._lost(block.length, block.pairs)
            return None
        self._ring.release(block)
        self._gone(block.length, block.pairs)
        return data, block.pairs

    def _write(self, block: Block, data: bytes) -> None:
        if self._vault is None:
            self._vault = Vault(self._directory)
        self._vault.write(block, data)

    def _gone(self, size: int, count: int) -> None:
        self.bytes -= size
        self.count -= count

    def _lost(self, size: int, count: int) -> None:
        self._gone(size, count)
        self.failed += count
