"""A container's log: read as it is written, redacted line by line, handed over no faster than it is taken.

Following goes on over what breaks: a connection that is silent for a minute (a thread that waits for a first line
cannot be woken) or breaks off is opened anew from the newest line's time; kubelet's stamps tell which lines were seen.
"""

from __future__ import annotations

from typing import Any, Final

from speedscale_kube import Ref
from speedscale_kube.errors import UnreachableError
from speedscale_kube.logs import LogStream
from speedscale_runtime.inspector.call import Call
from speedscale_runtime.inspector.redaction import Lines

_SILENCE_S: Final = 60.0
_PAUSE_S: Final = 1.0


def logs(call: Call) -> dict[str, Any]:
    """Emit the lines of a log; with `follow` until the container ends, or the caller does."""
    tail = _Tail(call)
    while True:
        try:
            with tail.opened() as stream, call.stop.waking(stream.close):
                tail.read(stream)
            return {"cut": tail.cut, "resumed": tail.resumed}
        except UnreachableError:
            if not call.arguments["follow"] or call.stop.wait(_PAUSE_S):
                raise
            tail.resumed += 1


class _Tail:
    """One log over several connections."""

    def __init__(self, call: Call) -> None:
        self._call = call
        self._lines: Lines = call.redaction.lines()
        self._newest = b""
        self._same = 0  # lines shown that bear the newest stamp
        self.cut = self.resumed = 0

    def opened(self) -> LogStream:
        """Open the log where the caller wants it, or where it broke off."""
        given = self._call.arguments
        again = bool(self._newest)
        return self._call.client.follow_log(
            Ref("v1", "Pod", given["namespace"], given["pod"]),
            container=str(given.get("container", "")),
            previous=given["previous"],
            follow=given["follow"],
            lines=None if again else given["tail"],
            since_s=None if again else given.get("sinceS"),
            since=self._newest.decode("ascii") if again else "",
            stamps=True,
            silence_s=_SILENCE_S,
        )

    def read(self, stream: LogStream) -> None:
        """Emit the lines that were not seen yet."""
        before, seen = self._newest, self._same
        going_on = False
        for line in stream:
            if going_on:  # the rest of a line of which the begin was shown
                going_on = not line.whole
                continue
            going_on = not line.whole
            stamp, _, data = line.data.partition(b" ")
            if before and stamp <= before:
                seen -= stamp == before
                if stamp < before or seen >= 0:
                    continue
            self._same = self._same + 1 if stamp == self._newest else 1
            self._newest = stamp
            self._show(data, line.whole)

    def _show(self, data: bytes, whole: bool) -> None:
        text, cut = self._lines.shown(data, whole=whole)
        self.cut += cut
        self._call.emit({"line": text, "cut": True} if cut else {"line": text})
