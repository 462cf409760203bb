"""Random strings that match a regular expression, from a seeded source, for rand_string and its placeholder.

Python's own parser of regular expressions reads the pattern; unbounded repetitions are cut at 16.
"""

from __future__ import annotations

import random
import re
import string
from functools import lru_cache
from re import _constants as _c  # type: ignore[attr-defined]
from re import _parser  # type: ignore[attr-defined]
from typing import Any

from .errors import TransformError

_UNBOUNDED = 16
_MAX_LENGTH = 65_536
_PRINTABLE = [chr(c) for c in range(0x20, 0x7F)]
_CLASSES = {
    _c.CATEGORY_DIGIT: string.digits,
    _c.CATEGORY_WORD: string.ascii_letters + string.digits + "_",
    _c.CATEGORY_SPACE: " ",
    _c.CATEGORY_NOT_DIGIT: string.ascii_letters,
    _c.CATEGORY_NOT_WORD: "-.,:;!",
    _c.CATEGORY_NOT_SPACE: string.ascii_letters + string.digits,
}


def check(pattern: str) -> None:
    """Raise ValueError where `generate` could not handle the pattern."""
    generate(pattern, random.Random(0))


def generate(pattern: str, rng: random.Random) -> str:
    """Return a string that the pattern matches; ValueError when it is no pattern or cannot be generated."""
    return _Generator(rng).run(_parse(pattern))


@lru_cache(maxsize=512)
def _parse(pattern: str) -> Any:
    try:
        return _parser.parse(pattern)
    except (re.error, RecursionError, OverflowError) as error:
        raise ValueError(f"{pattern!r} is no regular expression: {error}") from None


class _Generator:
    def __init__(self, rng: random.Random) -> None:
        self.rng = rng
        self.groups: dict[int, str] = {}
        self.length = 0

    def run(self, parsed: Any) -> str:
        return "".join(self.one(op, argument) for op, argument in parsed)

    def one(self, op: Any, argument: Any) -> str:
        match op:
            case _c.LITERAL:
                return self._emit(chr(argument))
            case _c.NOT_LITERAL:
                return self._emit(self.rng.choice([c for c in _PRINTABLE if c != chr(argument)]))
            case _c.ANY:
                return self._emit(self.rng.choice(_PRINTABLE))
            case _c.IN:
                return self._emit(self.rng.choice(_members(argument)))
            case _c.MAX_REPEAT | _c.MIN_REPEAT:
                low, high, inner = argument
                bound = low + _UNBOUNDED if high is _c.MAXREPEAT else high
                return "".join(self.run(inner) for _ in range(self.rng.randint(low, bound)))
            case _c.SUBPATTERN:
                value = self.run(argument[3])
                if argument[0] is not None:
                    self.groups[argument[0]] = value
                return value
            case _c.BRANCH:
                return self.run(self.rng.choice(argument[1]))
            case _c.GROUPREF:
                return self.groups.get(argument, "")
            case _c.AT:
                return ""
            case _:
                raise ValueError(
                    f"{str(op).lower()} cannot be generated; use literals, classes, groups and repetitions"
                )

    def _emit(self, character: str) -> str:
        self.length += 1
        if self.length > _MAX_LENGTH:
            raise TransformError(f"the pattern makes more than {_MAX_LENGTH} characters")
        return character


def _members(items: Any) -> list[str]:
    chosen: list[str] = []
    negated = False
    for op, argument in items:
        if op is _c.NEGATE:
            negated = True
        elif op is _c.LITERAL:
            chosen.append(chr(argument))
        elif op is _c.RANGE:
            chosen += [chr(c) for c in range(argument[0], min(argument[1], argument[0] + 4096) + 1)]
        elif op is _c.CATEGORY:
            chosen += _CLASSES[argument]
    if negated:
        chosen = [c for c in _PRINTABLE if c not in chosen]
    if not chosen:
        raise ValueError("a character class without any character")
    return chosen
