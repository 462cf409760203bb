"""A values file of the vendor's chart as a values file of ours: its comments stay where a key is carried over.

Called by `speedctl values import`. Pure. No secret of the file is in the result, not in a comment either.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from . import editing, reading, secrets
from .chart_import import SHORTEST_SECRET, Note, convert
from .places import ValuesError
from .writing import dump


class Imported(NamedTuple):
    """The new file's text, what it says, and the notes."""

    text: str
    values: dict[str, Any]
    notes: tuple[Note, ...]


def import_text(content: bytes, source: str) -> Imported:
    """Return our values file for the chart's. Raises ValuesError when the file is no YAML that means one thing."""
    layer = reading.read(content, source)
    values, notes = convert(layer.tree)
    try:
        edited = editing.edit(reading.decoded(content, source), values, source)
    except ValuesError:  # anchors over what was left out: the file cannot be carried line by line
        edited = dump(values)
        notes = (*notes, Note("", "changed", "the file could not be carried line by line", "its comments are lost"))
    return Imported(_without_secrets(edited, layer.tree.get("apiKey")), values, notes)


def _without_secrets(content: str, key: object) -> str:
    """Return the text without comments that carry a secret, or the very key that was left out."""
    known = key if isinstance(key, str) and len(key) >= SHORTEST_SECRET else None
    return "".join(_clean(line, known) for line in content.splitlines(keepends=True))


def _clean(line: str, known: str | None) -> str:
    if not secrets.form(line) and (known is None or known not in line):
        return line
    said, _, comment = line.partition("#")
    ends = "\n" if line.endswith("\n") else ""
    return f"{said}# (a secret stood here){ends}" if comment else line
