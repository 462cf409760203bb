"""`speedctl dlp coverage`, `recommend`, `accept`: what a rule leaves that looks personal, and how to tighten it.

Called by `cli.dlp`. The judgement is `dlp.coverage`'s, the change `dlp.recommend`'s; here are only files. A rule that
is written keeps its comments (YAML), is compiled before it is written, and is replaced whole or not at all.
"""

from __future__ import annotations

import argparse
import difflib
import io
import json
import os
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from speedscale_runtime import home as homes
from speedscale_schemas.errors import ConfigError

from . import documents
from .dlp_explain import entries
from .output import Progress, counted, emit

if TYPE_CHECKING:
    from speedscale_runtime.dlp.coverage import Report

_LEVELS = ("high", "medium", "low")
_HEADER = """\
# Proposed by `speedctl dlp recommend`. It holds no value of the recording: places, counts and shapes only.
# Read it, set `accept: false` on what is no personal data (or remove it), then
#   speedctl dlp accept {name} --into RULE
"""


def configure(coverage: argparse.ArgumentParser, recommend: argparse.ArgumentParser) -> None:
    """Add the arguments of `coverage` and `recommend`."""
    for parser in (coverage, recommend):
        parser.add_argument("source", type=Path, metavar="DIR", help="recording folder, file or *.jsonl")
        parser.add_argument(
            "--min", dest="minimum", choices=_LEVELS, default="medium", help="least confidence (default: medium)"
        )
    recommend.add_argument("--out", type=Path, metavar="FILE", help="file to write, YAML or *.json (default: print it)")


def configure_accept(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of `accept`."""
    parser.add_argument("file", type=Path, metavar="FILE", help="what `recommend` wrote, reviewed")
    parser.add_argument(
        "--into", required=True, metavar="ID|FILE", help="the rule: a JSON or YAML file, or an id in SPEEDSCALE_HOME"
    )
    parser.add_argument("--at", default="", metavar="PATH", help="where in that file the rule stands: rules.dlp.staff")
    parser.add_argument("--id", dest="ids", action="append", default=[], metavar="ID", help="only this one (repeat)")
    parser.add_argument("--dry-run", action="store_true", help="show what would change and write nothing")


def run_coverage(args: argparse.Namespace) -> int:
    """Print the report; 1 when something was found that looks personal, or files were broken."""
    broken: list[dict[str, str]] = []
    report = _report(args, broken)
    shown = report.of(_level(args.minimum))
    data = {
        "rule": report.rule,
        "pairs": report.pairs,
        "fields": report.fields,
        "redactedFields": report.redacted,
        "fieldsNotCounted": report.overflow,
        "suspects": [_suspect(s) for s in shown],
        "broken": broken,
    }
    emit(args, data, _coverage_text(data))
    return 1 if shown or broken else 0


def _suspect(s: Any) -> dict[str, Any]:
    return {
        "confidence": str(s.confidence),
        "endpoint": str(s.spot.endpoint),
        "field": s.spot.place,
        "kind": s.kind,
        "because": list(s.because),
        "values": s.values,
        "redacted": s.redacted,
        "distinct": s.distinct,
        "shape": s.shape,
    }


def _coverage_text(data: dict[str, Any]) -> str:
    found = data["suspects"]
    lines = [
        f"{counted(data['pairs'], 'pair')}, {counted(data['fields'], 'field')}: the rule {data['rule']} redacts"
        f" {data['redactedFields']:,}, leaves {counted(len(found), 'field')} that may be personal"
    ]
    for s in found:
        some = f"{s['redacted']} of " if s["redacted"] else ""
        lines += [
            "",
            f"{s['confidence']:<7} {s['field']}  of {s['endpoint']}",
            f"        {s['kind']}: {'; '.join(s['because'])}",
            f"        {some}{counted(s['values'], 'value')}, {s['distinct']} distinct, shape {s['shape']!r}",
        ]
    if data["fieldsNotCounted"]:
        lines += ["", f"{data['fieldsNotCounted']} values stood in fields beyond the bound and were not counted"]
    if found:
        lines += ["", "speedctl dlp recommend turns this into changes of a rule, for review"]
    return "\n".join(lines + [f"left out, cannot be read: {b['file']}: {b['error']}" for b in data["broken"]])


def run_recommend(args: argparse.Namespace) -> int:
    """Write or print the recommendations; 1 when files were broken."""
    from speedscale_runtime.dlp import recommend

    broken: list[dict[str, str]] = []
    document = recommend.recommend(_report(args, broken), _level(args.minimum))
    number = len(document["recommendations"])
    text = _yaml(document, _HEADER.format(name=args.out or "FILE"))
    if args.out is None:
        emit(args, document, text.rstrip("\n"))
        return 1 if broken else 0
    _replace(args.out, _json(document) if args.out.suffix == ".json" else text)
    words = [f"{counted(number, 'recommendation')} written to {args.out}; read it, then speedctl dlp accept {args.out}"]
    words += [f"left out, cannot be read: {b['file']}: {b['error']}" for b in broken]
    emit(args, {"out": str(args.out), "recommendations": number, "broken": broken}, "\n".join(words))
    return 1 if broken else 0


def run_accept(args: argparse.Namespace) -> int:
    """Add recommendations to a rule and show the change."""
    from speedscale_runtime.dlp import recommend

    document = recommend.check(documents.read(args.file, "recommendations"), source=str(args.file))
    accepted = recommend.chosen(document, args.ids)
    path = _target(args.into)
    before, whole, dump = _open(path)
    rule = _rule_at(whole, args.at, path, str(document["rule"]))
    added, there = recommend.merge(rule, accepted)
    _compiles(rule, path)
    after = dump(whole) if added else before
    change = "".join(
        difflib.unified_diff(before.splitlines(keepends=True), after.splitlines(keepends=True), str(path), str(path))
    )
    if added and not args.dry_run:
        _replace(path, after)
    data = {"rule": rule["id"], "file": str(path), "added": added, "there": there, "dryRun": args.dry_run}
    done = "would be added" if args.dry_run else "added"
    words = f"rule {rule['id']} in {path}: {len(added)} {done}, {len(there)} it had already"
    emit(args, {**data, "diff": change}, (change + "\n" if change else "") + words)
    return 0


def _report(args: argparse.Namespace, broken: list[dict[str, str]]) -> Report:
    from speedscale_runtime.dlp.coverage import Coverage

    redactor = documents.redactor(args.dlp_config)
    judge = documents.redactor("standard").engine if redactor.rule_id != "standard" else None
    coverage = Coverage(redactor, judge)
    progress = Progress("pairs")
    for number, entry in enumerate(entries(args.source), 1):
        if entry.pair is None:
            broken.append({"file": str(entry.path), "error": entry.error})
        else:
            coverage.add(entry.pair)
        progress.update(number)
    progress.close()
    return coverage.report()


def _level(name: str) -> Any:
    from speedscale_runtime.dlp.coverage import Confidence

    return Confidence(name)


def _target(into: str) -> Path:
    if "/" in into or into.endswith((".json", *documents.YAML_SUFFIXES)):
        return Path(into)
    return homes.stored_path("dlp-rule", into, homes.folder())


def _open(path: Path) -> tuple[str, Any, Callable[[Any], str]]:
    """Return a file's text, its document, and what writes the document in the file's format; empty for a new file."""
    try:
        text = path.read_text("utf-8")
    except FileNotFoundError:
        text = ""
    if path.suffix not in documents.YAML_SUFFIXES:
        try:
            return text, json.loads(text) if text.strip() else {}, _json
        except ValueError as error:
            raise ConfigError([f"{path}: expected JSON: {error}"]) from error
    from ruamel.yaml.error import YAMLError

    yaml = _round_trip(text)
    try:
        document = yaml.load(text)
    except YAMLError as error:
        raise ConfigError([f"{path}: expected YAML: {error}"]) from error
    return text, document if document is not None else yaml.map(), lambda whole: _dumped(yaml, whole)


def _rule_at(whole: Any, at: str, path: Path, origin: str) -> Any:
    """Return the rule in a document, made there as a copy of the rule `origin` where there is none."""
    if not isinstance(whole, dict):
        raise ConfigError([f"{path}: expected an object"])
    from speedscale_runtime.dlp import recommend

    names = [n for n in at.split(".") if n]
    here = whole
    for name in names:
        here = here.setdefault(name, {}) if here.get(name) is None else here[name]
        if not isinstance(here, dict):
            raise ConfigError(
                [f"{path}: {at}: {name!r} is no object; name the place of a rule, such as rules.dlp.staff"]
            )
    if not here:
        name = names[-1] if names else path.stem
        here.update(recommend.starting_rule(documents.dlp_rule(origin), name))
    if "id" not in here:
        hint = f"{path}: {at or 'the document'} is no DLP rule: it has no id; say with --at where the rule stands"
        raise ConfigError([hint])
    return here


def _compiles(rule: Any, path: Path) -> None:
    """Refuse to write what no service would take; ConfigError says what is wrong."""
    from speedscale_runtime import dlp, rules

    keys = dlp.KeyRing({"check": bytes(32)})  # nothing is redacted with it
    try:
        rules.compiled_under(json.loads(json.dumps(rule)), keys, cache=homes.cache(homes.folder(), "patterns"))
    except ConfigError as error:
        raise ConfigError([f"{path}: {p}" for p in error.problems]) from error


def _json(document: Any) -> str:
    return json.dumps(document, indent=2, ensure_ascii=False) + "\n"


def _round_trip(like: str) -> Any:
    """Return a YAML reader and writer that keeps comments, quotes and the way `like` indents its lists."""
    from ruamel.yaml import YAML

    yaml = YAML()
    yaml.preserve_quotes = True
    yaml.width = 4096
    lines = [line for line in like.splitlines() if line.lstrip().startswith("- ")]
    flush = bool(lines) and min(len(line) - len(line.lstrip()) for line in lines) == 0
    yaml.indent(mapping=2, sequence=2 if flush else 4, offset=0 if flush else 2)
    return yaml


def _dumped(yaml: Any, document: Any) -> str:
    out = io.StringIO()
    yaml.dump(document, out)
    return out.getvalue()


def _yaml(document: Any, header: str) -> str:
    return header + _dumped(_round_trip(""), document)


def _replace(path: Path, text: str) -> None:
    """Write a file whole or not at all, with the mode it had; behind a link the file it leads to."""
    target = path.resolve()
    target.parent.mkdir(parents=True, exist_ok=True)
    mode = target.stat().st_mode & 0o7777 if target.exists() else 0o666 & ~_umask()
    handle, temporary = tempfile.mkstemp(dir=target.parent, prefix=f".{target.name}.")
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        os.chmod(temporary, mode)
        os.replace(temporary, target)
    except BaseException:
        os.unlink(temporary)
        raise


def _umask() -> int:
    current = os.umask(0o022)
    os.umask(current)
    return current
