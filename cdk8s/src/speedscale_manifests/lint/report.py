"""Makes findings: severity and remedy from the rule, the place from the document.

Called by every check. Pure.
"""

from __future__ import annotations

import re

from .model import Document, Path, Problem, Severity
from .rules import BY_ID

_PLAIN = re.compile(r"[A-Za-z_][A-Za-z0-9_-]*")


def problem(
    document: Document,
    path: Path,
    rule: str,
    message: str,
    *,
    severity: Severity | None = None,
    remedy: str | None = None,
) -> Problem:
    """Return a finding of a rule at a path of a document."""
    known = BY_ID[rule]
    line, column = document.place(path)
    return Problem(
        document.source,
        line,
        column,
        rule,
        severity or known.severity,
        path_text(path),
        message,
        known.remedy if remedy is None else remedy,
    )


def path_text(path: Path) -> str:
    """Return a path as people write it; a name with dots or slashes in brackets."""
    parts: list[str] = []
    for part in path:
        if isinstance(part, int):
            parts.append(f"[{part}]")
        elif _PLAIN.fullmatch(part):
            parts.append(f".{part}")
        else:
            parts.append(f"['{part}']")
    return "".join(parts).removeprefix(".")
