"""Tell a value that changes by itself (a date, an id, a token) from one that was expected to stay.

Called by every comparison when two values differ. A value is volatile when both sides have the same shape once
what is known to vary is masked, or when the recorded side is redacted, or when smart replacement learnt the pair.
When unsure it is not volatile: a real change that is hidden costs more than a false alarm. Plain counters (771 and
772) are therefore never volatile; short numbers that look like epoch seconds only under a key that names a time.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from itertools import pairwise
from typing import Any

_MASKS: tuple[tuple[str, re.Pattern[str]], ...] = (
    ("jwt", re.compile(r"\beyJ[\w-]{5,}\.[\w-]{4,}\.[\w-]*")),
    ("uuid", re.compile(r"\b[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{12}\b")),
    (
        "date",
        re.compile(
            r"\b(?:19|20)\d\d-[01]\d-[0-3]\d(?:[T ][0-2]\d:[0-5]\d(?::[0-6]\d(?:[.,]\d{1,9})?)?"
            r"(?: ?(?:Z|UTC|[+-][0-2]\d:?[0-5]\d))?)?(?![\w-])"
        ),
    ),
    (
        "date",
        re.compile(
            r"\b(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun)[a-z]*,? "
            r"(?:\d{1,2}[ -](?:Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec)[ -](?:\d\d)?\d\d \d\d:\d\d:\d\d"
            r"(?: (?:GMT|UTC|[+-]\d{4}))?"
            r"|(?:Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec) [ \d]\d \d\d:\d\d:\d\d (?:19|20)\d\d)"
        ),
    ),
    ("date", re.compile(r"(?<![\d.])1[2-9]\d{11}(?:\d{3}){0,2}(?![\d.])")),
)
_WORD = re.compile(r"[A-Za-z0-9+/=~]{8,}")
_EPOCH_KEY = re.compile(
    r"(?:time|date|stamp|epoch|expir|created|updated|modified|issued|_at$|At$|(?:^|[._\]])(?:exp|iat|nbf|ts|now)$)",
)
_REDACTED = re.compile(r"REDACTED-[A-Z0-9_]+-[0-9a-fA-F]{8,64}")
_FLEETING = frozenset(
    {
        "JWT",
        "SECRET",
        "TOKEN",
        "SESSION",
        "COOKIE",
        "API_KEY",
        "UUID",
        "DATETIME",
        "TRACE_ID",
        "SPAN_ID",
        "UNRECOGNIZED",
    }
)
"""Kinds of redacted values that are new in every run by their nature."""

_LEARNT_MIN = 4


class Learnt:
    """Values that smart replacement learnt in this run: recorded → replayed, as text.

    Bounded: beyond `limit` replacements the first ones stay, and `left_out` counts the rest.
    """

    def __init__(self, limit: int = 200_000) -> None:
        self._values: dict[str, set[str]] = {}
        self._limit = limit
        self._size = 0
        self.left_out = 0

    def add(self, recorded: str, replayed: str) -> None:
        """Remember one replacement; equal values mean nothing and are left away."""
        if not recorded or recorded == replayed or replayed in self._values.get(recorded, ()):
            return
        if self._size >= self._limit:
            self.left_out += 1
            return
        self._values.setdefault(recorded, set()).add(replayed)
        self._size += 1

    def update(self, values: Mapping[str, Any]) -> None:
        """Remember every replacement of a mapping recorded → replayed."""
        for recorded, replayed in values.items():
            self.add(str(recorded), str(replayed))

    def explains(self, recorded: str, replayed: str) -> bool:
        """Say whether the replayed value is the recorded one with a learnt value put in its place."""
        if replayed in self._values.get(recorded, ()):
            return True
        return any(
            len(word) >= _LEARNT_MIN and word in self._values and self._put_in(word, recorded, replayed)
            for word in set(re.findall(r"[\w-]+", recorded))
        )

    def _put_in(self, word: str, recorded: str, replayed: str) -> bool:
        """Cut the value out of the replayed text that stands for `word`, and look whether it was learnt."""
        at, times = recorded.index(word), recorded.count(word)
        longer, odd = divmod(len(replayed) - len(recorded), times)
        new = replayed[at : at + len(word) + longer]
        return not odd and new in self._values[word] and recorded.replace(word, new) == replayed


def pattern(recorded: object, replayed: object, key: str = "", learnt: Learnt | None = None) -> str:
    """Return what makes two different values volatile (`date`, `uuid`, `jwt`, `id`, `token`, …), or "".

    `key` is the name or path they stand under; it only decides about numbers.
    """
    if isinstance(recorded, bool) or isinstance(replayed, bool):
        return ""
    if learnt is not None and learnt.explains(str(recorded), str(replayed)):
        return "replaced"
    if isinstance(recorded, int | float) and isinstance(replayed, int | float):
        return "date" if _epoch(recorded, key) and _epoch(replayed, key) else ""
    if not isinstance(recorded, str):
        return ""
    if _REDACTED.search(recorded):
        return "redacted" if _redacted(recorded, str(replayed)) else ""
    if not isinstance(replayed, str):
        return ""
    if recorded.isdecimal() and replayed.isdecimal() and len(recorded) < 20 and len(replayed) < 20:
        return "date" if _epoch(int(recorded), key) and _epoch(int(replayed), key) else ""
    return _masked(recorded, replayed)


def _epoch(value: float, key: str) -> bool:
    if 1.2e9 <= value < 2.2e9:
        return _EPOCH_KEY.search(key) is not None
    return any(1.2e9 <= value / scale < 2.2e9 for scale in (1e3, 1e6, 1e9))


def _redacted(recorded: str, replayed: str) -> bool:
    """Two redacted sides have one key: another token is another value, and passes only where values are fleeting.

    A replayed side that was not redacted cannot be compared; what stands around the tokens still has to fit.
    """
    before, after = _REDACTED.findall(recorded), _REDACTED.findall(replayed)
    if not after:
        return _fits_redacted(recorded, replayed)
    if len(before) != len(after) or _REDACTED.sub("\0", recorded) != _REDACTED.sub("\0", replayed):
        return False
    kinds = ((a.split("-")[1], b.split("-")[1]) for a, b in zip(before, after, strict=True) if a != b)
    return all(a == b and a in _FLEETING for a, b in kinds)


def _fits_redacted(recorded: str, replayed: str) -> bool:
    """The constant parts around the tokens stand in the replayed value, in order, first and last at its ends."""
    parts = _REDACTED.split(recorded)
    if len(parts) < 2 or not replayed.startswith(parts[0]) or not replayed.endswith(parts[-1]):
        return False
    at = len(parts[0])
    for part in parts[1:-1]:
        found = replayed.find(part, at)
        if found < 0:
            return False
        at = found + len(part)
    return at <= len(replayed) - len(parts[-1])


def _masked(recorded: str, replayed: str) -> str:
    name = ""
    for mask, regex in _MASKS:
        hidden_a, count_a = regex.subn(f"\0{mask}\0", recorded)
        hidden_b, count_b = regex.subn(f"\0{mask}\0", replayed)
        if count_a and count_a == count_b:
            name = name or mask
            recorded, replayed = hidden_a, hidden_b
            if recorded == replayed:
                return name
    words_a, words_b = _WORD.findall(recorded), _WORD.findall(replayed)
    if len(words_a) != len(words_b) or _WORD.sub("\0", recorded) != _WORD.sub("\0", replayed):
        return ""
    kinds = [_random(a, b) for a, b in zip(words_a, words_b, strict=True) if a != b]
    return (name or kinds[0]) if kinds and all(kinds) else ""


def _random(a: str, b: str) -> str:
    """Two words of one shape that look drawn at random: hexadecimal of one length, or mixed letters and digits."""
    same_length = len(a) == len(b)
    if same_length and len(a) >= 12 and all(_is_hex(w) for w in (a, b)):
        return "id"
    if (same_length or min(len(a), len(b)) >= 32) and all(_is_mixed(w) for w in (a, b)):
        return "token" if len(a) >= 24 else "id"
    return ""


def _is_hex(word: str) -> bool:
    return re.fullmatch(r"[0-9a-f]+|[0-9A-F]+", word) is not None and not word.isdecimal() and not word.isalpha()


def _is_mixed(word: str) -> bool:
    """Letters and digits change places at least three times: `a8Fk2x`, not `order1234`."""
    classes = [c.isdecimal() for c in word if c.isalnum()]
    changes = sum(x != y for x, y in pairwise(classes))
    return changes >= 3 or (len(word) >= 32 and any(classes) and not all(classes) and changes >= 2)
