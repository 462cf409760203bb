"""Programs of ours in C, made by their own Makefile: nettap's capture.

Called by `layers`. Compilers are those of the machine that builds, so an image of another architecture is built there,
or by its Containerfile; the libraries are Debian's packages, as in every image.
"""

from __future__ import annotations

import hashlib
import subprocess
import tempfile
from pathlib import Path

from speedscale_schemas.errors import ConfigError

from .tree import Tree

BIN = "usr/local/bin"
BUILD = (
    "bpftool",
    "clang-14",
    "gcc",
    "libbpf-dev",
    "libc6-dev",
    "libelf-dev",
    "libzydis-dev",
    "llvm-14",
    "make",
    "zlib1g-dev",
)
"""Debian packages that the Makefile needs."""
_SUFFIXES = (".c", ".h")


def program(name: str) -> str:
    """Return the name of the program that folder `name` below `runtime/` makes."""
    return f"speedscale-{name}-capture"


def build(folder: Path, name: str, architecture: str, machine: str) -> Tree:
    """Return the program, stripped. Raises ConfigError with the compiler's words, or for another architecture."""
    if architecture != machine:
        raise ConfigError([f"image {name}: build it on {architecture}, or with runtime/images/{name}/Containerfile"])
    tree = Tree()
    with tempfile.TemporaryDirectory() as out:
        made = Path(out) / program(name)
        _run("make", "-s", "-C", str(folder), f"OUT={out}")
        _run("strip", "--strip-all", str(made))
        tree.file(f"{BIN}/{program(name)}", made.read_bytes(), 0o755)
    return tree


def sources(folder: Path) -> list[list[str]]:
    """Return name and hash of every file that the program is made from."""
    files = sorted(p for p in folder.rglob("*") if p.is_file() and (p.suffix in _SUFFIXES or p.name == "Makefile"))
    return [[str(p.relative_to(folder)), hashlib.sha256(p.read_bytes()).hexdigest()] for p in files]


def _run(*command: str) -> None:
    try:
        ran = subprocess.run(command, capture_output=True, text=True, check=False)
    except FileNotFoundError as error:
        raise ConfigError([f"{command[0]} is missing: apt-get install {' '.join(BUILD)}"]) from error
    if ran.returncode != 0:
        lines = (ran.stdout + ran.stderr).splitlines()[-5:]
        raise ConfigError([*(f"{command[0]}: {line}" for line in lines), f"it needs {' '.join(BUILD)}"])
