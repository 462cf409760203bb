"""From a workload's annotations to typed settings, and every problem with them.

Called by injection in the controller, by the linter and by the construct library. Pure, total: no mapping makes it
raise. Annotations of other people are not looked at. The same mapping gives the same problems in the same order,
whatever the order of its keys.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Mapping
from dataclasses import replace
from functools import cache
from typing import Any

from speedscale_schemas.wording import nearest, short

from . import rules
from .model import (
    CAPTURE,
    OPERATOR,
    PREFIXES,
    REPLAY,
    SIDECAR,
    WORKLOAD_KINDS,
    Annotation,
    Capture,
    Code,
    Operator,
    Parsed,
    Problem,
    Replay,
    Sidecar,
)
from .table import BY_NAME, OTHER_PREFIXES, TABLE

_DOMAIN = "speedscale.com"
_ALIASES = {row.full_name: row.instead for row in TABLE if row.instead}
_NOTHING = {"hosts": (), "addresses": (), "ports": (), "variables": (), "secrets": ()}
"""What an absent list stands for, by type."""


def is_ours(name: object) -> bool:
    """Return whether a name has one of our prefixes, or was probably meant to have one.

    Other names under the vendor's domain (`speedscale.com/restartedAt`) are other people's business.
    """
    prefix, slash, rest = name.lower().partition("/") if isinstance(name, str) else ("", "", "")
    if not slash or prefix in OTHER_PREFIXES:
        return False
    if prefix in PREFIXES:
        return True
    if "speed" not in prefix and "scale" not in prefix:
        return False
    if difflib.get_close_matches(prefix, PREFIXES, n=1, cutoff=0.9):
        return True
    return (prefix == _DOMAIN or prefix.endswith(f".{_DOMAIN}")) and bool(_elsewhere(rest))


def judge(name: str, value: object) -> tuple[Any, Problem | None]:
    """Return what one annotation's value means, or the problem with it; a name that is not ours means nothing."""
    if not is_ours(name):
        return None, None
    row = BY_NAME.get(name)
    if row is None:
        return None, _unknown(name, value)
    if not isinstance(value, str):
        text = _as_text(value)
        quoted = f'; write "{text}"' if text is not None else ""
        reason = f"is not a string: Kubernetes refuses the whole object{quoted}"
        return None, Problem(name, Code.NOT_A_STRING, short(value), reason, row.type.accepted)
    try:
        return row.type.read(value), None
    except ValueError as error:
        return None, _refused(row, value, str(error))


def parse(annotations: Mapping[str, str], kind: str = "", *, defaults: Mapping[str, str] | None = None) -> Parsed:
    """Return all settings of a workload of this kind, defaults filled in, and every problem.

    `defaults` are the operator's own, by full name; they stand in for annotations that are absent and may be wrong
    like these. `kind` is the object's kind; empty when it is not known, and then not judged.
    """
    found: list[Problem] = []
    meant: dict[str, Any] = {}
    for name, text in (defaults or {}).items():
        value, problem = judge(name, text)
        if problem is not None:
            found.append(problem)
        elif name in BY_NAME:
            meant[name] = value
    texts: dict[str, str] = {}
    refused: set[str] = set()
    for name in sorted((n for n in annotations if is_ours(n)), key=str):
        value, problem = judge(name, annotations[name])
        if problem is not None:
            found.append(problem)
            refused.add(name)
        else:
            texts[name], meant[name] = annotations[name], value
    for old, new in _ALIASES.items():
        if old in texts and new not in texts and new not in refused:
            meant[new] = meant[old]
    parsed = _settings(kind, meant, frozenset(texts))
    found += rules.check(parsed, texts, frozenset(refused))
    found += _wrong_object(kind, texts)
    return replace(parsed, problems=tuple(sorted(set(found))))


def _settings(kind: str, meant: Mapping[str, Any], given: frozenset[str]) -> Parsed:
    def of(prefix: str) -> dict[str, Any]:
        return {field: meant.get(name, absent) for field, (name, absent) in _fields(prefix).items()}

    return Parsed(
        kind=kind,
        sidecar=Sidecar(**of(SIDECAR)),
        capture=Capture(**of(CAPTURE)),
        operator=Operator(**of(OPERATOR)),
        replay=Replay(**of(REPLAY)),
        given=given,
    )


@cache
def _fields(prefix: str) -> Mapping[str, tuple[str, Any]]:
    """Return a prefix's fields: the annotation of each, and what its absence means."""
    types: Mapping[str, type[Any]] = {SIDECAR: Sidecar, CAPTURE: Capture, OPERATOR: Operator, REPLAY: Replay}
    own = {row.field: row for row in TABLE if row.prefix == prefix}
    return {field: (own[field].full_name, _absent(own[field])) for field in types[prefix].__annotations__}


def _absent(row: Annotation) -> Any:
    return _NOTHING.get(row.type.name) if row.default is None else row.type.read(row.default)


def _as_text(value: object) -> str | None:
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value) if isinstance(value, int | float) else None


def _refused(row: Annotation, value: str, reason: str) -> Problem:
    near: list[str] = []
    if row.type.options:
        word = {"yes": "true", "on": "true", "1": "true", "no": "false", "off": "false", "0": "false"}
        folded = value.strip().casefold()
        near = [word[folded]] if word.get(folded) in row.type.options else nearest(value.strip(), row.type.options)
    return Problem(row.full_name, Code.VALUE, short(value), reason, row.type.accepted, f'"{near[0]}"' if near else "")


def _unknown(name: str, value: object) -> Problem:
    prefix, _, rest = name.partition("/")
    if prefix.lower() in PREFIXES:
        names = [n for n in BY_NAME if n.startswith(f"{prefix.lower()}/")]
        near = _near_name(rest, names) or _elsewhere(rest)
        what = "is no annotation of ours"
    else:
        near = _elsewhere(rest) or next(iter(nearest(prefix, PREFIXES)), "")
        what = f"has a prefix that is not ours; ours are {', '.join(PREFIXES)}"
    return Problem(name[:200], Code.UNKNOWN, short(value), what, nearest=near)


def _near_name(rest: str, names: list[str]) -> str:
    short_names = {n.partition("/")[2]: n for n in names}
    near = nearest(rest.replace("_", "-"), short_names)
    return short_names[near[0]] if near else ""


def _elsewhere(rest: str) -> str:
    """Return the annotation that has this very name under another prefix."""
    wanted = rest.casefold().replace("_", "-")
    return next((row.full_name for row in TABLE if row.name == wanted and not row.instead), "")


def _wrong_object(kind: str, texts: Mapping[str, str]) -> Iterator[Problem]:
    if not kind or kind in WORKLOAD_KINDS:
        return
    wrong = [name for name in texts if kind not in BY_NAME[name].stands_on]
    if wrong:
        more = f" (and {len(wrong) - 1} more)" if len(wrong) > 1 else ""
        reason = f"has no effect on a {kind}{more}: annotations stand on the workload"
        yield Problem(wrong[0], Code.WRONG_OBJECT, "", reason, ", ".join(WORKLOAD_KINDS))
