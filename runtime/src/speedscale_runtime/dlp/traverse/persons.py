"""Fields around a bare `name`: which of them say that the record is about a person, for forms, parts, rows and XML.

The reader of JSON decides by its own levels (`json_text`). Pure.
"""

from __future__ import annotations

from collections.abc import Iterable

from speedscale_runtime.dlp.detectors import KeyRule
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
    from speedscale_runtime.dlp.detectors.names import PARTS

    for key in keys:
        rule = names.rule(key)
        if rule is not None and rule.kind == "NAME" and not rule.person and not PARTS.isdisjoint(names.words(key)):
            return rule
    return None
