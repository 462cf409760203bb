"""Which values the replay itself put in place of recorded ones, read off the requests it sent.

The first pass over a results file calls `learn` with each pair: where the request that was sent differs from the
recorded one (a path segment, a parameter, a header's word, a leaf of the body), a transform or smart replacement
did it, and the same change in an answer is no regression. Pure.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

from .answer import Answer, header_lists, understand
from .volatile import Learnt

_MIN = 3
_DEPTH = 50
_NOT_LEARNT = frozenset(
    {"host", "date", "user-agent", "content-length", "accept", "accept-encoding", "connection", "via"}
    | {"traceparent", "tracestate", "baggage"}
)
_WORDS = re.compile(r"[^\s;,=]+")


def learn(recorded: Mapping[str, Any], replayed: Mapping[str, Any], bodies: tuple[Any, Any], learnt: Learnt) -> None:
    """Compare the two requests of a pair (`http.req` objects, bodies as bytes) and remember what changed."""
    for old, new in _changes(recorded, replayed, bodies):
        if len(old) >= _MIN and old != new:
            learnt.add(old, new)


def _changes(
    recorded: Mapping[str, Any], replayed: Mapping[str, Any], bodies: tuple[Any, Any]
) -> Iterator[tuple[str, str]]:
    a, b = (
        str(recorded.get("uri") or recorded.get("url") or ""),
        str(replayed.get("uri") or replayed.get("url") or ""),
    )
    if a != b:
        yield from _in_urls(a, b)
    if recorded.get("headers") != replayed.get("headers"):
        yield from _in_headers(header_lists(recorded), header_lists(replayed))
    if bodies[0] and bodies[1] and bodies[0] != bodies[1]:
        before, after = (
            understand(Answer(0, header_lists(side), body).plain, "")
            for side, body in zip((recorded, replayed), bodies, strict=True)
        )
        if before.kind == after.kind == "json":
            yield from _in_json(before.value, after.value, 0)
        elif before.kind == after.kind == "text":
            yield from _in_form(before.text, after.text)


def _in_urls(a: str, b: str) -> Iterator[tuple[str, str]]:
    left, right = urlsplit(a), urlsplit(b)
    old, new = left.path.split("/"), right.path.split("/")
    if len(old) == len(new):
        yield from ((unquote(x), unquote(y)) for x, y in zip(old, new, strict=True) if x != y)
    yield from _in_form(left.query, right.query)


def _in_form(a: str, b: str) -> Iterator[tuple[str, str]]:
    if "=" not in a or len(a) > 65536:
        return
    after = dict(parse_qsl(b, keep_blank_values=True))
    for key, value in parse_qsl(a, keep_blank_values=True):
        if key in after and after[key] != value:
            yield value, after[key]


def _in_headers(a: Mapping[str, list[str]], b: Mapping[str, list[str]]) -> Iterator[tuple[str, str]]:
    other = {name.lower(): values for name, values in b.items()}
    for name, values in a.items():
        if name.lower() in _NOT_LEARNT:
            continue
        for old, new in zip(values, other.get(name.lower(), ()), strict=False):
            words_old, words_new = _WORDS.findall(old), _WORDS.findall(new)
            if old != new and len(words_old) == len(words_new):
                yield from zip(words_old, words_new, strict=True)


def _in_json(a: Any, b: Any, depth: int) -> Iterator[tuple[str, str]]:
    if depth > _DEPTH:
        return
    if isinstance(a, dict) and isinstance(b, dict):
        for key, value in a.items():
            if key in b:
                yield from _in_json(value, b[key], depth + 1)
    elif isinstance(a, list) and isinstance(b, list):
        for x, y in zip(a, b, strict=False):
            yield from _in_json(x, y, depth + 1)
    elif a != b and isinstance(a, str | int) and isinstance(b, str | int) and not isinstance(a, bool):
        yield str(a), str(b)
