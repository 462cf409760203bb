"""The rules in force: read from files or built in, compiled, and read anew when a file changes.

Used by the server for the base rules, and for each exporter's own. A name that leads nowhere, or a file that is
wrong, is never passed over: at start there is no pipeline then (and the server refuses batches), later the last
good one stays. Filter and DLP rule stand apart: a broken one does not keep an edit of the other from taking effect.
`state` and `problem` say how it stands and what is wrong, for readiness, status, metric and log.

Called from one thread at a time. No sockets, no tasks: when to look is the server's business.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from enum import StrEnum
from pathlib import Path
from typing import Generic, TypeVar

from speedscale_runtime import home as homes
from speedscale_runtime import rules
from speedscale_runtime.dlp import Redactor
from speedscale_runtime.filters import Rule
from speedscale_schemas.errors import ConfigError

from .stamps import stamp

T = TypeVar("T")

# What was refused is read again although its file did not change: a fault of the disk passes. Compiling costs a
# moment of one core, so not at each look.
RETRY_S = 30.0


class State(StrEnum):
    """How the rules of one use stand; fit for a metric's label."""

    CURRENT = "current"  # what the files say is in force
    LAST_GOOD = "last_good"  # the files are wrong or gone; what they said before is in force
    MISSING = "missing"  # there never was a good one: nothing passes


class Live(Generic[T]):
    """One rule by name; `value` is the last good one, None before there was one and for an empty name."""

    def __init__(
        self, name: str, files: tuple[Path, ...], read: Callable[[], T], clock: Callable[[], float] = time.monotonic
    ) -> None:
        self.name = name
        self.value: T | None = None
        self.loaded = not name
        self.problem = ""
        self._files, self._read, self._clock = files, read, clock
        self._seen: tuple[object, ...] | None = None
        self._retry_at = float("inf")

    def refresh(self) -> bool:
        """Look at the files; read and compile when one changed. Return whether `value` is new."""
        if not self.name:
            return False
        seen = tuple(stamp(path) for path in self._files)
        if seen == self._seen and self._clock() < self._retry_at:
            return False
        self._seen = seen
        try:
            self.value = self._read()
        except ConfigError as error:
            return self._failed("; ".join(error.problems))
        except Exception as error:  # a bug over one file must not take away the rules that work
            return self._failed(f"internal error ({type(error).__name__}) over {self.name!r}")
        self.loaded, self.problem, self._retry_at = True, "", float("inf")
        return True

    def _failed(self, problem: str) -> bool:
        self.problem, self._retry_at = problem, self._clock() + RETRY_S
        return False


class RuleSet:
    """One filter rule and one DLP rule by name; an empty name means none."""

    def __init__(
        self,
        home: Path,
        key_path: str,
        filter_name: str,
        dlp_name: str,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """`home` is SPEEDSCALE_HOME; `key_path` a key file or mounted Secret, empty for the key in `home`."""
        key = Path(key_path) if key_path else None
        self.filter_name, self.dlp_name = filter_name, dlp_name
        self._filter: Live[Rule] = Live(
            filter_name,
            (homes.stored_path("filter-rule", filter_name, home),),
            lambda: rules.filter_rule(filter_name, home),
            clock,
        )
        self._dlp: Live[Redactor] = Live(
            dlp_name,
            (homes.stored_path("dlp-rule", dlp_name, home), *([key] if key else [])),
            lambda: rules.redactor(dlp_name, home, key_path=key),
            clock,
        )
        self.generation = 0

    @property
    def drop(self) -> Rule | None:
        """What drops pairs; None where no filter rule is named."""
        return self._filter.value

    @property
    def redactor(self) -> Redactor | None:
        """What redacts; None where no DLP rule is named."""
        return self._dlp.value

    @property
    def loaded(self) -> bool:
        """Whether every rule that is named was good at least once: before that nothing may pass."""
        return self._filter.loaded and self._dlp.loaded

    @property
    def problem(self) -> str:
        """What is wrong with the files as they are now; empty when nothing is."""
        return "; ".join(p for p in (self._filter.problem, self._dlp.problem) if p)

    @property
    def state(self) -> State:
        """How these rules stand."""
        if not self.loaded:
            return State.MISSING
        return State.LAST_GOOD if self.problem else State.CURRENT

    def refresh(self) -> bool:
        """Look at the files; compile what changed. Return whether `drop` or `redactor` are new, and all are there."""
        changed = [live.refresh() for live in (self._filter, self._dlp)]
        if not self.loaded or not (any(changed) or self.generation == 0):
            return False
        self.generation += 1
        return True
