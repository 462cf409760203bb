"""`speedctl infra sidecar add|remove`: writes annotations; the operator does the rest.

What a user typed is judged as a whole with what stands on the workload already, by the table of annotations, before
anything is written. An object that git declares is left alone unless forced: the annotations to commit are printed.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Mapping
from typing import Any

from speedscale_kube import Client, Object, ref
from speedscale_schemas.annotations import SIDECAR
from speedscale_schemas.annotations.values import duration_s
from speedscale_schemas.asking import gitops, sidecar
from speedscale_schemas.asking.sidecar import Change, removing
from speedscale_schemas.errors import ConfigError

from . import installed, workloads
from .capture import Captured, State, capture
from .printing import emit, fail, say
from .reaching import MANAGER, with_cluster

_POLL_S = 1.0


def add(args: argparse.Namespace) -> int:
    """Annotate; 0 when it is done, 1 when the operator will not (or, waited for, did not) inject, 2 on an error."""
    return with_cluster(args, lambda client: _change(client, args, True))


def remove(args: argparse.Namespace) -> int:
    """Take the annotation off; exit codes as for `add`."""
    return with_cluster(args, lambda client: _change(client, args, False))


def _change(client: Client, args: argparse.Namespace, wanted: bool) -> int:
    patience_s = seconds(args.timeout)
    live = workloads.named(client, args.workload, args.namespace or client.namespace)
    change = adding(live, options(vars(args))) if wanted else removing(live, args.settings)
    owner = gitops.owner(live)
    if owner and not args.force and not args.dry_run:
        return _refused(live, owner, change)
    if change:
        patch = {"metadata": {"annotations": change}}
        stored = client.patch(ref(live), patch, MANAGER, dry_run=args.dry_run)
    else:
        stored = live
    there = installed.find(client, args.operator_namespace)
    now = _judge(client, there, stored)
    if args.wait and not args.dry_run and now.state in (State.PENDING, State.REMOVING, State.INJECTED, State.STALE):
        now, done = _wait(client, there, stored, wanted, patience_s)
    else:
        done = wanted == now.injected or (wanted and now.state is State.PENDING) or now.state is State.REMOVING
    emit(args, {"change": change, "dryRun": args.dry_run, **now.document()}, _text(now, change, args.dry_run, wanted))
    return 0 if done else 1


def options(given: Mapping[str, Any]) -> dict[str, str]:
    """Return the settings that were typed, by full name."""
    prefix = "setting:"
    return {
        f"{SIDECAR}/{name.removeprefix(prefix)}": str(value)
        for name, value in given.items()
        if name.startswith(prefix) and value is not None
    }


def adding(live: Object, settings: Mapping[str, str]) -> Change:
    """Return the annotations to write, as `asking.sidecar.adding` says; warnings are told."""
    change, warnings = sidecar.adding(live, settings)
    for warning in warnings:
        say(f"warning: {warning}")
    return change


def seconds(text: str) -> float:
    """Return a duration such as 90s or 5m; ConfigError for anything else."""
    try:
        return duration_s(text)
    except ValueError as error:
        raise ConfigError([f"--timeout: {text!r}: {error}; give one such as 90s or 10m"]) from error


def _refused(live: Object, owner: gitops.Owner, change: Change) -> int:
    which = ref(live)
    taken = [name for name, value in change.items() if value is None]
    block = "\n".join(["metadata:", "  annotations:", *(f'    {k}: "{_escaped(v)}"' for k, v in change.items() if v)])
    what = f"take out of git: {', '.join(taken)}" if taken else f"commit this to its manifest:\n\n{block}\n"
    return fail(f"{which} is managed by {owner}, which would undo the change", f"{what}\n  or use --force")


def _escaped(text: str | None) -> str:
    return (text or "").replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")


def _judge(client: Client, there: installed.Installed | None, live: Object) -> Captured:
    return capture(live, workloads.Surroundings(client, there).facts(live) if there else None)


def _wait(
    client: Client, there: installed.Installed | None, live: Object, wanted: bool, patience_s: float
) -> tuple[Captured, bool]:
    """Look once a second until the pods are as wanted, or no hope is left."""
    end = time.monotonic() + patience_s
    told = ""
    while True:
        live = client.get(ref(live))
        now = _judge(client, there, live)
        if now.state in (State.SKIPPED, State.UNKNOWN):
            return now, False
        if now.injected == wanted and rolled_out(live):
            return now, True
        if time.monotonic() >= end:
            say(f"{ref(live)} is not there after {patience_s:.0f} s; speedctl doctor may say why")
            return now, False
        doing = "the operator has not changed it yet" if now.injected != wanted else "its pods are being replaced"
        if doing != told:
            say(f"waiting: {doing}")
            told = doing
        time.sleep(_POLL_S)


def rolled_out(live: Mapping[str, Any]) -> bool:
    """Say whether all pods of a workload are of its current template; kinds without a roll-out always are."""
    spec, status = live.get("spec") or {}, live.get("status") or {}
    kind = live.get("kind")
    if kind not in ("Deployment", "StatefulSet", "DaemonSet"):
        return True
    if int(status.get("observedGeneration") or 0) < int(live["metadata"].get("generation") or 0):
        return False
    if kind == "DaemonSet":
        wanted = int(status.get("desiredNumberScheduled") or 0)
        done = min(int(status.get("updatedNumberScheduled") or 0), int(status.get("numberAvailable") or 0))
    else:
        wanted = 1 if spec.get("replicas") is None else int(spec["replicas"])
        available = status.get("availableReplicas", status.get("readyReplicas"))
        done = min(int(status.get("updatedReplicas") or 0), int(available or 0))
        if kind == "Deployment" and int(status.get("replicas") or 0) > wanted:
            return False
    return done >= wanted


def _text(now: Captured, change: Change, dry_run: bool, wanted: bool) -> str:
    which = f"{now.kind} {now.namespace}/{now.name}"
    would = "would be" if dry_run else "was"
    head = f"{which} {would} annotated" if change else f"{which} has these annotations already"
    if not wanted:
        head = f"{which}: {', '.join(change)} {would} taken off" if change else f"{which} asks for no sidecar already"
    return f"{head}; state: {now.state}" + (f" ({now.reason}: {now.message})" if now.message else "")
