"""`speedctl dlp explain`: why each candidate of a text, a file or a recording is taken or left.

Called by `cli.dlp`. For recordings no value is printed, neither taken nor left; for a text that the user gave, the
redacted text is shown besides.
"""

from __future__ import annotations

import argparse
import dataclasses
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from speedscale_runtime.rrpair import recording
from speedscale_schemas.errors import ConfigError

from . import documents
from .output import emit

_LIMIT = 200
_RECORD_KEYS = frozenset(("msgType", "l7protocol", "http", "network_address"))


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the arguments."""
    parser.add_argument("text", metavar="TEXT|FILE|DIR", help="a text, a file, a recording, or - for standard input")
    parser.add_argument(
        "--limit",
        type=int,
        default=_LIMIT,
        metavar="N",
        help=f"pairs of a recording that are shown (default: {_LIMIT})",
    )
    parser.add_argument("--taken", action="store_true", help="of a recording, show only what is taken")


def run(args: argparse.Namespace) -> int:
    """Explain a text, or the pairs of a recording; 1 where files were broken."""
    redactor = documents.redactor(args.dlp_config)
    recorded = _recording(args.text)
    return _text(args, redactor) if recorded is None else _pairs(args, redactor, recorded)


def entries(source: Path) -> Iterator[recording.Entry]:
    """Return the entries of a recording; ConfigError when there is no such file or folder."""
    if not source.exists():
        raise ConfigError([f"{source}: no such file or folder; give a recording's folder or one of its files"])
    return recording.read(source)


def _recording(text: str) -> Path | None:
    """Return the path of a recording; None for a text, standard input, or a file that is no record."""
    path = Path(text)
    try:
        if text == "-" or len(text) >= 4096 or not path.exists():
            return None
        if path.is_dir():
            return path
    except (OSError, ValueError):
        return None
    first = next(iter(recording.read(path)), None) if path.suffix in (".md", ".json", ".jsonl") else None
    return path if first is not None and first.pair is not None and _RECORD_KEYS & set(first.pair.doc) else None


def _pairs(args: argparse.Namespace, redactor: Any, source: Path) -> int:
    from speedscale_runtime.dlp.explain import explain_pair

    found: list[dict[str, Any]] = []
    broken: list[dict[str, str]] = []
    hidden = 0
    for entry in entries(source):
        if entry.pair is None:
            broken.append({"file": str(entry.path), "error": entry.error})
        elif len(found) >= args.limit:
            hidden += 1
        else:
            told = explain_pair(redactor, entry.pair)
            found.append(
                {
                    "file": str(entry.path),
                    "line": entry.line,
                    "taken": [_finding(f) for f in told.taken],
                    "left": [] if args.taken else [left._asdict() for left in told.left],
                    "more": told.more,
                }
            )
    data = {"rule": redactor.rule_id, "pairs": found, "notShown": hidden, "broken": broken}
    emit(args, data, _pairs_text(data))
    return 1 if broken else 0


def _finding(finding: Any) -> dict[str, Any]:
    names = ("kind", "place", "length", "token", "detector", "why")
    return {name: getattr(finding, name) for name in names}


def _pairs_text(data: dict[str, Any]) -> str:
    lines = [f"rule {data['rule']}"]
    for pair in data["pairs"]:
        if not pair["taken"] and not pair["left"]:
            continue
        lines += ["", pair["file"] + (f":{pair['line']}" if pair["line"] > 1 else "")]
        for t in pair["taken"]:
            lines.append(f"  taken  {t['kind']:<14} {t['place']}, {t['length']} bytes: {t['why']} ({t['detector']})")
            lines.append(f"         is now {t['token']}")
        lines += [
            f"  left   {c['kind']:<14} {c['place']}, {c['length']} bytes: {c['why']} ({c['detector']})"
            for c in pair["left"]
        ]
        if pair["more"]:
            lines.append(f"  … and {pair['more']} more candidates were left")
    if data["notShown"]:
        lines += ["", f"{data['notShown']} more pairs are not shown; --limit shows more"]
    lines += [f"left out, cannot be read: {b['file']}: {b['error']}" for b in data["broken"]]
    return "\n".join(lines)


def _text(args: argparse.Namespace, redactor: Any) -> int:
    from speedscale_runtime.dlp.explain import explain

    data = _input(args.text)
    redacted, findings = redactor.redact_text(data)
    candidates = explain(redactor.engine, data)
    rows = [dataclasses.asdict(c) for c in candidates]
    text = [_candidate(c) for c in candidates] or ["no candidate"]
    shown = redacted.decode("utf-8", "replace")
    document = {
        "rule": redactor.rule_id,
        "candidates": rows,
        "findings": [_finding(f) for f in findings],
        "redacted": shown,
    }
    emit(args, document, "\n".join([*text, "", "result:", shown]))
    return 0


def _candidate(c: Any) -> str:
    verdict = "taken" if c.taken else "left"
    return f"{verdict:<6} {c.kind:<14} bytes {c.start}-{c.end} of {c.layer}: {c.why} ({c.detector})"


def _input(text: str) -> bytes:
    if text == "-":
        return sys.stdin.buffer.read()
    try:
        return Path(text).read_bytes() if len(text) < 4096 and Path(text).is_file() else text.encode("utf-8")
    except (OSError, ValueError):
        return text.encode("utf-8")
