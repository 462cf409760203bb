"""Who did what, when, with which result: a log line for each command, an Event on each object that was changed.

The backend keeps an audit of its own; this one stays in the cluster, so that the two can be compared. Never values of
configuration or settings, never items.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import structlog

from speedscale_kube.events import Recorder
from speedscale_schemas.inspector import Refusal, audited

from .call import Changed

_log = structlog.get_logger("speedscale_inspector")


class Audit:
    """Writes both; `recorder` None leaves Events out."""

    def __init__(self, recorder: Recorder | None) -> None:
        self._recorder = recorder

    def record(
        self,
        *,
        actor: str,
        command: str,
        arguments: Mapping[str, Any],
        refusal: Refusal | None,
        changed: Sequence[Changed],
        items: int,
        seconds: float,
    ) -> None:
        """Note one command and what came of it; never raises, never waits."""
        _log.info(
            "command_audited",
            actor=actor,
            command=command[:64],
            arguments=audited(command, arguments),
            result=refusal.reason.value if refusal else "ok",
            missing=refusal.missing if refusal and refusal.missing else None,
            changed=[_title(one.about) for one in changed],
            items=items,
            seconds=round(seconds, 3),
        )
        self._tell(changed)

    def late(self, actor: str, command: str, changed: Sequence[Changed]) -> None:
        """Note what a command changed after it was given up."""
        _log.warning("command_ended_late", actor=actor, command=command, changed=[_title(one.about) for one in changed])
        self._tell(changed)

    def _tell(self, changed: Sequence[Changed]) -> None:
        for one in changed:
            if self._recorder is not None:
                self._recorder.event(one.about, "Normal", one.reason, one.message)


def _title(obj: Mapping[str, Any]) -> str:
    meta = obj.get("metadata") or {}
    return f"{obj.get('kind', '')} {meta.get('namespace', '')}/{meta.get('name', '')}"
