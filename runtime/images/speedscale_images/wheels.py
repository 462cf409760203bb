"""Python in an image: others' distributions by hash, our members, and the programs that start them.

Called by `layers`. Distributions are installed by uv from a hashed file into a folder, for the image's platform and
not for this machine's. Our members are their source trees beside the metadata that `importlib.metadata` reads: what a
wheel of them holds.
"""

from __future__ import annotations

import base64
import csv
import hashlib
import json
import os
import shutil
import stat
import subprocess
import sys
import tempfile
from collections.abc import Callable, Mapping
from email import message_from_bytes
from pathlib import Path
from typing import Any

from speedscale_schemas.errors import ConfigError

from . import elf
from .cache import Item
from .debian import machine
from .tree import Tree

SITE = "usr/local/lib/python3.11/dist-packages"
BIN = "usr/local/bin"
PLATFORMS = {"amd64": "x86_64-manylinux_2_36", "arm64": "aarch64-manylinux_2_36"}
_NEEDLESS = ("tests", "test", "__pycache__")
_PROGRAM = """#!/usr/bin/python3.11 -I
import sys
from {module} import {function}
sys.exit({function}())
"""


def install(requirements: Path, architecture: str, unwanted: Callable[[str], bool], tree: Tree) -> list[Item]:
    """Put the distributions of a hashed requirements file into the tree; return what they are.

    `unwanted` says of a path below dist-packages whether it stays out.
    Raises ConfigError when one has no wheel for the architecture, or it or a file of it does not match its hash.
    """
    with tempfile.TemporaryDirectory() as name:
        target = Path(name)
        _fetch(requirements, architecture, target)
        if changed(target):  # whoever edits a file of an environment edits uv's cache, which it is linked with
            shutil.rmtree(target)
            _fetch(requirements, architecture, target, fresh=True)
        if wrong := changed(target):
            raise ConfigError([f"{requirements}: {path} is not what its wheel says" for path in wrong[:8]])
        found = [_known(path) for path in sorted(target.glob("*.dist-info/METADATA"))]
        for path in sorted(target.rglob("*")):
            relative = path.relative_to(target)
            if path.is_file() and _wanted(relative) and not unwanted(str(relative)):
                mode = 0o755 if path.stat().st_mode & stat.S_IXUSR else 0o644
                data = path.read_bytes()
                tree.file(f"{SITE}/{relative}", elf.strip(data) if ".so" in path.suffixes else data, mode)
    return found


def _fetch(requirements: Path, architecture: str, target: Path, *, fresh: bool = False) -> None:
    command = [
        *installer(architecture),
        *("--quiet", "--no-deps", "--require-hashes", "--only-binary", ":all:"),
        *("--target", str(target), "--requirement", str(requirements)),
    ]
    environment = {**os.environ, **({"UV_NO_CACHE": "1"} if fresh else {})}
    ran = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    if ran.returncode != 0:
        raise ConfigError([f"{requirements}: {line}" for line in ran.stderr.strip().splitlines()[-8:]])


def changed(target: Path) -> list[str]:
    """Return the files that are not what their wheel's RECORD says. Source: the specification of recorded installs."""
    rows = (row for record in sorted(target.glob("*.dist-info/RECORD")) for row in _rows(record))
    wrong = []
    for path, digest in rows:
        place = target / path
        if digest.startswith("sha256=") and place.is_file():
            found = base64.urlsafe_b64encode(hashlib.sha256(place.read_bytes()).digest()).rstrip(b"=").decode()
            wrong += [path] if found != digest.removeprefix("sha256=") else []
    return wrong


def _rows(record: Path) -> list[tuple[str, str]]:
    with record.open(encoding="utf-8", newline="") as file:
        return [(row[0], row[1]) for row in csv.reader(file) if len(row) > 1]


def installer(architecture: str) -> tuple[str, ...]:
    """Return uv's command, for any architecture, or where it is missing pip's, which is for this machine's alone."""
    beside = Path(sys.executable).with_name("uv")
    uv = str(beside) if beside.is_file() else shutil.which("uv")
    if uv is not None:
        platform = ("--python-version", "3.11", "--python-platform", PLATFORMS[architecture])
        return (uv, "pip", "install", "--python", sys.executable, *platform, "--link-mode", "copy")
    if architecture != machine():
        raise ConfigError([f"an image for {architecture} needs uv on this machine; make setup installs it"])
    return (sys.executable, "-m", "pip", "install", "--no-compile", "--no-cache-dir", "--no-warn-script-location")


def _wanted(path: Path) -> bool:
    """Whether a file of a distribution is of use in a pod."""
    parts = path.parts
    if len(parts) == 1 or parts[0] in ("bin", "share", "include"):
        return len(parts) == 1 and path.suffix in (".py", ".so")
    if parts[0].endswith(".dist-info"):
        return parts[1] not in ("RECORD", "INSTALLER", "REQUESTED", "direct_url.json", "sboms")
    if set(parts[:-1]) & set(_NEEDLESS):
        return False
    return path.suffix not in (".pyi", ".c", ".h", ".pyx", ".pxd", ".pxi", ".a", ".rst", ".md", ".proto", ".hash")


def _known(metadata: Path) -> Item:
    fields = message_from_bytes(metadata.read_bytes())
    licence = fields.get("License-Expression") or fields.get("License") or ""
    return (
        "pypi",
        str(fields["Name"]).lower().replace("_", "-"),
        str(fields["Version"]),
        licence.partition("\n")[0][:80],
    )


def member(root: Path, project: Mapping[str, Any], tree: Tree) -> Item:
    """Put a member of the workspace into the tree: its package, and its metadata. Return what it is."""
    for path in sources(root):
        tree.file(f"{SITE}/{path.relative_to(root / 'src')}", path.read_bytes())
    name, version = str(project["name"]), str(project["version"])
    info = f"{SITE}/{name.replace('-', '_')}-{version}.dist-info"
    tree.file(f"{info}/METADATA", f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n".encode())
    groups = {"console_scripts": project.get("scripts", {}), **project.get("entry-points", {})}
    lines = [line for group, points in groups.items() if points for line in (f"[{group}]", *_points(points), "")]
    if lines:
        tree.file(f"{info}/entry_points.txt", "\n".join(lines).encode())
    return "own", name, version, "Apache-2.0"


def sources(root: Path) -> list[Path]:
    """Return the files of a member that a wheel of it holds, sorted."""
    return sorted(p for p in (root / "src").rglob("*") if p.is_file() and "__pycache__" not in p.parts)


def _points(points: Mapping[str, str]) -> list[str]:
    return [f"{name} = {value}" for name, value in points.items()]


def program(name: str, entry: str, tree: Tree) -> None:
    """Put a program that starts an entry point (`module:function`)."""
    module, _, function = entry.partition(":")
    tree.file(f"{BIN}/{name}", _PROGRAM.format(module=module, function=function).encode(), 0o755)


def fingerprint(root: Path) -> str:
    """Return what a member's layer depends on: names and content of its files, as JSON can hold it."""
    digest = hashlib.sha256()
    for path in sources(root):
        digest.update(json.dumps([str(path.relative_to(root)), hashlib.sha256(path.read_bytes()).hexdigest()]).encode())
    return digest.hexdigest()
