"""Lists: what runs in the cluster. Reading only."""

from __future__ import annotations

from typing import Any, Final

from speedscale_kube import Object, Ref
from speedscale_kube.errors import ForbiddenError
from speedscale_runtime.inspector import views
from speedscale_runtime.inspector.call import Call
from speedscale_schemas.asking.workloads import KINDS, owned

_LISTED: Final = tuple(kind for kind in KINDS if kind != "Pod")
"""Pods have a list of their own."""


def workloads(call: Call) -> dict[str, Any]:
    """Emit the workloads that no other object makes, kind by kind; for those that wait, what the operator says."""
    for kind in _LISTED:
        for obj in call.each(KINDS[kind], kind):
            if owned(obj):
                continue
            item = views.workload(obj)
            if call.arguments["captured"] and item["state"] == "none":
                continue
            if item["state"] == "pending":
                item |= _why(call, obj)
            call.emit(item)
    return {}


def _why(call: Call, obj: Object) -> dict[str, str]:
    """Return the reason of the operator's newest Event about a workload that asks for a sidecar and has none."""
    meta = obj["metadata"]
    fields = f"involvedObject.kind={obj['kind']},involvedObject.name={meta['name']}"
    try:
        found = call.client.list("v1", "Event", meta["namespace"], fields=fields)
    except ForbiddenError:
        return {}
    said = [e for e in found if (e.get("source") or {}).get("component") == "speedscale-operator"]
    if not said:
        return {}
    newest = max(said, key=views.when)
    return {"reason": str(newest.get("reason", "")), "message": call.redaction.text(str(newest.get("message", "")))}


def pods(call: Call) -> dict[str, Any]:
    """Emit pods."""
    for obj in call.each("v1", "Pod", labels=call.arguments["labels"]):
        call.emit(views.pod(obj, call.redaction.text))
    return {}


def nodes(call: Call) -> dict[str, Any]:
    """Emit nodes."""
    for obj in call.each("v1", "Node", cluster_wide=True):
        call.emit(views.node(obj))
    return {}


def namespaces(call: Call) -> dict[str, Any]:
    """Emit the namespaces that are watched; with a selector each is asked for by name, as the rights have it."""
    for name in call.settings.namespaces:
        try:
            found = call.client.find(Ref("v1", "Namespace", "", name))
            call.allowed = True
        except ForbiddenError as error:
            call.lacks(error)
            continue
        if found is not None:
            call.emit(views.namespace(found))
    if not call.settings.namespaces:
        for obj in call.each("v1", "Namespace", cluster_wide=True):
            call.emit(views.namespace(obj))
    return {}


def services(call: Call) -> dict[str, Any]:
    """Emit Services."""
    for obj in call.each("v1", "Service"):
        call.emit(views.service(obj))
    return {}


def events(call: Call) -> dict[str, Any]:
    """Emit Events, the newest last: those of the last hour or so, as servers forget them."""
    wanted = []
    if about := call.arguments.get("about"):
        kind, _, name = str(about).partition("/")
        wanted += [f"involvedObject.kind={kind}", f"involvedObject.name={name}"]
    if call.arguments["warnings"]:
        wanted.append("type=Warning")
    found = list(call.each("v1", "Event", fields=",".join(wanted)))
    found.sort(key=lambda e: (views.when(e), str(e["metadata"].get("name", ""))))
    most = call.settings.max_items
    if len(found) > most:
        call.notes.append(f"the oldest {len(found) - most} are left out (INSPECTOR_MAX_ITEMS)")
    for obj in found[-most:]:
        call.emit(views.event(obj, call.redaction.text))
    return {}


def secret_names(call: Call) -> dict[str, Any]:
    """Emit names of Secrets: by a list of metadata where the account may, else those of the installation's values.

    RBAC cannot show names without values, so the account may not by default. The list asks the server for metadata
    only: what is in a Secret never comes here.
    """
    for obj in call.each("v1", "Secret", metadata_only=True):
        meta = obj["metadata"]
        call.emit({"namespace": meta["namespace"], "name": meta["name"], "source": "cluster"})
    if call.lacking:
        call.allowed = True
        call.notes.append("the other names are those of the installation's values; whether they exist is not known")
        for name in call.settings.secret_names:
            call.emit({"namespace": "", "name": name, "source": "values"})
    return {}
