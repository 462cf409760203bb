"""Bytes that took seconds to make, kept on local disk for the next process: `prefilter` keeps its compiled databases.

Called by `prefilter` only. What is read back goes to a parser written in C that trusts it, so a file counts only when
nobody but this user can have written it: a regular file of ours in a folder of ours, neither writable by others, opened
without following a link and judged by its descriptor; and only when key and checksum in it are right. Everything else
is as if there were no file. What came with the program may be root's, too, who owns that as well. Nothing here fails: a
folder that cannot be used keeps nothing. Bounded: of more than `KEPT` files the longest unused go. No fsync: a torn
file has a wrong checksum.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import stat
import sys
import tempfile
from pathlib import Path

KEPT = 16
MOST_BYTES = 32 * 1024 * 1024
"""Of one file: the standard rule's database takes 2.3 MB."""
_MAGIC = b"speedscale compiled patterns 1\n"
_DIGEST_BYTES = 32
_HEAD_BYTES = len(_MAGIC) + 2 * _DIGEST_BYTES
_OTHERS = stat.S_IWGRP | stat.S_IWOTH


class Store:
    """A folder of files, one a key; it is made (0700) when something is kept.

    `shipped`: the folder came with the program, so that root may own what is in it.
    """

    def __init__(self, folder: Path, *, shipped: bool = False) -> None:
        self.folder = folder
        self._shipped = shipped

    def load(self, key: bytes) -> bytes | None:
        """Return what was kept under a key (32 bytes), or None; being used makes it the youngest."""
        try:
            data, why = self._read(key)
        except FileNotFoundError:
            return None
        except OSError as error:
            data, why = b"", _reason(error)
        if why:
            _tell("compiled_patterns_ignored", why)
            return None
        return data

    def save(self, key: bytes, data: bytes) -> None:
        """Keep bytes under a key, and remove what is too many."""
        why = f"more than {MOST_BYTES} bytes" if len(data) > MOST_BYTES else ""
        try:
            if not why:
                self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
                why = self._unsafe()
            if not why:
                self._write(key, data)
                self._shrink()
        except OSError as error:
            why = _reason(error)
        if why:
            _tell("compiled_patterns_not_kept", why)

    def _read(self, key: bytes) -> tuple[bytes, str]:
        """Return what a file holds behind its head, and why it does not count; OSError where it cannot be read."""
        why = self._unsafe()
        if why:
            return b"", why
        flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC  # a pipe in its place is not waited for
        descriptor = os.open(self._path(key), flags)
        try:
            found = os.fstat(descriptor)
            why = self._foreign(found, folder=False)
            if not why and found.st_size > _HEAD_BYTES + MOST_BYTES:
                why = f"more than {MOST_BYTES} bytes"
            if why:
                return b"", why
            with open(descriptor, "rb", closefd=False) as file:
                data = file.read(found.st_size)
            why = _damage(data, key)
            if not why:
                with contextlib.suppress(OSError):
                    os.utime(descriptor)  # the youngest now
            return data[_HEAD_BYTES:], why
        finally:
            os.close(descriptor)

    def _unsafe(self) -> str:
        why = self._foreign(os.lstat(self.folder), folder=True)
        return f"the folder: {why}" if why else ""

    def _foreign(self, found: os.stat_result, *, folder: bool) -> str:
        """Return why others can have written it, or an empty string."""
        if not (stat.S_ISDIR if folder else stat.S_ISREG)(found.st_mode):
            return "no folder" if folder else "no regular file"
        if found.st_uid != os.geteuid() and not (self._shipped and found.st_uid == 0):
            return "belongs to another user"
        return "writable by others" if found.st_mode & _OTHERS else ""

    def _path(self, key: bytes) -> Path:
        return self.folder / f"{key.hex()}.compiled"

    def _write(self, key: bytes, data: bytes) -> None:
        handle, temporary = tempfile.mkstemp(dir=self.folder, prefix="new-")  # mkstemp makes it 0600
        try:
            with os.fdopen(handle, "wb") as file:
                file.write(_MAGIC + key + hashlib.sha256(data).digest() + data)
            os.replace(temporary, self._path(key))
        except BaseException:
            with contextlib.suppress(OSError):
                os.unlink(temporary)
            raise

    def _shrink(self) -> None:
        """Remove the longest unused, what a process that was killed left behind among them."""
        with os.scandir(self.folder) as entries:
            files = [(e.stat(follow_symlinks=False).st_mtime_ns, e.path) for e in entries if not e.is_dir()]
        for _, path in sorted(files, reverse=True)[KEPT:]:
            with contextlib.suppress(OSError):  # another process was first
                os.unlink(path)


def _damage(data: bytes, key: bytes) -> str:
    start, end = len(_MAGIC), len(_MAGIC) + _DIGEST_BYTES
    if not data.startswith(_MAGIC):
        return "of another version, or no file of ours"
    if data[start:end] != key:
        return "made for another key"
    if data[end:_HEAD_BYTES] != hashlib.sha256(data[_HEAD_BYTES:]).digest():
        return "damaged"
    return ""


def _reason(error: OSError) -> str:
    return error.strerror or type(error).__name__


def _tell(event: str, why: str) -> None:
    """Log at debug level where logs are set up: else structlog prints everything, to where a verb's answer goes."""
    if "structlog" not in sys.modules:  # nobody has set it up, and loading it takes longer than reading a file
        return
    import structlog

    if structlog.is_configured():
        structlog.get_logger(__name__).debug(event, reason=why)
