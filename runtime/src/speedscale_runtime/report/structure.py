"""Compare two JSON documents, or two texts by lines, and say at which path they differ and how.

Called by the assertions on bodies and by the side-by-side view (which must align arrays the same way). Pure. The
number of differences is bounded by `LIMIT`; the rest are counted. Values that change by themselves are `volatile`
(`volatile.pattern`): shown, but they fail only when the match is `exact`.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from difflib import SequenceMatcher
from typing import Any, Literal

from .model import Difference, Kind
from .volatile import Learnt, pattern

LIMIT = 200
_DEPTH = 100
_VALUE_SHOWN = 400
_LINES_SQUARED = 250_000
_PLAIN = re.compile(r"[A-Za-z_$@][\w$@-]*")


@dataclass(frozen=True, slots=True)
class Options:
    """How to compare: path substrings to leave out or to keep alone, whether new keys pass, what makes values
    equal.

    `match`: `values` (volatile differences pass), `types` (only the JSON types count), `exact`. `show_only` shows
    every difference and fails none. `ignore_order` treats arrays as bags.
    """

    ignore: tuple[str, ...] = ()
    include_only: tuple[str, ...] = ()
    allow_new: bool = True
    show_only: bool = False
    match: Literal["values", "types", "exact"] = "values"
    ignore_order: bool = False


@dataclass(slots=True)
class Found:
    """The differences found so far, at most `LIMIT` of them, those that fail first in line to be kept."""

    options: Options
    place: str = "body"
    learnt: Learnt | None = None
    differences: list[Difference] = field(default_factory=list)
    left_out: int = 0
    failed: bool = False

    def add(self, path: str, kind: Kind, recorded: object, replayed: object, *, pattern: str = "") -> None:
        """Take one difference, unless its path is left out by the options."""
        if not self.wanted(path):
            return
        options = self.options
        fails = not options.show_only and not (
            (kind == "volatile" and options.match != "exact")
            or (kind == "added" and options.allow_new)
            or (kind == "changed" and options.match == "types")
        )
        self.failed = self.failed or fails
        if len(self.differences) >= LIMIT:
            self.left_out += 1
            if not fails:
                return
            spare = next((i for i in range(LIMIT - 1, -1, -1) if not self.differences[i].fails), None)
            if spare is None:
                return
            del self.differences[spare]
        self.differences.append(
            Difference(
                self.place,
                path or "$",
                kind,
                None if kind == "added" else shown(recorded),
                None if kind == "missing" else shown(replayed),
                fails,
                pattern,
            )
        )

    def wanted(self, path: str) -> bool:
        """Say whether the options let this path be compared: substrings of it decide, whatever the array index."""
        options = self.options
        if not path or not (options.ignore or options.include_only):
            return True
        spellings = (path, _INDEX.sub("", path), _INDEX.sub(r".\1", path))
        if any(text in spelling for text in options.ignore for spelling in spellings):
            return False
        return not options.include_only or any(
            text in spelling for text in options.include_only for spelling in spellings
        )


_INDEX = re.compile(r"\[(\d*)\]")


def compare(recorded: Any, replayed: Any, found: Found, path: str = "", depth: int = 0) -> None:
    """Add to `found` every difference between two JSON values (as `json.loads` gives them)."""
    kind_a, kind_b = type_name(recorded), type_name(replayed)
    if kind_a != kind_b:
        redacted = "" if kind_a != "string" else pattern(recorded, replayed, path, found.learnt)
        if redacted:
            found.add(path, "volatile", recorded, replayed, pattern=redacted)
        else:
            _gone(recorded, replayed, found, path, "type", depth)
    elif depth >= _DEPTH:
        if not _equal(recorded, replayed):
            found.add(path, "changed", recorded, replayed)
    elif kind_a == "object":
        for key in [*recorded, *(k for k in replayed if k not in recorded)]:
            if key in recorded and key in replayed and _same_scalar(recorded[key], replayed[key]):
                continue
            inner = join(path, key)
            if key not in replayed:
                _gone(recorded[key], None, found, inner, "missing", depth)
            elif key not in recorded:
                found.add(inner, "added", None, replayed[key])
            else:
                compare(recorded[key], replayed[key], found, inner, depth + 1)
    elif kind_a == "array":
        for i, j in align(recorded, replayed, ignore_order=found.options.ignore_order):
            if j is None:
                _gone(recorded[i], None, found, f"{path}[{i}]", "missing", depth)
            elif i is None:
                found.add(f"{path}[{j}]", "added", None, replayed[j])
            elif not _same_scalar(recorded[i], replayed[j]):
                compare(recorded[i], replayed[j], found, f"{path}[{i}]", depth + 1)
    elif recorded != replayed:
        by_itself = pattern(recorded, replayed, path, found.learnt)
        found.add(path, "volatile" if by_itself else "changed", recorded, replayed, pattern=by_itself)


def _gone(recorded: Any, replayed: Any, found: Found, path: str, kind: Kind, depth: int) -> None:
    """Add a whole value that is gone or of another type; of one that is not asked for, what is asked for in it."""
    if found.wanted(path) or depth >= _DEPTH:
        found.add(path, kind, recorded, replayed)
    elif isinstance(recorded, dict):
        for key, value in recorded.items():
            _gone(value, None, found, join(path, key), "missing", depth + 1)
    elif isinstance(recorded, list):
        for i, value in enumerate(recorded):
            _gone(value, None, found, f"{path}[{i}]", "missing", depth + 1)


def _same_scalar(a: Any, b: Any) -> bool:
    """The quick way past most of a document: neither a path nor a type name is made for what is plainly equal."""
    return type(a) is type(b) and not isinstance(a, list | dict) and bool(a == b)


def align(a: Sequence[Any], b: Sequence[Any], *, ignore_order: bool) -> Iterator[tuple[Any, Any]]:
    """Yield index pairs of two arrays that belong together; None where one has no partner.

    In order: what is equal at both ends stays together, so that one inserted element is one difference; the middle
    goes by index. As bags: equal elements first, whatever is left over goes by index.
    """
    if ignore_order:
        yield from _align_bags(a, b)
        return
    head, limit = 0, min(len(a), len(b))
    if len(a) == len(b):
        yield from ((i, i) for i in range(len(a)))
        return
    while head < limit and _equal(a[head], b[head]):
        head += 1
    tail = 0
    while tail < limit - head and _equal(a[-1 - tail], b[-1 - tail]):
        tail += 1
    end_a, end_b = len(a) - tail, len(b) - tail
    yield from ((i, i) for i in range(head))
    for k in range(max(end_a - head, end_b - head)):
        yield (head + k if head + k < end_a else None, head + k if head + k < end_b else None)
    yield from ((end_a + k, end_b + k) for k in range(tail))


def _align_bags(a: Sequence[Any], b: Sequence[Any]) -> Iterator[tuple[Any, Any]]:
    places: dict[str, list[int]] = {}
    for j, value in enumerate(b):
        places.setdefault(canonical(value), []).append(j)
    for waiting in places.values():
        waiting.reverse()
    partner: dict[int, int] = {}
    for i, value in enumerate(a):
        candidates = places.get(canonical(value))
        if candidates:
            partner[i] = candidates.pop()
    taken = set(partner.values())
    rest = [j for j in range(len(b)) if j not in taken]
    rest.reverse()
    for i in range(len(a)):
        yield (i, partner[i] if i in partner else (rest.pop() if rest else None))
    yield from ((None, j) for j in reversed(rest))


def compare_lines(recorded: Sequence[str], replayed: Sequence[str], found: Found) -> None:
    """Add to `found` the lines that differ; a line is changed, missing or added, its path `line N` (from 1)."""
    for tag, i1, i2, j1, j2 in blocks(recorded, replayed):
        if tag == "equal":
            continue
        for k in range(max(i2 - i1, j2 - j1)):
            i, j = i1 + k, j1 + k
            if i >= i2:
                found.add(f"line {j + 1}", "added", None, replayed[j])
            elif j >= j2:
                found.add(f"line {i + 1}", "missing", recorded[i], None)
            else:
                by_itself = pattern(recorded[i], replayed[j], "", found.learnt)
                kind: Kind = "volatile" if by_itself else "changed"
                found.add(f"line {i + 1}", kind, recorded[i], replayed[j], pattern=by_itself)


def blocks(a: Sequence[str], b: Sequence[str]) -> list[tuple[str, int, int, int, int]]:
    """Return difflib's opcodes over lines; texts too long for that are taken as one block between equal ends."""
    head, limit = 0, min(len(a), len(b))
    while head < limit and a[head] == b[head]:
        head += 1
    tail = 0
    while tail < limit - head and a[-1 - tail] == b[-1 - tail]:
        tail += 1
    end_a, end_b = len(a) - tail, len(b) - tail
    result = [("equal", 0, head, 0, head)] if head else []
    if (end_a - head) * (end_b - head) > _LINES_SQUARED:
        result.append(("replace", head, end_a, head, end_b))
    else:
        matcher = SequenceMatcher(None, a[head:end_a], b[head:end_b], autojunk=False)
        result += [(tag, i1 + head, i2 + head, j1 + head, j2 + head) for tag, i1, i2, j1, j2 in matcher.get_opcodes()]
    if tail:
        result.append(("equal", end_a, len(a), end_b, len(b)))
    return result


def type_name(value: object) -> str:
    """Return the JSON type: null, boolean, number, string, array, object."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "boolean"
    if isinstance(value, int | float):
        return "number"
    if isinstance(value, str):
        return "string"
    return "array" if isinstance(value, list) else "object"


def join(path: str, key: str) -> str:
    """Return the path of a key inside an object: `a.b`, or `a["x.y"]` for a key that is no plain word."""
    if _PLAIN.fullmatch(key):
        return f"{path}.{key}" if path else key
    return f"{path}[{json.dumps(key, ensure_ascii=False)}]"


def shown(value: object) -> str:
    """Return a value as one line of JSON (strings in quotes), cut at a length that people still read."""
    if isinstance(value, str) and len(value) > _VALUE_SHOWN:
        text = json.dumps(value[:_VALUE_SHOWN], ensure_ascii=False)[:-1]
        return f"{text}… ({len(value):,} characters)"
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= _VALUE_SHOWN else f"{text[:_VALUE_SHOWN]}… ({len(text):,} characters)"


def canonical(value: object) -> str:
    """Return JSON with sorted keys, one text per value; what is nested too deeply gets one text for all."""
    try:
        return json.dumps(value, sort_keys=True, ensure_ascii=False)
    except RecursionError:
        return "…"


def _equal(a: object, b: object) -> bool:
    try:
        return (
            bool(a == b) and canonical(a) == canonical(b)
            if isinstance(a, list | dict)
            else (type_name(a) == type_name(b) and a == b)
        )
    except RecursionError:
        return False
