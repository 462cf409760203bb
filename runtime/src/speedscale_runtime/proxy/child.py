"""The worker as the supervisor sees it: started with inherited descriptors, watched through a pidfd.

Called by `supervisor`; `worker` reads `Orders` on the other side. Standard library only.

A worker gets: the listening sockets, the ledger's memory, the write end of a pipe on which it reports ready (one
JSON line), and the read end of a pipe that never carries a byte: its end of stream means that the supervisor ended.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import sys
from collections.abc import Mapping

TYPE_CHECKING = False  # the typing module costs a megabyte
if TYPE_CHECKING:
    from typing import Any

ORDERS = "SPEEDSCALE_GOPROXY_ORDERS"
_WORKER = ("-P", "-c", "from speedscale_runtime.proxy.worker import main; raise SystemExit(main())")

# glibc: one arena (threads here are few and idle), and large blocks back to the system as soon as they are free; only
# what a few batches need stays, as getting it back costs a page fault for every third pair.
_ALLOCATOR = {
    "MALLOC_ARENA_MAX": "1",
    "MALLOC_MMAP_THRESHOLD_": "1048576",
    "MALLOC_TRIM_THRESHOLD_": "1048576",
}


class Child:
    """One running worker."""

    def __init__(self, orders: Mapping[str, Any], inherit: list[int]) -> None:
        """Start it; `inherit` are the descriptors named in `orders`. OSError when it cannot be started."""
        ready_r, ready_w = os.pipe2(os.O_CLOEXEC)
        life_r, life_w = os.pipe2(os.O_CLOEXEC)
        passed = [*inherit, ready_w, life_r]
        for fd in passed:
            os.set_inheritable(fd, True)
        environment = {**os.environ, **_ALLOCATOR, ORDERS: json.dumps({**orders, "readyFd": ready_w, "lifeFd": life_r})}
        command = [sys.executable, *_WORKER]
        try:
            self.pid = os.posix_spawn(sys.executable, command, environment, setsigmask=[])
        finally:
            for fd in (ready_w, life_r):
                os.close(fd)
            for fd in inherit:
                os.set_inheritable(fd, False)
        self.pidfd = os.pidfd_open(self.pid)
        self.ready_fd = ready_r
        self._life_w = life_w
        self._report = b""

    def read_report(self) -> dict[str, Any] | None:
        """Return what the worker reported when ready, None while the line is not complete."""
        data = os.read(self.ready_fd, 65536)
        self._report += data
        if not self._report.endswith(b"\n"):
            return None
        report: dict[str, Any] = json.loads(self._report)
        return report

    def signal(self, number: int) -> None:
        """Send a signal; nothing when it has ended."""
        with contextlib.suppress(ProcessLookupError):
            signal.pidfd_send_signal(self.pidfd, number)

    def reap(self) -> int:
        """Collect the ended process and its descriptors; return its exit code, negative for a signal."""
        _, status = os.waitpid(self.pid, 0)
        for fd in (self.pidfd, self.ready_fd, self._life_w):
            os.close(fd)
        return os.waitstatus_to_exitcode(status)
