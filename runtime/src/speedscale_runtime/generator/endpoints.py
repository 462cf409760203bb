"""Names of endpoints: what a report counts together. A regex of the config wins, else ids in the path are {id}."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from speedscale_schemas.errors import ConfigError

_ID = re.compile(
    r"\d+|[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{12}|[0-9a-fA-F]{16,}|REDACTED-.+"
)
_MIXED = re.compile(r"(?=[^/]*\d)(?=[^/]*[A-Za-z])[A-Za-z0-9_-]{20,}")


class Endpoints:
    """Compiled `endpoint_regexes`; the first one that matches names the endpoint."""

    def __init__(self, rules: Sequence[Mapping[str, Any]] = ()) -> None:
        problems: list[str] = []
        self._rules: list[tuple[str, re.Pattern[str]]] = []
        for index, rule in enumerate(rules):
            try:
                self._rules.append((str(rule.get("method", "")).upper(), re.compile(rule["url"])))
            except re.error as error:
                problems.append(f"endpoint_regexes[{index}].url: {error}")
        if problems:
            raise ConfigError(problems)

    def location(self, method: str, path: str) -> str:
        """Return the location part of the name: the matching regex, or the path with its ids as {id}."""
        for wanted, pattern in self._rules:
            if wanted in ("", method) and pattern.search(path):
                return pattern.pattern
        return template(path)


def template(path: str) -> str:
    """Return a path with numbers, UUIDs, hashes and long mixed tokens as {id}."""
    segments = path.partition("?")[0].split("/")
    return "/".join("{id}" if _ID.fullmatch(s) or _MIXED.fullmatch(s) else s for s in segments) or "/"
