"""The loop of `speedctl synth --watch`: wait, synthesise, write what changed, tell.

A file that is broken for a while is told once and changes nothing on disk; the loop goes on until Ctrl-C.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from speedscale_manifests.output import Changes
from speedscale_schemas.errors import ConfigError

from .debounce import Debounce

HEARTBEAT_S = 1.0
"""How long, at most, a change that no event told of goes unseen."""


class Waits(Protocol):
    """Where the loop sleeps: `Notifier`, or a test."""

    def wait(self, seconds: float) -> bool:
        """Return True when something happened, False when the seconds are over."""


@dataclass(frozen=True, slots=True)
class Cycle:
    """One synthesis: what it wrote, or the problems that kept it from writing, and the seconds it took."""

    changes: Changes | None
    problems: tuple[str, ...]
    seconds: float


def watch(
    build: Callable[[], Changes],
    changed: Callable[[], bool],
    events: Waits,
    tell: Callable[[Cycle], None],
    clock: Callable[[], float],
    debounce: Debounce | None = None,
) -> int:
    """Build once, and again after each change, until KeyboardInterrupt; return how many times.

    `build` synthesises and writes; its ConfigError and OSError are told and survived, anything else is a bug and
    leaves. `changed` says whether a file is another one than at its last call. `clock` gives monotonic seconds.
    """
    waiting = debounce or Debounce()
    count = 0
    try:
        while True:
            waiting.take()
            tell(_cycle(build, clock))
            count += 1
            while (left := waiting.wait(clock())) != 0.0:
                events.wait(HEARTBEAT_S if left is None else left)
                if changed():
                    waiting.touch(clock())
    except KeyboardInterrupt:
        return count


def _cycle(build: Callable[[], Changes], clock: Callable[[], float]) -> Cycle:
    started = clock()
    try:
        changes = build()
    except ConfigError as error:
        return Cycle(None, error.problems, clock() - started)
    except OSError as error:
        where = f"{error.filename}: " if error.filename else ""
        return Cycle(None, (f"{where}{error.strerror or error}",), clock() - started)
    return Cycle(changes, (), clock() - started)
