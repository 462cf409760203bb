"""`speedctl uninstall`: gives the users' workloads back, then removes the installation. Arguments only."""

from __future__ import annotations

import argparse

from .printing import add_output_flag
from .reaching import add_cluster_flags, add_installation_flag


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the arguments."""
    add_cluster_flags(parser)
    add_installation_flag(parser)
    parser.add_argument("--yes", action="store_true", help="do not ask")
    parser.add_argument("--dry-run", action="store_true", help="print what would be done; write nothing")
    parser.add_argument(
        "--revert-only",
        action="store_true",
        help="give workloads, Secrets and replays back; the rest is left to the tool that installed it",
    )
    parser.add_argument("--keep-namespace", action="store_true", help="and what users put there themselves")
    parser.add_argument("--keep-crd", action="store_true", help="leave the definition of TrafficReplay")
    parser.add_argument("--force", action="store_true", help="also where Argo CD or Flux would make it anew")
    parser.add_argument(
        "--timeout", metavar="TIME", default="5m", help="for all that has to be waited for (default: 5m)"
    )
    add_output_flag(parser)
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.epilog = """\
examples:
  speedctl uninstall --dry-run                      what would be done, step by step
  speedctl uninstall --yes
  speedctl uninstall --yes --keep-namespace --keep-crd
  speedctl uninstall --yes --revert-only            before Argo CD deletes the Application

Sidecars are taken out of every workload, exactly; the users' annotations stay. Works as well when the operator or its
namespace is gone already, and may be run again. Exit code 0 when nothing is left, 1 when something is (it says what),
2 when it was refused or the cluster does not answer.
"""


def run(args: argparse.Namespace) -> int:
    """Remove; 0 when nothing is left, 1 when something is, 2 when it was refused."""
    from .removal.verb import uninstall

    return uninstall(args)
