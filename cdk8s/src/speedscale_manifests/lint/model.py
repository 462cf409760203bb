"""What a finding is, and what a document with line numbers is.

Called by everything in this package and by its users. Pure data.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

Path = tuple[str | int, ...]
Place = tuple[int, int]
"""Line and column, from 1."""
Severity = Literal["error", "warning", "note"]


@dataclass(frozen=True, slots=True)
class Document:
    """One YAML document as plain JSON values, and where each of them stands.

    `places` has the place of a key, or of a list's item; what comes out of an alias or a merge has none of its own.
    `duplicates` are keys that stand twice in one mapping (the last one counts), each with its second place. `partial`
    says that it is merged into something else: what it lacks stands there.
    """

    source: str
    value: Any
    places: Mapping[Path, Place] = field(default_factory=dict, repr=False)
    duplicates: tuple[tuple[Path, Place], ...] = ()
    partial: bool = False

    def place(self, path: Path) -> Place:
        """Return where a path stands: itself, or the nearest thing around it that has a place."""
        while path and path not in self.places:
            path = path[:-1]
        return self.places.get(path, (1, 1))


@dataclass(frozen=True, slots=True, order=True)
class Problem:
    """One finding: where it is, which rule found it, what is wrong, and what to do.

    Sorts by place. `path` is written like `metadata.annotations.…`; `remedy` may be empty when the message says it.
    """

    source: str
    line: int
    column: int
    rule: str
    severity: Severity
    path: str
    message: str
    remedy: str = ""

    def __str__(self) -> str:
        remedy = f"\n    {self.remedy}" if self.remedy else ""
        return f"{self.source}:{self.line}:{self.column}: {self.severity} {self.rule}: {self.message}{remedy}"
