"""The rules in force: read from files or built in, compiled, and read anew when a file changes.

Used by the server for the base rules, and for each exporter's own. A name that leads nowhere, or a file that is
wrong, is never passed over: at start there is no pipeline then (and the server refuses batches), later the last
good one stays. `problem` says what is wrong, for readiness, status and log.
"""

from __future__ import annotations

import re
from pathlib import Path

from speedscale_runtime import home, rules
from speedscale_runtime.dlp import Redactor
from speedscale_runtime.filters import Rule
from speedscale_schemas.errors import ConfigError

from .stamps import stamp

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,127}")
_FOLDERS = {"filter rule": "filters", "DLP rule": "dlp"}


class RuleSet:
    """One filter rule and one DLP rule by name; an empty name means none."""

    def __init__(self, home: Path, key_path: str, filter_name: str, dlp_name: str) -> None:
        self._home, self._key_path = home, key_path
        self.filter_name, self.dlp_name = filter_name, dlp_name
        self.drop: Rule | None = None
        self.redactor: Redactor | None = None
        self.loaded = False
        self.problem = ""
        self.generation = 0
        self._seen: tuple[object, ...] = ()

    def refresh(self) -> bool:
        """Look at the files; compile when something changed. Return whether `drop` and `redactor` are new."""
        seen = self._stamps()
        if seen == self._seen and (self.loaded or self.problem):
            return False
        self._seen = seen
        try:
            drop = self._filter() if self.filter_name else None
            redactor = self._redactor() if self.dlp_name else None
        except ConfigError as error:
            self.problem = "; ".join(error.problems)
            return False
        except Exception as error:  # a bug over one file must not take away the rules that work
            self.problem = f"internal error ({type(error).__name__}) over {self.filter_name!r}, {self.dlp_name!r}"
            return False
        self.drop, self.redactor, self.loaded, self.problem = drop, redactor, True, ""
        self.generation += 1
        return True

    def _filter(self) -> Rule:
        return rules.filter_rule(self.filter_name, self._home)

    def _redactor(self) -> Redactor:
        return rules.redactor(self.dlp_name, self._home, key_path=Path(self._key_path) if self._key_path else None)

    def _stamps(self) -> tuple[object, ...]:
        paths = [home.stored_path(kind, name, self._home) for kind, name in self._named()]
        if self._key_path:
            paths.append(Path(self._key_path))
        return tuple(stamp(p) for p in paths)

    def _named(self) -> list[tuple[str, str]]:
        named = [("filter-rule", self.filter_name), ("dlp-rule", self.dlp_name)]
        return [(kind, name) for kind, name in named if name]
