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

from .model import Pair
from .names import MANAGED_BY

_LABELS = {"app.kubernetes.io/part-of": "speedscale", "app.kubernetes.io/managed-by": "speedscale-operator"}


@dataclass(frozen=True)
class Content:
    """A Secret as it was read: `live` is the object, None where there is none; `data` its values, decoded."""

    live: Mapping[str, Any] | None = field(default=None, repr=False)
    data: Mapping[str, bytes] = field(default_factory=dict, repr=False)

    @property
    def metadata(self) -> Mapping[str, Any] | None:
        """Its metadata, None where there is no Secret."""
        return None if self.live is None else self.live.get("metadata") or {}

    @property
    def version(self) -> str:
        """The resourceVersion that it was read with, empty where there is no Secret."""
        return str((self.metadata or {}).get("resourceVersion", ""))

    def note(self, annotation: str) -> str:
        """Return an annotation, empty where there is none."""
        return str(((self.metadata or {}).get("annotations") or {}).get(annotation, ""))

    @property
    def mark(self) -> str:
        """The INSTANCE_ID of the operator that made it, empty where none did."""
        return self.note(MANAGED_BY)

    def pair(self, certificate: str, key: str) -> Pair:
        """Return the certificate and key under these names."""
        return Pair(self.data.get(certificate, b""), self.data.get(key, b""))

    def text(self, key: str) -> str:
        """Return a value as text, empty where there is none."""
        return self.data.get(key, b"").decode("utf-8", "replace")


def read(live: Mapping[str, Any] | None) -> Content:
    """Return what a Secret of the API server holds, nothing for None; what is no base64 is left out."""
    data: dict[str, bytes] = {}
    for key, text in ((live or {}).get("data") or {}).items():
        try:
            data[key] = base64.b64decode(text, validate=True)
        except (binascii.Error, TypeError, ValueError):
            continue
    return Content(live, data)


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


def leftovers(
    live: Mapping[str, Any] | None, gone: tuple[str, ...], desired: Mapping[str, Any]
) -> dict[str, Any] | None:
    """Return the merge patch that takes away what an apply leaves since somebody else wrote it too; None for none."""
    have = live or {}
    notes, wanted = (have.get("metadata") or {}).get("annotations") or {}, desired["metadata"]["annotations"]
    values = have.get("data") or {}
    marks = dict.fromkeys(key for key in gone if key in notes and key not in wanted)
    keys = dict.fromkeys(key for key in gone if key in values and key not in desired["data"])
    patch = {**({"metadata": {"annotations": marks}} if marks else {}), **({"data": keys} if keys else {})}
    return patch or None
