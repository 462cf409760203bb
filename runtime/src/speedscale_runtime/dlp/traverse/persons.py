"""Fields around a bare `name`: which of them say that the record is about a person. Pure.

Called by the readers of forms, parts, SQL, tables and XML; those of JSON decide by their own levels (`json_text`).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace

from speedscale_runtime.dlp.detectors import KeyRule
from speedscale_runtime.dlp.detectors.names import PARTS
from speedscale_runtime.dlp.keynames import KeyNames

KINDS = frozenset(("PHONE", "SSN", "BIRTH_DATE", "ADDRESS", "NAME", "NATIONAL_ID", "CREDIT_CARD", "SECURITY_CODE"))


def marks(rule: KeyRule | None, key: bytes) -> bool:
    """Say whether a field of that name, with that rule, makes its record one about a person."""
    return (rule is not None and not rule.person and rule.kind in KINDS) or b"mail" in key.lower()


def about(names: KeyNames, keys: Iterable[bytes]) -> bool:
    """Say whether one of a record's fields makes it one about a person."""
    return any(marks(names.rule(key), key) for key in keys)


def part(names: KeyNames, keys: Iterable[bytes]) -> KeyRule | None:
    """Return the rule of a field for a part of a name, where there is one: a bare `nom` beside it is the other part."""
    for key in keys:
        rule = names.rule(key)
        if rule is not None and rule.kind == "NAME" and not rule.person and not PARTS.isdisjoint(names.words(key)):
            return rule
    return None


def bare(names: KeyNames, keys: Sequence[bytes]) -> KeyRule | None:
    """Return the rule that a bare `name` has among these fields; None where none of them speaks of a person."""
    return part(names, keys) or (names.rule(b"name") if about(names, keys) else None)


def plain(rule: KeyRule) -> KeyRule:
    """Return a rule that holds whatever stands around it."""
    return replace(rule, person=False) if rule.person else rule
