"""`${{…}}` in configuration values: variables, env_var, rand_string, file, dataframe, secret.

What cannot be resolved stays as it is (vendor's rule). Used by every step that takes text.
"""

from __future__ import annotations

import re

from . import pattern
from .errors import TransformError
from .model import Scope

_INNERMOST = re.compile(r"\$\{\{((?:(?!\$\{\{|\}\}).)*)\}\}", re.DOTALL)
_PASSES = 8


def resolve(value: str, scope: Scope) -> str:
    """Return `value` with its placeholders filled in; they may be nested."""
    if "${{" not in value:
        return value
    kept: list[str] = []

    def fill(match: re.Match[str]) -> str:
        try:
            found = _lookup(match[1].strip(), scope)
        except TransformError:
            found = None
        if found is not None:
            return found
        kept.append(match[0])
        return f"\0{len(kept) - 1}\0"

    for _ in range(_PASSES):
        new = _INNERMOST.sub(fill, value)
        if new == value:
            break
        value = new
    for index in range(len(kept) - 1, -1, -1):
        value = value.replace(f"\0{index}\0", kept[index])
    return value


def _lookup(name: str, scope: Scope) -> str | None:
    kind, _, rest = name.partition(":")
    match kind:
        case "env_var":
            return scope.sources.environ.get(rest)
        case "rand_string":
            return pattern.generate(rest.strip().strip("\"'"), scope.rng)
        case "file":
            return scope.sources.file(rest).decode("utf-8", "surrogateescape")
        case "secret":
            return scope.sources.secret(rest)
        case "dataframe":
            return _cell(rest, scope)
        case "var":
            return scope.variables.get(rest)
        case _:
            return scope.variables.get(name)


def _cell(reference: str, scope: Scope) -> str | None:
    parts = reference.rsplit(":", 2)
    if len(parts) != 3:
        return None
    return lookup_cell(scope.sources.frame(parts[0]), parts[1], parts[2])


def lookup_cell(rows: list[list[str]], key: str, field: str) -> str | None:
    """Return the cell in the column `field` of the first row whose first cell is `key`."""
    if not rows or field not in rows[0]:
        return None
    column = rows[0].index(field)
    for row in rows[1:]:
        if row and row[0] == key and column < len(row):
            return row[column]
    return None
