"""A redacted recording stays redacted: what a live answer brings back goes through the recording's own rule and key.

Fails closed: without the rule or the key, headers and bodies of such a pair are dropped and the pair says so.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from speedscale_runtime import dlp, rules
from speedscale_runtime.rrpair import RRPair
from speedscale_runtime.transforms import TransformError

DEFAULT_RULE = "standard"


class Redaction:
    """Redactors by rule id, made when first needed; `failures` says by rule why one could not be made.

    `whole` is the rule of the recording as a whole: a pair in which nothing was found then may bring something back
    now. `key_path` is a key file or a mounted Secret; without one the key is the home's.
    """

    def __init__(self, home: Path, whole: str = "", key_path: Path | None = None) -> None:
        self._home = home
        self._key_path = key_path
        self._whole = whole
        self._redactors: dict[str, dlp.Redactor | None] = {}
        self.failures: dict[str, str] = {}

    def apply(self, recorded: RRPair, replayed: RRPair) -> RRPair:
        """Return the replayed pair as it may be written."""
        rule = rule_of(recorded) or self._whole
        if not rule:
            return replayed
        redactor = self._redactor(rule)
        if redactor is None:
            return _emptied(replayed, rule)
        try:
            redacted = redactor.redact_pair(replayed).pair
        except Exception:  # whatever went wrong, the original must not be written
            return _emptied(replayed, rule)
        redacted.doc["dlpModified"], redacted.doc["dlpRule"] = True, rule
        return redacted

    def field(self, value: str, reverse: bool) -> str:
        """Redact one value for the transform dlp_field, by the standard rule."""
        redactor = self._redactor(DEFAULT_RULE)
        if redactor is None or reverse:
            raise TransformError(
                "reverse is not supported here" if reverse else "the redaction rule or key cannot be used"
            )
        holder = RRPair({"http": {"req": {"method": "POST", "headers": {"Content-Type": ["application/json"]}}}})
        holder.request_body = json.dumps({"password": value}).encode()
        body = redactor.redact_pair(holder).pair.request_body or b"{}"
        return str(json.loads(body)["password"])

    def _redactor(self, rule: str) -> dlp.Redactor | None:
        if rule not in self._redactors:
            try:
                self._redactors[rule] = rules.redactor(rule, self._home, key_path=self._key_path)
            except Exception as error:  # a broken rule or key must end in dropping, never in writing originals
                self.failures[rule] = f"{type(error).__name__}: rule or key cannot be used"
                self._redactors[rule] = None
        return self._redactors[rule]


def rule_of(recorded: RRPair) -> str:
    """Return the id of the rule that redacted a recorded pair; empty where none did."""
    doc = recorded.doc
    if doc.get("dlpModified") or doc.get("dlpRule"):
        return str(doc.get("dlpRule") or DEFAULT_RULE)
    return ""


def _emptied(pair: RRPair, rule: str) -> RRPair:
    doc: dict[str, Any] = {
        k: pair.doc[k]
        for k in ("msgType", "ts", "l7protocol", "duration", "uuid", "direction", "status")
        if k in pair.doc
    }
    tags = {k: v for k, v in pair.tags.items() if k in ("source", "refUuid", "testReportId")}
    response = pair.http_response or {}
    doc["tags"] = tags
    doc["http"] = {"req": {}, "res": {"statusCode": response.get("statusCode", 0), "headers": {}}}
    doc["dlpModified"], doc["dlpRule"] = True, rule
    doc["events"] = [
        {
            "source": "generator",
            "operation": "dlp",
            "message": f"content dropped: DLP rule {rule!r} could not be applied",
        }
    ]
    return RRPair(doc, b"", b"")
