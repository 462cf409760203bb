"""Bytecode in an image: compiled here, never checked against the source, equal for equal sources.

Called by `base` and `layers`. A pod's file system is read-only and its times mean nothing: without this every start
would compile all it imports. The compiler is the image's own Python, of this machine's architecture, unpacked and not
installed: another 3.11 writes other bytes, and 3.11 compiles for 3.11 whatever the architecture. One process with a
fixed hash seed compiles a layer's files in order of their names: marshalled code differs with what is in memory.
"""

from __future__ import annotations

import os
import subprocess
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from speedscale_schemas.errors import ConfigError

from . import debian
from .tree import Tree


@dataclass(frozen=True)
class Interpreter:
    """A Python 3.11 that compiles: the program, and what its environment needs beside this process's."""

    program: Path
    environment: Mapping[str, str] = field(default_factory=dict)


@contextmanager
def unpacked(packages: list[debian.Package]) -> Iterator[Interpreter]:
    """Lay Debian's Python for this machine out in a folder of its own. `packages` are its interpreter and library."""
    tree = Tree()
    debian.unpack(packages, tree)
    with tempfile.TemporaryDirectory() as name:
        tree.write(Path(name))
        usr = Path(name) / "usr"
        libraries = ":".join(sorted({str(path.parent) for path in usr.glob("lib/*/*.so*")}))
        yield Interpreter(usr / "bin" / "python3.11", {"PYTHONHOME": str(usr), "LD_LIBRARY_PATH": libraries})


def precompile(tree: Tree, below: Iterable[str], python: Interpreter) -> None:
    """Add the bytecode of every Python file under the folders `below`. Raises ConfigError for one that is no Python."""
    prefixes = tuple(f"{folder}/" for folder in below)
    sources = [(path, entry.data) for path, entry in tree if path.endswith(".py") and path.startswith(prefixes)]
    with tempfile.TemporaryDirectory() as name:
        for file, data in sources:
            place = Path(name) / file
            place.parent.mkdir(parents=True, exist_ok=True)
            place.write_bytes(data or b"")
        command = [
            *(str(python.program), "-s", "-S", "-P", "-W", "ignore", "-m", "compileall", "-q", "-j", "1"),
            *("-s", name, "-p", "/", "--invalidation-mode", "unchecked-hash", name),
        ]
        environment = {**os.environ, "PYTHONHASHSEED": "0", **python.environment}
        ran = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
        if ran.returncode != 0:
            raise ConfigError([f"bytecode: {line}" for line in (ran.stdout + ran.stderr).splitlines()[-5:]])
        for path in sorted(Path(name).rglob("*.pyc")):
            tree.file(str(path.relative_to(name)), path.read_bytes())
