"""One line for each connection, for whoever wonders why something was not recorded: DIAGNOSTICS.

Used by `hub` when a connection ends. Who, where to, what it spoke, why it was not looked into, how many bytes: never
contents, header values or paths, because what is not redacted yet rests nowhere. Two files of at most `FILE_BYTES`;
the older one goes. Written on the loop's thread: for diagnosis, not for every day. A folder that cannot be written to
ends the writing, with one log line.
"""

from __future__ import annotations

import os
import time
from pathlib import Path

import orjson
import structlog

from speedscale_runtime.recording.capture import Facts
from speedscale_runtime.recording.causes import Opaque

FILE_BYTES = 16 * 1024 * 1024

log = structlog.get_logger()


class Diary:
    """The lines of one worker."""

    def __init__(self, folder: str, *, file_bytes: int = FILE_BYTES) -> None:
        self._path = Path(folder) / "connections.jsonl"
        self._file_bytes = file_bytes
        self._fd = -1
        self._size = 0
        self._failed = False

    def note(self, facts: Facts, opaque: Opaque | None, exchanges: int, ended_ns: int) -> None:
        """Write what is known of a connection that ended."""
        if self._failed:
            return
        line = {
            "began": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(facts.client_ns // 1_000_000_000)),
            "ms": (ended_ns - facts.client_ns) // 1_000_000,
            "side": facts.side.value,
            "client": f"{facts.client[0]} {facts.client[1]}",
            "destination": f"{facts.server[0]} {facts.server[1]}",
            "host": facts.host,
            "port": facts.port,
            "sni": facts.sni,
            "tls": facts.tls,
            "detected": facts.detected,
            "opaque": opaque.value if opaque is not None else "",
            "exchanges": exchanges,
            "bytesIn": facts.bytes_in,
            "bytesOut": facts.bytes_out,
        }
        try:
            self._write(orjson.dumps(line) + b"\n")
        except OSError as error:
            self._failed = True
            log.warning("diagnostics_not_written", path=str(self._path), error=os.strerror(error.errno or 0))

    def _write(self, line: bytes) -> None:
        if self._fd >= 0 and self._size + len(line) > self._file_bytes:
            self.close()
            os.replace(self._path, self._path.with_suffix(".1.jsonl"))
        if self._fd < 0:
            self._fd = os.open(self._path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
            self._size = os.fstat(self._fd).st_size
        self._size += os.write(self._fd, line)

    def close(self) -> None:
        """Close the file."""
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1
