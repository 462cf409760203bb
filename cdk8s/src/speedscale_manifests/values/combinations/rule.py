"""What a rule about several values is, and what it finds.

Shared by the tables of this package. Pure.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Literal

from speedscale_manifests.values.places import Path

Tree = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Finding:
    """One place where a rule does not hold: the path to blame, why, and what to do.

    `cause` is the other value, blamed by its place where `path` itself was left at its default.
    """

    path: Path
    reason: str
    remedy: str
    cause: Path = ()


@dataclass(frozen=True, slots=True)
class Rule:
    """A named rule. `refuse` stops; `warn` is said and goes on. `find` gets the merged tree, or one layer's."""

    name: str
    level: Literal["refuse", "warn"]
    about: str
    find: Callable[[Tree], Iterator[Finding]]


def leaves(value: Any, path: Path = ()) -> Iterator[tuple[Path, Any]]:
    """Yield every scalar of a tree with its path."""
    if isinstance(value, dict):
        for key, item in value.items():
            yield from leaves(item, (*path, key))
    elif isinstance(value, list):
        for index, item in enumerate(value):
            yield from leaves(item, (*path, index))
    else:
        yield path, value


def items(text: str) -> list[str]:
    """Return the items of a list in one text, parted by commas or spaces."""
    return [item for item in text.replace(",", " ").split() if item]
