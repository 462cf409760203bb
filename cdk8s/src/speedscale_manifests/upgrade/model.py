"""What an upgrade changes: by object and field, and in summaries that different people read.

Made by `compare`, printed by `render`. Plain data; no judgement may live here.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, NamedTuple

Manifest = Mapping[str, Any]


class Key(NamedTuple):
    """What makes two manifests the same object; the version of its API is a field like others."""

    group: str
    kind: str
    namespace: str
    name: str

    def __str__(self) -> str:
        return f"{self.kind} {f'{self.namespace}/' if self.namespace else ''}{self.name}"


class Risk(StrEnum):
    """How much a change matters, from what needs nothing to what destroys."""

    NONE = "none"
    NOTE = "note"
    RECREATE = "recreate"
    BREAKING = "breaking"
    LOSS = "loss"

    @property
    def rank(self) -> int:
        """Order of the risks, the greatest last."""
        return list(Risk).index(self)


class Action(StrEnum):
    """What happens to an object."""

    ADDED = "added"
    REMOVED = "removed"
    CHANGED = "changed"


@dataclass(frozen=True, slots=True)
class Change:
    """One field: its path as people write it, the old and new value, and why it matters.

    `old` or `new` is None when the field is absent there. `lines` is a unified diff of a text of several lines.
    """

    path: str
    old: Any
    new: Any
    risk: Risk = Risk.NONE
    note: str = ""
    lines: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class ObjectChange:
    """What happens to one object. `note` says what is lost, or how it is recreated; `origin` names its bundle."""

    key: Key
    action: Action
    changes: tuple[Change, ...] = ()
    risk: Risk = Risk.NONE
    note: str = ""
    origin: str = ""
    renamed_to: Key | None = None


@dataclass(frozen=True, slots=True)
class ImageChange:
    """One image reference replaced by another, and which workloads run it."""

    old: str
    new: str
    users: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class RightsChange:
    """What one subject may do that it could not (`gained`), and what it may no more (`lost`); a line each."""

    subject: str
    gained: tuple[str, ...]
    lost: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Report:
    """The comparison of two sets of manifests."""

    old: str
    new: str
    objects: tuple[ObjectChange, ...]
    images: tuple[ImageChange, ...] = ()
    rights: tuple[RightsChange, ...] = ()

    @property
    def empty(self) -> bool:
        """Whether nothing changes."""
        return not self.objects

    @property
    def risk(self) -> Risk:
        """The greatest risk of any change."""
        return max((change.risk for change in self.objects), key=lambda risk: risk.rank, default=Risk.NONE)

    def of(self, action: Action) -> tuple[ObjectChange, ...]:
        """Return the objects something happens to."""
        return tuple(change for change in self.objects if change.action is action)

    def risky(self) -> tuple[ObjectChange, ...]:
        """Return the objects whose change needs a person, the gravest first."""
        found = [change for change in self.objects if change.risk.rank >= Risk.RECREATE.rank]
        return tuple(sorted(found, key=lambda change: -change.risk.rank))
