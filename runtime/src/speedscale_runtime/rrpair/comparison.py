"""Two recordings side by side: which pairs both have, which one lacks, and what differs inside a pair.

Called by `speedctl files compare`. Pure over iterators; holds the first recording's pairs in memory as digests and
encoded lines, not as objects. Which differences matter in a replay is the report's business, not this module's.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from . import jsontext, paths
from .model import RRPair

DIFFERENCES_MAX = 20
_ABSENT = object()


@dataclass
class Comparison:
    """Names of pairs that only one side has, differences by pair, and how many pairs are the same."""

    same: int = 0
    only_a: list[str] = field(default_factory=list)
    only_b: list[str] = field(default_factory=list)
    changed: dict[str, list[str]] = field(default_factory=dict)


def compare(a: Iterable[RRPair], b: Iterable[RRPair]) -> Comparison:
    """Compare two recordings; pairs with the same identity are compared in the order in which they come."""
    waiting: dict[str, list[bytes]] = {}
    for pair in a:
        waiting.setdefault(identity(pair), []).append(jsontext.ordered(comparable(pair)))
    result = Comparison()
    for pair in b:
        name = identity(pair)
        queue = waiting.get(name)
        if not queue:
            result.only_b.append(name)
            continue
        document = comparable(pair)
        line = jsontext.ordered(document)
        other = queue.pop(queue.index(line) if line in queue else 0)
        if other == line:
            result.same += 1
        else:
            found = differences(jsontext.parse(other), jsontext.parse(line))
            result.changed.setdefault(name, []).extend(found)
    result.only_a = [name for name, queue in waiting.items() for _ in queue]
    return result


def identity(pair: RRPair) -> str:
    """Return what tells a pair from the others: its uuid, else its time; with what it is, for people."""
    doc = pair.doc
    what = " ".join(str(doc.get(key) or "-") for key in ("direction", "command", "location"))
    return f"{what} [{doc.get('uuid') or doc.get('ts') or '-'}]"


def comparable(pair: RRPair) -> dict[str, Any]:
    """Return the document with its bodies in one form, however they were written."""
    plain = RRPair(pair.doc, pair.request_body or None, pair.response_body or None)
    return plain.to_doc()


def differences(a: Any, b: Any) -> list[str]:
    """Return what differs between two JSON values, by path; at most DIFFERENCES_MAX lines."""
    found: list[str] = []
    stack: list[tuple[paths.Path, Any, Any]] = [((), a, b)]
    while stack:
        path, old, new = stack.pop()
        if isinstance(old, dict) and isinstance(new, dict):
            keys = sorted(old.keys() | new.keys(), reverse=True)
            stack += [((*path, k), old.get(k, _ABSENT), new.get(k, _ABSENT)) for k in keys]
        elif isinstance(old, list) and isinstance(new, list) and len(old) == len(new):
            stack += [((*path, i), old[i], new[i]) for i in reversed(range(len(old)))]
        elif old is _ABSENT or new is _ABSENT or jsontext.ordered(old) != jsontext.ordered(new):
            if len(found) == DIFFERENCES_MAX:
                return [*found, "… more"]
            found.append(f"{paths.render(path)}: {_short(old)} → {_short(new)}")
    return found


def _short(value: Any) -> str:
    if value is _ABSENT:
        return "absent"
    text = jsontext.compact(value).decode("utf-8", "replace")
    return text if len(text) <= 60 else text[:59] + "…"
