"""An installation as a GitOps tool sees it: what git has, what lives, and whether anything has written to it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from speedscale_kube import Client, Object, Ref
from speedscale_runtime.cli.root import main

WAVE = "argocd.argoproj.io/sync-wave"
ROLLED = ("Deployment", "StatefulSet", "DaemonSet")


def synth(folder: Path, *arguments: str) -> Path:
    """Write manifests with `speedctl synth` into `folder` and return it."""
    assert main(["synth", "--out", str(folder), *arguments]) == 0
    return folder


def manifests(dist: Path) -> list[Object]:
    """Return the objects that were written into a folder."""
    files = sorted(file for file in dist.rglob("*.yaml") if file.name != "kustomization.yaml")
    return [one for file in files for one in yaml.safe_load_all(file.read_text(encoding="utf-8"))]


@dataclass(frozen=True)
class Written:
    """What changes when somebody writes an object: its generation, who applied what and when, what it holds."""

    generation: int
    applied: tuple[str, ...]
    held: dict[str, Any]


class Live:
    """The objects of a folder of manifests, in the cluster."""

    def __init__(self, kube: Client, dist: Path) -> None:
        self._kube = kube
        self.manifests = manifests(dist)

    def waves(self) -> dict[int, set[Ref]]:
        """Return the objects by sync wave, as git has them."""
        found: dict[int, set[Ref]] = {}
        for manifest in self.manifests:
            found.setdefault(wave(manifest), set()).add(self._ref(manifest))
        return found

    def there(self) -> dict[Ref, Object]:
        """Return those that live, asked for a kind at a time."""
        wanted = {self._ref(manifest) for manifest in self.manifests}
        kinds = {(which.api_version, which.kind, which.namespace) for which in wanted}
        found = {self._kube.ref(one): one for kind in kinds for one in self._kube.list(*kind)}
        return {which: one for which, one in found.items() if which in wanted}

    def written(self) -> dict[Ref, Written]:
        """Return each object's state of writing; equal twice when nobody wrote in between (status aside)."""
        return {which: _written(one) for which, one in self.there().items()}

    def _ref(self, manifest: Object) -> Ref:
        namespace = manifest["metadata"].get("namespace", "")
        return Ref(manifest["apiVersion"], manifest["kind"], namespace, manifest["metadata"]["name"])


def wave(manifest: Object) -> int:
    """Return the sync wave that stands on an object."""
    return int((manifest["metadata"].get("annotations") or {}).get(WAVE, "0"))


def of(kind: str, refs: Iterable[Ref]) -> set[str]:
    """Return the names of one kind."""
    return {which.name for which in refs if which.kind == kind}


def _written(one: Object) -> Written:
    metadata = one["metadata"]
    entries = [entry for entry in metadata.get("managedFields") or () if entry.get("subresource") != "status"]
    applied = tuple(sorted(repr(entry) for entry in entries if entry["operation"] == "Apply"))
    held = {key: value for key, value in one.items() if key not in ("metadata", "status")}
    return Written(int(metadata.get("generation", 0)), applied, held)
