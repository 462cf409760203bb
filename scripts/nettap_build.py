"""nettap's capture program, built from `runtime/nettap` when it is first asked for.

    python scripts/nettap_build.py        builds it and prints the folder

Into `${XDG_CACHE_HOME:-~/.cache}/speedscale/tools/nettap-<hash of its sources>`; built again when a source changes. One
build runs at a time. Called by the kernel tests, the small machines, `make bench-nettap` and the cluster; the image's
builder calls the same Makefile. Needs the Debian packages of `tools.KERNEL`.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import tools

ROOT = Path(__file__).resolve().parent.parent
SOURCES = ROOT / "runtime" / "nettap"
PROGRAM = "speedscale-nettap-capture"
KEPT = 3
_SUFFIXES = (".c", ".h")


class BuildError(Exception):
    """It cannot be built; the text says why and what to do."""


class Lacking(BuildError):
    """What it is built with is not on this machine: the one cause for which a test may be skipped."""


@dataclass(frozen=True)
class Foreign:
    """Another architecture than ours: as compilers call it, with its headers and libraries below `sysroot`."""

    machine: str
    sysroot: Path

    @property
    def compiler(self) -> str:
        """Return the name of the C compiler for it, of Debian's package `gcc-<machine>-linux-gnu`."""
        return f"{self.machine}-linux-gnu-gcc"


def ensure(foreign: Foreign | None = None) -> Path:
    """Return the folder that holds the program, building it when it is not there. Raises BuildError."""
    place = folder(foreign)
    with locked():
        if not (place / PROGRAM).exists():
            _clear(_prefix(foreign))
            _build(place, foreign)
            _forget(place, _prefix(foreign))
    return place


def _prefix(foreign: Foreign | None) -> str:
    return f"nettap.{foreign.machine}-" if foreign else "nettap-"


def folder(foreign: Foreign | None = None) -> Path:
    """Return where the build of these sources lies, built or not."""
    digest = hashlib.sha256()
    for path in sorted(sources()):
        digest.update(f"{path.relative_to(SOURCES)}\0".encode() + path.read_bytes() + b"\0")
    return cache() / f"{_prefix(foreign)}{digest.hexdigest()[:16]}"


def sources() -> Iterable[Path]:
    """Yield the files that the program is made from."""
    return (p for p in SOURCES.rglob("*") if p.is_file() and (p.suffix in _SUFFIXES or p.name == "Makefile"))


def cache() -> Path:
    """Return the folder of what was built, for this user."""
    base = os.environ.get("XDG_CACHE_HOME", "")
    return (Path(base) if os.path.isabs(base) else Path.home() / ".cache") / "speedscale" / "tools"


class locked:
    """Let one build run at a time; the second waits."""

    def __enter__(self) -> None:
        cache().mkdir(parents=True, exist_ok=True)
        self._file = (cache() / "nettap.lock").open("w")
        fcntl.flock(self._file, fcntl.LOCK_EX)

    def __exit__(self, *_: object) -> None:
        self._file.close()


def _build(place: Path, foreign: Foreign | None) -> None:
    compiler = {foreign.compiler: f"gcc-{foreign.machine}-linux-gnu"} if foreign else {}
    lacking = tools.missing({**tools.KERNEL, **compiler})
    if lacking:
        packages = " ".join(sorted(set(lacking.values())))
        raise Lacking(f"nettap's capture needs {', '.join(lacking)} to be built: apt-get install {packages}")
    with tempfile.TemporaryDirectory(dir=cache(), prefix=_prefix(foreign)) as out:
        command = ["make", "-s", "-j2", "-C", str(SOURCES), f"OUT={out}"]
        if foreign:
            command += [f"MACHINE={foreign.machine}", f"SYSROOT={foreign.sysroot}"]
            command += [f"CC={foreign.compiler} --sysroot={foreign.sysroot}"]
        ran = subprocess.run(command, capture_output=True, text=True, check=False)
        if ran.returncode != 0 or not Path(out, PROGRAM).exists():
            raise BuildError(f"make -C runtime/nettap failed:\n{(ran.stdout + ran.stderr)[-6000:]}")
        Path(out).chmod(0o755)
        Path(out).rename(place)
        Path(out).mkdir()  # for the one that is removed in the end


def _clear(prefix: str) -> None:
    """Remove what killed builds left: as one build runs at a time, nobody works in a folder without a program."""
    for left in cache().glob(f"{prefix}*"):
        if left.is_dir() and not (left / PROGRAM).exists():
            shutil.rmtree(left, ignore_errors=True)


def _forget(place: Path, prefix: str) -> None:
    """Remove older builds: branches with other sources keep theirs for a while."""
    others = [p for p in cache().glob(f"{prefix}*") if p.is_dir() and p != place and (p / PROGRAM).exists()]
    for old in sorted(others, key=lambda p: p.stat().st_mtime)[: -(KEPT - 1)]:
        shutil.rmtree(old, ignore_errors=True)


if __name__ == "__main__":
    try:
        print(ensure())
    except BuildError as error:
        sys.exit(str(error))
