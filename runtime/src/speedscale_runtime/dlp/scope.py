"""Path scopes: a custom detector or a listed name that counts only in some places.

Filters what was found by the place it was found at, before anything is spliced.
"""

from __future__ import annotations

import fnmatch
from collections.abc import Sequence

from .edits import Edit, Edits, Note, join
from .rules import RuleSet


class Scope:
    """The places each scoped detector is limited to."""

    def __init__(self, rule: RuleSet) -> None:
        self._scopes = rule.scopes
        self.limits = bool(rule.scopes)

    def allows(self, note: Note, place: str) -> bool:
        """Say whether a finding may count where it was found."""
        patterns = self._scopes.get(note.detector)
        return patterns is None or _matches(join(place, note.place), patterns)

    def filter(self, edits: Edits, place: str) -> Edits:
        """Return the edits whose findings may count; an edit with several findings stays if one of them may."""
        if not self._scopes:
            return edits
        return [e for e in edits if self._any(e, place)]

    def _any(self, edit: Edit, place: str) -> bool:
        return any(self.allows(n, place) for n in edit.notes)


def _matches(place: str, patterns: Sequence[str]) -> bool:
    plain = place.replace("[", "(").replace("]", ")")
    return any(fnmatch.fnmatchcase(plain, p.replace("[", "(").replace("]", ")")) for p in patterns)
