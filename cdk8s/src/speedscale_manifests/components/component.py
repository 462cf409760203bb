"""What a component is, and where an object of one is placed."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Literal

from speedscale_manifests.objects import Manifest
from speedscale_manifests.values import Values

Chart = Literal["base", "operator", "forwarder", "inspector", "nettap", "backend", "demo"]
Builder = Callable[[Values], Sequence[Manifest]]

CHARTS: tuple[Chart, ...] = ("base", "operator", "forwarder", "inspector", "nettap", "backend", "demo")
"""The folders of `dist/`, in the order they are applied."""


def nothing(values: Values) -> Sequence[Manifest]:
    """Return no objects."""
    return ()


def always(values: Values) -> bool:
    """Return that a component is deployed whatever the values."""
    return True


@dataclass(frozen=True, slots=True)
class Component:
    """A part of the installation as functions of the values.

    `identity`: what stands in `dist/` in both profiles, as accounts and rights must: the controller grants nothing.
    `managed`: workloads and what belongs to them; in `dist/` in profile gitops, in the bundle in both. `templates`:
    what the controller fills in for a replay or a sidecar; in the bundle only.
    """

    name: str
    chart: Chart
    enabled: Callable[[Values], bool] = field(default=always)
    identity: Builder = field(default=nothing)
    managed: Builder = field(default=nothing)
    templates: Builder = field(default=nothing)


@dataclass(frozen=True, slots=True)
class Placed:
    """An object of the output, stamped with its sync wave; `managed`: a component's workload or what belongs to it."""

    chart: Chart
    component: str
    manifest: Manifest
    managed: bool
