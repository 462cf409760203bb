"""The commands that a page tells people to type, so that tests run those and no copies of them."""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Mapping
from pathlib import Path

_COMMAND_S = 330  # longer than the five minutes that the page has kubectl wait


class Page:
    """A Markdown page; commands are the lines of its plain fenced blocks, by the heading that they stand below."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._blocks: dict[str, list[str]] = {}
        heading, inside = "", False
        for line in path.read_text(encoding="utf-8").splitlines():
            if line.startswith("```"):
                inside = not inside
            elif inside:
                self._blocks.setdefault(heading, []).append(line)
            elif line.startswith("#"):
                heading = line.lstrip("# ")

    @property
    def headings(self) -> list[str]:
        """Return the headings that commands stand below."""
        return list(self._blocks)

    def commands(self, heading: str) -> list[str]:
        """Return the commands below a heading, continued lines joined, comments dropped."""
        text = "\n".join(self._blocks[heading]).replace("\\\n", " ")
        plain = (re.sub(r"\s+#.*$", "", line).strip() for line in text.splitlines())
        return [re.sub(r"\s+", " ", line) for line in plain if line and not line.startswith("#")]

    def command(self, heading: str, *words: str) -> str:
        """Return the one command below a heading that has all these words."""
        found = [line for line in self.commands(heading) if all(word in line for word in words)]
        assert len(found) == 1, f"{self.path.name}, {heading}: {len(found)} commands have {words}"
        return found[0]


def run(command: str, folder: Path, environment: Mapping[str, str]) -> str:
    """Run a command as a person does, in bash; return what it printed, AssertionError with its words when it fails."""
    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", command],
        cwd=folder,
        env={**os.environ, **environment},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=_COMMAND_S,
        check=False,
    )
    assert done.returncode == 0, f"{command}\nended with {done.returncode}:\n{done.stdout}{done.stderr}"
    return done.stdout
