"""`speedctl infra replay list|describe`: how replays stand, as the API has it. Reading only."""

from __future__ import annotations

import argparse
import contextlib
import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from speedscale_controller.replay.model import Replay
from speedscale_controller.replay.names import ID
from speedscale_controller.replay.status import Status
from speedscale_kube import Client, Object, Ref
from speedscale_kube.errors import ForbiddenError
from speedscale_schemas import trafficreplay
from speedscale_schemas.errors import ConfigError

from . import following
from .printing import emit, table
from .reaching import with_cluster

_INVENTORY = (
    ("apps/v1", "Deployment"),
    ("batch/v1", "Job"),
    ("v1", "Service"),
    ("v1", "ConfigMap"),
    ("v1", "Pod"),
)


def show_all(args: argparse.Namespace) -> int:
    """List replays, sorted by namespace and name."""

    def act(client: Client) -> int:
        namespace = "" if args.all_namespaces else args.namespace or client.namespace
        found = client.list(trafficreplay.API_VERSION, trafficreplay.KIND, namespace)
        found.sort(key=lambda obj: (obj["metadata"]["namespace"], obj["metadata"]["name"]))
        rows = [_row(obj) for obj in found]
        head = ("NAMESPACE", "NAME", "ACTIVE", "MODE", "SNAPSHOT", "CREATED", "STATUS")
        data = {"replays": [_summary(obj) for obj in found]}
        emit(args, data, table(head, rows) if rows else "no replays")
        return 0

    return with_cluster(args, act)


def _summary(obj: Object) -> dict[str, Any]:
    meta, spec = obj["metadata"], obj.get("spec") or {}
    return {
        "namespace": meta["namespace"],
        "name": meta["name"],
        "created": meta.get("creationTimestamp", ""),
        "mode": spec.get("mode") or "full-replay",
        "snapshotId": spec.get("snapshotID", ""),
        "testConfigId": spec.get("testConfigID", ""),
        "status": Status.read(obj.get("status") or {}).document(),
    }


def _row(obj: Object) -> tuple[str, ...]:
    one, status = _summary(obj), Status.read(obj.get("status") or {})
    active = "yes" if status.active else "no"
    return (
        one["namespace"],
        one["name"],
        active,
        one["mode"],
        one["snapshotId"],
        one["created"],
        following.standing(status),
    )


def describe(args: argparse.Namespace) -> int:
    """Show one replay; 2 when there is none."""

    def act(client: Client) -> int:
        which = named(client, args)
        obj = client.get(which)
        replay = Replay.read(obj)
        objects = list(_objects(client, replay))
        events = _events(client, which)
        data = {**_summary(obj), "spec": obj.get("spec") or {}, "objects": objects, "events": events}
        emit(args, data, _described(obj, objects, events))
        return 0

    return with_cluster(args, act)


def _objects(client: Client, replay: Replay) -> Iterator[dict[str, str]]:
    """Yield what the replay has made, in the namespaces that it names, as far as it may be read."""
    for namespace in sorted({replay.namespace, *(target.namespace for target in replay.targets)}):
        for version, kind in _INVENTORY:
            with contextlib.suppress(ForbiddenError):
                for obj in client.list(version, kind, namespace, labels=f"{ID}={replay.uid}", metadata_only=True):
                    yield {"kind": kind, "namespace": namespace, "name": str(obj["metadata"]["name"])}


def _events(client: Client, which: Ref) -> list[dict[str, str]]:
    selector = f"involvedObject.name={which.name},involvedObject.kind={which.kind}"
    try:
        found = client.list("v1", "Event", which.namespace, fields=selector)
    except ForbiddenError:
        return []
    seen = [
        {
            "time": str(e.get("lastTimestamp") or e.get("eventTime") or e["metadata"].get("creationTimestamp") or ""),
            "type": str(e.get("type", "")),
            "reason": str(e.get("reason", "")),
            "message": str(e.get("message", "")),
        }
        for e in found
    ]
    return sorted(seen, key=lambda event: (event["time"], event["reason"], event["message"]))


def _described(obj: Object, objects: Sequence[Mapping[str, str]], events: Sequence[Mapping[str, str]]) -> str:
    one, status = _summary(obj), Status.read(obj.get("status") or {})
    lines = [
        f"{one['namespace']}/{one['name']}: {one['mode']} of snapshot {one['snapshotId']}"
        f" with test config {one['testConfigId']}",
        f"started {status.started or '-'}, initialised {status.initialized or '-'}, finished {status.finished or '-'}",
        f"report {status.report_id or '-'} {status.report_url}".rstrip(),
    ]
    items = (obj.get("spec") or {}).get("workloads") or ()
    lines += [f"workload {json.dumps(item, sort_keys=True, ensure_ascii=False)}" for item in items]
    lines += ["", table(("CONDITION", "STATUS", "REASON", "SINCE", "MESSAGE"), [
        (c.type, c.status, c.reason, c.since, c.message) for c in status.conditions
    ])]  # fmt: skip
    if objects:
        lines += ["", table(("KIND", "NAMESPACE", "NAME"), [(o["kind"], o["namespace"], o["name"]) for o in objects])]
    if events:
        rows = [(e["time"], e["type"], e["reason"], e["message"]) for e in events]
        lines += ["", table(("EVENT", "TYPE", "REASON", "MESSAGE"), rows)]
    return "\n".join(lines)


def named(client: Client, args: argparse.Namespace) -> Ref:
    """Return the replay that is meant; ConfigError with those there are when there is none of this name."""
    namespace = args.namespace or client.namespace
    which = Ref(trafficreplay.API_VERSION, trafficreplay.KIND, namespace, args.name)
    if client.find(which) is None:
        there = [obj["metadata"]["name"] for obj in client.list(which.api_version, which.kind, namespace)]
        known = f"there is {', '.join(sorted(there))}" if there else "there is none"
        raise ConfigError([f"no TrafficReplay {args.name!r} in namespace {namespace}; {known}"])
    return which
