"""Placed objects → files: one object a file, a kustomization a chart, one over all.

Called by `synth`, and by whoever wants the bytes of objects without cdk8s. Pure: equal objects give equal bytes.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Protocol

from speedscale_manifests.objects.emit import emit
from speedscale_schemas.errors import ConfigError

from .paths import KUSTOMIZATION, check, kustomization, path_of


class Placed(Protocol):
    """An object and the chart it belongs to."""

    @property
    def chart(self) -> str:
        """Name of the chart: its folder."""

    @property
    def manifest(self) -> Mapping[str, Any]:
        """The object, plain JSON types."""


def render(placed: Iterable[Placed], home: str = "") -> dict[str, bytes]:
    """Return the files of objects by path, sorted: `<chart>/<kind>-<name>.yaml` and the kustomizations.

    `home` is the namespace of the installation; objects of another one lie in a folder of that name, since they may
    bear the same kind and name. Raises ConfigError for objects that would share a file or whose name cannot be one.
    """
    files: dict[str, bytes] = {}
    owners: dict[str, str] = {}
    listed: dict[str, list[str]] = {}
    problems: list[str] = []
    for item in placed:
        path, told = path_of(item.chart, item.manifest, home), _told(item.manifest)
        if path in owners:
            problems.append(f"{path}: {owners[path]} and {told} would both be this file; rename one of them")
            continue
        owners[path] = told
        files[path] = emit(item.manifest).encode()
        listed.setdefault(item.chart.lower(), []).append(path.partition("/")[2])
    if problems:
        raise ConfigError(problems)
    for chart, names in listed.items():
        files[f"{chart}/{KUSTOMIZATION}"] = emit(kustomization(names)).encode()
    if listed:
        files[KUSTOMIZATION] = emit(kustomization(listed)).encode()
    check(files)
    return dict(sorted(files.items()))


def _told(manifest: Mapping[str, Any]) -> str:
    """Return an object as people name it."""
    metadata = manifest["metadata"]
    namespace = f" in namespace {metadata['namespace']}" if metadata.get("namespace") else ""
    return f"{manifest['apiVersion']} {manifest['kind']} {metadata['name']}{namespace}"
