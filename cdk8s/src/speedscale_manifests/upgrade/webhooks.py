"""Why a changed field of an admission webhook matters: who waits for it, what it may stop, what it sees.

Called by `compare`. Pure.
"""

from __future__ import annotations

import re

from .model import Change, Key, Risk

KINDS = frozenset(("MutatingWebhookConfiguration", "ValidatingWebhookConfiguration"))
_FIELD = re.compile(r"webhooks\[[^\]]*\](?:\.(\w+))?.*")


def judge(key: Key, change: Change) -> tuple[Risk, str]:
    """Return the risk and the meaning of a changed field of a webhook configuration."""
    match = _FIELD.fullmatch(change.path)
    if key.kind not in KINDS or match is None:
        return Risk.NONE, ""
    if match[1] is None:
        if change.old is None:
            closed = isinstance(change.new, dict) and change.new.get("failurePolicy", "Fail") == "Fail"
            note = "a new webhook" + (" that stops requests while it cannot be reached" if closed else "")
            return (Risk.BREAKING if closed else Risk.NOTE), note
        return Risk.NOTE, "the webhook is gone: what it did is no longer done"
    return _fields(match[1], change)


def _fields(field: str, change: Change) -> tuple[Risk, str]:
    if field == "failurePolicy":
        if change.new in ("Fail", None):
            return Risk.BREAKING, "requests are refused while the webhook cannot be reached"
        return Risk.NOTE, "requests pass unseen while the webhook cannot be reached"
    if field == "timeoutSeconds" and isinstance(change.new, int):
        return Risk.NOTE, f"each request it sees may wait {change.new} s"
    if field == "rules":
        return Risk.NOTE, "it is asked about other requests"
    if field in ("namespaceSelector", "objectSelector", "matchConditions"):
        return Risk.NOTE, "it is asked about other objects"
    if field == "sideEffects" and change.new not in ("None", "NoneOnDryRun"):
        return Risk.BREAKING, "dry runs, and Argo CD's server-side diff with them, are refused"
    if field == "clientConfig":
        return Risk.NOTE, "it is asked at another address"
    if field == "reinvocationPolicy":
        return Risk.NOTE, "it is asked a second time" if change.new == "IfNeeded" else "it is asked once"
    return Risk.NONE, ""
