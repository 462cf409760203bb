"""Bytecode in an image: compiled here, never checked against the source, equal for equal sources.

Called by `base` and `layers`. A pod's file system is read-only and its times mean nothing: without this every start
would compile all it imports. Python 3.11 compiles for Python 3.11 whatever the architecture. One process with a fixed
hash seed compiles a layer's files in order of their names, because marshalled code differs with what is in memory.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections.abc import Iterable
from pathlib import Path

from speedscale_schemas.errors import ConfigError

from .tree import Tree


def precompile(tree: Tree, below: Iterable[str]) -> None:
    """Add the bytecode of every Python file under the folders `below`. Raises ConfigError for one that is no Python."""
    if sys.version_info[:2] != (3, 11):
        raise ConfigError([f"bytecode for Python 3.11 is compiled by Python 3.11, this is {sys.version.split()[0]}"])
    prefixes = tuple(f"{folder}/" for folder in below)
    python = [(path, entry.data) for path, entry in tree if path.endswith(".py") and path.startswith(prefixes)]
    with tempfile.TemporaryDirectory() as name:
        for file, data in python:
            place = Path(name) / file
            place.parent.mkdir(parents=True, exist_ok=True)
            place.write_bytes(data or b"")
        command = [
            *(sys.executable, "-s", "-P", "-W", "ignore", "-m", "compileall", "-q", "-j", "1"),
            *("-s", name, "-p", "/", "--invalidation-mode", "unchecked-hash", name),
        ]
        environment = {**os.environ, "PYTHONHASHSEED": "0"}
        ran = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
        if ran.returncode != 0:
            raise ConfigError([f"bytecode: {line}" for line in (ran.stdout + ran.stderr).splitlines()[-5:]])
        for path in sorted(Path(name).rglob("*.pyc")):
            tree.file(str(path.relative_to(name)), path.read_bytes())
