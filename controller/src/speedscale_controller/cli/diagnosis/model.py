"""What a check is, what it is given, and what it says.

A check is pure: facts in, one result out. What it needs is named by the sources of `facts.objects`; where one of them
could not be read, the check is skipped with the server's reason before it is called, so that no check mistakes "may
not look" for "is not there". Facts are plain API objects, so that a recorded cluster is a test.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any

from speedscale_controller.cli.capture import Captured
from speedscale_controller.cli.installed import Installed

Object = Mapping[str, Any]
MAX_ABOUT = 20
"""Most objects that one result names in text; JSON has them all."""


class Verdict(StrEnum):
    """What a check came to, the worst last."""

    SKIPPED = "skipped"
    OK = "ok"
    WARN = "warn"
    FAIL = "fail"


@dataclass(frozen=True, slots=True)
class Result:
    """`cause` says what is so, `remedy` what to do about it, `about` the objects it is so for, one a line."""

    verdict: Verdict
    cause: str
    remedy: str = ""
    about: tuple[str, ...] = ()


def ok(cause: str) -> Result:
    """Nothing is wrong."""
    return Result(Verdict.OK, cause)


def warn(cause: str, remedy: str, about: Sequence[str] = ()) -> Result:
    """It works, or works for most, and should be looked at."""
    return Result(Verdict.WARN, cause, remedy, tuple(about))


def fail(cause: str, remedy: str, about: Sequence[str] = ()) -> Result:
    """It does not work."""
    return Result(Verdict.FAIL, cause, remedy, tuple(about))


def skipped(cause: str, remedy: str = "") -> Result:
    """It cannot be found out, or does not apply."""
    return Result(Verdict.SKIPPED, cause, remedy)


@dataclass(frozen=True, slots=True, kw_only=True)
class Canary:
    """What the API server answered to dry runs: of a workload that asks for a sidecar, and of a TrafficReplay.

    `expected` is empty where the sidecar should be in `workload`, else why it should not. `server_time` and
    `asked_at` are the two clocks at the same moment, to within `round_trip_s`.
    """

    namespace: str
    workload: Object | None = None
    workload_error: str = ""
    expected: str = ""
    replay: Object | None = None
    replay_error: str = ""
    server_time: datetime | None = None
    asked_at: datetime | None = None
    round_trip_s: float = 0.0


@dataclass(frozen=True, slots=True)
class Right:
    """One right, and whether it is given. `reason` is what it is needed for."""

    group: str
    resource: str
    verb: str
    namespace: str
    name: str
    allowed: bool
    reason: str

    def __str__(self) -> str:
        what = f"{self.verb} {self.resource}" + (f".{self.group}" if self.group else "")
        what += f" {self.name}" if self.name else ""
        return what + (f" in namespace {self.namespace}" if self.namespace else "")


@dataclass(frozen=True, slots=True, kw_only=True)
class Backend:
    """What came of asking the backend; `problem` is empty when it answered. `no_key`: no API key is set."""

    url: str
    problem: str = ""
    attempts: int = 0
    no_key: bool = False


@dataclass(frozen=True, kw_only=True)
class Facts:
    """Everything that checks know. `objects` by source; `unread` says why a source could not be read."""

    now: datetime
    namespace: str
    installed: Installed | None = None
    objects: Mapping[str, Sequence[Object]] = field(default_factory=dict)
    unread: Mapping[str, str] = field(default_factory=dict)
    captured: Sequence[Captured] = ()
    version: str = ""
    server: str = ""
    canary: Canary | None = None
    rights: Sequence[Right] = ()
    backend: Backend | None = None

    def all(self, source: str) -> Sequence[Object]:
        """Return the objects of a source, none where it was not asked for."""
        return self.objects.get(source, ())

    def named(self, source: str, name: str) -> Object | None:
        """Return the object of a source by its name."""
        return next((obj for obj in self.all(source) if obj["metadata"].get("name") == name), None)


@dataclass(frozen=True, slots=True)
class Check:
    """One question. `needs` are the sources without which it cannot be answered; `pre` asks it before installing."""

    id: str
    title: str
    judge: Callable[[Facts], Result]
    needs: tuple[str, ...] = ()
    pre: bool = False
    post: bool = True


def examine(check: Check, facts: Facts) -> Result:
    """Return what a check says, or why it cannot say anything."""
    for source in check.needs:
        if source in facts.unread:
            return skipped(f"{source} cannot be read: {facts.unread[source]}", "run it as a user who may read them")
    return check.judge(facts)
