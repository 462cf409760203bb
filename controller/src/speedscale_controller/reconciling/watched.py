"""Which collection is kept in memory, and what of each object.

Written by reconcilers and by admission; run by `watches`.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Generic, TypeVar

from speedscale_kube import Object

P = TypeVar("P")


class Scope(StrEnum):
    """Where a collection is watched."""

    WATCHED = "watched"  # every namespace that the operator works in
    OWN = "own"  # the installation's namespace
    CLUSTER = "cluster"  # objects without a namespace


@dataclass(frozen=True)
class Watched(Generic[P]):
    """A collection that is kept in memory. Equal ones are watched once, whoever asks for them.

    `name` is the metrics' label `watch`, and unique. `project` takes an object and returns what is kept of it, a
    value (frozen dataclass, tuple), or None to leave it out; it must be cheap and pure. `labels` and `fields` are
    selectors. `names`: only these objects, as a right that names objects allows; scope own or cluster. `indexes` as in
    `Store`; `limit` bounds the store. A kind that is not installed (Argo Rollouts) is an empty store until it is.
    """

    name: str
    api_version: str
    kind: str
    project: Callable[[Object], P | None]
    scope: Scope = Scope.WATCHED
    labels: str = ""
    fields: str = ""
    names: tuple[str, ...] = ()
    indexes: tuple[tuple[str, Callable[[P], Sequence[Hashable]]], ...] = ()
    limit: int = 100_000
