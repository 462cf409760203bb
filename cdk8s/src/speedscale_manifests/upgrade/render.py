"""A comparison as text for a terminal, as Markdown for a pull request, and as plain data.

Called by `speedctl synth --against`. What needs a person comes first. Pure.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import asdict
from typing import Any

from .model import Action, Change, ObjectChange, Report, Risk

_MARK = {Risk.NONE: " ", Risk.NOTE: "·", Risk.RECREATE: "!", Risk.BREAKING: "!", Risk.LOSS: "!!"}
_VERB = {Action.ADDED: "added", Action.REMOVED: "removed", Action.CHANGED: "changed"}
_SIGN = {Action.ADDED: "+", Action.REMOVED: "-", Action.CHANGED: "~"}
_WIDTH = 100
_HASH = re.compile("[0-9a-f]{64}")


def render_text(report: Report) -> str:
    """Return the comparison as text, without a newline at its end."""
    lines = [f"From {report.old} to {report.new}: {_summary(report)}"]
    if report.empty:
        return lines[0]
    sections: list[tuple[str, list[str]]] = [
        ("Needs a decision before it is applied", list(_risks(report))),
        ("Images", [f"{one.old} → {one.new}  ({_users(one.users)})" for one in report.images]),
        ("Rights", list(_rights(report))),
        ("Objects", list(_objects(report))),
    ]
    for title, body in sections:
        if body:
            lines += ["", title, *(f"  {line}".rstrip() for line in body)]
    return "\n".join(lines)


def render_markdown(report: Report) -> str:
    """Return the comparison as GitHub-flavoured Markdown, without a newline at its end."""
    lines = [f"### From {_code(report.old)} to {report.new}", "", _summary(report)]
    if report.empty:
        return "\n".join(lines)
    risky = report.risky()
    if risky:
        lines += ["", "#### Needs a decision before it is applied", ""]
        for change in risky:
            lines += [f"- **{change.risk}** {_code(str(change.key))}: {text}" for text in _reasons(change)]
    if report.images:
        lines += ["", "#### Images", "", "| before | after | in |", "| --- | --- | --- |"]
        lines += [f"| {_code(one.old)} | {_code(one.new)} | {_users(one.users)} |" for one in report.images]
    if report.rights:
        lines += ["", "#### Rights", "", *_fenced(_rights(report))]
    lines += ["", "<details><summary>Objects and fields</summary>", ""]
    lines += [*_fenced(_objects(report)), "", "</details>"]
    return "\n".join(lines)


def as_data(report: Report) -> dict[str, Any]:
    """Return the comparison as plain data for JSON; keys are stable."""
    return {
        "old": report.old,
        "new": report.new,
        "risk": report.risk.value,
        "objects": [_object_data(change) for change in report.objects],
        "images": [asdict(one) for one in report.images],
        "rights": [asdict(one) for one in report.rights],
    }


def _object_data(change: ObjectChange) -> dict[str, Any]:
    return {
        **change.key._asdict(),
        "action": change.action.value,
        "risk": change.risk.value,
        "note": change.note,
        "origin": change.origin,
        "renamedTo": change.renamed_to._asdict() if change.renamed_to else None,
        "fields": [
            {"path": one.path, "old": one.old, "new": one.new, "risk": one.risk.value, "note": one.note}
            for one in change.changes
        ],
    }


def _summary(report: Report) -> str:
    if report.empty:
        return "nothing changes"
    counts = Counter(change.action for change in report.objects)
    parts = [f"{counts[action]} {_VERB[action]}" for action in Action if counts[action]]
    risky = len(report.risky())
    return f"objects: {', '.join(parts)}" + (f"; {risky} need{'s' if risky == 1 else ''} a decision" if risky else "")


def _risks(report: Report) -> Iterator[str]:
    for change in report.risky():
        for text in _reasons(change):
            yield f"{_MARK[change.risk]:<2} {_titled(change)}: {text}"


def _reasons(change: ObjectChange) -> list[str]:
    """Return why an object needs a person: the removal, or each field with the same reason told once."""
    if change.action is not Action.CHANGED:
        renamed = f" (renamed to {change.renamed_to})" if change.renamed_to else ""
        return [f"{_VERB[change.action]}{renamed}: {change.note}"]
    by_note: dict[str, list[str]] = {}
    for one in change.changes:
        if one.risk.rank >= Risk.RECREATE.rank:
            by_note.setdefault(one.note, []).append(one.path)
    return [f"{', '.join(paths)}: {note}" for note, paths in by_note.items()]


def _users(users: tuple[str, ...]) -> str:
    return ", ".join(users)


def _rights(report: Report) -> Iterator[str]:
    for one in report.rights:
        yield one.subject
        yield from (f"+ may {line}" for line in one.gained)
        yield from (f"- may no more {line}" for line in one.lost)


def _titled(change: ObjectChange) -> str:
    return f"{change.key} (in {change.origin})" if change.origin else str(change.key)


def _objects(report: Report) -> Iterator[str]:
    for change in report.objects:
        renamed = f" → {change.renamed_to}" if change.renamed_to else ""
        note = _aside(change.risk, change.note)
        yield f"{_SIGN[change.action]} {_titled(change)}{renamed}{note}"
        for one in change.changes:
            yield from (f"    {line}" for line in _field(one))


def _aside(risk: Risk, note: str) -> str:
    """Return a note in brackets; those that need a decision were told in full before."""
    if risk.rank >= Risk.RECREATE.rank:
        return f"  ({risk}: see above)"
    return f"  ({note})" if note else ""


def _field(change: Change) -> Iterable[str]:
    note = _aside(change.risk, change.note)
    if change.lines:
        return [f"{change.path}:{note}", *(f"  {line}" for line in change.lines)]
    if change.old is None:
        return [f"{change.path}: + {_short(change.new)}{note}"]
    if change.new is None:
        return [f"{change.path}: - {_short(change.old)}{note}"]
    return [f"{change.path}: {_short(change.old)} → {_short(change.new)}{note}"]


def _short(value: object) -> str:
    text = value if isinstance(value, str) and value and value.isprintable() else json.dumps(value, ensure_ascii=False)
    if _HASH.fullmatch(text):
        return f"{text[:12]}…"
    return text if len(text) <= _WIDTH else text[: _WIDTH - 1] + "…"


def _fenced(lines: Iterable[str]) -> list[str]:
    """Return lines as a code block whose fence is longer than any run of backticks inside."""
    body = list(lines)
    longest = max((len(run) for line in body for run in re.findall("`+", line)), default=0)
    fence = "`" * max(3, longest + 1)
    return [f"{fence}diff", *body, fence]


def _code(text: str) -> str:
    return f"`{text}`"
