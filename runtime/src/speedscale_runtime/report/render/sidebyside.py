"""Two bodies line by line beside each other, with what differs marked inside the JSON.

Used by the HTML page. JSON is walked on both sides at once, keys in recorded order and arrays aligned as
`structure.align` did for the comparison; other text goes by lines. Pure.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from speedscale_runtime.report.model import Difference, Message
from speedscale_runtime.report.structure import align, blocks, join

CONTEXT = 3
ROWS = 3_000
_DEPTH = 100


@dataclass(frozen=True, slots=True)
class Row:
    """One line of both sides (None: nothing stands there). `kind` is `equal`, `ignored` or a Difference's kind."""

    left: str | None
    right: str | None
    kind: str = "equal"
    fails: bool = False
    note: str = ""


class _Marks:
    """The differences of the body by path."""

    def __init__(self, differences: Iterable[Difference]) -> None:
        self._by_path = {
            (d.path, d.kind == "added"): d for d in differences if d.place in ("body", "schema") and d.path
        }

    def row(self, path: str, left: str | None, right: str | None) -> Row:
        """Return the row of a place where both sides differ; without a difference it was not compared."""
        found = self._by_path.get((path or "$", left is None))
        if found is None:
            return Row(left, right, "ignored")
        return Row(left, right, found.kind, found.fails, found.pattern)


def rows(
    recorded: Message, replayed: Message, differences: Sequence[Difference], *, ignore_order: bool = False
) -> list[Row]:
    """Return the rows of two bodies, at most `ROWS` of them."""
    marks = _Marks(differences)
    if recorded.body_kind == replayed.body_kind == "json" and not (recorded.cut or replayed.cut):
        try:
            before, after = json.loads(recorded.body), json.loads(replayed.body)
        except (ValueError, RecursionError):
            pass
        else:
            walk = _Walk(marks, ignore_order)
            return walk.take(walk.both(before, after, "", "", "", ("", "")))
    return _Walk(marks, ignore_order).take(_lines(recorded.body, replayed.body, marks))


def folded(every: Sequence[Row]) -> Iterator[tuple[bool, list[Row]]]:
    """Yield runs of rows; a run with True is equal on both sides and far from any difference: it can be folded."""
    near = [False] * len(every)
    for i, row in enumerate(every):
        if row.kind != "equal":
            for k in range(max(0, i - CONTEXT), min(len(every), i + CONTEXT + 1)):
                near[k] = True
    start = 0
    for i in range(1, len(every) + 1):
        if i == len(every) or near[i] != near[start]:
            run = list(every[start:i])
            yield not near[start] and len(run) > CONTEXT, run
            start = i


def _lines(left: str, right: str, marks: _Marks) -> Iterator[Row]:
    a, b = left.split("\n") if left else [], right.split("\n") if right else []
    for tag, i1, i2, j1, j2 in blocks(a, b):
        for k in range(max(i2 - i1, j2 - j1)):
            one = a[i1 + k] if i1 + k < i2 else None
            two = b[j1 + k] if j1 + k < j2 else None
            if tag == "equal":
                yield Row(one, two)
                continue
            row = marks.row(f"line {(j1 if one is None else i1) + k + 1}", one, two)
            kind = "added" if one is None else "missing" if two is None else "changed"
            yield Row(one, two, kind, True) if row.kind == "ignored" else row


class _Walk:
    def __init__(self, marks: _Marks, ignore_order: bool) -> None:
        self._marks, self._ignore_order = marks, ignore_order

    def take(self, every: Iterator[Row]) -> list[Row]:
        """Take rows up to the bound; the last one says that there are more."""
        taken: list[Row] = []
        for row in every:
            if len(taken) >= ROWS:
                taken.append(Row("… more lines are left out", "… more lines are left out", "ignored"))
                break
            taken.append(row)
        return taken

    def both(
        self, a: Any, b: Any, path: str, indent: str, key: str, commas: tuple[str, str], depth: int = 0
    ) -> Iterator[Row]:
        """Yield the rows of two values at one path; `key` is the `"name": ` before them."""
        if depth < _DEPTH and isinstance(a, dict) and isinstance(b, dict) and (a or b):
            yield Row(f"{indent}{key}{{", f"{indent}{key}{{")
            keys = [*a, *(k for k in b if k not in a)]
            inside = [
                (k in a, k in b, a.get(k), b.get(k), join(path, k), json.dumps(k, ensure_ascii=False) + ": ")
                for k in keys
            ]
            yield from self._members(inside, indent + "  ", depth)
            yield Row(f"{indent}}}{commas[0]}", f"{indent}}}{commas[1]}")
        elif depth < _DEPTH and isinstance(a, list) and isinstance(b, list) and (a or b):
            yield Row(f"{indent}{key}[", f"{indent}{key}[")
            inside = [
                (
                    i is not None,
                    j is not None,
                    None if i is None else a[i],
                    None if j is None else b[j],
                    f"{path}[{j if i is None else i}]",
                    "",
                )
                for i, j in align(a, b, ignore_order=self._ignore_order)
            ]
            yield from self._members(inside, indent + "  ", depth)
            yield Row(f"{indent}]{commas[0]}", f"{indent}]{commas[1]}")
        elif type(a) is type(b) and a == b:
            for one, two in zip(_pretty(a, indent, key, commas[0]), _pretty(b, indent, key, commas[1]), strict=True):
                yield Row(one, two)
        else:
            yield from self._one_place(path, _pretty(a, indent, key, commas[0]), _pretty(b, indent, key, commas[1]))

    def _members(self, inside: list[tuple[bool, bool, Any, Any, str, str]], indent: str, depth: int) -> Iterator[Row]:
        last_a = max((n for n, m in enumerate(inside) if m[0]), default=-1)
        last_b = max((n for n, m in enumerate(inside) if m[1]), default=-1)
        for n, (in_a, in_b, a, b, path, key) in enumerate(inside):
            commas = ("" if n == last_a else ",", "" if n == last_b else ",")
            if in_a and in_b:
                yield from self.both(a, b, path, indent, key, commas, depth + 1)
            elif in_a:
                yield from self._one_place(path, _pretty(a, indent, key, commas[0]), [])
            else:
                yield from self._one_place(path, [], _pretty(b, indent, key, commas[1]))

    def _one_place(self, path: str, left: list[str], right: list[str]) -> Iterator[Row]:
        mark = self._marks.row(path, left[0] if left else None, right[0] if right else None)
        for k in range(max(len(left), len(right))):
            one = left[k] if k < len(left) else None
            two = right[k] if k < len(right) else None
            yield Row(one, two, mark.kind, mark.fails, mark.note if k == 0 else "")


def _pretty(value: Any, indent: str, key: str, comma: str) -> list[str]:
    try:
        lines = json.dumps(value, ensure_ascii=False, indent=2).split("\n")
    except RecursionError:
        lines = ["…"]
    lines = [indent + line for line in lines]
    lines[0] = indent + key + lines[0][len(indent) :]
    lines[-1] += comma
    return lines
