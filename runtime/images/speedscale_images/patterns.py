"""What redaction compiles at its start, compiled while an image is built: hyperscan's databases of the built-in rules.

Called by `layers`. A pod's file system is read-only, so that each start would take two seconds of a processor. The
compiler is hyperscan's wheel for this machine's architecture, from the hashes of `runtime/images/patterns.txt`, run by
the image's own Python with our sources: the database is the same for each architecture (`prefilter.ship` says why).
What a program does not find under its own key it compiles as ever.
"""

from __future__ import annotations

import hashlib
import os
import subprocess
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path

from speedscale_schemas.errors import ConfigError

from . import wheels
from .bytecode import Interpreter
from .closure import SOURCES, closure
from .debian import machine
from .tree import Tree

PROGRAM = "speedscale_runtime.dlp.shipped"
USER = "speedscale_runtime.dlp.prefilter"
"""An image whose programs import this holds the databases."""
PLACE = f"{wheels.SITE}/speedscale_runtime/dlp/compiled"
REQUIREMENTS = "runtime/images/patterns.txt"
_DATA = "schemas/src/speedscale_schemas/builtin/dlp"
_MACHINES = {"amd64": "x86_64", "arm64": "aarch64"}


def fingerprint(root: Path, modules: Mapping[str, Path]) -> str:
    """Return what the databases depend on: our sources that make them, the rules, and the distributions."""
    paths = [*(modules[name] for name in closure([PROGRAM], modules).own), *(root / _DATA).iterdir()]
    digest = hashlib.sha256((root / REQUIREMENTS).read_bytes())
    for path in sorted(paths):
        digest.update(hashlib.sha256(path.read_bytes()).digest())
    return digest.hexdigest()


def compiled(root: Path, architecture: str, unwanted: Callable[[str], bool], python: Interpreter) -> Tree:
    """Return the databases for programs of an architecture. Raises ConfigError where they cannot be made."""
    needed, tree = Tree(), Tree()
    wheels.install(root / REQUIREMENTS, machine(), unwanted, needed)
    with tempfile.TemporaryDirectory() as name:
        needed.write(Path(name))
        sources = [str(root / member / "src") for member in dict.fromkeys(SOURCES.values())]
        environment = {
            **os.environ,
            **python.environment,
            "PYTHONPATH": ":".join((f"{name}/{wheels.SITE}", *sources)),
            "PYTHONHASHSEED": "0",
        }
        made = Path(name) / "compiled"
        command = [str(python.program), *("-B", "-s", "-S", "-P", "-m", PROGRAM, str(made), _MACHINES[architecture])]
        ran = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
        files = sorted(made.glob("*.compiled"))
        if ran.returncode != 0 or not files:
            said = (ran.stdout + ran.stderr).splitlines()[-5:] or ["nothing was written"]
            raise ConfigError([f"compiled patterns: {line}" for line in said])
        for path in files:
            tree.file(f"{PLACE}/{path.name}", path.read_bytes())
    return tree
