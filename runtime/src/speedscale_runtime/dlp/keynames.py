"""Names of fields: how they are cut into words, and which rule stands behind which name.

`userPassword`, `user-password`, `USER_PASSWORD` and `user.password` are one name; accents and letter case make no
difference (`Prénom`, `PRENOM`), in any script. Words are compared whole; scripts that write no spaces (Chinese,
Japanese) have none, so a name in them is also found inside a longer one. The prefilter's patterns for names are made
from the same table, so that neither can know a name the other does not.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence

from .detectors import KeyRule
from .detectors.names import WITHIN_PATTERN
from .detectors.parties import NUMBERED, PEOPLE
from .detectors.spelling import pattern, plain, transcribed
from .memory import Memory
from .tokens import TOKEN

_OTHER = r"[^\x00-\xbf\u2000-\u206f\u3000-\u3003]+"  # letters and marks of other scripts
_WORD = re.compile(rf"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|[0-9]+|{_OTHER}")
_PART = re.compile(rf"(?:[A-Za-z]|{_OTHER})+|[0-9]+")
_CACHE_LIMIT = 16_384
_LONGEST = 128
_SHORT_HOLDER = 40
_SHORT = 6  # letters up to which a name is too common inside other words to be searched without its boundaries
_NO_SPACES = re.compile(r"[\u3040-\u30ff\u3400-\u9fff\uac00-\ud7a3]")


def words(name: str) -> tuple[str, ...]:
    """Return the words of a name in lower case, without accents."""
    return tuple(w.lower() for w in _WORD.findall(plain(name)))


class KeyNames:
    """Looks up the rule behind a name; a bounded memory holds what was looked up."""

    __slots__ = ("_by_first", "_cache", "_exact", "_inside", "_words_cache", "bare")

    def __init__(self, rules: Sequence[KeyRule]) -> None:
        self._by_first: dict[str, list[tuple[tuple[str, ...], KeyRule]]] = {}
        self._exact: dict[str, KeyRule] = {}
        self._inside: list[tuple[str, KeyRule]] = []
        self._cache: Memory[bytes, tuple[KeyRule | None]] = Memory(_CACHE_LIMIT)
        self._words_cache: Memory[bytes, frozenset[str]] = Memory(_CACHE_LIMIT)
        for rule in rules:
            for name in (*rule.names, *rule.exact):
                self._exact.setdefault("".join(words(name)), rule)
                self._exact.setdefault("".join(words(transcribed(name))), rule)
            for seq in {words(spelt) for name in rule.names for spelt in (name, transcribed(name))}:
                self._by_first.setdefault(seq[0], []).append((seq, rule))
                if len(seq) == 1 and _NO_SPACES.match(seq[0]):
                    self._inside.append((seq[0], rule))
        self._inside.sort(key=lambda pair: len(pair[0]), reverse=True)
        self.bare = _quoted([name for rule in rules if rule.person for name in rule.exact])
        """Finds, quoted, the names of fields that are a person's only beside other marks of one."""

    def rule(self, key: bytes) -> KeyRule | None:
        """Return the rule for a name as it stands (bytes, decoded), or None."""
        known = self._cache.get(key)
        if known is None:
            known = (self._look_up(key),)
            if len(key) <= _LONGEST:
                self._cache.put(key, known)
        return known[0]

    def around(self, holder: bytes, key: bytes) -> KeyRule | None:
        """Return the rule for a number in an object named `holder` whose number it is: `card`, `passports`."""
        known = _bare(holder)
        return self.rule(known.encode() + b" " + key) if known in NUMBERED else None

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
        if best is None and self._inside and not key.isascii():
            return next((candidate for name, candidate in self._inside if name in joined), None)
        return best[1] if best else None


def somebody(name: bytes) -> bool:
    """Say whether an object of that name is about somebody: in it, a bare `name` is a person's."""
    return len(name) <= _SHORT_HOLDER and _bare(name) in PEOPLE


def _bare(name: bytes) -> str:
    text = "".join(words(name[:_SHORT_HOLDER].decode("utf-8", "replace")))
    return text[:-1] if text.endswith("s") and text not in PEOPLE else text


def prefilter(rules: Sequence[KeyRule]) -> tuple[str, ...]:
    """Return caseless patterns that fire at every name of the rules, however it is written.

    Rules for a bare name of a person have none but for an object of its parts: else they count only beside another
    name, which fires.
    """
    chosen = [rule for rule in rules if not rule.person]
    anywhere = {n for rule in chosen for n in rule.names}
    alone = {n for rule in chosen for n in rule.exact}
    short = {n for n in anywhere if len(words(n)) == 1 and len(n) <= _SHORT and n.isascii()}
    spelt = {_spelt(n) for n in anywhere - short}
    found = [s for s in spelt if not any(s[i:] in spelt for i in range(1, len(s)))]  # its end fires at the same byte
    found += [_bounded(words(n)[0]) for n in short]
    found += [f"(?:^|[^A-Za-z0-9]){_spelt(n)}(?:[^A-Za-z0-9]|$)" for n in alone]
    found += [WITHIN_PATTERN] if len(chosen) < len(rules) else []
    return tuple(sorted(set(found)))  # one by one: hyperscan takes far longer over alternatives, and is no faster then


def _bounded(word: str) -> str:
    """Return what fires at a word where `words` would cut it out, in its three spellings: `dob`, `Dob`, `DOB`."""
    lower, title, upper = f"(?:^|[^A-Za-z]){word}", word.capitalize(), f"(?:^|[^A-Z]){word.upper()}"
    return f"(?-i:(?:{lower}|{title}|{upper})(?:[^a-z]|$))"


def _spelt(name: str) -> str:
    parts = _PART.findall(unicodedata.normalize("NFC", name))
    return "[^A-Za-z0-9]?".join(pattern(part) for part in parts)


def _quoted(names: Sequence[str]) -> re.Pattern[bytes]:
    """Return what finds one of these names between quotes, however it is written; it runs over every JSON document.

    The first bytes stand before the alternatives: most quotes of a document open something else.
    """
    if not names:
        return re.compile(b"(?!)")
    written = {spelt for name in names for word in (name, plain(name)) for spelt in (word.lower(), word.upper())}
    firsts = b"".join(re.escape(first) for first in sorted({spelt.encode()[:1] for spelt in written}))
    return re.compile(b'"(?=[' + firsts + b"])(?i:" + "|".join(sorted(map(_spelt, names))).encode() + b')"')
