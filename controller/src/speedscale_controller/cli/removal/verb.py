"""`speedctl uninstall`, run: look, plan, ask, do, say what is left."""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Sequence
from typing import Any

from speedscale_controller.cli.diagnosis.gather import utc_now
from speedscale_controller.cli.infra_sidecar import seconds
from speedscale_controller.cli.printing import emit, fail, say
from speedscale_controller.cli.reaching import with_cluster
from speedscale_kube import Client

from .act import Done, Hands, perform
from .gather import gather
from .model import Inventory, Options, Plan, Step
from .plan import plan


def uninstall(args: argparse.Namespace) -> int:
    """Return 0 when nothing is left, 1 when something is, 2 when it was refused."""
    return with_cluster(args, lambda client: _uninstall(client, args))


def _uninstall(client: Client, args: argparse.Namespace) -> int:
    timeout_s = seconds(args.timeout)
    options = Options(
        revert_only=args.revert_only,
        keep_namespace=args.keep_namespace,
        keep_crd=args.keep_crd,
        force=args.force,
    )
    there = gather(client, args.operator_namespace, utc_now())
    todo = plan(there, options)
    for note in todo.notes:
        say(f"note: {note}")
    if args.dry_run:
        emit(args, _data(client, there, todo, None, dry_run=True), _listed(todo))
        return 2 if todo.refusals else 0
    if todo.refusals:
        return fail("; ".join(todo.refusals), "--dry-run shows what would be done")
    if todo.steps and not args.yes and not _agreed(client, todo):
        return 2
    hands = Hands(client, say, time.monotonic, time.sleep, time.monotonic() + timeout_s)
    done = perform(hands, todo.steps)
    emit(args, _data(client, there, todo, done, dry_run=False), _summary(client, there, done))
    return 1 if done.left else 0


def _agreed(client: Client, todo: Plan) -> bool:
    """Ask the user; without a terminal nobody can be asked."""
    if not sys.stdin.isatty():
        fail("this removes things for good, and nobody can be asked", "give --yes; --dry-run shows what would be done")
        return False
    say(_listed(todo))
    sys.stderr.write(f"{len(todo.steps)} steps on {client.access.server} ({client.access.origin}). Go on? [y/N] ")
    sys.stderr.flush()
    return sys.stdin.readline().strip().lower() in ("y", "yes")


def _listed(todo: Plan) -> str:
    if not todo.steps:
        return "nothing is left of an installation"
    lines: list[str] = []
    phase = None
    for step in todo.steps:
        if step.phase != phase:
            phase = step.phase
            lines.append(f"{phase}:")
        lines.append(f"  {step}")
    return "\n".join([*lines, *(f"refused: {text}" for text in todo.refusals)])


def _summary(client: Client, there: Inventory, done: Done) -> str:
    if done.left:
        lines = [f"{step}: {problem}" for step, problem in done.left]
        return "\n".join([f"{len(done.left)} things are left; run it again once their causes are gone:", *lines])
    if not done.steps:
        return "nothing is left of an installation"
    return f"done: {len(done.steps)} steps on {client.access.server}, namespace {there.namespace}"


def _data(client: Client, there: Inventory, todo: Plan, done: Done | None, *, dry_run: bool) -> dict[str, Any]:
    return {
        "server": client.access.server,
        "namespace": there.namespace,
        "dryRun": dry_run,
        "operatorWorks": there.working,
        "steps": _documents(todo.steps if done is None else done.steps),
        "left": [] if done is None else [{**step.document(), "problem": problem} for step, problem in done.left],
        "refusals": list(todo.refusals),
        "notes": list(todo.notes),
    }


def _documents(steps: Sequence[Step]) -> list[dict[str, str]]:
    return [step.document() for step in steps]
