"""Where a value was set, and what is said about it: refusals and warnings.

Shared by the readers, the layers and the rules. Pure.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from speedscale_schemas.errors import ConfigError

Path = tuple[str | int, ...]

_SPECIAL = re.compile(r"([.\[\]=\\\"])")


def text(path: Path) -> str:
    """Return a path as `--set` takes it: `a.b[0]`, a dot in a key escaped: `a.example\\.com/b`."""
    parts = (f"[{p}]" if isinstance(p, int) else "." + _escaped(p) for p in path)
    return "".join(parts).removeprefix(".")


def _escaped(key: str) -> str:
    return _SPECIAL.sub(r"\\\1", key) if key else '""'


@dataclass(frozen=True, slots=True, order=True)
class Place:
    """Where something was written: a file with line and column (from 1), or an argument, a preset, a default."""

    source: str
    line: int = 0
    column: int = 0

    def __str__(self) -> str:
        if not self.line:
            return self.source
        return f"{self.source}:{self.line}:{self.column}" if self.column else f"{self.source}:{self.line}"


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why values are refused: where, which path, the reason, and what to do (with the nearest valid name)."""

    place: Place
    path: str
    reason: str
    remedy: str = ""
    rule: str = "schema"

    def __str__(self) -> str:
        remedy = f"; {self.remedy}" if self.remedy else ""
        return f"{self.place}: {self.path + ': ' if self.path else ''}{self.reason}{remedy}"


class ValuesError(ConfigError):
    """Values that are refused; `refusals` has every reason, in the order of the layers and of the lines in them."""

    def __init__(self, refusals: Sequence[Refusal]) -> None:
        self.refusals = tuple(refusals)
        super().__init__([str(refusal) for refusal in refusals])


@dataclass(frozen=True, slots=True)
class Warned:
    """A setting that is allowed, but probably not meant. `place` is `file:line:column`, `--set …` or `default`."""

    rule: str
    path: str
    place: str
    reason: str
    remedy: str

    def __str__(self) -> str:
        return f"{self.place}: {self.path}: {self.reason}; {self.remedy}"
