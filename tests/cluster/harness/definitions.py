"""CustomResourceDefinitions that are there when the next line runs: established after they came, gone after they went.

`kubectl wait --for=condition=…` fails on an object that has no conditions yet, which a fresh definition has not.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator
from typing import Any

from speedscale_kube import Client, Object, Ref
from speedscale_kube.errors import NotFoundError

from .cluster import Cluster

_STALLED_S = 15.0


def define(kube: Client, definition: Object, manager: str = "tests") -> Object:
    """Apply a definition and return it once its kind is served; AssertionError after a minute."""
    kube.apply(definition, manager, force=True)
    which = kube.ref(definition)
    Cluster.until(lambda: established(kube.get(which)), f"{which} is established")
    kube.forget_kinds()
    return kube.get(which)


@contextlib.contextmanager
def defined(kube: Client, *definitions: Object) -> Iterator[None]:
    """Have these kinds served, and take them away: what is left is in the way of a file that comes to this cluster."""
    for definition in definitions:
        define(kube, definition)
    try:
        yield
    finally:
        for definition in definitions:
            undefine(kube, definition)


def undefine(kube: Client, definition: Object) -> None:
    """Delete a definition with all its objects, whoever still meant to look after them, and wait until it is gone."""
    which, spec = kube.ref(definition), definition["spec"]
    with contextlib.suppress(NotFoundError):  # it is gone already
        for obj in kube.list(f"{spec['group']}/{spec['versions'][0]['name']}", spec["names"]["kind"]):
            if obj["metadata"].get("finalizers"):
                let_go(kube, kube.ref(obj))
    kube.delete(which)
    until_gone(kube, which)
    kube.forget_kinds()


def until_gone(kube: Client, which: Ref) -> None:
    """Wait until an object that was deleted is gone; AssertionError with what it says of itself after some minutes.

    An API server may refuse to list the objects of a definition that is young or going ("storage is
    (re)initializing"), and then tries ever more seldom to clean them away. Such a definition is let go as it is.
    """
    began, left = time.monotonic(), dict[str, Any]()

    def gone() -> bool:
        found = kube.find(which)
        left.clear()
        left.update(found or {})
        stalled = which.kind == "CustomResourceDefinition" and time.monotonic() > began + _STALLED_S
        if found and stalled and "deletionTimestamp" in found["metadata"]:
            let_go(kube, which)
        return found is None

    try:
        Cluster.until(gone, f"{which} is gone")
    except AssertionError as error:
        raise AssertionError(f"{error}: {left.get('metadata')} {left.get('status')}") from error


def let_go(kube: Client, which: Ref) -> None:
    """Take off an object what its deletion waits for; an object that is gone is none."""
    with contextlib.suppress(NotFoundError):
        kube.patch(which, {"metadata": {"finalizers": None}}, "tests")


def established(definition: Object) -> bool:
    """Say whether the kind is served."""
    conditions = (definition.get("status") or {}).get("conditions") or ()
    return any(one["type"] == "Established" and one["status"] == "True" for one in conditions)
