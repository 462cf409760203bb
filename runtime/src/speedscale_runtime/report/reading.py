"""Read results.jsonl and mocks.jsonl line by line, whatever their size, and say what is wrong with which line.

Called by `building` alone. A line is read whole but at most `LINE_MAX` bytes; broken and overlong lines are counted
and left out, never an exception: a run that was killed leaves half a line behind, and its report is still wanted.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import orjson

from speedscale_schemas.errors import ConfigError

LINE_MAX = 256 * 1024 * 1024
RESULTS_NAME = "results.jsonl"
MOCKS_NAME = "mocks.jsonl"


class Lines:
    """The lines of one file; iterate as often as needed. `broken` says after an iteration what was left out."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.broken: list[str] = []
        self.broken_count = 0

    def __iter__(self) -> Iterator[dict[str, Any]]:
        self.broken, self.broken_count = [], 0
        with self.path.open("rb") as file:
            number = 0
            while data := file.readline(LINE_MAX):
                number += 1
                if len(data) == LINE_MAX and not data.endswith(b"\n"):
                    self._leave_out(number, f"longer than {LINE_MAX:,} bytes")
                    while (rest := file.readline(LINE_MAX)) and not rest.endswith(b"\n"):
                        pass
                    continue
                if not data.strip():
                    continue
                try:
                    line = orjson.loads(data)
                except ValueError as error:
                    self._leave_out(number, f"no JSON ({error})")
                    continue
                if isinstance(line, dict) and isinstance(line.get("type"), str):
                    yield line
                else:
                    self._leave_out(number, "no object with a type")

    def leave_out(self, what: str) -> None:
        """Count a line that was read but cannot be used."""
        self._count(what)

    def _leave_out(self, number: int, why: str) -> None:
        self._count(f"line {number}: {why}")

    def _count(self, text: str) -> None:
        self.broken_count += 1
        if len(self.broken) < 5:
            self.broken.append(text)

    @property
    def notice(self) -> str:
        """One sentence about what was left out, or empty."""
        if not self.broken_count:
            return ""
        more = f", and {self.broken_count - len(self.broken)} more" if self.broken_count > len(self.broken) else ""
        return f"{self.path.name}: {self.broken_count} lines left out: {'; '.join(self.broken)}{more}"


def locate(path: Path, name: str) -> Path:
    """Return the file itself, or the file `name` inside a folder; ConfigError when there is none."""
    found = path / name if path.is_dir() else path
    if not found.is_file():
        raise ConfigError([f"{found}: no such file; a replay writes {name} into its output folder"])
    return found


def ends_well(path: Path) -> bool:
    """Say whether the file's last lines hold an `end` line, by reading its tail only."""
    with path.open("rb") as file:
        size = file.seek(0, 2)
        file.seek(max(0, size - 65536))
        tail = file.read()
    for data in reversed(tail.splitlines()):
        try:
            line = orjson.loads(data)
        except ValueError:
            continue
        return isinstance(line, dict) and line.get("type") == "end"
    return False
