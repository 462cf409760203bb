"""What a replay's `sidecar.patch` does to a workload, and its way back.

Called by `decision` and `assembly` between taking out and putting in: the patch changes the workload as it is without
us, and the sidecar is put into what comes of that. Only the pod template and the workload's labels and annotations can
be patched. Its part of the record stands beside ours (`p` in the annotation), with the values themselves instead of
hashes, because the API server adds defaults inside of what a patch brings: what is there counts as the patch's while
it holds all that the patch said.

    ["+", now]         it added this
    ["=", now, was]    it changed that into this
    ["-", was]         it took that away
    ["-", was, n]      an element of a list, which stood there as number n
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, TypeGuard

from speedscale_kube import strategic
from speedscale_schemas.annotations import is_ours
from speedscale_schemas.annotations.quantities import amount

from . import record, workload

Entries = dict[str, list[Any]]
_MAPS: Final = frozenset({"", "metadata", "labels", "annotations", "spec", "nodeSelector"})
"""Maps whose fields are compared one by one; of any other the whole is remembered, since parts get defaults."""
_TEXTS: Final = frozenset({"metadata", "labels", "annotations", "nodeSelector"})
"""Maps to which others may add, as to merged lists: one that the patch made goes when it is empty."""
_LENGTHS: Final = {"+": (2,), "=": (3,), "-": (2, 3)}


@dataclass(frozen=True, slots=True)
class Overlay:
    """The record's part: entries of the workload's metadata and of its template; `held` are values as they stood."""

    mine: Entries = field(default_factory=dict)
    template: Entries = field(default_factory=dict)
    held: Mapping[str, Any] = field(default_factory=dict)

    def document(self) -> dict[str, Entries]:
        """Return what stands in the record."""
        return {"w": self.mine, "t": self.template}

    def __bool__(self) -> bool:
        """Whether there is anything to take back."""
        return bool(self.mine or self.template)


def read(document: object) -> Overlay:
    """Return the record's part; an empty one for what is none."""
    found = document if isinstance(document, Mapping) else {}
    mine, template = found.get("w"), found.get("t")
    return Overlay(mine, template) if _entries(mine) and _entries(template) else Overlay()


def _entries(value: object) -> TypeGuard[Entries]:
    return isinstance(value, dict) and all(path.startswith("/") and _entry(entry) for path, entry in value.items())


def _entry(entry: object) -> bool:
    if not isinstance(entry, list) or not entry or len(entry) not in _LENGTHS.get(str(entry[0]), ()):
        return False
    return len(entry) < 3 or entry[0] == "=" or type(entry[2]) is int


def undo(obj: dict[str, Any], kind: str, known: Overlay) -> Overlay:
    """Take a patch back in place, where its values still stand; return the record with these, as they stood."""
    template = workload.template_of(obj, kind)
    held = {path: value for path, entry in known.template.items() if (value := _standing(template, path, entry))}
    if obj is not template:
        _revert(obj, known.mine)
    _revert(template, known.template)
    return Overlay(known.mine, known.template, held)


def apply(obj: Mapping[str, Any], kind: str, change: Mapping[str, Any], before: Overlay) -> tuple[Any, Overlay]:
    """Return the workload with a patch, and the record of it. `before` is what `undo` returned of the same patch.

    Fields that a patch may not touch are left alone: who wrote it was told (`replay.sidecar_patch`).
    """
    made = workload.plain(obj)
    template = workload.template_of(made, kind)
    given = workload.plain(template)
    meta = {"metadata": workload.plain(made.get("metadata"))}
    wanted = strategic.merged(template, _of_template(change))
    held = {path: value for path, value in before.held.items() if isinstance(value, dict | list)}
    entries = dict(_compare(given, wanted, "", ""))
    for path, entry in entries.items():
        if entry[0] in "+=" and path in held and _within(entry[1], held[path]):
            record.put_at(wanted, path, workload.plain(held[path]))  # with the defaults that it has by now
    template.clear()
    template.update(wanted)
    mine: Entries = {}
    if made is not template:
        made["metadata"] = strategic.merged(made.get("metadata"), _of_metadata(change.get("metadata")))
        mine = dict(_compare(meta, {"metadata": made["metadata"]}, "", ""))
    return made, Overlay(mine, entries)


def _of_template(change: Mapping[str, Any]) -> dict[str, Any]:
    template = workload.mapping(workload.mapping(change.get("spec")).get("template"))
    spec = dict(workload.mapping(template.get("spec")))
    if "serviceAccountName" in spec:
        spec["serviceAccount"] = spec["serviceAccountName"]  # the API server keeps the two the same
    found = {"metadata": _of_metadata(template.get("metadata")), "spec": spec}
    return {name: part for name, part in found.items() if part}


def _of_metadata(meta: Any) -> dict[str, Any]:
    found = {}
    for name in ("labels", "annotations"):
        texts = workload.mapping(workload.mapping(meta).get(name))
        kept = {key: text for key, text in texts.items() if not is_ours(key)}
        if kept:
            found[name] = kept
    return found


def _compare(before: Any, after: Any, path: str, name: str) -> Iterator[tuple[str, list[Any]]]:
    """Yield what turns `after` into `before`, by path."""
    if before == after:
        return
    if isinstance(before, dict) and isinstance(after, dict) and (name in _MAPS or "=" in path.rpartition("/")[2]):
        for key in [*before, *(key for key in after if key not in before)]:
            here = f"{path}/{record.escape(key)}"
            if key not in after:
                yield here, ["-", before[key]]
            elif key in before and before[key] is not None:
                yield from _compare(before[key], after[key], here, key)
            elif after[key] and (empty := _empty(key, after[key])) is not None:
                yield here, ["=", empty, None] if key in before else ["+", empty]
                yield from _compare(empty, after[key], here, key)
            elif key not in before or after[key] is not None:
                yield here, ["=", after[key], None] if key in before else ["+", after[key]]
    elif isinstance(before, list) and isinstance(after, list) and name in strategic.KEYS:
        yield from _compare_lists(before, after, path, strategic.KEYS[name])
    else:
        yield path, ["=", after, before]


def _empty(name: str, value: Any) -> Any:
    """Return what a map or list that the patch made is without what it put into it; None for any other value."""
    if name in _TEXTS and isinstance(value, dict):
        return {}
    return [] if name in strategic.KEYS and isinstance(value, list) else None


def _compare_lists(before: list[Any], after: list[Any], path: str, key: str) -> Iterator[tuple[str, list[Any]]]:
    old, new = ({f"{key}={record.escape(str(item.get(key)))}": item for item in items} for items in (before, after))
    kept = [token for token in old if token in new]
    if len(old) < len(before) or len(new) < len(after) or kept != [token for token in new if token in old]:
        yield path, ["=", after, before]
        return
    for index, (token, item) in enumerate(old.items()):
        if token not in new:
            yield f"{path}/{token}", ["-", item, index]
        else:
            yield from _compare(item, new[token], f"{path}/{token}", token)
    for token, item in new.items():
        if token not in old:
            yield f"{path}/{token}", ["+", item]


def _standing(obj: Any, path: str, entry: list[Any]) -> Any:
    """Return what stands at a path while it is the patch's, None else."""
    value = record.at(obj, path)
    return value if entry[0] in "+=" and _is_the_patchs(value, entry) else None


def _is_the_patchs(value: Any, entry: list[Any]) -> bool:
    if entry[1] in ({}, []) and value:
        return False  # a map or list that it made, in which there is something by now
    return value is not None and _within(entry[1], value)


def _revert(obj: dict[str, Any], entries: Entries) -> None:
    """Undo the changes first, deepest paths first; then put back what was taken away, in its order."""
    for path in sorted((p for p, e in entries.items() if e[0] != "-"), key=lambda p: (-p.count("/"), p)):
        entry, value = entries[path], record.at(obj, path)
        if _is_the_patchs(value, entry):
            record.put_at(obj, path, *entry[2:])
    gone = [(path, entry) for path, entry in entries.items() if entry[0] == "-"]
    for path, entry in sorted(gone, key=lambda one: (one[0].count("/"), one[1][2] if len(one[1]) > 2 else 0)):
        if record.at(obj, path) is None:
            record.put_at(obj, path, entry[1], index=entry[2] if len(entry) > 2 else None)


def _within(now: Any, live: Any) -> bool:
    """Say whether all of `now` is in `live`, which may have more: defaults."""
    if isinstance(now, Mapping):
        return isinstance(live, Mapping) and all(
            _within(value, live[key]) if key in live else _is_empty(value) for key, value in now.items()
        )
    if isinstance(now, list):
        return isinstance(live, list) and len(now) == len(live) and all(map(_within, now, live))
    return bool(now == live) or (isinstance(live, str) and _same_quantity(now, live))


def _is_empty(value: Any) -> bool:
    return value is None or value is False or (isinstance(value, str | dict | list) and not value)


def _same_quantity(now: Any, live: str) -> bool:
    """Say whether two quantities are the same: the API server writes 0.5 as 500m."""
    try:
        return amount(str(now)) == amount(live)
    except (ValueError, TypeError):
        return False
