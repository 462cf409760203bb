"""Programs of ours in C, made by their own Makefile: nettap's capture.

Called by `layers`. Compilers are those of the machine that builds; for another architecture it is Debian's cross
compiler with headers and libraries of that one. What the program needs to run are Debian's packages, as in every image.
"""

from __future__ import annotations

import hashlib
import subprocess
import tempfile
from pathlib import Path

from speedscale_schemas.errors import ConfigError

from . import debian
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
MACHINES = {"amd64": "x86_64", "arm64": "aarch64"}
"""The kernel's and the compilers' names of Debian's architectures."""
_SUFFIXES = (".c", ".h")


_ADVICE = f"apt-get install {' '.join(BUILD)}; gcc-aarch64-linux-gnu or gcc-x86-64-linux-gnu for the other architecture"


def program(name: str) -> str:
    """Return the name of the program that folder `name` below `runtime/` makes."""
    return f"speedscale-{name}-capture"


def build(folder: Path, name: str, architecture: str, headers: list[debian.Package] | None) -> Tree:
    """Return the program, stripped.

    `headers` are the packages to compile against for another architecture, None for this machine's. Raises ConfigError
    with the compiler's words.
    """
    tree, prefix = Tree(), ""
    with tempfile.TemporaryDirectory() as out, tempfile.TemporaryDirectory() as sysroot:
        made = Path(out) / program(name)
        settings = [f"OUT={out}", "CFLAGS=-O2", "LDFLAGS=-Wl,--build-id=none"]
        if headers is not None:
            machine = MACHINES[architecture]
            prefix = f"{machine}-linux-gnu-"
            _lay_out(headers, Path(sysroot))
            settings += [f"MACHINE={machine}", f"CC={prefix}gcc --sysroot={sysroot}", f"SYSROOT={sysroot}"]
        _run("make", "-s", "-C", str(folder), *settings)
        _run(f"{prefix}strip", "--strip-all", str(made))
        tree.file(f"{BIN}/{program(name)}", made.read_bytes(), 0o755)
    return tree


def _lay_out(packages: list[debian.Package], folder: Path) -> None:
    tree = Tree()
    debian.unpack(packages, tree)
    tree.link("lib", "usr/lib")  # a linker's script names libraries by their older places
    tree.write(folder)


def sources(folder: Path) -> list[list[str]]:
    """Return name and hash of every file that the program is made from."""
    files = sorted(p for p in folder.rglob("*") if p.is_file() and (p.suffix in _SUFFIXES or p.name == "Makefile"))
    return [[str(p.relative_to(folder)), hashlib.sha256(p.read_bytes()).hexdigest()] for p in files]


def _run(*command: str) -> None:
    try:
        ran = subprocess.run(command, capture_output=True, text=True, check=False)
    except FileNotFoundError as error:
        raise ConfigError([f"{command[0]} is missing: {_ADVICE}"]) from error
    if ran.returncode != 0:
        lines = (ran.stdout + ran.stderr).splitlines()[-5:]
        raise ConfigError([*(f"{command[0]}: {line}" for line in lines), f"it needs {_ADVICE}"])
