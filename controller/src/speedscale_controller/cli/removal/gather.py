"""What there is of us in a cluster: found by label and by name, whether or not its operator or namespace is there.

Reading only. Secrets are read by their metadata. What may not be read is noted: an uninstall that does not see
everything would say that nothing is left when something is.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from datetime import datetime, timedelta
from typing import Any, Final

from speedscale_controller.certificates.names import OPERATOR, STATE
from speedscale_controller.cli import installed, workloads
from speedscale_controller.cli.capture import capture
from speedscale_controller.injection import labels_of, mapping, metadata
from speedscale_controller.replay.names import ID, REPORT
from speedscale_controller.replay.status import moment
from speedscale_controller.snapshots.config_map import LABEL as SNAPSHOT
from speedscale_kube import Client, Object, Ref
from speedscale_kube.errors import ForbiddenError, NotFoundError
from speedscale_schemas import trafficreplay
from speedscale_schemas.installed import KINDS

from .model import Inventory

_MADE: Final = "app.kubernetes.io/managed-by=speedscale-operator"
_FOREIGN: Final = (
    ("apps/v1", "Deployment"),
    ("apps/v1", "StatefulSet"),
    ("apps/v1", "DaemonSet"),
    ("batch/v1", "CronJob"),
    ("v1", "PersistentVolumeClaim"),
)
_CRD = f"{trafficreplay.PLURAL}.{trafficreplay.GROUP}"


def gather(client: Client, namespace: str, now: datetime) -> Inventory:
    """Return what is there; ConfigError when there are several installations and none is named."""
    there = installed.find(client, namespace)
    place = there.namespace if there else namespace or installed.NAMESPACE
    unread: dict[str, str] = {}

    def read(source: str, call: Callable[[], Iterable[Object]]) -> list[Object]:
        try:
            return list(call())
        except NotFoundError:
            return []
        except ForbiddenError as error:
            unread[source] = str(error)
            return []

    labelled = read("objects of the installation", lambda: _labelled(client, installed.PART_OF))
    of_replays = read("objects of replays", lambda: _labelled(client, ID))
    found = {(o["kind"], metadata(o).get("namespace", ""), metadata(o)["name"]) for o in of_replays}
    lease = Ref("coordination.k8s.io/v1", "Lease", place, OPERATOR)
    by_name = [Ref("v1", "ConfigMap", place, STATE), lease]
    inventory: dict[str, Any] = {
        "webhooks": read("webhooks", lambda: installed.configurations(client)),
        "replays": read("replays", lambda: client.list(trafficreplay.API_VERSION, trafficreplay.KIND)),
        "crd": next(iter(read("definition", lambda: _some(client.find(_definition())))), None),
        "namespace_object": next(iter(read("namespace", lambda: _some(client.find(_namespace(place))))), None),
        "workloads": list(_injected(client, unread)),
        "secrets": read("Secrets", lambda: client.list("v1", "Secret", labels=_MADE, metadata_only=True)),
        "foreign": read("workloads of others", lambda: _foreign(client, place)),
    }
    named = read("state", lambda: [obj for which in by_name if (obj := client.find(which)) is not None])
    objects = [o for o in labelled if not _users(o) and (o["kind"], _place(o), metadata(o)["name"]) not in found]
    return Inventory(
        namespace=place,
        installed=there,
        working=installed.alive(there.operator if there else None)
        or any(held(obj, now) for obj in named if obj["kind"] == "Lease"),
        leftovers=[obj for obj in of_replays if not _users(obj)],
        objects=[*objects, *(obj for obj in named if obj["kind"] == "Lease" or not _twice(obj, objects))],
        kept=[obj for obj in labelled if _users(obj) and _place(obj) != place],
        unread=unread,
        **inventory,
    )


def _labelled(client: Client, selector: str) -> Iterator[Object]:
    """Yield the objects of our kinds that bear a label, in every namespace."""
    for version, kind in KINDS:
        try:
            yield from client.list(version, kind, labels=selector)
        except NotFoundError:
            continue


def _injected(client: Client, unread: dict[str, str]) -> Iterator[Object]:
    """Yield the workloads with a sidecar, or with what a replay did to them."""
    for obj in workloads.each(client, "", unread):
        if capture(obj, None).injected:
            yield obj


def _foreign(client: Client, namespace: str) -> Iterator[Object]:
    """Yield what others run or keep in our namespace."""
    for version, kind in _FOREIGN:
        for obj in client.list(version, kind, namespace):
            if labels_of(obj).get("app.kubernetes.io/part-of") != "speedscale" and ID not in labels_of(obj):
                yield obj


def _users(obj: Object) -> bool:
    """Whether an object is a user's: a snapshot that was pushed, a report."""
    labels = labels_of(obj)
    return REPORT in labels or (SNAPSHOT in labels and ID not in labels)


def _place(obj: Object) -> str:
    return str(metadata(obj).get("namespace", ""))


def _twice(obj: Object, objects: Iterable[Object]) -> bool:
    name, place = metadata(obj)["name"], _place(obj)
    return any(o["kind"] == obj["kind"] and metadata(o)["name"] == name and _place(o) == place for o in objects)


def held(lease: Object, now: datetime) -> bool:
    """Say whether an operator renews its Lease: it lives, whatever became of its Deployment."""
    spec = mapping(lease.get("spec"))
    renewed = moment(str(spec.get("renewTime") or ""))
    lasts = timedelta(seconds=int(spec.get("leaseDurationSeconds") or 15))
    return bool(spec.get("holderIdentity")) and renewed is not None and now - renewed < lasts


def _definition() -> Ref:
    return Ref("apiextensions.k8s.io/v1", "CustomResourceDefinition", "", _CRD)


def _namespace(name: str) -> Ref:
    return Ref("v1", "Namespace", "", name)


def _some(obj: Object | None) -> list[Object]:
    return [] if obj is None else [obj]
