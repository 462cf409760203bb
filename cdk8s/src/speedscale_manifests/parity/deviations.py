"""The reviewed list of deviations from the chart: what differs on purpose, and why; it may only shrink.

Called by `compare` (which entry explains a difference) and by the verb. `read` reads `deviations.yaml` beside this
file. In a pattern `*` stands for any text, everything else for itself. The first entry that fits a difference explains
it.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from importlib.resources import files
from typing import Any

from speedscale_schemas.errors import ConfigError
from speedscale_schemas.wording import nearest

from . import reading
from .facts import case_names

CHANGES = ("missing", "differing", "extra")
KINDS = {
    "security": "less right, less exposure",
    "gitops": "what git or Argo CD asks for",
    "ours": "ours has it beyond the chart, or in another way",
    "vendor-defect": "the chart is wrong there",
    "not-needed": "serves nothing in our implementation",
}
WHOLE = "(object)"
OWN = "own"
_KEYS = {"id", "objects", "paths", "change", "kind", "reason", "ours", "cases"}
_RENAME_KEYS = {"object", "to", "paths", "kind", "reason"}


@dataclass(frozen=True, slots=True)
class Deviation:
    """Differences of one `change` at `paths` of `objects`, why they are right, and what ours must be, if pinned.

    `cases` names the built-in cases it holds for, empty for all. A render of one's own is any of them; `own` is such a
    render alone.
    """

    id: str
    objects: tuple[str, ...]
    paths: tuple[str, ...]
    change: str
    kind: str
    reason: str
    ours: Any = field(default=None, compare=False)
    cases: tuple[str, ...] = ()
    object_patterns: tuple[re.Pattern[str], ...] = field(default=(), compare=False, repr=False)
    path_patterns: tuple[re.Pattern[str], ...] = field(default=(), compare=False, repr=False)

    def fits(self, item: str, path: str, change: str, ours: Any = None, case: str = "") -> tuple[str, str] | None:
        """Return the object pattern and the path pattern that fit a difference, or None; `case` "" is any."""
        if change != self.change or (self.ours is not None and ours != self.ours):
            return None
        if self.cases and case and case not in self.cases:
            return None
        objects = _first(self.object_patterns, self.objects, item)
        paths = _first(self.path_patterns, self.paths, path)
        return None if objects is None or paths is None else (objects, paths)


def _first(patterns: Sequence[re.Pattern[str]], texts: Sequence[str], value: str) -> str | None:
    fitting = (text for pattern, text in zip(patterns, texts, strict=True) if pattern.fullmatch(value))
    return next(fitting, None)


@dataclass(frozen=True, slots=True)
class Rename:
    """An object that has another name with us, or paths within it: prefix there → prefix here."""

    object: str
    to: str
    paths: Mapping[str, str]
    kind: str
    reason: str


@dataclass(frozen=True, slots=True)
class Deviations:
    """The whole list, and the figures it must not exceed: entries, and explained differences by case."""

    entries: tuple[Deviation, ...] = ()
    renames: tuple[Rename, ...] = ()
    limits: Mapping[str, int] = field(default_factory=dict)


def read() -> Deviations:
    """Return the reviewed list; ConfigError when the file is not as it must be."""
    return parse((files(__package__) / "deviations.yaml").read_text("utf-8"))


def parse(text: str, source: str = "deviations.yaml") -> Deviations:
    """Return a list of deviations from its YAML; every problem is told at once in a ConfigError."""
    document = reading.document(text) or {}
    problems = [
        *_unknown(document, {"limits", "renames", "deviations"}, ""),
        *(p for n, e in enumerate(document.get("deviations") or ()) for p in _entry_problems(e, f"deviations[{n}]")),
        *(p for n, e in enumerate(document.get("renames") or ()) for p in _rename_problems(e, f"renames[{n}]")),
    ]
    ids = [e.get("id") for e in document.get("deviations") or ()]
    problems += [
        f"{name!r}: the id stands twice; ids name one entry each" for name in {i for i in ids if ids.count(i) > 1}
    ]
    if problems:
        raise ConfigError([f"{source}: {problem}" for problem in problems])
    return Deviations(
        tuple(_deviation(e) for e in document.get("deviations") or ()),
        tuple(_rename(e) for e in document.get("renames") or ()),
        document.get("limits") or {},
    )


def _deviation(entry: Mapping[str, Any]) -> Deviation:
    objects, paths = _listed(entry["objects"]), _listed(entry.get("paths", WHOLE))
    return Deviation(
        entry["id"],
        objects,
        paths,
        entry["change"],
        entry["kind"],
        entry["reason"],
        entry.get("ours"),
        _listed(entry.get("cases", ())),
        tuple(map(_pattern, objects)),
        tuple(map(_pattern, paths)),
    )


def _rename(entry: Mapping[str, Any]) -> Rename:
    paths = entry.get("paths") or {}
    return Rename(entry["object"], entry.get("to", entry["object"]), paths, entry["kind"], entry["reason"])


def _listed(value: str | Sequence[str]) -> tuple[str, ...]:
    return (value,) if isinstance(value, str) else tuple(value)


def _pattern(text: str) -> re.Pattern[str]:
    return re.compile(".*".join(re.escape(part) for part in text.split("*")), re.DOTALL)


def _unknown(entry: Mapping[str, Any], known: set[str], where: str) -> list[str]:
    found = []
    for key in entry:
        if key not in known:
            near = nearest(str(key), known)
            hint = f"; did you mean {near[0]!r}?" if near else ""
            found.append(f"{where}{'.' if where else ''}{key}: unknown key; known are {', '.join(sorted(known))}{hint}")
    return found


def _entry_problems(entry: Mapping[str, Any], where: str) -> list[str]:
    found = _unknown(entry, _KEYS, where)
    found += [f"{where}: key {key!r} is missing" for key in ("id", "objects", "change") if not entry.get(key)]
    if entry.get("change") and entry["change"] not in CHANGES:
        found.append(f"{where}.change: {entry['change']!r}: expected one of {', '.join(CHANGES)}")
    known = (*case_names(), OWN)
    for name in _listed(entry.get("cases", ())):
        if name not in known:
            found.append(f"{where}.cases: {name!r}: expected some of {', '.join(known)}")
    return found + _reviewed(entry, where)


def _rename_problems(entry: Mapping[str, Any], where: str) -> list[str]:
    found = _unknown(entry, _RENAME_KEYS, where)
    if not entry.get("object"):
        found.append(f"{where}: key 'object' is missing")
    if not entry.get("to") and not entry.get("paths"):
        found.append(f"{where}: key 'to' or 'paths' is missing")
    return found + _reviewed(entry, where)


def _reviewed(entry: Mapping[str, Any], where: str) -> list[str]:
    found = []
    if not str(entry.get("reason") or "").strip().endswith("."):
        found.append(f"{where}.reason: expected one sentence that ends with a full stop")
    if entry.get("kind") not in KINDS:
        found.append(f"{where}.kind: {entry.get('kind')!r}: expected one of {', '.join(KINDS)}")
    return found
