"""What is told about a replay: its status, and conditions of which the newest stands last.

CI waits for `Ready` and then reads the message of the last condition, and `kubectl get` shows that message, too. So a
condition that changes moves to the end, and once `Ready` is True nothing moves behind it. Pure; written by the
reconciler as one merge patch guarded by resourceVersion.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any, Final

MESSAGE_MAX: Final = 32_768
_CUT: Final = 4_000
"""Longest message we write: people read it in a terminal."""


class Type(StrEnum):
    """Types of conditions."""

    READY = "Ready"
    RUNNING = "Running"
    MOCKS_READY = "MocksReady"
    COLLECTOR = "CollectorReady"


class Result(StrEnum):
    """Reason of `Ready`: how a replay ended."""

    SUCCEEDED = "TestSucceeded"
    FAILED = "TestFailed"


@dataclass(frozen=True, slots=True)
class Condition:
    """One aspect of a replay's state. `since` is when its status (not its message) changed last."""

    type: str
    status: str
    reason: str
    message: str
    since: str
    generation: int = 0

    @classmethod
    def read(cls, doc: Mapping[str, Any]) -> Condition:
        """Return a condition as the API gives it."""
        return cls(
            str(doc.get("type", "")),
            str(doc.get("status", "Unknown")),
            str(doc.get("reason", "")),
            str(doc.get("message", "")),
            str(doc.get("lastTransitionTime", "")),
            int(doc.get("observedGeneration") or 0),
        )

    def document(self) -> dict[str, Any]:
        """Return the condition as the API takes it."""
        return {
            "type": self.type,
            "status": self.status,
            "reason": self.reason,
            "message": self.message,
            "lastTransitionTime": self.since,
            "observedGeneration": self.generation,
        }


@dataclass(frozen=True, slots=True)
class Status:
    """The status of a TrafficReplay. Times are RFC 3339 texts, empty where there is none yet."""

    active: bool = False
    conditions: tuple[Condition, ...] = ()
    started: str = ""
    initialized: str = ""
    finished: str = ""
    report_id: str = ""
    report_url: str = ""
    generation: int = -1
    failures: int = 0
    other: Mapping[str, Any] = field(default_factory=dict)

    @classmethod
    def read(cls, doc: Mapping[str, Any]) -> Status:
        """Return the status as the API gives it; what is of no known field is kept as it is."""
        known = {*_FIELDS.values(), "conditions"}
        return cls(
            active=doc.get("active") is True,
            conditions=tuple(Condition.read(c) for c in doc.get("conditions") or () if isinstance(c, Mapping)),
            started=str(doc.get("startedTime") or ""),
            initialized=str(doc.get("initializedTime") or ""),
            finished=str(doc.get("finishedTime") or ""),
            report_id=str(doc.get("reportID") or ""),
            report_url=str(doc.get("reportURL") or ""),
            generation=int(doc.get("observedGeneration", -1)),
            failures=int(doc.get("reconcileFailures") or 0),
            other={k: v for k, v in doc.items() if k not in known},
        )

    def document(self) -> dict[str, Any]:
        """Return the status as the API takes it; empty fields are left out."""
        made: dict[str, Any] = dict(self.other)
        for name, key in _FIELDS.items():
            value = getattr(self, name)
            if value != "":
                made[key] = value
        made["conditions"] = [c.document() for c in self.conditions]
        return made

    def get(self, type_: str) -> Condition | None:
        """Return the condition of this type, or None."""
        return next((c for c in self.conditions if c.type == type_), None)

    @property
    def concluded(self) -> bool:
        """Whether the replay has its verdict, which nothing takes back."""
        ready = self.get(Type.READY)
        return ready is not None and ready.status == "True"

    def told(self, type_: str, status: bool, reason: str, message: str, now: datetime) -> Status:
        """Return the status with this condition; unchanged ones stay where they are, changed ones go to the end.

        A verdict is never taken back, and stays the last one.
        """
        old = self.get(type_)
        if type_ == Type.READY and self.concluded:
            return self
        text = "True" if status else "False"
        message = message if len(message) <= _CUT else message[: _CUT - 1] + "…"
        if old is not None and (old.status, old.reason, old.message) == (text, reason, message):
            return self
        since = old.since if old is not None and old.status == text else timestamp(now)
        new = Condition(type_, text, reason, message, since, max(0, self.generation))
        rest = [c for c in self.conditions if c.type != type_]
        last = [c for c in rest if c.type == Type.READY and c.status == "True"]
        return replace(self, conditions=(*(c for c in rest if c not in last), new, *last))


_FIELDS: Final[Mapping[str, str]] = {
    "active": "active",
    "started": "startedTime",
    "initialized": "initializedTime",
    "finished": "finishedTime",
    "report_id": "reportID",
    "report_url": "reportURL",
    "generation": "observedGeneration",
    "failures": "reconcileFailures",
}


def timestamp(moment: datetime) -> str:
    """Return a time as Kubernetes writes it."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def moment(text: str) -> datetime | None:
    """Return the time that a timestamp of Kubernetes means; None for none."""
    try:
        found = datetime.fromisoformat(text.replace("Z", "+00:00"))
    except ValueError:
        return None
    return found if found.tzinfo else found.replace(tzinfo=UTC)


def elapsed_s(since: str, now: datetime) -> float:
    """Return the seconds from a timestamp to now; 0 where there is none."""
    begun = moment(since)
    return (now - begun).total_seconds() if begun else 0.0
