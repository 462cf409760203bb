"""What a detector is: a prefilter for hyperscan, a grammar, a validator, and examples of what it takes and leaves.

The prefilter has to fire inside or at the end of everything the grammar can match; it may fire on more. Grammar
and validator see bytes in UTF-8. A new detector is one file with a `DETECTORS` or `KEY_RULES` tuple, named in
`detectors/__init__.py`; its examples are its tests.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, slots=True)
class Take:
    """A candidate is a value: replace bytes [start, end)."""

    start: int
    end: int
    why: str
    kind: str = ""


# A validator returns what to take, or why the candidate is left.
Verdict = Take | str
Validate = Callable[[re.Match[bytes], bytes], Verdict]


def whole(match: re.Match[bytes], why: str, group: int = 0) -> Take:
    """Return the verdict that takes a group of the match."""
    return Take(match.start(group), match.end(group), why)


class Grammar(Protocol):
    """Finds the next match; a compiled pattern of `re` is one."""

    def search(self, data: bytes, start: int = ..., stop: int = ..., /) -> re.Match[bytes] | None: ...


@dataclass(frozen=True, slots=True)
class Detector:
    """Finds values by what they look like.

    `before` and `after` bound, in bytes, how far a match reaches to both sides of a prefilter hit. `skip_keys` are
    words of a key under which this detector finds no value (a version that looks like an address). `classifies` marks
    what identifies nobody by itself (a UUID, a hash, a URL): it runs only where a rule asks for it by name. `near`
    is a word without which a text has no candidates: the grammar alone is too general to speak of them.
    """

    name: str
    kind: str
    prefilter: tuple[str, ...]
    grammar: Grammar
    validate: Validate
    before: int
    after: int
    examples: tuple[str, ...]
    counter_examples: tuple[str, ...]
    caseless: bool = False
    skip_keys: frozenset[str] = frozenset()
    group: str = ""
    classifies: bool = False
    near: re.Pattern[bytes] | None = None


@dataclass(frozen=True, slots=True)
class KeyRule:
    """Finds values by the name they stand under.

    `names` are sequences of words, matched as consecutive words of the normalised key (`userPassword`,
    `user-password` and `USER_PASSWORD` are user, password); `exact` ones must be the whole key. A key with a word of
    `excluded` is left. `accept` returns why a value is taken, or an empty string. `numbers` says whether bare JSON
    numbers are values, too; `nested` whether everything in an object or array below the key is.
    `person` marks a generic name that counts only where the record is about a person.
    """

    name: str
    kind: str
    names: tuple[str, ...]
    accept: Callable[[bytes], str]
    examples: tuple[tuple[str, str], ...]
    counter_examples: tuple[tuple[str, str], ...]
    exact: tuple[str, ...] = ()
    excluded: frozenset[str] = frozenset()
    numbers: bool = False
    nested: bool = False
    person: bool = False
    group: str = ""
