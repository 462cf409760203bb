"""`httpStatusCode`: the replayed status code is the recorded one. No configuration."""

from __future__ import annotations

from collections.abc import Mapping

from speedscale_runtime.report.answer import Answer
from speedscale_runtime.report.structure import Found, Options
from speedscale_runtime.report.volatile import Learnt

from .options import Check

KEYS: frozenset[str] = frozenset()


def make(config: Mapping[str, str]) -> Check:
    """Return the check."""

    def check(recorded: Answer, replayed: Answer, learnt: Learnt) -> Found:
        found = Found(Options(match="exact"), "status")
        if recorded.status != replayed.status:
            found.add("status", "changed", recorded.status, replayed.status)
        return found

    return check
