"""`images.toml` as objects, and where things lie in the repository.

Called by all of this package. Reads the table and the members' pyproject files; knows nothing of how images are built.
"""

from __future__ import annotations

import fnmatch
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from speedscale_schemas.errors import ConfigError

from .closure import SOURCES

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[2]


@dataclass(frozen=True)
class Image:
    """One image, as the table says."""

    name: str
    title: str
    uid: int
    programs: tuple[str, ...] = ()
    verbs: str = ""
    links: tuple[tuple[str, str], ...] = ()
    debian: tuple[str, ...] = ()
    without: tuple[str, ...] = ()
    command: tuple[str, ...] = ()
    java: str = ""
    native: str = ""


@dataclass(frozen=True)
class Catalogue:
    """All images, and the groups of Debian packages."""

    root: Path
    images: Mapping[str, Image]
    suite: str
    groups: Mapping[str, tuple[str, ...]]
    links: Mapping[str, Mapping[str, str]]
    never: tuple[str, ...]
    left_out: tuple[str, ...]
    kept: tuple[str, ...]

    def unwanted(self, path: str) -> bool:
        """Return whether a file of a distribution stays out of images, by its path below dist-packages."""
        if any(fnmatch.fnmatchcase(path, pattern) for pattern in self.kept):
            return False
        return any(fnmatch.fnmatchcase(path, pattern) for pattern in self.left_out)

    def folder(self, image: Image) -> Path:
        """Return the folder of an image's Containerfile and requirements."""
        return self.root / "runtime" / "images" / image.name

    def select(self, names: list[str]) -> list[Image]:
        """Return the named images in the table's order, all when none is named. Raises ConfigError."""
        unknown = sorted(set(names) - set(self.images))
        if unknown:
            raise ConfigError([f"no image {name}; there are {', '.join(self.images)}" for name in unknown])
        return [image for image in self.images.values() if not names or image.name in names]

    @cached_property
    def version(self) -> str:
        """Return the version of the whole, as the runtime's pyproject says."""
        return str(self.projects["runtime"]["version"])

    @cached_property
    def projects(self) -> Mapping[str, Mapping[str, Any]]:
        """Return the project tables of our members by folder."""
        members = sorted(set(SOURCES.values()))
        return {m: tomllib.loads((self.root / m / "pyproject.toml").read_text("utf-8"))["project"] for m in members}

    def distribution(self, member: str) -> str:
        """Return the name of a member's distribution."""
        return str(self.projects[member]["name"])

    def entry(self, program: str) -> str:
        """Return the entry point of a program, `module:function`. Raises ConfigError when no member declares it."""
        for project in self.projects.values():
            if program in project.get("scripts", {}):
                return str(project["scripts"][program])
        raise ConfigError([f"images.toml: no member declares the program {program} in [project.scripts]"])

    def points(self, group: str) -> tuple[str, ...]:
        """Return the entry points of a group in all members, `module:name`, as their pyproject files say."""
        groups = (project.get("entry-points", {}).get(group, {}) for project in self.projects.values())
        return tuple(point for points in groups for point in points.values())

    def module(self, program: str) -> str:
        """Return the module of a program."""
        return self.entry(program).partition(":")[0]


def load(root: Path = ROOT) -> Catalogue:
    """Read the table of the repository at `root`. Raises ConfigError for a key that is not known."""
    table = tomllib.loads((root / "runtime" / "images" / "images.toml").read_text("utf-8"))
    debian = dict(table["debian"])
    suite, links = debian.pop("suite"), debian.pop("links")
    groups = {name: tuple(packages) for name, packages in debian.items()}
    images = {name: _image(name, entry, groups) for name, entry in table["image"].items()}
    return Catalogue(
        root, images, suite, groups, links, *(tuple(table["python"][name]) for name in ("never", "left_out", "kept"))
    )


def _image(name: str, entry: Mapping[str, Any], groups: Mapping[str, tuple[str, ...]]) -> Image:
    known = Image.__dataclass_fields__
    problems = [f"images.toml: image.{name} has no setting {key}" for key in entry if key not in known]
    problems += [f"images.toml: image.{name}: no Debian group {g}" for g in entry.get("debian", ()) if g not in groups]
    if problems:
        raise ConfigError(problems)
    values: dict[str, Any] = {key: tuple(value) if isinstance(value, list) else value for key, value in entry.items()}
    values["links"] = tuple(sorted(entry.get("links", {}).items()))
    return Image(name=name, **values)
