"""`speedctl cloud`: what the backend has: traffic, snapshots, test configs, rules, replays, reports, keys."""

from __future__ import annotations

import argparse
import os
import tempfile
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import orjson

from speedscale_runtime import cloud, snapshot
from speedscale_runtime import home as homes
from speedscale_runtime.cloud import CloudClient, Target
from speedscale_schemas.errors import ConfigError, PeerError, PermanentError, TransientError

from . import cloud_archives
from .output import add_output_flag, emit, fail

_EXAMPLES = """examples:
  speedctl cloud list traffic --service shop --filter '(location CONTAINS "/pay")'
  speedctl cloud create snapshot --name checkout --service shop --start 2026-01-31T12:00:00Z
  speedctl cloud pull snapshot latest
  speedctl cloud push test-config ./mine.json
  speedctl cloud get report latest --format markdown
  speedctl cloud create key ci --scope read --scope write

The backend: --app-url and --ca-file, or SPEEDSCALE_APP_URL and BACKEND_CA_FILE. The key: SPEEDSCALE_API_KEY, or a file
that SPEEDSCALE_API_KEY_FILE names; never an argument, which others on the machine can read.
"""
_KINDS = (
    "traffic",
    "snapshot",
    "test-config",
    "filter",
    "dlp",
    "transform",
    "replay",
    "report",
    "cluster",
    "audit",
    "key",
)
_PUSHED = ("snapshot", "test-config", "filter", "dlp", "transform")
_ACTIONS = {
    "list": _KINDS,
    "get": ("traffic", "snapshot", "test-config", "filter", "dlp", "transform", "replay", "report", "cluster"),
    "create": ("snapshot", "key"),
    "pull": _PUSHED,
    "push": _PUSHED,
    "delete": ("snapshot", "test-config", "filter", "dlp", "transform", "key"),
    "erase": ("traffic",),
    "whoami": (),
}
_HELP = {
    "list": "list what there is, newest first (traffic: oldest first)",
    "get": "print one",
    "create": "make a snapshot of stored traffic, or an API key",
    "pull": "bring one into SPEEDSCALE_HOME, or into a file",
    "push": "bring one to the backend",
    "delete": "delete one; a key is revoked",
    "erase": "erase traffic by session, redaction token or time, for good",
    "whoami": "show the key's name and scopes: whether all is well",
}
_RULES = {"filter": "filter-rule", "dlp": "dlp-rule", "transform": "transform-set", "test-config": "test-config"}
_PATHS = {
    "snapshot": "snapshots",
    "test-config": "testconfigs",
    "filter": "rules/filter",
    "dlp": "rules/dlp",
    "transform": "rules/transform",
    "replay": "replays",
    "report": "reports",
    "cluster": "clusters",
    "audit": "audit",
    "key": "keys",
    "traffic": "rrpairs",
}


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the arguments."""
    parser.epilog = _EXAMPLES
    actions = parser.add_subparsers(dest="action", required=True, metavar="|".join(_ACTIONS))
    for action, kinds in _ACTIONS.items():
        one = actions.add_parser(action, help=_HELP[action])
        if kinds:
            one.add_argument("kind", choices=kinds, help="what")
        if action in ("get", "pull", "push", "delete"):
            one.add_argument(
                "name", help="file or snapshot to push" if action == "push" else "id; `latest` is one, too"
            )
        if action == "create":
            one.add_argument("name", nargs="?", default="", help="name of the key")
        _flags(one, action)
        one.add_argument("--app-url", default="", help="address of the backend")
        one.add_argument("--ca-file", default="", help="its CA, where that is no public one")
        add_output_flag(one)


def _flags(one: argparse.ArgumentParser, action: str) -> None:
    if action in ("list", "create", "erase"):
        one.add_argument("--start", help="from this time on (RFC 3339)")
        one.add_argument("--end", help="before this time")
    if action in ("list", "create"):
        one.add_argument("--service", help="only this service")
        one.add_argument("--cluster", help="only this cluster")
        one.add_argument("--namespace", help="only this namespace")
        one.add_argument("--filter", help="only what this filter query matches")
    if action in ("list", "erase"):
        one.add_argument("--session", help="of this session")
    if action == "list":
        one.add_argument("--limit", type=int, default=100, help="at most so many (default: 100)")
    if action == "erase":
        one.add_argument("--token", help="pairs that hold this redaction token")
    if action == "get":
        one.add_argument("--format", default="json", choices=("json", "html", "junit", "markdown"), help="of a report")
    if action == "pull":
        one.add_argument("--out", type=Path, help="file (default: into SPEEDSCALE_HOME)")
    if action == "push":
        one.add_argument("--id", default="", help="store under this name (default: the document's id)")
    if action == "create":
        one.add_argument("--name", dest="title", default="", help="name of the snapshot, for people")
        one.add_argument(
            "--scope", action="append", default=[], help="what the key may do; may be given more than once"
        )
        one.add_argument("--label", action="append", default=[], metavar="KEY=VALUE", help="label of the key")


def run(args: argparse.Namespace) -> int:
    """Run the verb: 0, 1 where there is no such thing, or 2 when use, key or connection is wrong."""
    try:
        target = _target(args)
        result = cloud.run(target, _chosen(args))
    except ConfigError as error:
        return fail("; ".join(error.problems))
    except PermanentError as error:
        fail(str(error))
        return 1 if error.reason == cloud.NOT_FOUND else 2
    except (PeerError, TransientError) as error:
        return fail(f"the backend at {target.url}: {error}", "is it there, and its CA in BACKEND_CA_FILE?")
    if isinstance(result, bytes):
        print(result.decode("utf-8"), end="")
        return 0
    emit(args, result, _text(result))
    return 0


def _target(args: argparse.Namespace) -> Target:
    environ = dict(os.environ)
    environ |= {n: v for n, v in (("SPEEDSCALE_APP_URL", args.app_url), ("BACKEND_CA_FILE", args.ca_file)) if v}
    found = cloud.from_environment(environ)
    if found is None:
        raise ConfigError(["no backend: give --app-url, or set SPEEDSCALE_APP_URL and SPEEDSCALE_API_KEY"])
    return found


def _chosen(args: argparse.Namespace) -> Callable[[CloudClient], Awaitable[Any]]:
    actions: dict[str, Callable[[CloudClient, argparse.Namespace], Awaitable[Any]]] = {
        "list": _list,
        "get": _get,
        "create": _create,
        "pull": _pull,
        "push": _push,
        "delete": _delete,
        "erase": _erase,
        "whoami": lambda client, args: client.whoami(),
    }
    action = actions[args.action]
    return lambda client: action(client, args)


async def _list(client: CloudClient, args: argparse.Namespace) -> dict[str, Any]:
    path = f"/v1/{_PATHS[args.kind]}"
    known: dict[str, tuple[str, ...]] = {
        "traffic": ("start", "end", "cluster", "namespace", "service", "session", "filter")
    }
    known |= {"snapshot": ("service",), "replay": ("cluster", "namespace"), "report": ("cluster", "namespace")}
    query = {name: getattr(args, name) for name in known.get(args.kind, ()) if getattr(args, name)}
    refused = [
        f"--{name}: not for {args.kind}"
        for name in known["traffic"]
        if getattr(args, name) and name not in known.get(args.kind, ())
    ]
    if refused:
        raise ConfigError(refused)
    return {"items": await client.listed(path, query, args.limit)}


async def _get(client: CloudClient, args: argparse.Namespace) -> Any:
    if args.kind == "report":
        return await client.report(args.name, args.format)
    if args.kind == "traffic":
        return await client.rrpair(args.name)
    return await client.document(f"/v1/{_PATHS[args.kind]}/{args.name}")


async def _create(client: CloudClient, args: argparse.Namespace) -> Any:
    if args.kind == "key":
        if not args.name or not args.scope:
            raise ConfigError(["create key: give a name and at least one --scope"])
        wrong = [f"--label: {text!r}: expected KEY=VALUE" for text in args.label if "=" not in text]
        if wrong:
            raise ConfigError(wrong)
        return await client.create_key(args.name, args.scope, dict(text.split("=", 1) for text in args.label))
    wanted = {name: getattr(args, name) for name in ("start", "end", "cluster", "namespace", "filter")}
    wanted |= {"name": args.title or args.name, "services": [args.service] if args.service else None}
    return await client.create_snapshot({name: value for name, value in wanted.items() if value})


async def _pull(client: CloudClient, args: argparse.Namespace) -> dict[str, Any]:
    home = homes.folder()
    if args.kind == "snapshot":
        found = await client.snapshot(args.name)
        with tempfile.TemporaryDirectory() as folder:
            tar = await client.fetch_snapshot(found["id"], Path(folder) / "snapshot.tar")
            path = cloud_archives.put_away(tar, args.out or snapshot.snapshots_home(home), args.out is not None)
        return {"id": found["id"], "path": str(path)}
    document = await client.document(f"/v1/{_PATHS[args.kind]}/{args.name}")
    path = args.out or homes.stored_path(_RULES[args.kind], args.name, home)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(orjson.dumps(document, option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE))
    return {"id": args.name, "path": str(path)}


async def _push(client: CloudClient, args: argparse.Namespace) -> dict[str, Any]:
    if args.kind == "snapshot":
        source = snapshot.open(snapshot.resolve(args.name, homes.folder()))
        source.verify()
        with tempfile.TemporaryDirectory() as folder:
            tar = cloud_archives.packed(source, Path(folder) / "snapshot.tar")
            return await client.push_snapshot(source.id, tar)
    found = homes.find(_RULES[args.kind], args.name, homes.folder(), files=True)
    identity = args.id or str(found.document.get("id") or Path(args.name).stem)
    await client.put_document(f"/v1/{_PATHS[args.kind]}/{identity}", found.document)
    return {"id": identity, "from": found.source}


async def _delete(client: CloudClient, args: argparse.Namespace) -> dict[str, Any]:
    await client.delete(f"/v1/{_PATHS[args.kind]}/{args.name}")
    return {"deleted": args.name}


async def _erase(client: CloudClient, args: argparse.Namespace) -> dict[str, Any]:
    return await client.erase({name: getattr(args, name) for name in ("session", "token", "start", "end")})


def _text(result: dict[str, Any]) -> str:
    """Return rows with what people look for first, or the whole document as JSON."""
    items = result.get("items")
    if not isinstance(items, list):
        shown = {k: v for k, v in result.items() if k not in ("manifest",)}
        return orjson.dumps(shown, option=orjson.OPT_INDENT_2).decode("utf-8")
    names = (
        "id",
        "uuid",
        "name",
        "ts",
        "at",
        "createdAt",
        "state",
        "command",
        "location",
        "status",
        "action",
        "target",
    )
    rows = [[str(item[name]) for name in names if item.get(name) not in (None, "")] for item in items]
    return "\n".join("  ".join(row) for row in rows)
