"""Sidecars asked for and taken back, by annotations on workloads; nothing else of a workload is ever written."""

from __future__ import annotations

from typing import Any, Final

from speedscale_kube import Object, Ref, ref
from speedscale_runtime.inspector import views
from speedscale_runtime.inspector.call import MANAGER, Call
from speedscale_schemas.annotations import SIDECAR
from speedscale_schemas.asking import gitops, sidecar
from speedscale_schemas.asking.workloads import KINDS, owned, split
from speedscale_schemas.inspector import Reason, Refusal

CHANGEABLE: Final = ("Deployment", "StatefulSet", "DaemonSet", "Rollout", "CronJob", "Job")
"""Kinds that the inspector has the right to annotate."""


def add(call: Call) -> dict[str, Any]:
    """Annotate a workload."""
    live = named(call, call.arguments["workload"])
    settings = {f"{SIDECAR}/{name}": text for name, text in call.arguments["settings"].items()}
    change, warnings = sidecar.adding(live, settings)
    stored = _write(call, live, change)
    if change:
        call.changes(stored, "SidecarAsked", f"{call.actor} asked for a sidecar through the backend: {_said(change)}")
    return {"change": change, "dryRun": call.dry_run, **views.workload(stored), "warnings": list(warnings)}


def remove(call: Call) -> dict[str, Any]:
    """Take the annotation off."""
    live = named(call, call.arguments["workload"])
    change = sidecar.removing(live, call.arguments["settings"])
    stored = _write(call, live, change)
    if change:
        call.changes(stored, "SidecarDeclined", f"{call.actor} took off through the backend: {_said(change)}")
    return {"change": change, "dryRun": call.dry_run, **views.workload(stored)}


def _write(call: Call, live: Object, change: sidecar.Change) -> Object:
    owner = gitops.owner(live)
    if owner and not call.arguments["force"] and not call.dry_run:
        told = f"{ref(live)} is managed by {owner}, which would undo the change; change it in git, or force it"
        raise Refusal(Reason.MANAGED_BY_GITOPS, told)
    if not change:
        return live
    return call.client.patch(ref(live), {"metadata": {"annotations": change}}, MANAGER, dry_run=call.dry_run)


def _said(change: sidecar.Change) -> str:
    return ", ".join(sorted(change))


def named(call: Call, text: str) -> Object:
    """Return the workload that `kind/name` or `name` means; Refusal when there is none, or several."""
    namespace = call.arguments["namespace"]
    kind, name = split(text)
    if kind and kind not in CHANGEABLE:
        told = f"a {kind} is made by something else, or declared as it is; name a {', a '.join(CHANGEABLE)}"
        raise Refusal(Reason.INVALID_ARGUMENTS, told)
    kinds = (kind,) if kind else CHANGEABLE
    found = [obj for k in kinds if (obj := call.client.find(Ref(KINDS[k], k, namespace, name))) is not None]
    if not kind:
        found = [obj for obj in found if not owned(obj)]
    if not found:
        what = f"no {kind}" if kind else "no workload"
        raise Refusal(Reason.NOT_FOUND, f"there is {what} {name!r} in namespace {namespace}")
    if len(found) > 1:
        choices = ", ".join(f"{obj['kind'].lower()}/{name}" for obj in found)
        raise Refusal(Reason.AMBIGUOUS, f"{name!r} is ambiguous in namespace {namespace}: {choices}")
    return found[0]
