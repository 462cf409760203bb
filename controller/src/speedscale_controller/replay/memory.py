"""What a replay has to remember beyond its status: an annotation on the TrafficReplay, in JSON.

The status is for people and has the vendor's fields; this is what only the operator needs, and what must outlive it:
which snapshot `latest` meant, how the Services are called, what was done to which workload, and whether that is over.
Written under the manager of the inventory before the deed, so that a crash in between leaves a note of what may have
been done. Pure.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from speedscale_kube import Ref

from .sidecar_patch import sound


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkloadPatch:
    """What a running replay does to a workload; the fields of `injection.ReplayPatch` (`ReplayPatch(**p.arguments())`).

    `host_aliases` is host name → IP address, `routes` host:port → host:port, `annotations` settings of the sidecar,
    `patch` the strategic merge patch of `sidecar.patch`.
    """

    name: str
    report_id: str
    host_aliases: Mapping[str, str] = field(default_factory=dict)
    routes: Mapping[str, str] = field(default_factory=dict)
    trust: bool = False
    annotations: Mapping[str, str] = field(default_factory=dict)
    env: Mapping[str, str] = field(default_factory=dict)
    patch: Mapping[str, Any] = field(default_factory=dict)

    def arguments(self) -> dict[str, Any]:
        """Return the fields by name."""
        return {name: getattr(self, name) for name in self.__slots__}

    @classmethod
    def read(cls, doc: Mapping[str, Any]) -> WorkloadPatch:
        """Return the patch of what `arguments` made; what is of the wrong type counts as absent."""

        def texts(key: str) -> dict[str, str]:
            value = doc.get(key)
            return {str(k): str(v) for k, v in value.items()} if isinstance(value, Mapping) else {}

        return cls(
            name=str(doc.get("name", "")),
            report_id=str(doc.get("report_id", "")),
            host_aliases=texts("host_aliases"),
            routes=texts("routes"),
            trust=doc.get("trust") is True,
            annotations=texts("annotations"),
            env=texts("env"),
            patch=doc["patch"] if sound(doc.get("patch")) else {},
        )


@dataclass(frozen=True, slots=True)
class Memory:
    """What a replay remembers.

    `snapshot`: the id that was resolved. `mode`: what the test config made of it. `suffixes`: ending of the Services'
    names by namespace. `patches`: what is, or may be, done to which workload. `released`: the workloads are being given
    back, or another replay's by now.
    """

    snapshot: str = ""
    mode: str = ""
    suffixes: Mapping[str, str] = field(default_factory=dict)
    patches: Mapping[Ref, WorkloadPatch] = field(default_factory=dict)
    released: bool = False

    @classmethod
    def read(cls, text: str) -> Memory:
        """Return what the annotation says; nothing where it is none of ours."""
        try:
            doc = json.loads(text) if text else {}
        except (ValueError, RecursionError):
            return cls()
        if not isinstance(doc, dict):
            return cls()
        suffixes, patches = doc.get("suffixes"), doc.get("patches")
        return cls(
            snapshot=str(doc.get("snapshot", "")),
            mode=str(doc.get("mode", "")),
            suffixes={str(k): str(v) for k, v in suffixes.items()} if isinstance(suffixes, dict) else {},
            patches={
                Ref(*parts): WorkloadPatch.read(patch)
                for key, patch in (patches.items() if isinstance(patches, dict) else ())
                if len(parts := key.split("|")) == 4 and isinstance(patch, dict)
            },
            released=doc.get("released") is True,
        )

    def text(self) -> str:
        """Return the annotation."""
        doc: dict[str, Any] = {"snapshot": self.snapshot, "mode": self.mode}
        if self.suffixes:
            doc["suffixes"] = dict(self.suffixes)
        if self.patches:
            doc["patches"] = {"|".join(ref): _filled(patch) for ref, patch in self.patches.items()}
        if self.released:
            doc["released"] = True
        return json.dumps(doc, sort_keys=True, separators=(",", ":"), ensure_ascii=False)

    def releasing(self) -> Memory:
        """Return the memory when the workloads are to be given back: admission puts the patch in no more."""
        return replace(self, released=True)

    def done(self) -> Memory:
        """Return the memory once they are given back, or another replay's."""
        return replace(self, released=True, patches={})


def _filled(patch: WorkloadPatch) -> dict[str, Any]:
    return {name: value for name, value in patch.arguments().items() if value}
