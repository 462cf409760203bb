"""The table of smart replacement: recorded value → live value, per vUser, applied to whole requests.

Keys are the recording's values, so after one pass over it they no longer change, and which keys a recorded
request contains is remembered per request: a request without any costs one dictionary look-up.
Bounded: beyond `limit` keys new ones are refused and counted. No regular expression over unbounded alternatives.
"""

from __future__ import annotations

import json
import math
import re
from collections import Counter
from collections.abc import Callable
from functools import lru_cache
from typing import Literal
from urllib.parse import quote, quote_plus

Escape = Callable[[str], str]
Kind = Literal["jwt", "oauth2", "cookie", "csrf", "id", "value"]

LIMIT = 10_000
MIN_LENGTH = 6
MIN_DIGITS = 5
_MIN_BITS = 8.0
_JWT = re.compile(r"[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]{4,}\.[A-Za-z0-9_-]*")
_LOWER_HEX = re.compile(r"%[0-9A-F]{2}")
_TOKEN_CHARACTER = re.compile(r"[A-Za-z0-9_]")


def worth(value: str) -> bool:
    """Whether a value says enough to be replaced wherever it stands: `1`, `true` and `aaaaaa` do not.

    Digits alone need 5, anything else 6 characters, and the text at least 8 bits of entropy in all.
    """
    if len(value) < (MIN_DIGITS if value.isdecimal() else MIN_LENGTH):
        return False
    counts = Counter(value)
    bits = -sum(n * math.log2(n / len(value)) for n in counts.values())
    return bits >= _MIN_BITS


def is_jwt(value: str) -> bool:
    """Whether the value has the shape of a JWT (RFC 7519): two or three base64url parts."""
    return _JWT.fullmatch(value) is not None


def unwrap(value: str) -> str:
    """Return the text of a JSON string; anything else as it is."""
    if len(value) >= 2 and value[0] == value[-1] == '"':
        try:
            return str(json.loads(value))
        except ValueError:
            return value
    return value


def plain(value: str) -> str:
    """Return a value as it stands in a header."""
    return value


class SmartTable:
    """Recorded value → live value. `learned` counts values by kind, `refused` those beyond the bound."""

    __slots__ = ("_live", "_order", "_uses", "learned", "limit", "refused")

    def __init__(self, limit: int = LIMIT) -> None:
        self.limit = limit
        self._live: dict[str, str] = {}
        self._order: list[tuple[str, set[str]]] = []
        self._uses: dict[object, tuple[int, tuple[str, ...]]] = {}
        self.learned: Counter[str] = Counter()
        self.refused = 0

    def __len__(self) -> int:
        return len(self._order)

    def learn(self, recorded: str, live: str, *, overwrite: bool, kind: Kind = "value") -> str:
        """Remember that `recorded` is now `live`; return what it is now (the first one unless `overwrite`)."""
        known = self._live.get(recorded)
        if known is not None and not overwrite:
            return known
        if known is None:
            if not recorded or recorded == live:
                return live
            if len(self._order) >= self.limit:
                self.refused += 1
                return live
            self._order.append((recorded, forms(recorded)))
            self.learned[kind] += 1
        self._live[recorded] = live
        return live

    def get(self, recorded: str) -> str | None:
        """Return the live value of a recorded one."""
        return self._live.get(recorded)

    def uses(self, key: object, flat: Callable[[], str]) -> tuple[str, ...]:
        """Return the known keys that the recorded text contains, longest first; remembered under `key` unless None.

        `flat` makes the text; only keys learned since the last call are looked for.
        """
        seen, found = self._uses.get(key, (0, ()))
        if seen == len(self._order):
            return found
        recorded = flat()
        new = [key for key, written in self._order[seen:] if any(form in recorded for form in written)]
        if new:
            found = tuple(sorted({*found, *new}, key=len, reverse=True))
        if key is not None:
            self._uses[key] = (len(self._order), found)
        return found

    def replace(self, value: str, keys: tuple[str, ...], escape: Escape = plain) -> str:
        """Return `value` with every one of `keys` replaced; `escape` is how a value is written in this place.

        One pass, so that a live value is never replaced again; a key counts only where it is not part of a
        longer word.
        """
        if not keys:
            return value
        pattern, meaning = _compiled(keys, escape)
        live = self._live
        return pattern.sub(lambda match: escape(live[meaning[match[0]]]), value)


@lru_cache(maxsize=8192)
def _compiled(keys: tuple[str, ...], escape: Escape) -> tuple[re.Pattern[str], dict[str, str]]:
    meaning: dict[str, str] = {}
    for key in keys:
        for form in _written(key, escape):
            meaning.setdefault(form, key)
    alternatives = sorted(meaning, key=len, reverse=True)
    return re.compile("|".join(_bounded(form) for form in alternatives)), meaning


def forms(value: str) -> set[str]:
    """Return every way in which a value may stand in a request."""
    return {form for escape in (percent, form_encoded, json_escaped) for form in _written(value, escape)}


def percent(value: str) -> str:
    """Return a value as it stands in a path or query (RFC 3986)."""
    return quote(value.encode("utf-8", "surrogateescape"), safe="")


def form_encoded(value: str) -> str:
    """Return a value as it stands in a form body, blanks as `+`."""
    return quote_plus(value.encode("utf-8", "surrogateescape"))


def json_escaped(value: str) -> str:
    """Return a value as it stands inside a JSON string."""
    return json.dumps(value, ensure_ascii=False)[1:-1]


def _written(value: str, escape: Escape) -> set[str]:
    escaped = escape(value)
    if escaped == value:
        return {value}
    return {value, escaped, _LOWER_HEX.sub(lambda m: m[0].lower(), escaped)}


def _bounded(form: str) -> str:
    before = r"(?<![A-Za-z0-9_])" if _TOKEN_CHARACTER.match(form[0]) else ""
    after = r"(?![A-Za-z0-9_])" if _TOKEN_CHARACTER.match(form[-1]) else ""
    return before + re.escape(form) + after
