"""One field that differs. Plain data, made by `judge`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

from .paths import ABSENT, Path, text


@dataclass(frozen=True, slots=True)
class Change:
    """One field: its path, the value by git, the live value (ABSENT where there is none), and who set the live one.

    `git` is the desired value, wherever it comes from. Values are shared with the objects compared: not to be changed.
    """

    path: Path
    git: Any = ABSENT
    live: Any = ABSENT
    managers: tuple[str, ...] = ()
    time: str = ""

    @property
    def what(self) -> Literal["added", "removed", "changed"]:
        """What happened in the cluster, seen from git."""
        return "added" if self.git is ABSENT else "removed" if self.live is ABSENT else "changed"

    @property
    def where(self) -> str:
        """The path as people write it."""
        return text(self.path)
