"""How a process is: what a child tells the supervisor over its socket, and what /readyz is made of.

A check that fails makes the operator unready; a note never does: it is what a user should know besides (a missing
right, a refused override, a bundle that was not taken).
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from .health import JSON, PLAIN, Page


@dataclass(frozen=True, slots=True)
class Check:
    """One condition of readiness; `message` says what is missing, or how it stands."""

    name: str
    ok: bool
    message: str = ""


@dataclass(frozen=True, slots=True)
class Status:
    """One process: its checks and notes; why it should be started anew, if it should; ports that it listens on."""

    checks: tuple[Check, ...] = ()
    notes: tuple[str, ...] = ()
    stuck: str = ""
    ports: Mapping[str, int] = field(default_factory=dict)

    def page(self) -> Page:
        """Return it as the answer to a GET."""
        checks = [[check.name, check.ok, check.message] for check in self.checks]
        body = {"checks": checks, "notes": list(self.notes), "stuck": self.stuck, "ports": dict(self.ports)}
        return Page(200, JSON, json.dumps(body).encode())

    @classmethod
    def read(cls, body: bytes) -> Status:
        """Return what a page says; ValueError when it is none."""
        try:
            told: dict[str, Any] = json.loads(body)
            checks = tuple(Check(str(name), bool(ok), str(message)) for name, ok, message in told["checks"])
            ports = {str(name): int(port) for name, port in told["ports"].items()}
            return cls(checks, tuple(map(str, told["notes"])), str(told["stuck"]), ports)
        except (KeyError, TypeError, AttributeError) as error:
            raise ValueError(f"is no status: {error}") from error


def readiness(checks: Iterable[Check], notes: Iterable[str]) -> Page:
    """Return /readyz: 200 when every check holds, else 503; a line a check, then the notes."""
    told = tuple(checks)
    lines = [f"[{'+' if check.ok else '-'}] " + ": ".join(filter(None, (check.name, check.message))) for check in told]
    lines += [f"[i] {note}" for note in notes]
    ready = all(check.ok for check in told)
    body = "\n".join([*lines, "ready" if ready else "not ready", ""])
    return Page(200 if ready else 503, PLAIN, body.encode("utf-8", "replace"))
