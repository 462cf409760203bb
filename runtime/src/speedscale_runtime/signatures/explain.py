"""Why a request found no recorded match: the nearest recorded ones, and what differs.

Called by the responder for each miss, so the work is bounded whatever the number of mocks: candidates come from
small buckets (method, path and host; then method and path; then host and the path's shape) and at most
EXAMINED_MAX of them are compared. Values shown are those of redacted signatures, cut at SHOWN_MAX characters.
"""

from __future__ import annotations

import marshal
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import orjson

from . import keys
from .canonical import canonical

EXAMINED_MAX = 64
NEAREST = 3
SHOWN_MAX = 120
_DIFFERENCES_MAX = 8
_CLOSE = 10
_VARYING = re.compile(rb"/(?:\d+|[0-9a-fA-F-]{16,}|REDACTED-[^/]+)(?=/|$)")
_COST = {keys.METHOD: 30, keys.HOST: 25, keys.URL: 60, keys.QUERY: 6}


@dataclass(frozen=True, slots=True)
class Difference:
    """One thing that differs between a request and the recorded one `candidate` (its number among the candidates).

    `path` is a place inside the key: a path in a JSON body, a parameter's name; empty for the key as a whole.
    `recorded` and `asked` are texts; None where that side lacks the thing.
    """

    candidate: int
    key: str
    path: str
    recorded: str | None
    asked: str | None


class Neighbours:
    """An index of recorded signatures that finds the nearest to a request in bounded time.

    Signatures are held packed; a bucket keeps at most EXAMINED_MAX of its members.
    """

    def __init__(self) -> None:
        self._packed: list[bytes] = []
        self._buckets: dict[int, int | list[int]] = {}  # most have one member, and a list of one is large

    def __len__(self) -> int:
        return len(self._packed)

    def add(self, signature: Mapping[str, bytes]) -> int:
        """Add one recorded signature and return its number."""
        plain = canonical(signature)
        number = len(self._packed)
        self._packed.append(marshal.dumps(plain))
        for name in _buckets(plain):
            members = self._buckets.setdefault(name, number)
            if isinstance(members, list):
                if len(members) < EXAMINED_MAX:
                    members.append(number)
            elif members != number:
                self._buckets[name] = [members, number]
        return number

    def signature(self, number: int) -> dict[str, bytes]:
        """Return a recorded signature by its number."""
        found: dict[str, bytes] = marshal.loads(self._packed[number])
        return found

    def nearest(self, wanted: Mapping[str, bytes], limit: int = NEAREST) -> list[int]:
        """Return the numbers of at most `limit` recorded signatures, the nearest first, none far behind it."""
        plain = canonical(wanted)
        examined: dict[int, int] = {}
        for name in _buckets(plain):
            members = self._buckets.get(name, [])
            for number in members if isinstance(members, list) else (members,):
                if number not in examined:
                    examined[number] = _distance(plain, self.signature(number))
                if len(examined) >= EXAMINED_MAX:
                    break
            if len(examined) >= EXAMINED_MAX:
                break
        ranked = sorted(examined, key=lambda number: (examined[number], number))[:limit]
        return [number for number in ranked if examined[number] <= 2 * examined[ranked[0]] + _CLOSE]

    def explain(self, wanted: Mapping[str, bytes], limit: int = NEAREST) -> list[Difference]:
        """Return what separates a request from the nearest recorded ones, the nearest first."""
        plain = canonical(wanted)
        return [
            difference
            for number in self.nearest(wanted, limit)
            for difference in differences(plain, self.signature(number), number)
        ]


def explain(wanted: Mapping[str, bytes], candidates: Iterable[Mapping[str, bytes]] | Neighbours) -> list[Difference]:
    """Return what separates a request from the nearest of the candidates, the nearest first.

    `candidates` are recorded signatures, or an index made of them once (`Neighbours`) where there are many.
    """
    if isinstance(candidates, Neighbours):
        return candidates.explain(wanted)
    index = Neighbours()
    for candidate in candidates:
        index.add(candidate)
    return index.explain(wanted)


def differences(asked: Mapping[str, bytes], recorded: Mapping[str, bytes], candidate: int = 0) -> list[Difference]:
    """Return the differences of two canonical signatures, key by key; at most eight inside one body."""
    found: list[Difference] = []
    for key in sorted({*asked, *recorded}):
        a, r = asked.get(key), recorded.get(key)
        if a == r:
            continue
        if key == keys.BODY_JSON and a is not None and r is not None:
            found += _in_json(a, r, candidate)
        elif key == keys.QUERY and a is not None and r is not None:
            found += _in_query(a, r, candidate)
        else:
            found.append(Difference(candidate, key, "", _shown(key, r), _shown(key, a)))
    return found


def _buckets(plain: Mapping[str, bytes]) -> list[int]:
    """Return the buckets of a signature, the nearest first; hashes, since a collision costs one comparison."""
    return [hash(name) for name in _names(plain)]


def _names(plain: Mapping[str, bytes]) -> list[tuple[bytes, ...]]:
    if keys.URL not in plain:
        kind = plain.get("postgres:msg_type", b"")
        return [(b"other", kind), (b"other",)]
    method, path, host = plain.get(keys.METHOD, b""), plain[keys.URL], plain.get(keys.HOST, b"")
    shape = _VARYING.sub(b"/*", path)
    return [
        (method, path, host),
        (method, path),
        (b"shape", host, shape),
        (b"path", path),
        (b"host", host),
        (b"all",),
    ]


def _distance(asked: Mapping[str, bytes], recorded: Mapping[str, bytes]) -> int:
    total = 0
    for key in {*asked, *recorded}:
        a, r = asked.get(key), recorded.get(key)
        if a != r:
            total += _COST.get(key, 4)
            if key == keys.URL and a is not None and r is not None:
                total -= 45 * (_VARYING.sub(b"/*", a) == _VARYING.sub(b"/*", r)) + min(_common(a, r), 10)
            elif key in (keys.BODY_JSON, keys.QUERY) and a is not None and r is not None:
                total += min(4, abs(len(a) - len(r)) // 8) - min(_common(a, r), 64) // 32
    return total


def _common(a: bytes, b: bytes) -> int:
    count = 0
    for x, y in zip(a[:64], b[:64], strict=False):
        if x != y:
            break
        count += 1
    return count


def _in_json(asked: bytes, recorded: bytes, candidate: int) -> list[Difference]:
    try:
        left, right = orjson.loads(recorded), orjson.loads(asked)
    except orjson.JSONDecodeError:
        key = keys.BODY_JSON
        return [Difference(candidate, key, "", _shown(key, recorded), _shown(key, asked))]
    found: list[Difference] = []
    stack: list[tuple[str, Any, Any]] = [("", left, right)]
    while stack and len(found) < _DIFFERENCES_MAX:
        path, r, a = stack.pop()
        if type(r) is type(a) and isinstance(r, dict):
            stack += [
                (f"{path}.{k}" if path else k, r.get(k, _ABSENT), a.get(k, _ABSENT))
                for k in sorted({*r, *a}, reverse=True)
            ]
        elif type(r) is type(a) and isinstance(r, list):
            stack += [(f"{path}[{i}]", _at(r, i), _at(a, i)) for i in reversed(range(max(len(r), len(a))))]
        elif type(r) is not type(a) or r != a:
            found.append(Difference(candidate, keys.BODY_JSON, path, _text(r), _text(a)))
    return found


def _in_query(asked: bytes, recorded: bytes, candidate: int) -> list[Difference]:
    a, r = _params(asked), _params(recorded)
    return [
        Difference(
            candidate, keys.QUERY, name, _cut(r[name]) if name in r else None, _cut(a[name]) if name in a else None
        )
        for name in sorted({*a, *r})
        if a.get(name) != r.get(name)
    ][:_DIFFERENCES_MAX]


def _params(query: bytes) -> dict[str, str]:
    result: dict[str, str] = {}
    for part in query.decode("utf-8", "replace").split("&") if query else ():
        name, _, value = part.partition("=")
        result[name] = f"{result[name]},{value}" if name in result else value
    return result


class _Absent:
    """Stands for a value that one side lacks."""


_ABSENT = _Absent()


def _at(values: Sequence[Any], index: int) -> Any:
    return values[index] if index < len(values) else _ABSENT


def _text(value: object) -> str | None:
    if value is _ABSENT:
        return None
    return _cut(value if isinstance(value, str) else orjson.dumps(value).decode())


def _shown(key: str, value: bytes | None) -> str | None:
    if value is None:
        return None
    return "sha256 " + value.hex() if key == keys.BODY_HASH else _cut(value.decode("utf-8", "replace"))


def _cut(text: str) -> str:
    return text if len(text) <= SHOWN_MAX else text[: SHOWN_MAX - 1] + "…"
