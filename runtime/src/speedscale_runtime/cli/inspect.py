"""`speedctl inspect`: what a recording or snapshot holds: every pair, then sums per endpoint and host.

Called by the root command. Reads only; the pairs are not kept in memory, their rows are.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterable
from pathlib import Path
from typing import Any, NamedTuple

from speedscale_runtime.rrpair import RRPair, jsonform, names, recording, sections

from .output import Progress, add_output_flag, emit, fail

_EPILOG = """examples:
  speedctl inspect --in recorded-2026-06-12                       every pair, and sums per endpoint and host
  speedctl inspect --in recorded-2026-06-12 --endpoint /v1/orders only paths that contain this text
  speedctl inspect --in recorded-2026-06-12 --summary             sums only
  speedctl inspect --show recorded-2026-06-12/localhost/2026-06-12_18-12-07.39Z.md
  speedctl inspect --in recorded-2026-06-12 -o json | jq '.hosts'

exit codes: 0 all was read, 1 some files are broken (each is named), 2 nothing to read
"""


class Row(NamedTuple):
    """What the list shows of one pair. `duration` in ms, `size` in bytes of both bodies."""

    time: str
    direction: str
    method: str
    host: str
    path: str
    status: str
    duration: int
    size: int
    file: str


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the verb's arguments."""
    parser.epilog = _EPILOG
    parser.add_argument("--in", dest="source", type=Path, help="recording, snapshot folder, file or *.jsonl")
    parser.add_argument("--endpoint", default="", metavar="TEXT", help="only pairs whose path contains TEXT")
    parser.add_argument("--show", type=Path, metavar="FILE", help="print one pair in full")
    parser.add_argument("--summary", action="store_true", help="leave the list of pairs out")
    add_output_flag(parser)


def run(args: argparse.Namespace) -> int:
    """Print and return the exit code."""
    if args.show is not None:
        return _show(args)
    if args.source is None:
        return fail("nothing to inspect", "give --in RECORDING or --show FILE")
    if not args.source.exists():
        return fail(f"{args.source}: no such file or folder", "give a recording's folder, or one of its files")
    rows, errors = _rows(args.source, args.endpoint)
    endpoints = _sums(rows, lambda row: f"{row.direction:<3} {row.method} {row.path}")
    hosts = _sums(rows, lambda row: f"{row.direction:<3} {row.host}")
    data: dict[str, Any] = {
        "pairs": [] if args.summary else [row._asdict() for row in rows],
        "endpoints": endpoints,
        "hosts": hosts,
        "count": len(rows),
        "errors": errors,
    }
    lines = [] if args.summary else [_table(rows), ""]
    lines += [_sum_table("endpoint", endpoints), "", _sum_table("host", hosts), "", f"{len(rows):,} pairs"]
    lines += [f"broken: {error}" for error in errors]
    emit(args, data, "\n".join(lines))
    if not rows and not errors:
        return fail(
            f"{args.source}: no pairs" + (f" on a path with {args.endpoint!r}" if args.endpoint else ""),
            "a recording holds *.md, *.json or *.jsonl files of recorded pairs",
        )
    return 1 if errors else 0


def _rows(source: Path, endpoint: str) -> tuple[list[Row], list[str]]:
    rows: list[Row] = []
    errors: list[str] = []
    progress = Progress("pairs read")
    for entry in recording.read(source):
        if entry.pair is None:
            errors.append(entry.error)
            continue
        row = row_of(entry.pair, entry.path)
        if endpoint in row.path:
            rows.append(row)
        progress.update(len(rows))
    progress.close()
    return sorted(rows, key=lambda row: (row.time, row.file)), errors


def row_of(pair: RRPair, path: Path) -> Row:
    """Return the row of one pair."""
    doc = pair.doc
    duration = doc.get("duration", 0)
    return Row(
        str(doc.get("ts", "")),
        pair.direction,
        str(doc.get("command", "")),
        names.called(pair),
        str(doc.get("location", "")),
        str(doc.get("status", "")),
        duration if isinstance(duration, int) else 0,
        len(pair.request_body or b"") + len(pair.response_body or b""),
        str(path),
    )


def _sums(rows: Iterable[Row], key: Any) -> list[dict[str, Any]]:
    sums: dict[str, dict[str, Any]] = {}
    for row in rows:
        name = " ".join(key(row).split())
        one = sums.setdefault(name, {"name": name, "pairs": 0, "statuses": {}, "durationMs": 0, "bytes": 0})
        one["pairs"] += 1
        one["statuses"][row.status] = one["statuses"].get(row.status, 0) + 1
        one["durationMs"] += row.duration
        one["bytes"] += row.size
    for one in sums.values():
        one["averageMs"] = round(one.pop("durationMs") / one["pairs"], 1)
        one["statuses"] = dict(sorted(one["statuses"].items()))
    return sorted(sums.values(), key=lambda one: (-one["pairs"], one["name"]))


def _table(rows: list[Row]) -> str:
    head = ("time", "dir", "method", "host", "path", "status", "ms", "bytes")
    body = [(r.time, r.direction, r.method, r.host, r.path, r.status, str(r.duration), human(r.size)) for r in rows]
    return columns([head, *body], right={6, 7})


def _sum_table(what: str, sums: list[dict[str, Any]]) -> str:
    body = [
        (
            one["name"],
            str(one["pairs"]),
            " ".join(f"{status or '-'}×{n}" for status, n in one["statuses"].items()),
            str(one["averageMs"]),
            human(one["bytes"]),
        )
        for one in sums
    ]
    return columns([(what, "pairs", "statuses", "average ms", "bytes"), *body], right={1, 3, 4})


def columns(rows: list[tuple[str, ...]], right: set[int], limit: int = 60) -> str:
    """Return rows as aligned text; cells are cut at `limit` characters, control characters replaced."""
    cells = [[_cell(cell, limit) for cell in row] for row in rows]
    widths = [max(len(row[i]) for row in cells) for i in range(len(rows[0]))]
    lines = (
        "  ".join(
            cell.rjust(w) if i in right else cell.ljust(w) for i, (cell, w) in enumerate(zip(row, widths, strict=True))
        )
        for row in cells
    )
    return "\n".join(line.rstrip() for line in lines)


def _cell(text: str, limit: int) -> str:
    text = "".join(char if char.isprintable() else "·" for char in text)
    return text if len(text) <= limit else text[: limit - 1] + "…"


def human(size: int) -> str:
    """Return a size with its unit."""
    value = float(size)
    for unit in ("B", "KiB", "MiB"):
        if value < 1024:
            return f"{value:.0f} {unit}" if unit == "B" else f"{value:.1f} {unit}"
        value /= 1024
    return f"{value:.1f} GiB"


def _show(args: argparse.Namespace) -> int:
    shown = []
    for entry in recording.read(args.show):
        if entry.pair is None:
            return fail(entry.error, "give one file of a recording")
        shown.append(entry.pair)
        if len(shown) > 1:
            return fail(f"{args.show}: holds several pairs", "give the file of one pair, or list them with --in")
    if not shown:
        return fail(f"{args.show}: no pair in it", "give one file of a recording")
    parts = [sections.section(name, shown[0]).decode("utf-8", "replace") for name in sections.ORDER]
    emit(args, jsonform.document(shown[0]), "\n".join(parts))
    return 0
