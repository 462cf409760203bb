"""Findings as text, JSON and GitHub workflow commands; SARIF is in `sarif`.

Called by the verb. Pure; the same findings give the same bytes.
"""

from __future__ import annotations

import json
from collections.abc import Sequence

from .model import Problem
from .rules import BY_ID

_LEVELS = {"error": "error", "warning": "warning", "note": "notice"}


def as_text(problems: Sequence[Problem]) -> str:
    """Return a line a finding, with what to do below it."""
    return "".join(f"{_one_line(problem)}\n" for problem in problems)


def summary(problems: Sequence[Problem], files: int) -> str:
    """Return the counts in words: `2 errors, 1 warning in 12 files`."""
    counts = {severity: sum(p.severity == severity for p in problems) for severity in _LEVELS}
    told = [f"{n} {word}{'' if n == 1 else 's'}" for word, n in counts.items() if n or word == "error"]
    return f"{', '.join(told)} in {files} file{'' if files == 1 else 's'}"


def as_json(problems: Sequence[Problem], files: int) -> str:
    """Return one JSON object: every finding with its rule's name, and the counts."""
    document = {
        "files": files,
        "errors": sum(p.severity == "error" for p in problems),
        "warnings": sum(p.severity == "warning" for p in problems),
        "problems": [
            {
                "rule": p.rule,
                "name": BY_ID[p.rule].name,
                "severity": p.severity,
                "file": p.source,
                "line": p.line,
                "column": p.column,
                "path": p.path,
                "message": p.message,
                "remedy": p.remedy,
            }
            for p in problems
        ],
    }
    return json.dumps(document, indent=2, ensure_ascii=False) + "\n"


def as_github(problems: Sequence[Problem]) -> str:
    """Return workflow commands, which GitHub shows beside the lines of a pull request."""
    lines: list[str] = []
    for p in problems:
        place = f"file={_property(p.source)},line={p.line},col={p.column}"
        title = _property(f"{p.rule} {BY_ID[p.rule].name}")
        lines.append(
            f"::{_LEVELS[p.severity]} {place},title={title}::{_data(' '.join(filter(None, (p.message, p.remedy))))}\n"
        )
    return "".join(lines)


def _one_line(problem: Problem) -> str:
    """Return a finding without control characters, which a file could smuggle into a terminal."""
    return "".join(c if c.isprintable() or c == "\n" else repr(c)[1:-1] for c in str(problem))


def _data(text: str) -> str:
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    return _data(text).replace(":", "%3A").replace(",", "%2C")
