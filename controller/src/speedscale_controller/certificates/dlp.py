"""The redaction keys: made once, then never written again by anybody but the user.

A token of a redacted value can be compared with another only under one key, so a key that is replaced makes recordings
and mocks useless; hence nothing here renews or mends. Pure.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping

from .model import GOOD, Finding, Reason, Verdict

MIN_BYTES = 16


def inspect(data: Mapping[str, bytes] | None) -> Finding:
    """Return what is the matter with the Secret's content; None: there is no Secret."""
    if not data:
        return Finding(Reason.MISSING, "there is no redaction key", Verdict.ISSUE)
    problems = [problem for name in sorted(data) if (problem := _problem(name, data[name]))]
    if not problems:
        return GOOD
    hint = "keys are never overwritten: put it right, or delete the Secret for a new key"
    return Finding(Reason.UNREADABLE, f"{'; '.join(problems)}; {hint}", Verdict.LEAVE)


def _problem(name: str, value: bytes) -> str:
    try:
        key = base64.b64decode(value.strip(), validate=True)
    except binascii.Error:
        return f"key {name!r} is no base64"
    return "" if len(key) >= MIN_BYTES else f"key {name!r} has {len(key)} bytes, at least {MIN_BYTES} are needed"
