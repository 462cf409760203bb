"""What validation found: one problem with its place and reason, one result a step, one report a run.

Made by every step, printed by `render`. Plain data: no check and no wording of one may live here.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

Path = tuple[str | int, ...]


SERVER = "server"
"""Name of the step that asks a cluster; here, because naming it must not import the client."""


class State(StrEnum):
    """How a step ended."""

    PASSED = "passed"
    FAILED = "failed"
    NOT_RUN = "not run"


@dataclass(frozen=True, slots=True)
class Found:
    """One problem: in which file and line, of which object, at which path, and why.

    `line` is 1 or more, 0 when there is none. A `warning` is shown and fails nothing.
    """

    step: str
    file: str
    line: int
    object: str
    path: str
    reason: str
    warning: bool = False

    def __str__(self) -> str:
        place = f"{self.file}:{self.line}" if self.file and self.line else self.file
        return ": ".join(part for part in (place, self.object, self.path, self.reason) if part)

    def data(self) -> dict[str, Any]:
        """Return the problem as plain data for `--format json`."""
        return {
            "step": self.step,
            "file": self.file,
            "line": self.line,
            "object": self.object,
            "path": self.path,
            "reason": self.reason,
            "level": "warning" if self.warning else "error",
        }


@dataclass(frozen=True, slots=True)
class Step:
    """Result of one named step: how many things were looked at, what was wrong, what to know besides."""

    name: str
    title: str
    state: State
    checked: int = 0
    noun: str = "object"
    problems: tuple[Found, ...] = ()
    notes: tuple[str, ...] = ()

    @classmethod
    def of(
        cls,
        name: str,
        title: str,
        problems: Iterable[Found],
        checked: int,
        noun: str = "object",
        notes: Iterable[str] = (),
    ) -> Step:
        """Return the result of a step that ran: failed when any problem is an error."""
        found = tuple(problems)
        state = State.FAILED if any(not problem.warning for problem in found) else State.PASSED
        return cls(name, title, state, checked, noun, found, tuple(notes))

    @classmethod
    def skipped(cls, name: str, title: str, reason: str) -> Step:
        """Return the result of a step that could not run, with the reason and what to do."""
        return cls(name, title, State.NOT_RUN, notes=(reason,))

    def required(self) -> Step:
        """Return the step as failed when it did not run, because the user said it must."""
        if self.state is not State.NOT_RUN:
            return self
        problem = Found(self.name, "", 0, "", "", f"{self.notes[0]} (--require {self.name})")
        return Step(self.name, self.title, State.FAILED, problems=(problem,))

    @property
    def errors(self) -> tuple[Found, ...]:
        """The problems that fail the step."""
        return tuple(problem for problem in self.problems if not problem.warning)


@dataclass(frozen=True, slots=True)
class Report:
    """The result of a run: all steps in order, and how many objects of each kind each folder holds."""

    steps: tuple[Step, ...]
    table: Mapping[str, Mapping[str, int]] = field(default_factory=dict)

    @property
    def ok(self) -> bool:
        """Whether no step failed; a step that did not run is no failure."""
        return all(step.state is not State.FAILED for step in self.steps)

    @property
    def errors(self) -> tuple[Found, ...]:
        """Every error of every step, in order."""
        return tuple(problem for step in self.steps for problem in step.errors)

    def counts(self) -> Counter[State]:
        """Return how many steps ended how."""
        return Counter(step.state for step in self.steps)


def named(manifest: Mapping[str, Any]) -> str:
    """Return an object's name for people: `Deployment speedscale/speedscale-operator`."""
    metadata = manifest.get("metadata")
    metadata = metadata if isinstance(metadata, Mapping) else {}
    name = metadata.get("name") or metadata.get("generateName") or "(no name)"
    namespace = metadata.get("namespace")
    return f"{manifest.get('kind') or '(no kind)'} {f'{namespace}/' if namespace else ''}{name}"
