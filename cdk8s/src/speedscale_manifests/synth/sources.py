"""Where values come from and where files go when nobody says so.

Called by the verb and by `cdk8s/main.py`; what is found here is only named, never read.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

VARIABLE = "SPEEDSCALE_VALUES"
_NAME = "values.yaml"
_PROJECT = "cdk8s.yaml"


@dataclass(frozen=True, slots=True)
class Sources:
    """Values files in the order of their layers (none: the defaults), and the folder that the output goes to."""

    files: tuple[Path, ...]
    output: Path


def sources(
    directory: Path,
    environment: Mapping[str, str],
    files: Sequence[str] = (),
    output: str | None = None,
    folder: str = "dist",
) -> Sources:
    """Return what to read and where to write, seen from a directory.

    Files: those given; else those that SPEEDSCALE_VALUES names (separated like PATH); else `values.yaml` in the
    directory; else `cdk8s/values.yaml` of the project around it (the nearest folder above that has a `cdk8s.yaml`).
    Output: the one given; else `folder` in the project, or in the directory when it has a `values.yaml` of its own or
    there is no project. Relative names are taken from the directory, and stay as short as they were given.
    """
    project = _project(directory)
    ours = project / "cdk8s" / _NAME if project else None
    own = directory / _NAME
    named = [Path(name) for name in files or environment.get(VARIABLE, "").split(os.pathsep) if name]
    root = project or directory
    if not named:
        if own.is_file() and not (ours and _same(own, ours)):
            root = directory
        found = own if own.is_file() else ours
        named = [_short(found, directory)] if found is not None and found.is_file() else []
    return Sources(tuple(named), Path(output) if output else _short(root / folder, directory))


def _project(directory: Path) -> Path | None:
    for folder in (directory, *directory.parents):
        if (folder / _PROJECT).is_file():
            return folder
    return None


def _same(one: Path, other: Path) -> bool:
    return other.is_file() and one.samefile(other)


def _short(path: Path, directory: Path) -> Path:
    """Return a path relative to the directory when it lies there: for messages."""
    return path.relative_to(directory) if path.is_relative_to(directory) else path
