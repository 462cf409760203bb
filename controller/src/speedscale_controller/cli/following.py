"""Waiting for a replay: what there is to tell on the way, and how it ended.

Pure but for the calls it is given, so that a test's clock can run through an hour. Used by `infra replay start|wait`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from speedscale_controller.replay.status import Status
from speedscale_schemas.asking import replays
from speedscale_schemas.asking.replays import Ended

POLL_S: Final = 1.0


@dataclass(frozen=True, slots=True)
class Outcome:
    """The end, with the last that was said about it."""

    ended: Ended
    message: str
    status: Status

    def document(self) -> dict[str, Any]:
        """Return it as JSON."""
        return {"outcome": self.ended.value, "message": self.message, "status": self.status.document()}


def ended(replay: Mapping[str, Any], *, mocks_suffice: bool) -> Outcome | None:
    """Return how a replay ended, None while it runs. `mocks_suffice`: ready mocks are what was waited for."""
    end = replays.ended(replay, mocks_suffice=mocks_suffice)
    return Outcome(*end, Status.read(replay.get("status") or {})) if end else None


def follow(
    look: Callable[[], Mapping[str, Any] | None],
    tell: Callable[[str], None],
    *,
    timeout_s: float,
    clock: Callable[[], float],
    sleep: Callable[[float], None],
    mocks_suffice: bool = False,
) -> Outcome:
    """Look at a replay until it has ended, telling each new condition once; `look` returns None when it is gone."""
    deadline = clock() + timeout_s
    told = ""
    last = Status()
    while True:
        replay = look()
        if replay is None:
            return Outcome(Ended.CANCELED, "it was deleted before its end", last)
        end = ended(replay, mocks_suffice=mocks_suffice)
        last = Status.read(replay.get("status") or {})
        news = standing(last)
        if news != told:
            tell(news)
            told = news
        if end is not None:
            return end
        if clock() >= deadline:
            return Outcome(Ended.TIMEOUT, f"no end after {timeout_s:.0f} s; the last was: {told or 'nothing'}", last)
        sleep(POLL_S)


def standing(status: Status) -> str:
    """Return the newest that is told about a replay, in one line."""
    if not status.conditions:
        return "the operator has not seen it yet"
    newest = status.conditions[-1]
    return f"{newest.reason}: {newest.message}" if newest.message else newest.reason
