"""Names of fields: how they are cut into words, and which rule stands behind which name.

`userPassword`, `user-password`, `USER_PASSWORD` and `user.password` are one name. Words are compared whole. The
prefilter's patterns for names are made from the same table, so that neither can know a name the other does not.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from .detectors import KeyRule
from .memory import Memory
from .tokens import TOKEN

_WORD = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|\d+")
_CACHE_LIMIT = 16_384
_LONGEST = 128


def words(name: str) -> tuple[str, ...]:
    """Return the words of a name in lower case."""
    return tuple(w.lower() for w in _WORD.findall(name))


class KeyNames:
    """Looks up the rule behind a name; a bounded memory holds what was looked up."""

    __slots__ = ("_by_first", "_cache", "_exact", "_words_cache")

    def __init__(self, rules: Sequence[KeyRule]) -> None:
        self._by_first: dict[str, list[tuple[tuple[str, ...], KeyRule]]] = {}
        self._exact: dict[str, KeyRule] = {}
        self._cache: Memory[bytes, tuple[KeyRule | None]] = Memory(_CACHE_LIMIT)
        self._words_cache: Memory[bytes, frozenset[str]] = Memory(_CACHE_LIMIT)
        for rule in rules:
            for name in (*rule.names, *rule.exact):
                self._exact.setdefault("".join(words(name)), rule)
            for name in rule.names:
                seq = words(name)
                self._by_first.setdefault(seq[0], []).append((seq, rule))

    def rule(self, key: bytes) -> KeyRule | None:
        """Return the rule for a name as it stands (bytes, decoded), or None."""
        known = self._cache.get(key)
        if known is None:
            known = (self._look_up(key),)
            if len(key) <= _LONGEST:
                self._cache.put(key, known)
        return known[0]

    @property
    def evictions(self) -> int:
        """How many names were dropped from memory."""
        return self._cache.evictions + self._words_cache.evictions

    def words(self, key: bytes) -> frozenset[str]:
        """Return the words of a name as a set, cached."""
        known = self._words_cache.get(key)
        if known is None:
            known = frozenset(words(key.decode("utf-8", "replace")))
            if len(key) <= _LONGEST:
                self._words_cache.put(key, known)
        return known

    def _look_up(self, key: bytes) -> KeyRule | None:
        if len(key) > _LONGEST:
            return None
        if b"REDACTED-" in key:
            key = TOKEN.sub(b"", key)  # the kind in a token is no name
        seq = words(key.decode("utf-8", "replace"))
        joined = "".join(seq)
        rule = self._exact.get(joined)
        if rule is not None:
            return rule
        if len(seq) == 1 and joined.endswith("password"):
            return self._exact.get("password")  # PGPASSWORD, dbpassword
        best: tuple[int, KeyRule] | None = None
        for i, word in enumerate(seq):
            for name, candidate in self._by_first.get(word, ()):
                rest = seq[:i] + seq[i + len(name) :]
                if seq[i : i + len(name)] != name or candidate.excluded.intersection(rest):
                    continue
                if best is None or len(name) > best[0]:
                    best = (len(name), candidate)
        return best[1] if best else None


def prefilter(rules: Iterable[KeyRule]) -> tuple[str, ...]:
    """Return caseless patterns that fire at every name of the rules, however it is written.

    Rules for a bare name of a person have none: they count only beside another name, which fires.
    """
    anywhere = {n for rule in rules if not rule.person for n in rule.names}
    alone = {n for rule in rules if not rule.person for n in rule.exact}
    found: list[str] = []
    if anywhere:
        found.append("(?:" + "|".join(sorted({_spelt(n) for n in anywhere})) + ")")
    if alone:
        body = "|".join(sorted({_spelt(n) for n in alone}))
        found.append(f"(?:^|[^A-Za-z0-9])(?:{body})(?:[^A-Za-z0-9]|$)")
    return tuple(found)


def _spelt(name: str) -> str:
    return "[^A-Za-z0-9]{0,2}".join(re.escape(w) for w in words(name))
