"""`speedctl infra`: what users do with a cluster day by day. Arguments only; each action has a module of its own."""

from __future__ import annotations

import argparse
import importlib
from typing import Any

from .printing import add_output_flag
from .reaching import add_cluster_flags, add_installation_flag, add_namespace_flag
from .via import CLOUD, add_via_flags

_EXAMPLES = """\
examples:
  speedctl infra workloads -A                                  what is captured, and why the rest is not
  speedctl infra sidecar add deployment/cart -n shop --tls-out --wait
  speedctl infra sidecar remove deployment/cart -n shop
  speedctl infra snapshot push ./snapshots/checkout -n shop
  speedctl infra replay start --snapshot-id latest --workload deployment/cart -n shop --wait --cancel-on-exit
  speedctl infra replay list -A
  speedctl infra adopt 6d0c…                                   what an operator that is gone managed is this one's
  speedctl infra workloads -n shop --via cloud --cluster production
  speedctl infra command logs namespace=shop pod=cart-6d5f7c9b8-x2x7q follow=true

Exit codes: 0 good, 1 the check or the replay failed, 2 wrong use, or the cluster does not allow it.
"""


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the actions."""
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.epilog = _EXAMPLES
    actions = parser.add_subparsers(dest="action", required=True, metavar="ACTION")
    _workloads(actions)
    _sidecar(actions)
    _replay(actions)
    _snapshot(actions)
    _adopt(actions)
    _command(actions)


def run(args: argparse.Namespace) -> int:
    """Run the action; return its exit code."""
    if getattr(args, "via", "") == CLOUD:
        from . import infra_cloud

        return infra_cloud.run(args)
    module = importlib.import_module(f"speedscale_controller.cli.infra_{args.module}")
    return int(getattr(module, args.function)(args))


def _action(actions: Any, name: str, module: str, function: str, help: str, epilog: str) -> argparse.ArgumentParser:
    parser: argparse.ArgumentParser = actions.add_parser(
        name,
        help=help,
        description=help,
        epilog=f"example:\n  {epilog}\n",
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    parser.set_defaults(module=module, function=function)
    add_cluster_flags(parser)
    add_via_flags(parser)
    return parser


def _group(actions: Any, name: str, help: str) -> Any:
    parser = actions.add_parser(name, help=help, description=help)
    return parser.add_subparsers(dest="inner", required=True, metavar="ACTION")


def _workloads(actions: Any) -> None:
    parser = _action(
        actions,
        "workloads",
        "workloads",
        "run",
        "list workloads with the state of their capture, and why a sidecar is missing",
        "speedctl infra workloads -n shop --captured",
    )
    add_namespace_flag(parser)
    parser.add_argument("-A", "--all-namespaces", action="store_true", help="of all namespaces")
    parser.add_argument(
        "--captured", action="store_true", help="only those that are captured, or ask for it and are not"
    )
    add_installation_flag(parser)
    add_output_flag(parser)


def _sidecar(actions: Any) -> None:
    from speedscale_schemas.annotations import SIDECAR, rows

    inner = _group(actions, "sidecar", "put a sidecar into a workload, or take it out, by its annotations")
    add = _action(
        inner,
        "add",
        "sidecar",
        "add",
        "annotate a workload so that the operator puts the sidecar into it",
        "speedctl infra sidecar add deployment/cart -n shop --tls-out --proxy-type dual --wait",
    )
    _changing(add)
    settings = add.add_argument_group("settings of the sidecar (docs/reference/annotations.md)")
    for row in rows(SIDECAR, settable=True):
        if row.name == "inject":
            continue
        flag: dict[str, Any] = {"nargs": "?", "const": "true"} if row.type.name == "boolean" else {}
        settings.add_argument(
            f"--{row.name}",
            dest=f"setting:{row.name}",
            metavar="VALUE",
            default=None,
            help=row.meaning.replace("%", "%%"),
            **flag,
        )
    remove = _action(
        inner,
        "remove",
        "sidecar",
        "remove",
        "take the annotation off a workload so that the operator takes the sidecar out",
        "speedctl infra sidecar remove deployment/cart -n shop --wait",
    )
    _changing(remove)
    remove.add_argument(
        "--settings", action="store_true", help="take all other sidecar.speedscale.com annotations off as well"
    )


def _changing(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("workload", metavar="WORKLOAD", help="KIND/NAME, or NAME where only one kind has it")
    add_namespace_flag(parser)
    parser.add_argument("--dry-run", action="store_true", help="ask the server what would become of it; write nothing")
    parser.add_argument("--wait", action="store_true", help="until its pods have (or no longer have) the sidecar")
    parser.add_argument("--timeout", metavar="TIME", default="5m", help="of --wait (default: 5m)")
    parser.add_argument("--force", action="store_true", help="also where a GitOps tool will undo it")
    add_installation_flag(parser)
    add_output_flag(parser)


def _replay(actions: Any) -> None:
    inner = _group(actions, "replay", "run TrafficReplays")
    _replay_start(inner)
    listing = _action(
        inner, "list", "replay_views", "show_all", "list replays and how they stand", "speedctl infra replay list -A"
    )
    add_namespace_flag(listing)
    listing.add_argument("-A", "--all-namespaces", action="store_true", help="of all namespaces")
    add_output_flag(listing)
    describe = _one(
        inner,
        "describe",
        "describe",
        module="replay_views",
        help="show a replay: what it asks for, its conditions, objects, events",
    )
    add_output_flag(describe)
    cancel = _one(inner, "cancel", "cancel", "end a replay: it is deleted, and its workload given back")
    cancel.add_argument("--wait", action="store_true", help="until everything is cleaned up")
    cancel.add_argument("--timeout", metavar="TIME", default="5m", help="of --wait (default: 5m)")
    waiting = _one(inner, "wait", "wait", "wait for the end of a replay: 0 passed, 1 failed or canceled, 2 error")
    _waiting(waiting)
    add_output_flag(waiting)


def _one(inner: Any, name: str, function: str, help: str, module: str = "replay") -> argparse.ArgumentParser:
    parser = _action(inner, name, module, function, help, f"speedctl infra replay {name} abstract-yucca -n shop")
    parser.add_argument("name", metavar="NAME", help="of the TrafficReplay")
    add_namespace_flag(parser)
    return parser


def _waiting(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--timeout", metavar="TIME", default="1h", help="of waiting (default: 1h)")
    parser.add_argument(
        "--cancel-on-exit",
        action="store_true",
        help="when waiting is ended before the replay (Ctrl-C, SIGTERM, --timeout), cancel it",
    )


def _replay_start(inner: Any) -> None:
    start = _action(
        inner,
        "start",
        "replay",
        "start",
        "start a replay of a snapshot against workloads",
        "speedctl infra replay start --snapshot-id latest --workload deployment/cart -n shop --wait",
    )
    start.add_argument("--snapshot-id", required=True, metavar="ID", help="snapshot in the cluster; latest is one, too")
    start.add_argument(
        "--workload",
        required=True,
        action="append",
        metavar="WORKLOAD",
        help="KIND/NAME, or NAME where only one kind has it; may be repeated",
    )
    add_namespace_flag(start)
    start.add_argument("--test-config-id", default="standard", metavar="ID", help="test config (default: standard)")
    start.add_argument("--mode", choices=("full-replay", "responder-only", "generator-only"), default="full-replay")
    start.add_argument(
        "--tests", action="append", metavar="KEY", help="tests for the workload, may be repeated (default: all)"
    )
    start.add_argument(
        "--mocks", action="append", metavar="KEY", help="what is mocked for it, may be repeated (default: all)"
    )
    start.add_argument("--cleanup", choices=("inventory", "all", "none"), help="what is removed at the end")
    start.add_argument("--build-tag", metavar="TEXT", help="name of the build, shown in the report")
    start.add_argument("--name", metavar="NAME", help="of the TrafficReplay (default: an adjective and a noun)")
    start.add_argument("--dry-run", action="store_true", help="show which tests and mocks would be used; write nothing")
    start.add_argument("--wait", action="store_true", help="for its end; with responder-only until its mocks are ready")
    _waiting(start)
    add_installation_flag(start)
    add_output_flag(start)


def _snapshot(actions: Any) -> None:
    inner = _group(actions, "snapshot", "snapshots that replays in the cluster can use")
    push = _action(
        inner,
        "push",
        "snapshot",
        "push",
        "put a snapshot into a namespace, as a ConfigMap",
        "speedctl infra snapshot push ./snapshots/checkout -n shop",
    )
    push.add_argument("path", metavar="DIR|TAR", help="the snapshot's folder, or a tar of it (.tar, .tgz)")
    add_namespace_flag(push)
    push.add_argument("--dry-run", action="store_true", help="let the server check it; write nothing")
    add_output_flag(push)
    listing = _action(
        inner,
        "list",
        "snapshot",
        "show_all",
        "list the snapshots that replays of a namespace can use",
        "speedctl infra snapshot list -n shop",
    )
    add_namespace_flag(listing)
    add_installation_flag(listing)
    add_output_flag(listing)


def _adopt(actions: Any) -> None:
    parser = _action(
        actions,
        "adopt",
        "adopt",
        "run",
        "take over the sidecars and Secrets of an operator that is gone",
        "speedctl infra adopt 0f7d2f6c-7a3b-4c53-9d0e-3b8a52a1c9d4",
    )
    parser.add_argument(
        "instance_id", metavar="ID", help="as its workloads bear it: annotation operator.speedscale.com/managed-by"
    )
    add_installation_flag(parser)
    add_output_flag(parser)


def _command(actions: Any) -> None:
    from speedscale_schemas.inspector import COMMANDS

    what = "give a cluster's inspector a command through the backend; items come as JSON, one a line"
    parser = actions.add_parser(
        "command",
        help=what,
        description=what,
        epilog="example:\n  speedctl infra command list-pods namespace=shop labels=app=cart\n\n"
        "Arguments of each command: docs/reference/inspector-command.md\n",
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    parser.set_defaults(module="cloud", function="ask")
    parser.add_argument("command", metavar="COMMAND", choices=tuple(COMMANDS), help=", ".join(COMMANDS))
    parser.add_argument("arguments", metavar="NAME=VALUE", nargs="*", help="text, or JSON where it is no text")
    parser.add_argument("--cluster", metavar="NAME", default="", help="which one (default: the only one connected)")
    parser.add_argument("--timeout", metavar="TIME", default="", help="of the whole (default: the command's own)")
