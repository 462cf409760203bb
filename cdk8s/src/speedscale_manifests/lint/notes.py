"""Findings about annotations themselves: names, values, combinations, and where they stand.

Called by `engine` for every mapping of annotations and labels. Pure; what is right and wrong is said by
`speedscale_schemas.annotations`, this module adds the place. A value that something fills in later is not judged,
and said so. In a patch, in Helm values and in templates only single annotations are judged: the rest stands elsewhere.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from speedscale_schemas import annotations as notes
from speedscale_schemas.annotations import BY_NAME, LABELS, Code

from .model import Path, Problem, Severity
from .report import problem
from .scan import Mapping, Object

_RULES = {
    Code.UNKNOWN: "SPD001",
    Code.VALUE: "SPD002",
    Code.NOT_A_STRING: "SPD003",
    Code.CONFLICT: "SPD004",
    Code.NO_EFFECT: "SPD005",
    Code.BOTH_METHODS: "SPD006",
    Code.DEPRECATED: "SPD008",
    Code.WRONG_OBJECT: "SPD010",
    Code.DESTRUCTIVE: "SPD034",
}
_TEMPLATES = (("template", "metadata", "annotations"), ("jobTemplate", "metadata", "annotations"))
_PLACEHOLDER = re.compile(r"\{\{|\$\{|\$\(|\{%|^\$[A-Za-z_]\w*$|^\s*<+[^<>]+>+\s*$")


def placeholder(value: object) -> bool:
    """Return whether something else fills this value in: a template's, a shell's or a reader's variable."""
    return isinstance(value, str) and _PLACEHOLDER.search(value) is not None


def check_annotations(found: Mapping) -> Iterator[Problem]:
    """Yield what is wrong with one mapping of annotations."""
    ours = {name: value for name, value in found.value.items() if notes.is_ours(name)}
    if not ours:
        return
    yield from _not_judged(found, ours)
    judged = {name: v for name, v in ours.items() if v is not None and not placeholder(v)}
    owner = found.owner
    on_itself = owner is not None and found.inside == ("metadata", "annotations")
    yield from _duplicates(found)
    if on_itself and owner is not None:
        yield from _on_an_object(found, owner, ours)
    elif found.inside[-3:] in _TEMPLATES:
        yield from _on_a_template(found, ours)
    elif found.inside[-1:] == ("commonAnnotations",):
        yield from _on_everything(found, ours)
    whole = on_itself and not found.document.partial and len(judged) == len(ours)
    yield from _wrong(found, judged, whole=whole)


def check_labels(found: Mapping) -> Iterator[Problem]:
    """Yield labels that were meant to be annotations."""
    for name in found.value:
        row = BY_NAME.get(name)
        if found.owner is not None and row is not None and row.set_by == "user" and name not in LABELS:
            yield problem(found.document, (*found.path, name), "SPD013", f"{name} is a label here; it is an annotation")


def _not_judged(found: Mapping, ours: dict[str, Any]) -> Iterator[Problem]:
    for name, value in ours.items():
        if value is None:
            message = f"{name} is null: in a patch it takes the annotation away, elsewhere it is no value"
        elif placeholder(value):
            message = f"{name}: {value[:60]!r} is filled in later and was not judged"
        else:
            continue
        yield problem(found.document, (*found.path, name), "SPD091", message)


def _duplicates(found: Mapping) -> Iterator[Problem]:
    document = found.document
    for path, (line, column) in document.duplicates:
        if path[:-1] == found.path and notes.is_ours(path[-1]):
            made = problem(document, path, "SPD009", f"{path[-1]} stands twice; the last one counts")
            yield Problem(made.source, line, column, made.rule, made.severity, made.path, made.message, made.remedy)


def _on_an_object(found: Mapping, owner: Object, ours: dict[str, Any]) -> Iterator[Problem]:
    rows = [row for row in (BY_NAME.get(name) for name in ours) if row is not None]
    users = _users(ours)
    if not owner.is_workload and users:
        severity: Severity = "error" if owner.is_builtin else "warning"
        message = f"{users[0]}{_more(users)} stands on {owner.name}, which is no workload"
        yield problem(owner.document, (*found.path, users[0]), "SPD010", message, severity=severity)
    if owner.is_workload and users and _owned(owner):
        message = f"{users[0]} stands on {owner.name}, which belongs to a controller"
        yield problem(owner.document, (*found.path, users[0]), "SPD012", message)
    if "uid" in owner.metadata or "resourceVersion" in owner.metadata:
        return  # read from a cluster: there the operator's own annotations belong
    for row in rows:
        if row.set_by == "operator":
            message = f"{row.full_name} is set by the operator: {row.meaning[0].lower()}{row.meaning[1:]}"
            yield problem(owner.document, (*found.path, row.full_name), "SPD007", message)


def _owned(owner: Object) -> bool:
    references = owner.metadata.get("ownerReferences")
    items = references if isinstance(references, list) else []
    return any(isinstance(item, dict) and item.get("controller") is True for item in items)


def _on_a_template(found: Mapping, ours: dict[str, Any]) -> Iterator[Problem]:
    users = _users(ours)
    if users:
        where = f" of {found.owner.name}" if found.owner else ""
        message = f"{users[0]}{_more(users)} stands on the pod template{where}, where nothing reads it"
        yield problem(found.document, (*found.path, users[0]), "SPD011", message)


def _on_everything(found: Mapping, ours: dict[str, Any]) -> Iterator[Problem]:
    users = _users(ours)
    if users:
        message = f"{users[0]}{_more(users)} stands under commonAnnotations: on Services and templates as well"
        remedy = "Put it on the workloads alone, with a patch."
        yield problem(found.document, (*found.path, users[0]), "SPD010", message, severity="warning", remedy=remedy)


def _users(ours: dict[str, Any]) -> list[str]:
    """Return the names that a user sets."""
    return [name for name in ours if name in BY_NAME and BY_NAME[name].set_by == "user"]


def _more(names: list[str]) -> str:
    return f" (and {len(names) - 1} more)" if len(names) > 1 else ""


def _wrong(found: Mapping, judged: dict[str, Any], *, whole: bool) -> Iterator[Problem]:
    if whole:
        wrong = notes.parse(judged).problems
    else:
        wrong = tuple(p for p in (notes.judge(name, value)[1] for name, value in judged.items()) if p is not None)
    for one in wrong:
        path: Path = (*found.path, one.annotation) if one.annotation in found.value else found.path
        yield problem(found.document, path, _RULES[one.code], str(one), severity=one.severity)
