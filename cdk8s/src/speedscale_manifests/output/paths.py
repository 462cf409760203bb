"""Where an object's file lies, which paths are safe to write, and the kustomizations that list them.

Called by `rendering` and `writer`. A path is relative, with `/`, and the same on every file system: what would fall
together on one that folds case, or cannot exist on one, is refused instead of written. Pure.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any

from speedscale_schemas.errors import ConfigError

KUSTOMIZATION = "kustomization.yaml"
INDEX = ".speedscale-manifests"  # no suffix: kubectl and Argo CD read every .yaml and .json of a folder
TEMPORARY = ".speedscale-manifests.new"

_SEGMENT = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]*")
_LONGEST = 255
# Names that Windows keeps for devices, with any suffix.
_DEVICE = re.compile(r"(?:con|prn|aux|nul|com[0-9]|lpt[0-9])(?:\..*)?", re.IGNORECASE)


def path_of(chart: str, manifest: Mapping[str, Any], home: str = "") -> str:
    """Return `<chart>/<kind>-<name>.yaml`, lower case; a folder more for objects of a namespace that is not `home`.

    `home` is the namespace of the installation; empty means that all objects lie in the chart's folder.
    """
    metadata = manifest["metadata"]
    namespace = metadata.get("namespace", home)
    folder = chart if not home or namespace == home else f"{chart}/{namespace}"
    return f"{folder}/{manifest['kind']}-{metadata['name']}.yaml".lower()


def kustomization(resources: Iterable[str]) -> dict[str, Any]:
    """Return a Kustomization over files or folders, sorted; it changes nothing in what it lists."""
    return {
        "apiVersion": "kustomize.config.k8s.io/v1beta1",
        "kind": "Kustomization",
        "resources": sorted(resources),
    }


def unsafe(path: str) -> str:
    """Return why a relative path must not be written; empty when it may.

    Refused are paths that leave the folder, and names that some file system cannot hold (a colon, a device's name,
    a dot at the end, more than 255 bytes).
    """
    if path in (INDEX, TEMPORARY):
        return "is the name of the writer's own file"
    for segment in path.split("/"):
        if segment in ("", ".", ".."):
            return "must be relative, without empty parts, '.' or '..'"
        if len(segment) > _LONGEST:
            return f"has a part of {len(segment)} characters; file systems take {_LONGEST}"
        if not _SEGMENT.fullmatch(segment) or segment.endswith("."):
            return f"has a part {segment!r}; letters, digits, '.', '_' and '-' can be written on every file system"
        if _DEVICE.fullmatch(segment):
            return f"has a part {segment!r}, which is a device on Windows"
    return ""


def check(paths: Iterable[str]) -> None:
    """Raise ConfigError with every path that is unsafe or falls together with another one when case is folded."""
    problems: list[str] = []
    seen: dict[str, str] = {}
    folders: dict[str, str] = {}
    for path in sorted(paths):
        reason = unsafe(path)
        if reason:
            problems.append(f"{path}: {reason}")
            continue
        folded = path.casefold()
        if folded in seen:
            problems.append(f"{path}: is the same file as {seen[folded]} where case is folded; rename one of them")
        seen[folded] = path
        parts = folded.split("/")
        folders |= {"/".join(parts[:end]): path for end in range(1, len(parts))}
    problems += [
        f"{seen[name]}: is a file and the folder of {folders[name]}" for name in sorted(seen.keys() & folders.keys())
    ]
    if problems:
        raise ConfigError(problems)
