"""Set the vendor's objects against ours, field by field, and say which reviewed deviation explains what differs.

Called by the verb and its tests. Pure: objects and the list come in, a report goes out.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

from . import facts as vendor_facts
from .deviations import OWN, WHOLE, Deviation, Deviations, Rename
from .equality import ABSENT, same
from .flatten import Facts, Fields, facts_of
from .rights import covers


@dataclass(frozen=True, slots=True)
class Difference:
    """One field, or one whole object (path `(object)`), that is not the same on both sides.

    `change` is missing (only the vendor has it), extra (only ours has it, or ours may do more) or differing.
    """

    item: str
    path: str
    change: str
    section: str
    vendor: Any = ABSENT
    ours: Any = ABSENT
    deviation: Deviation | None = None
    patterns: tuple[str, str] | None = None


@dataclass(frozen=True, slots=True)
class Report:
    """The outcome: fields that are equal by section, and the differences by what they are.

    `unexplained` are those of them that no deviation explains; `unused_renames` the renames that nothing bears.
    """

    equal: Mapping[str, int]
    differing: tuple[Difference, ...]
    missing: tuple[Difference, ...]
    extra: tuple[Difference, ...]
    unexplained: tuple[Difference, ...]
    unused_renames: tuple[Rename, ...] = ()

    @property
    def differences(self) -> tuple[Difference, ...]:
        """Every difference, explained or not, by object and path."""
        return tuple(sorted((*self.differing, *self.missing, *self.extra), key=lambda d: (d.section, d.item, d.path)))


def compare(
    vendor_objects: Iterable[Mapping[str, Any]],
    our_objects: Iterable[Mapping[str, Any]],
    deviations: Deviations,
    namespace: str = vendor_facts.NAMESPACE,
) -> Report:
    """Compare two sets of objects; `namespace` is that of both installations."""
    return compare_facts(facts_of(vendor_objects, namespace), facts_of(our_objects, namespace), deviations)


def compare_facts(vendor: Facts, ours: Facts, deviations: Deviations, case: str = "") -> Report:
    """Compare two sets of fields, as `flatten.facts_of` makes them; `case` names a built-in case."""
    renamed, unused = _renamed(vendor, ours, deviations.renames)
    equal: dict[str, int] = {}
    found: list[Difference] = []
    for item in sorted({**renamed, **ours}):
        section, theirs = renamed.get(item, (vendor_facts.OTHER, None))
        differences = list(_object(item, section, theirs, ours.get(item)))
        found += (_explained(d, deviations.entries, case) for d in differences)
        if theirs is not None and item in ours:
            apart = {d.path for d in differences}
            equal[section] = equal.get(section, 0) + sum(path not in apart for path in theirs)
    by_change = {c: tuple(d for d in found if d.change == c) for c in ("differing", "missing", "extra")}
    unexplained = tuple(d for d in found if d.deviation is None)
    return Report(equal, by_change["differing"], by_change["missing"], by_change["extra"], unexplained, unused)


def stale(reports: Iterable[Report], deviations: Deviations) -> list[str]:
    """Return what of the list fits nothing in any of the reports: entries, single patterns of an entry, renames.

    Entries for renders of one's own alone are let be: no built-in case shows what they are for.
    """
    all_reports = list(reports)
    used: dict[str, set[str]] = {}
    for difference in (d for r in all_reports for d in r.differences):
        if difference.deviation and difference.patterns:
            used.setdefault(difference.deviation.id, set()).update(difference.patterns)
    found = []
    for entry in deviations.entries:
        if entry.cases == (OWN,):
            continue
        unused = [p for p in (*entry.objects, *entry.paths) if p not in used.get(entry.id, ())]
        if entry.id not in used:
            found.append(f"deviation {entry.id!r} explains nothing any more")
        else:
            found += [f"deviation {entry.id!r} has a pattern that explains nothing any more: {u}" for u in unused]
    for rename in deviations.renames:
        if all(rename in r.unused_renames for r in all_reports):
            found.append(f"rename of {rename.object} names nothing any more")
    return found


def _object(item: str, section: str, theirs: Fields | None, ours: Fields | None) -> Iterator[Difference]:
    if theirs is None or ours is None:
        yield Difference(item, WHOLE, "extra" if theirs is None else "missing", section)
        return
    for path in sorted({**theirs, **ours}):
        one, other = theirs.get(path, ABSENT), ours.get(path, ABSENT)
        if item.startswith(vendor_facts.RIGHTS):
            yield from _right(Difference(item, path, "", section, one, other))
        elif change := _field(path, one, other, theirs, ours):
            yield Difference(item, path, change, section, one, other)


def _field(path: str, vendor: Any, ours: Any, theirs: Fields, our_fields: Fields) -> str:
    """Return what the difference at a path is, or "": an empty object or list equals one that has gained members."""
    if same(path, vendor, ours):
        return ""
    if vendor is ABSENT:
        return "" if ours in ({}, []) and _has_members(path, theirs) else "extra"
    if ours is ABSENT:
        return "" if vendor in ({}, []) and _has_members(path, our_fields) else "missing"
    return "differing"


def _has_members(path: str, fields: Fields) -> bool:
    return any(other.startswith((f"{path}.", f"{path}[")) for other in fields)


def _right(d: Difference) -> Iterator[Difference]:
    """Yield what the difference of one right is: `differing` where ours holds in fewer places than the vendor's.

    `extra` stands for the places that only ours has, beside it: a right can be narrower here and wider there.
    """
    if d.vendor is ABSENT or d.ours is ABSENT:
        yield replace(d, change="extra" if d.vendor is ABSENT else "missing")
        return
    if not covers(d.ours, d.vendor):
        yield replace(d, change="differing")
    beyond = [place for place in d.ours if not covers(d.vendor, [place])]
    if beyond:
        yield replace(d, change="extra", vendor=ABSENT, ours=beyond)


def _explained(d: Difference, entries: Iterable[Deviation], case: str) -> Difference:
    for entry in entries:
        patterns = entry.fits(d.item, d.path, d.change, d.ours, case)
        if patterns is not None:
            return replace(d, deviation=entry, patterns=patterns)
    return d


def _renamed(
    vendor: Facts, ours: Facts, renames: Iterable[Rename]
) -> tuple[dict[str, tuple[str, Fields]], tuple[Rename, ...]]:
    """Return the vendor's fields under our names, each with its section, and the renames that were not needed."""
    found = {item: (vendor_facts.section(item), dict(fields)) for item, fields in vendor.items()}
    unused = []
    for rename in renames:
        if rename.object not in found:
            unused.append(rename)
            continue
        section, fields = found.pop(rename.object)
        moved = {_moved(path, rename.paths): value for path, value in fields.items()}
        if rename.to not in ours or (rename.to == rename.object and set(moved) == set(fields)):
            unused.append(rename)
        found[rename.to if rename.to in ours else rename.object] = section, moved
    return found, tuple(unused)


def _moved(path: str, prefixes: Mapping[str, str]) -> str:
    for prefix, replacement in prefixes.items():
        if path.startswith(prefix):
            return replacement + path[len(prefix) :]
    return path
