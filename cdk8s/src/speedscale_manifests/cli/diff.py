"""`speedctl diff`: what a cluster holds against what git says, knowing the fields that others own."""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Callable
from pathlib import Path

from speedscale_schemas.errors import ConfigError, PeerError, PermanentError, TransientError

from .failing import fail

_TELL_S = 2.0


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the arguments."""
    parser.add_argument(
        "path",
        nargs="?",
        default="dist",
        metavar="PATH",
        help="folder or file of manifests, - for standard input (default: dist)",
    )
    parser.add_argument("--kubeconfig", type=Path, metavar="FILE", help="default: KUBECONFIG, then ~/.kube/config")
    parser.add_argument("--context", metavar="NAME", help="context of the kubeconfig (default: its current one)")
    parser.add_argument(
        "--ignore-manager",
        action="append",
        default=[],
        metavar="NAME",
        help="a field manager whose changes are wanted, for instance a scaler's; may be repeated",
    )
    parser.add_argument(
        "--part", action="store_true", help="PATH is a part of the installation: nothing counts as no longer in git"
    )
    parser.add_argument("--format", choices=("text", "json"), default="text", help="how it is printed (default: text)")
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.epilog = """\
examples:
  speedctl diff
  speedctl diff dist/operator --context staging
  kustomize build overlays/prod | speedctl diff -

Reports objects that are missing, objects of ours that git no longer has, and fields that differ. Defaults, status and
what controllers write by right (replicas of an autoscaler, caBundle, revisions) are left alone. Nothing is written; the
right to patch is needed for the server's dry run. Of a chart's folder below dist only objects of its own components
count as no longer in git; of a file or a folder that stands alone, none.

Exit code 1 when something differs; 2 when the cluster does not answer or something could not be compared.
"""


def run(args: argparse.Namespace) -> int:
    """Compare, print, and return 0 without drift, 1 with, 2 when it could not be found out."""
    from speedscale_kube import Client, load
    from speedscale_manifests.drift import compare, read, report

    try:
        source = read(None if args.path == "-" else Path(args.path), part=args.part)
        with Client(load(args.kubeconfig, args.context), agent="speedctl-diff", retries=3) as client:
            tell = _Progress(len(source.objects), time.monotonic)
            found = compare(client, source, frozenset(args.ignore_manager), tell)
    except ConfigError as error:
        return fail(*error.problems)
    except (TransientError, PermanentError, PeerError) as error:
        return fail(f"the cluster cannot be compared: {error}")
    if args.format == "json":
        print(json.dumps(report.data(found), ensure_ascii=False, indent=2))
    else:
        print(report.text(found))
    return 2 if found.failed else 1 if found.drift else 0


class _Progress:
    """A line on stderr every two seconds: over a slow link an object takes two round trips."""

    def __init__(self, total: int, clock: Callable[[], float]) -> None:
        self._total, self._clock = total, clock
        self._next = clock() + _TELL_S

    def __call__(self, count: int) -> None:
        now = self._clock()
        if now >= self._next:
            self._next = now + _TELL_S
            print(f"{count} of {self._total} objects compared", file=sys.stderr, flush=True)
