"""What redaction reports: findings (never the value) and the outcome for one pair.

Called by everything that redacts. Invariant: no object here holds an original value; a finding names the kind,
the place, the length and the token, which is enough to count, to explain and to correlate.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence

from speedscale_runtime.rrpair.model import RRPair
from speedscale_schemas.frames import Frame

# Where a finding in a body stands: the body's own place, the redacted body, the offset in it, and whether the finding's
# place is the JSON path of what stands there. Worked out when somebody asks.
Later = tuple[str, bytes, int, bool]
# place, kind, length, token, detector, why; and what its place is worked out from
Found = tuple[str, str, int, str, str, str, Later | None]
Settle = Callable[[str, Later | None], str]


class Finding:
    """One value that was taken out.

    `place` reads like `http.req.headers.Authorization[0]` or `http.res.body:$.user.email`; it is worked out only when
    it is asked for, from what is redacted. `length` is that of the original in bytes as it stood; `token` is what
    stands there now; `detector` and `why` say who decided, on what.
    """

    __slots__ = ("_later", "_place", "_settle", "detector", "kind", "length", "token", "why")

    def __init__(self, found: Found, settle: Settle) -> None:
        self._place, self.kind, self.length, self.token, self.detector, self.why, self._later = found
        self._settle: Settle | None = settle

    @property
    def place(self) -> str:
        """Where the value stood."""
        if self._settle is not None:
            self._place = self._settle(self._place, self._later)
            self._settle = self._later = None
        return self._place

    def __repr__(self) -> str:
        return f"<Finding {self.kind} at {self.place}, {self.length} bytes, {self.token}: {self.detector}, {self.why}>"


class Outcome:
    """The result for one pair: `findings`, `modified`, and the pair as `frame` or as `pair` (built when asked for).

    Where nothing was found, `frame` (or `pair`) is the very object that came in, so its bytes are the same.
    """

    __slots__ = ("_findings", "_found", "_frame", "_pair", "_settle", "modified")

    def __init__(
        self,
        found: Sequence[Found],
        settle: Settle,
        *,
        frame: Frame | None = None,
        pair: RRPair | None = None,
    ) -> None:
        self.modified = bool(found)
        self._found = found
        self._settle = settle
        self._findings: tuple[Finding, ...] | None = None
        self._frame = frame
        self._pair = pair

    @property
    def kinds(self) -> list[str]:
        """The kind of each finding: for those who only count."""
        return [f[1] for f in self._found]

    @property
    def decisions(self) -> list[tuple[str, str]]:
        """Detector and kind of each finding: for those who count by rule."""
        return [(f[4], f[1]) for f in self._found]

    @property
    def findings(self) -> tuple[Finding, ...]:
        """What was found."""
        if self._findings is None:
            self._findings = tuple(Finding(f, self._settle) for f in self._found)
        return self._findings

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
        return f"<Outcome modified={self.modified} findings={len(self._found)}>"


def with_content(pair: RRPair, doc: dict[str, object], request: bytes | None, response: bytes | None) -> RRPair:
    """Return a record like `pair` with another document and bodies; an unchanged body keeps its written form."""
    twin = copy.copy(pair)
    twin.doc = doc
    twin.request_body = request
    twin.response_body = response
    return twin
