"""What redaction reports: findings (never the value) and the outcome for one pair.

Called by everything that redacts. Invariant: no object here holds an original value; a finding names the kind,
the place, the length and the token, which is enough to count, to explain and to correlate.
"""

from __future__ import annotations

import copy
from collections.abc import Callable

from speedscale_runtime.rrpair.model import RRPair
from speedscale_schemas.frames import Frame


class Finding:
    """One value that was taken out.

    `place` reads like `http.req.headers.Authorization[0]` or `http.res.body:$.user.email`; it may be worked out only
    when it is asked for, from what is redacted. `length` is that of the original in bytes as it stood; `token` is
    what stands there now; `detector` and `why` say who decided, on what.
    """

    __slots__ = ("_place", "detector", "kind", "length", "token", "why")

    def __init__(
        self, kind: str, place: str | Callable[[], str], length: int, token: str, detector: str, why: str
    ) -> None:
        self.kind = kind
        self._place = place
        self.length = length
        self.token = token
        self.detector = detector
        self.why = why

    @property
    def place(self) -> str:
        """Where the value stood."""
        if not isinstance(self._place, str):
            self._place = self._place()
        return self._place

    def __repr__(self) -> str:
        return f"<Finding {self.kind} at {self.place}, {self.length} bytes, {self.token}: {self.detector}, {self.why}>"


class Outcome:
    """The result for one pair: `findings`, `modified`, and the pair as `frame` or as `pair` (built when asked for).

    Where nothing was found, `frame` (or `pair`) is the very object that came in, so its bytes are the same.
    """

    __slots__ = ("_frame", "_pair", "findings", "modified")

    def __init__(
        self,
        findings: tuple[Finding, ...],
        modified: bool,
        *,
        frame: Frame | None = None,
        pair: RRPair | None = None,
    ) -> None:
        self.findings = findings
        self.modified = modified
        self._frame = frame
        self._pair = pair

    @property
    def frame(self) -> Frame:
        """The redacted pair as a frame."""
        if self._frame is None:
            assert self._pair is not None
            self._frame = self._pair.to_frame()
        return self._frame

    @property
    def pair(self) -> RRPair:
        """The redacted pair as a record."""
        if self._pair is None:
            assert self._frame is not None
            self._pair = RRPair.from_frame(self._frame)
        return self._pair

    def __repr__(self) -> str:
        return f"<Outcome modified={self.modified} findings={len(self.findings)}>"


def with_content(pair: RRPair, doc: dict[str, object], request: bytes | None, response: bytes | None) -> RRPair:
    """Return a record like `pair` with another document and bodies; an unchanged body keeps its written form."""
    twin = copy.copy(pair)
    twin.doc = doc
    twin.request_body = request
    twin.response_body = response
    return twin
