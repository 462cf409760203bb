"""What happens to a batch between the wire and the disk: filter, then redact. Pure.

Called by the server's worker thread. Fails closed: a frame that cannot be redacted is left out and counted, it is
never passed on as it came. Nothing here knows of sockets, files or time.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from enum import StrEnum

from speedscale_runtime.dlp import Redactor
from speedscale_runtime.filters import Rule
from speedscale_runtime.rrpair import RRPair
from speedscale_schemas import frames
from speedscale_schemas.errors import PeerError
from speedscale_schemas.frames import Frame, FrameError


class Dropped(StrEnum):
    """Why a pair of an accepted batch is not stored."""

    MALFORMED_HEAD = "malformed_head"
    FILTER_FAILED = "filter_failed"
    REDACTION_FAILED = "redaction_failed"


@dataclass(slots=True)
class Processed:
    """A batch, ready for the spool: `payload` holds `pairs` frames; the rest counts what happened to the others."""

    payload: bytes = b""
    pairs: int = 0
    received: int = 0
    filtered: int = 0
    modified: int = 0
    decisions: Counter[tuple[str, str]] = field(default_factory=Counter)  # by detector and kind
    dropped: Counter[Dropped] = field(default_factory=Counter)
    causes: Counter[str] = field(default_factory=Counter)  # class names of what was raised, for the log


class Pipeline:
    """Filter and redaction as configured; used by one thread at a time.

    `drop` may be None (nothing is dropped); `redactor` may be None only where redaction was turned off by name.
    """

    def __init__(self, drop: Rule | None, redactor: Redactor | None, cluster: str = "") -> None:
        self._drop, self._redactor, self._cluster = drop, redactor, cluster
        self.filter_name = drop.id if drop else ""
        self.dlp_name = redactor.rule_id if redactor else ""

    @property
    def evictions(self) -> int:
        """How many entries the redactor's bounded memories have dropped."""
        return self._redactor.evictions if self._redactor is not None else 0

    @property
    def lookups(self) -> dict[str, tuple[int, int]]:
        """Hits and misses of the redactor's memories, by memory."""
        return self._redactor.lookups if self._redactor is not None else {}

    def process(self, payload: bytes) -> Processed:
        """Take a batch's frames through filter and redaction; PeerError `malformed` where bytes are no frames."""
        done = Processed()
        kept: list[bytes] = []
        offset = 0
        while offset < len(payload):
            try:
                frame, end = frames.decode_at(payload, offset)
            except FrameError as error:
                raise PeerError("malformed", str(error)) from error
            done.received += 1
            passed = self._one(frame, done)
            if passed is frame:
                kept.append(payload[offset:end])
            elif passed is not None:
                self._keep(passed, kept, done)
            offset = end
        done.payload, done.pairs = b"".join(kept), len(kept)
        return done

    def _one(self, frame: Frame, done: Processed) -> Frame | None:
        """Return the frame to store: the very same where nothing had to change, None where it is left out."""
        if self._drop is not None and self._drop.may_match(frame.head):
            verdict = self._filtered(frame, done)
            if verdict is None or verdict:
                return None
        if self._redactor is None:
            return frame
        try:
            outcome = self._redactor.redact_frame(frame)
        except Exception as error:  # whatever went wrong, the original must not pass
            return self._lost(Dropped.REDACTION_FAILED, error, done)
        if not outcome.modified:
            return frame
        done.decisions.update(outcome.decisions)
        done.modified += 1
        return outcome.frame

    def _filtered(self, frame: Frame, done: Processed) -> bool | None:
        assert self._drop is not None
        try:
            pair = RRPair.from_frame(frame)
            if not isinstance(pair.doc, dict):
                raise ValueError("the head is no object")
        except (ValueError, AttributeError) as error:
            return self._lost(Dropped.MALFORMED_HEAD, error, done)
        if self._cluster:
            name_cluster(pair, self._cluster)
        try:
            matched = self._drop.matches(pair)
        except Exception as error:  # a rule that cannot decide must not let through what it was to drop
            return self._lost(Dropped.FILTER_FAILED, error, done)
        done.filtered += matched
        return matched

    def _keep(self, frame: Frame, kept: list[bytes], done: Processed) -> None:
        try:
            kept.append(frames.encode(frame))
        except FrameError as error:
            self._lost(Dropped.REDACTION_FAILED, error, done)

    @staticmethod
    def _lost(reason: Dropped, error: Exception, done: Processed) -> None:
        done.dropped[reason] += 1
        done.causes[type(error).__name__] += 1


def name_cluster(pair: RRPair, cluster: str) -> None:
    """Write the cluster's name into a pair that names none."""
    if pair.doc.get("cluster") in (None, "", "undefined"):
        pair.doc["cluster"] = cluster
