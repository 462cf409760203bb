"""What one component should be now: the bundle, the switches, the override, and our stamp. Pure."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from speedscale_controller.bundle import Bundle
from speedscale_controller.drift import STAMP
from speedscale_controller.settings import Settings
from speedscale_kube import Object
from speedscale_schemas.errors import ConfigError

from .overrides import Wish, overridden, refused, switch

NEEDED: Final = frozenset({"forwarder"})
"""Part of every installation: a bundle without it is a mistake, and nothing is removed because of it."""

LATER: Final = frozenset({"demo"})
"""What waits until everything else is up, as the sync waves say it: an application that is recorded from its start."""


@dataclass(frozen=True, slots=True)
class Desired:
    """A component's objects. `wanted` False: switched off, whatever is of it goes. `problems`: what cannot be had.

    `unsure`: bundle and settings contradict each other; what is there stays as it is.
    """

    objects: tuple[Object, ...] = ()
    wanted: bool = True
    problems: tuple[str, ...] = ()
    unsure: bool = False


def desired(component: str, bundle: Bundle, base: Settings, now: Settings) -> Desired:
    """Return what a component should be; `base` are the settings without the override."""
    creates = now.profile == "operator"
    manifests = bundle.managed(component)
    on = switch(component, now) if creates else None
    if on is False:
        return Desired(wanted=False)
    if not manifests:
        return _absent(component, on)
    if not creates:
        return Desired(tuple(dict(one) for one in manifests))
    wish = Wish(component, base, now)
    return Desired(tuple(stamped(component, one) for one in overridden(manifests, wish)), problems=refused(wish))


def _absent(component: str, on: bool | None) -> Desired:
    if on:
        sentence = f"{component} is switched on and the bundle has none of it; turn it on in the values and synthesise"
        return Desired(wanted=False, problems=(sentence,), unsure=True)
    if component in NEEDED:
        sentence = f"the bundle has no {component}, which is part of every installation; apply the operator folder anew"
        return Desired(wanted=False, problems=(sentence,), unsure=True)
    return Desired(wanted=False)


def stamped(component: str, one: Object) -> Object:
    """Return an object that says in an annotation which component's wish it was made of."""
    text = json.dumps(one, sort_keys=True).encode("utf-8", "surrogatepass")
    metadata = one["metadata"]
    annotations = {**(metadata.get("annotations") or {}), STAMP: f"{component}/{hashlib.sha256(text).hexdigest()[:32]}"}
    return {**one, "metadata": {**metadata, "annotations": annotations}}


def without_override(config_map: Mapping[str, str] | None, now: Settings) -> Settings:
    """Return the settings that git alone gives; those of now where its ConfigMap cannot be read."""
    if config_map is None:
        return now
    try:
        return Settings.parse({**config_map, "POD_NAME": now.pod_name, "POD_NAMESPACE": now.namespace})
    except ConfigError:
        return now
