"""`speedctl infra workloads`: gather, decide, print."""

from __future__ import annotations

import argparse
from collections.abc import Iterable, Sequence
from typing import Any

from speedscale_kube import Client

from . import installed, workloads
from .capture import Captured, State, capture
from .printing import emit, say, table
from .reaching import with_cluster


def run(args: argparse.Namespace) -> int:
    """List workloads; 0, or 2 when the cluster does not allow it."""
    return with_cluster(args, lambda client: _run(client, args))


def _run(client: Client, args: argparse.Namespace) -> int:
    there = installed.find(client, args.operator_namespace)
    namespace = "" if args.all_namespaces else args.namespace or client.namespace
    found, unread = gather(client, there, namespace)
    if args.captured:
        found = [one for one in found if one.state is not State.NONE]
    for what, why in sorted(unread.items()):
        say(f"{what} could not be read and are left out: {why}")
    if there is None:
        say("no installation was found: what would become of annotated workloads cannot be said")
    for problem in (*there.settings_problems, *there.bundle_problems) if there else ():
        say(f"the installation in {there.namespace if there else ''} is not whole: {problem}")
    emit(args, _data(there, found, unread), described(found, args.all_namespaces))
    return 0


def gather(client: Client, there: installed.Installed | None, namespace: str) -> tuple[list[Captured], dict[str, str]]:
    """Return the workloads of a namespace (empty: all), sorted by name, and what could not be read."""
    unread: dict[str, str] = {}
    around = workloads.Surroundings(client, there) if there else None
    found = [
        capture(workload, around.facts(workload) if around else None)
        for workload in workloads.each(client, namespace, unread)
    ]
    if around:
        unread |= around.unread
    return sorted(found, key=lambda one: (one.namespace, one.kind, one.name)), unread


def _data(there: installed.Installed | None, found: Sequence[Captured], unread: dict[str, str]) -> dict[str, Any]:
    return {
        "installation": {"namespace": there.namespace, "instanceId": there.instance_id} if there else None,
        "unread": unread,
        "workloads": [one.document() for one in found],
    }


def described(found: Iterable[Captured], several: bool) -> str:
    """Return workloads as a table; `several`: of several namespaces."""
    rows = [_row(one, several) for one in found]
    head = ["WORKLOAD", "STATE", "REPLAY", "WHY"]
    return table(["NAMESPACE", *head] if several else head, rows) if rows else "no workloads"


def _row(one: Captured, several: bool) -> tuple[str, ...]:
    why = f"{one.reason}: {one.message}" if one.reason else one.message or "; ".join(one.warnings)
    cells = (f"{one.kind.lower()}/{one.name}", one.state.value, one.replay or "-", why or "-")
    return (one.namespace, *cells) if several else cells
