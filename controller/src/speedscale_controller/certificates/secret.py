"""Secrets as objects: built from content, read back, and compared. Pure.

A Secret that we make bears our INSTANCE_ID, so that two operators keep apart and a removal knows what to take. Its type
is not stated: an existing one's cannot be changed. What somebody else added beside our keys stays.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from .names import MANAGED_BY

_LABELS = {"app.kubernetes.io/part-of": "speedscale", "app.kubernetes.io/managed-by": "speedscale-operator"}


@dataclass(frozen=True)
class Content:
    """What is in a Secret: values by key, and annotations. `version` is the resourceVersion it was read with."""

    data: Mapping[str, bytes] = field(default_factory=dict, repr=False)
    annotations: Mapping[str, str] = field(default_factory=dict)
    metadata: Mapping[str, Any] | None = None
    kind: str = ""

    @property
    def version(self) -> str:
        """The resourceVersion that it was read with, empty when it is not there."""
        return str((self.metadata or {}).get("resourceVersion", ""))

    @property
    def there(self) -> bool:
        """Whether there is such a Secret."""
        return self.metadata is not None

    def mark(self) -> str:
        """Return the INSTANCE_ID of the operator that made it, empty when none did."""
        return str(self.annotations.get(MANAGED_BY, ""))

    def text(self, key: str) -> str:
        """Return a value as text, empty when it is not there or no UTF-8."""
        return self.data.get(key, b"").decode("utf-8", "replace")


def read(live: Mapping[str, Any] | None) -> Content:
    """Return what a Secret of the API server holds, nothing for None; what is no base64 is left out."""
    if live is None:
        return Content()
    metadata = live.get("metadata") or {}
    data: dict[str, bytes] = {}
    for key, text in (live.get("data") or {}).items():
        try:
            data[key] = base64.b64decode(text, validate=True)
        except (binascii.Error, TypeError, ValueError):
            continue
    return Content(data, dict(metadata.get("annotations") or {}), metadata, str(live.get("type", "")))


def build(
    name: str,
    namespace: str,
    instance: str,
    data: Mapping[str, bytes],
    *,
    annotations: Mapping[str, str] | None = None,
    kind: str = "",
    version: str = "",
) -> dict[str, Any]:
    """Return the Secret to apply. `version` guards it against a change since it was read."""
    marks = {**(annotations or {}), MANAGED_BY: instance}
    return {
        "apiVersion": "v1",
        "kind": "Secret",
        **({"type": kind} if kind else {}),
        "metadata": {
            "name": name,
            "namespace": namespace,
            "labels": dict(_LABELS),
            "annotations": dict(sorted(marks.items())),
            **({"resourceVersion": version} if version else {}),
        },
        "data": {key: base64.b64encode(data[key]).decode("ascii") for key in sorted(data)},
    }


def same(desired: Mapping[str, Any], live: Mapping[str, Any] | None, *, gone: tuple[str, ...] = ()) -> bool:
    """Say whether a live Secret has all that is desired, and none of the keys and annotations `gone`."""
    if live is None:
        return False
    have, want = live.get("metadata") or {}, desired["metadata"]
    pairs = (
        (want["labels"], have.get("labels") or {}),
        (want["annotations"], have.get("annotations") or {}),
        (desired["data"], live.get("data") or {}),
    )
    if any(there.get(key) != value for wanted, there in pairs for key, value in wanted.items()):
        return False
    return not any(key in there for key in gone for _, there in pairs[1:])
