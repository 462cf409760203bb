"""`speedctl snapshot`: make immutable snapshots of recordings, and show what one holds."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from speedscale_runtime import filters, snapshot
from speedscale_runtime import home as homes
from speedscale_runtime.rrpair import recording
from speedscale_runtime.rrpair.recording import Entry
from speedscale_runtime.snapshot import Selection, Snapshot
from speedscale_runtime.snapshot.traffic import Traffic
from speedscale_schemas.errors import ConfigError

from .output import Progress, add_output_flag, emit, fail

_EXAMPLES = """examples:
  speedctl snapshot create --in ./recorded --name checkout --service shop
  speedctl snapshot create --in ./recorded --filter '(location CONTAINS "/pay")' --start 2026-01-31T12:00:00Z
  speedctl snapshot show 5f0c6d3e-1f0e-5a51-9d3c-3f6f3f8a2b11
"""


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the arguments."""
    parser.epilog = _EXAMPLES
    actions = parser.add_subparsers(dest="action", required=True, metavar="create|show")
    create = actions.add_parser("create", help="select pairs of recordings into a new snapshot")
    create.add_argument(
        "--in",
        dest="source",
        action="append",
        required=True,
        type=Path,
        metavar="DIR",
        help="recording to select from; may be given more than once",
    )
    create.add_argument("--name", default="", help="name for people")
    create.add_argument("--service", action="append", default=[], help="only this service; may be given more than once")
    create.add_argument(
        "--filter", default="", help="only what this matches: a query, a rule file, or a built-in rule's id"
    )
    create.add_argument("--start", type=_when, default=None, help="only pairs from this time on (RFC 3339)")
    create.add_argument("--end", type=_when, default=None, help="only pairs before this time (RFC 3339)")
    create.add_argument(
        "--out", type=Path, default=None, help="folder for the snapshot (default: snapshots under SPEEDSCALE_HOME)"
    )
    add_output_flag(create)
    show = actions.add_parser("show", help="print what a snapshot or recording holds")
    show.add_argument("reference", metavar="DIR|ID", help="path, or id of a snapshot under SPEEDSCALE_HOME")
    add_output_flag(show)


def run(args: argparse.Namespace) -> int:
    """Run the verb: 0, or 2 when input or use is wrong."""
    try:
        return _create(args) if args.action == "create" else _show(args)
    except ConfigError as error:
        return fail("; ".join(error.problems))


def _create(args: argparse.Namespace) -> int:
    missing = [str(path) for path in args.source if not path.exists()]
    if missing:
        return fail(f"no such recording: {', '.join(missing)}", "give the folder that `speedctl record` wrote")
    document = _rule_document(args.filter)
    selection = Selection(
        name=args.name,
        services=tuple(args.service),
        start=args.start,
        end=args.end,
        rule=filters.compile_rule(document) if document else None,
        rule_document=document,
    )
    out = args.out or snapshot.snapshots_home(homes.folder())
    made = snapshot.create(_entries(args.source), selection, out)
    _print(args, made)
    return 0


def _entries(sources: list[Path]) -> Iterator[Entry]:
    progress = Progress("pairs read")
    count = 0
    for source in sources:
        for entry in recording.read(source):
            count += 1
            progress.update(count)
            yield entry
    progress.close()


def _rule_document(text: str) -> dict[str, Any]:
    """Return the JSON of a rule given as a file, a built-in rule's id, or a query."""
    if not text:
        return {}
    if text in filters.builtin_names() or text.endswith(".json") or Path(text).is_file():
        return homes.find("filter-rule", text, homes.folder(), files=True).document
    return dict(filters.parse_query(text))


def _show(args: argparse.Namespace) -> int:
    shown = snapshot.open(snapshot.resolve(args.reference, homes.folder()))
    shown.verify()
    _print(args, shown)
    return 0


def _print(args: argparse.Namespace, shown: Snapshot) -> None:
    manifest = dict(shown.manifest)
    tests, mocks = Traffic(), Traffic()
    n_tests = _count(shown.tests(), tests)
    n_mocks = _count(shown.mocks(), mocks)
    manifest.setdefault("inTraffic", tests.document())
    manifest.setdefault("outTraffic", mocks.document())
    skipped = shown.skipped()
    data = {"path": str(shown.path), "tests": n_tests, "mocks": n_mocks, "manifest": manifest, "skipped": skipped}
    emit(args, data, _text(data))


def _count(pairs: Iterator[Any], traffic: Traffic) -> int:
    count = 0
    for pair in pairs:
        traffic.add(pair)
        count += 1
    return count


def _text(data: dict[str, Any]) -> str:
    manifest = data["manifest"]
    meta = manifest.get("meta") or {}
    lines = [
        f"snapshot  {manifest.get('id')}" + (f"  {meta['name']}" if meta.get("name") else ""),
        f"path      {data['path']}",
        f"time      {meta.get('startTime', '?')} to {meta.get('endTime', '?')}",
        f"tests     {data['tests']:,}",
    ]
    lines += _traffic(manifest.get("inTraffic") or {})
    lines.append(f"mocks     {data['mocks']:,}")
    lines += _traffic(manifest.get("outTraffic") or {})
    reasons: dict[str, int] = {}
    for entry in data["skipped"]:
        reasons[entry["reason"]] = reasons.get(entry["reason"], 0) + 1
    if reasons:
        lines.append("skipped   " + ", ".join(f"{n:,} {reason}" for reason, n in sorted(reasons.items())))
        lines += [f"          {e['reason']}: {e['file'] or e['detail']}" for e in data["skipped"][:5]]
    return "\n".join(lines)


def _traffic(endpoints: dict[str, Any]) -> list[str]:
    busiest = sorted(endpoints.items(), key=lambda item: (-item[1]["numRequests"], item[0]))
    return [f"          {e['numRequests']:>7,}  {key}  {e['detectedTech']}".rstrip() for key, e in busiest[:20]]


def _when(text: str) -> datetime:
    try:
        at = datetime.fromisoformat(text.replace("Z", "+00:00"))
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is no RFC 3339 time such as 2026-01-31T12:00:00Z") from None
    return at if at.tzinfo else at.replace(tzinfo=UTC)
