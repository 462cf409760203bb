"""`speedctl doctor`, run: gather, examine, print."""

from __future__ import annotations

import argparse
import os
from dataclasses import replace

from speedscale_controller.cli.printing import emit, fail, say, table
from speedscale_controller.cli.reaching import with_cluster
from speedscale_kube import Client, load
from speedscale_schemas.errors import ConfigError

from . import report
from .backend import reach
from .checks import CHECKS, chosen, examined
from .gather import Gathering, utc_now
from .model import Backend, Check, Facts


def diagnose(args: argparse.Namespace) -> int:
    """Return 0 when no check fails, 1 when one does, 2 when nothing could be looked at."""
    if args.list:
        return _list(args)
    if args.attempts < 1 or args.retry_delay < 0:
        return fail(f"--attempts {args.attempts} --retry-delay {args.retry_delay}: expected at least 1, and at least 0")
    try:
        checks = chosen(args.check, pre=args.pre)
    except ConfigError as error:
        return fail("\n  ".join(error.problems))
    if not args.pre:
        return with_cluster(args, lambda client: _tell(args, checks, _gathering(client, args).after()))
    backend = _backend(args)
    if not _reachable(args):
        return _tell(args, checks, _without_cluster(args, backend))
    return with_cluster(
        args, lambda client: _tell(args, checks, replace(_gathering(client, args).before(), backend=backend))
    )


def _gathering(client: Client, args: argparse.Namespace) -> Gathering:
    return Gathering(client, namespace=args.operator_namespace, only=args.namespace, canary=not args.no_canary)


def _backend(args: argparse.Namespace) -> Backend | None:
    url = args.app_url or os.environ.get("SPEEDSCALE_APP_URL", "")
    return reach(url, attempts=args.attempts, delay_s=args.retry_delay) if url else None


def _reachable(args: argparse.Namespace) -> bool:
    """Say whether a cluster is named: the hook before an installation has no account, and asks the backend only."""
    if args.kubeconfig or args.context:
        return True
    try:
        load().close()
    except ConfigError:
        return False
    return True


def _without_cluster(args: argparse.Namespace, backend: Backend | None) -> Facts:
    sources = {source for check in CHECKS if check.pre for source in check.needs}
    why = "no cluster is named"
    say(f"{why}: only the backend is asked")
    return Facts(now=utc_now(), namespace=args.operator_namespace, unread=dict.fromkeys(sources, why), backend=backend)


def _tell(args: argparse.Namespace, checks: tuple[Check, ...], facts: Facts) -> int:
    results = examined(checks, facts)
    data = report.data(results, namespace=facts.namespace, server=facts.server)
    emit(args, data, report.text(results))
    return 0 if report.passed(results) else 1


def _list(args: argparse.Namespace) -> int:
    rows = [(check.id, _when(check), check.title) for check in CHECKS]
    data = {"checks": [{"id": c.id, "title": c.title, "pre": c.pre, "post": c.post} for c in CHECKS]}
    emit(args, data, table(("CHECK", "WHEN", "WHAT IT MAKES SURE OF"), rows))
    return 0


def _when(check: Check) -> str:
    return "both" if check.pre and check.post else "before" if check.pre else "after"
