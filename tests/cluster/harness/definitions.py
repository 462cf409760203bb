"""CustomResourceDefinitions that are there when the next line runs: established after they came, gone after they went.

`kubectl wait --for=condition=…` fails on an object that has no conditions yet, which a fresh definition has not.
"""

from __future__ import annotations

from speedscale_kube import Client, Object

from .cluster import Cluster


def define(kube: Client, definition: Object, manager: str = "tests") -> Object:
    """Apply a definition and return it once its kind is served; AssertionError after a minute."""
    kube.apply(definition, manager, force=True)
    which = kube.ref(definition)
    Cluster.until(lambda: established(kube.get(which)), f"{which} is established")
    kube.forget_kinds()
    return kube.get(which)


def undefine(kube: Client, definition: Object) -> None:
    """Delete a definition with all its objects and wait until it is gone."""
    which = kube.ref(definition)
    kube.delete(which)
    Cluster.until(lambda: kube.find(which) is None, f"{which} is gone")
    kube.forget_kinds()


def established(definition: Object) -> bool:
    """Say whether the kind is served."""
    conditions = (definition.get("status") or {}).get("conditions") or ()
    return any(one["type"] == "Established" and one["status"] == "True" for one in conditions)
