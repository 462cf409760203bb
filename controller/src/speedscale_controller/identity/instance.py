"""INSTANCE_ID: the name by which what is ours is told apart from what another operator manages.

It is made once and kept in ConfigMap `speedscale-operator-state`, which git never has: two installations from one git
are two instances. Where that ConfigMap is lost, the id is found again in our own Secrets, since workloads bear it. The
vendor's id (`INSTANCE_ID` in ConfigMap `speedscale-operator`) becomes ours when there is none yet; ids of other
installations that are gone are adopted by command, and what they manage then counts as ours.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from speedscale_controller.certificates.names import (
    ADOPTED,
    CERTS,
    FORWARDER,
    INSTANCE_ID,
    MANAGER,
    OWN,
    STATE,
    WEBHOOK,
)
from speedscale_controller.certificates.secret import read
from speedscale_kube import Client, Ref

_WITNESSES = (CERTS, WEBHOOK, FORWARDER, OWN)
_LABELS = {"app.kubernetes.io/part-of": "speedscale", "app.kubernetes.io/managed-by": "speedscale-operator"}


@dataclass(frozen=True, slots=True)
class Instance:
    """Who we are. `adopted` are ids of installations that are gone."""

    id: str
    adopted: frozenset[str] = frozenset()

    def owns(self, mark: str) -> bool:
        """Say whether an object with this `managed-by` is ours."""
        return mark == self.id or mark in self.adopted


def of(state: Mapping[str, Any] | None) -> Instance | None:
    """Return what the ConfigMap says, None when it says no id."""
    data = (state or {}).get("data") or {}
    name = str(data.get(INSTANCE_ID, "")).strip()
    return Instance(name, frozenset(str(data.get(ADOPTED, "")).split()) - {name}) if name else None


def ensure(
    client: Client, namespace: str, vendors: str, random: Callable[[int], bytes], last: Instance | None = None
) -> Instance:
    """Return the id; where there is none: that of before, else the vendor's, else a new one, and write it down.

    `last` is what this process knew. ConflictError, or ExistsError, when somebody was faster: look again.
    """
    which = Ref("v1", "ConfigMap", namespace, STATE)
    live = client.find(which)
    found = of(live)
    if found is not None:
        return found
    name = last.id if last else _witness(client, namespace) or vendors or str(uuid.UUID(bytes=random(16), version=4))
    adopted = last.adopted if last else frozenset[str]()
    data = {INSTANCE_ID: name, **({ADOPTED: "\n".join(sorted(adopted))} if adopted else {})}
    metadata = {"name": STATE, "namespace": namespace, "labels": dict(_LABELS)}
    body = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": data}
    if live is None:
        client.create(body, MANAGER)
    else:
        body["metadata"] = {**metadata, "resourceVersion": live["metadata"]["resourceVersion"]}
        client.apply(body, MANAGER, force=True)
    return Instance(name, adopted)


def adopt(client: Client, namespace: str, instance: str) -> Instance:
    """Take over what the installation with this id managed; return who we are now.

    For `speedctl`, by a user's command. ValueError when the id is no single word, or ours was never made.
    """
    if not instance or len(instance.split()) != 1:
        raise ValueError(
            "an INSTANCE_ID is one word, as it stands in the annotation operator.speedscale.com/managed-by"
        )
    which = Ref("v1", "ConfigMap", namespace, STATE)
    live = client.find(which)
    found = of(live)
    if live is None or found is None:
        raise ValueError(f"{which} has no {INSTANCE_ID}: the operator of namespace {namespace} has not run yet")
    if found.owns(instance):
        return found
    adopted = found.adopted | {instance}
    change = {
        "metadata": {"resourceVersion": live["metadata"]["resourceVersion"]},
        "data": {ADOPTED: "\n".join(sorted(adopted))},
    }
    client.patch(which, change, MANAGER)
    return Instance(found.id, adopted)


def _witness(client: Client, namespace: str) -> str:
    """Return the id that our own Secrets bear."""
    for name in _WITNESSES:
        mark = read(client.find(Ref("v1", "Secret", namespace, name))).mark
        if mark:
            return mark
    return ""
