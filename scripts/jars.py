"""Servers that come as Java archives: a Kafka broker, which the exporter is tested against.

`scripts/java/<name>/pom.xml` pins the versions; Maven copies the archives, checked against their checksums, into

    ${XDG_CACHE_HOME:-~/.cache}/speedscale/tools/<name>-<hash of the pom>/

once. Called by tests; needs Maven and, to run them, Java 17.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import tempfile
from pathlib import Path

import go_tools

POMS = Path(__file__).resolve().parent / "java"


def find(name: str) -> Path | None:
    """Return the folder with the archives where they are there already, else None."""
    folder = _home(name)
    return folder if folder.is_dir() else None


def ensure(name: str) -> Path:
    """Return the folder with the archives, fetched where they are not there; ToolMissing when they cannot be."""
    found = find(name)
    if found is not None:
        return found
    maven = shutil.which("mvn")
    if maven is None:
        raise go_tools.ToolMissing(f"the archives of {name} are fetched by Maven, and there is no mvn on PATH")
    folder = _home(name)
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=f".{name}-", dir=folder.parent) as scratch:
        shutil.copy(POMS / name / "pom.xml", scratch)
        out = Path(scratch) / "jars"
        command = [maven, "-q", "-B", "-f", str(Path(scratch) / "pom.xml"), "dependency:copy-dependencies"]
        done = subprocess.run(
            [*command, f"-DoutputDirectory={out}"], capture_output=True, text=True, check=False, timeout=600
        )
        if done.returncode != 0:
            raise go_tools.ToolMissing(f"mvn could not fetch the archives of {name}:\n{done.stdout[-2000:]}")
        if not folder.is_dir():
            os.replace(out, folder)
    return folder


def _home(name: str) -> Path:
    digest = hashlib.sha256((POMS / name / "pom.xml").read_bytes()).hexdigest()[:16]
    return go_tools.cache() / "tools" / f"{name}-{digest}"
