"""`speedctl doctor`: what is wrong with an installation, or will be with one to come. Arguments and printing."""

from __future__ import annotations

import argparse

from .printing import add_output_flag
from .reaching import add_cluster_flags, add_installation_flag, add_namespace_flag


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the arguments."""
    parser.add_argument(
        "--pre", action="store_true", help="before an installation: will it work here, and is the backend reachable?"
    )
    add_cluster_flags(parser)
    add_namespace_flag(parser, "look at the workloads of this namespace only (default: of all that may be read)")
    add_installation_flag(parser)
    parser.add_argument(
        "--check", action="append", default=[], metavar="ID", help="only this check; may be repeated (--list has them)"
    )
    parser.add_argument("--list", action="store_true", help="print the checks with what each asks, and end")
    parser.add_argument("--no-canary", action="store_true", help="leave out what needs a dry run of a create")
    parser.add_argument(
        "--app-url",
        metavar="URL",
        default="",
        help="with --pre: the backend (default: SPEEDSCALE_APP_URL; none is asked for without)",
    )
    parser.add_argument(
        "--attempts", type=int, default=1, metavar="N", help="how often the backend is asked (default: 1)"
    )
    parser.add_argument(
        "--retry-delay", type=float, default=5.0, metavar="S", help="seconds between attempts (default: 5)"
    )
    add_output_flag(parser)
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.epilog = """\
examples:
  speedctl doctor                                   all checks of the installation and of workloads
  speedctl doctor -n shop --check workloads         why the workloads of a namespace are not captured
  speedctl doctor --pre --operator-namespace speedscale
  speedctl doctor --pre --app-url https://speedscale.example.com --attempts 5 --retry-delay 3
  speedctl doctor -o json | jq '.results[] | select(.verdict == "fail")'

Nothing is written: what has to be tried is a dry run. docs/doctor.md has each check with cause and remedy.
Exit code 0 when no check fails, 1 when one does, 2 when nothing could be looked at.
"""


def run(args: argparse.Namespace) -> int:
    """Look, judge, print; 0 when no check fails, 1 when one does, 2 when nothing could be looked at."""
    from .diagnosis.verb import diagnose

    return diagnose(args)
