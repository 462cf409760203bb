"""kustomize as a subprocess: which program, which version, what it builds, what it says when it does not.

Called by `validate`, by `drift` and by tests. Programs are started with argument lists, never through a shell, with a
time limit; what they write to stderr is quoted with the name of the kustomization it is about.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from speedscale_schemas.errors import ConfigError

from .reading import documents

OLDEST = (5, 0)
_VERSION_LIMIT_S = 20.0
_BUILD_LIMIT_S = 60.0
_QUOTED = 2000  # characters of stderr that an error carries
_NAMES = ("kustomization.yaml", "kustomization.yml", "Kustomization")


class KustomizeMissing(ConfigError):
    """No program that can build: what was looked at, why it would not do, how to get one."""


class KustomizeError(ConfigError):
    """A kustomization that does not build."""


@dataclass(frozen=True, slots=True)
class Built:
    """What a kustomization gave, and which program gave it."""

    manifests: list[dict[str, Any]]
    text: str
    program: str
    version: str


@dataclass(frozen=True, slots=True)
class Kustomize:
    """A program that builds: `command` is followed by the folder. `version` is its kustomize version, `v5.8.1`."""

    command: tuple[str, ...]
    version: str

    def build(self, folder: Path | str) -> list[dict[str, Any]]:
        """Return the objects of a kustomization; raises as `run`."""
        return self.run(folder).manifests

    def run(self, folder: Path | str, limit_s: float = _BUILD_LIMIT_S) -> Built:
        """Build a folder with a kustomization.

        `limit_s` is the time it may take, in seconds. Raises KustomizeError when the folder has no kustomization,
        when the program refuses it (its words quoted), takes too long or prints no YAML.
        """
        named = _kustomization(Path(folder))
        done = _call((*self.command, str(named.parent)), limit_s)
        if isinstance(done, str):
            raise KustomizeError([f"{named}: {done}"])
        if done.returncode != 0:
            said = _shortened(done.stderr) or f"ended with {done.returncode} and said nothing"
            raise KustomizeError([f"{named}: {self.command[0]} {self.version} refuses it: {said}"])
        try:
            manifests = documents(done.stdout)
        except ValueError as error:
            raise KustomizeError([f"{named}: {self.command[0]} {self.version} printed no YAML: {error}"]) from error
        return Built(manifests, done.stdout, self.command[0], self.version)


def find(environment: Mapping[str, str] | None = None) -> Kustomize:
    """Return the first that will do: `kustomize`, `kubectl kustomize`, the copy that `make cluster-tools` builds.

    `environment` (default: the process's own) gives PATH, HOME and XDG_CACHE_HOME. Raises KustomizeMissing, with what
    each candidate lacks, when there is none of version 5 or newer.
    """
    given = os.environ if environment is None else environment
    refused: list[str] = []
    for program, asked, command in _candidates(given, refused):
        done = _call(asked, _VERSION_LIMIT_S)
        version = "" if isinstance(done, str) else _version(done.stdout)
        if version and _numbers(version) >= OLDEST:
            return Kustomize(command, version)
        old = f"its kustomize is {version or 'older than 4.5'}; needed is {OLDEST[0]} or newer"
        refused.append(f"{program}: {done if isinstance(done, str) else old}")
    remedy = "make cluster-tools builds one (needs Go), or install https://kubectl.docs.kubernetes.io/installation/"
    raise KustomizeMissing([f"no kustomize: {'; '.join(refused)}. {remedy}"])


def _candidates(
    environment: Mapping[str, str], refused: list[str]
) -> list[tuple[str, tuple[str, ...], tuple[str, ...]]]:
    """Return (program, how to ask its version, how to build) of each that is there; tell of the others."""
    path = environment.get("PATH", os.defpath)
    found: list[tuple[str, tuple[str, ...], tuple[str, ...]]] = []
    for name, asking, building in (
        ("kustomize", ("version",), ("build",)),
        ("kubectl", ("version", "--client", "-o", "json"), ("kustomize",)),
    ):
        program = shutil.which(name, path=path)
        if program is None:
            refused.append(f"{name} is not on PATH")
        else:
            found.append((program, (program, *asking), (program, *building)))
    ours = tool(environment)
    if os.access(ours, os.X_OK):
        found.append((str(ours), (str(ours), "version"), (str(ours), "build")))
    else:
        refused.append(f"{ours} is not built")
    return found


def tool(environment: Mapping[str, str]) -> Path:
    """Return where `make cluster-tools` leaves its kustomize."""
    base = environment.get("XDG_CACHE_HOME", "")
    cache = Path(base) if os.path.isabs(base) else Path(environment.get("HOME") or Path.home()) / ".cache"
    return cache / "speedscale" / "tools" / "bin" / "kustomize"


def _version(told: str) -> str:
    """Return the version in `kustomize version` or in kubectl's JSON; empty when neither says one."""
    text = told
    if told.lstrip().startswith('{"') or told.lstrip().startswith("{\n"):
        try:
            text = str(json.loads(told).get("kustomizeVersion", ""))
        except ValueError:
            return ""
    found = re.search(r"v\d+\.\d+\.\d+", text)
    return found.group() if found else ""


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in version[1:].split(".")[:2])


def _kustomization(folder: Path) -> Path:
    for name in _NAMES:
        if (folder / name).is_file():
            return folder / name
    raise KustomizeError([f"{folder}: has no {_NAMES[0]}"])


def _call(command: Sequence[str], limit_s: float) -> subprocess.CompletedProcess[str] | str:
    """Run a program without input; return what it did, or why it could not be run."""
    try:
        return subprocess.run(
            command,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            encoding="utf-8",
            errors="replace",
            timeout=limit_s,
            check=False,
            env={**os.environ, "LC_ALL": "C.UTF-8"},
        )
    except subprocess.TimeoutExpired:
        return f"{command[0]} took longer than {limit_s:g} s and was ended"
    except OSError as error:
        return f"{command[0]} cannot be run: {error.strerror or error}"


def _shortened(text: str) -> str:
    """Return what a program said; of a long text both ends, since the reason stands in one of them."""
    said = text.strip().removeprefix("Error: ")
    return said if len(said) <= _QUOTED else f"{said[: _QUOTED // 2]} … {said[-_QUOTED // 2 :]}"
