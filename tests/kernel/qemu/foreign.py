"""Programs for a machine of another architecture than ours: compiled here, with its own libraries beside them."""

from __future__ import annotations

import os
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

import nettap_build
import small_machine
from machines import GUEST, STATIC
from speedscale_images import elf

GO_IN_CI = "NETTAP_ARM64_GO"
LINKED = ("-O1", "-Wall", "-Wextra", "-Werror")


def go_compiler() -> str:
    """Return where Go's command is; empty where there is none."""
    return shutil.which("go", path=os.environ.get("PATH", "") + ":/usr/local/go/bin") or ""


def no_go() -> str:
    """Return why nothing is compiled by Go for another architecture; empty where it is."""
    if not go_compiler():
        return "go is not installed: make tools"
    if os.environ.get("CI", "").lower() == "true" and not os.environ.get(GO_IN_CI):
        return f"Go's own library is compiled anew for arm64, a minute of a processor's time: {GO_IN_CI}=1 in CI"
    return ""


@dataclass(frozen=True)
class Foreign:
    """What compiles for `machine` (the compilers' word for it), and where what is compiled is kept."""

    machine: str
    go_architecture: str
    sysroot: Path
    folder: Path

    @property
    def build(self) -> nettap_build.Foreign:
        return nettap_build.Foreign(self.machine, self.sysroot)

    def static(self, name: str) -> Path:
        """Return a program made from one file of `guest`."""
        return self._compiled(GUEST / f"{name}.c", name, *STATIC)

    def openssl(self, source: Path) -> Path:
        """Return a program linked with the machine's own OpenSSL."""
        return self._compiled(source, source.stem, *LINKED, "-lssl", "-lcrypto")

    def go(self, sources: Path) -> Path | None:
        """Return the stripped Go program in a folder, or None where `no_go` says why it is not compiled."""
        if no_go():
            return None
        compiler, out = go_compiler(), self.folder / "in-go"
        settings = {"GOARCH": self.go_architecture, "CGO_ENABLED": "0", "GOTOOLCHAIN": "local"}
        command = [compiler, "build", "-buildvcs=false", "-ldflags=-s -w", "-o", str(out), "."]
        self._run(command, {**os.environ, **settings}, sources)
        return out

    def with_libraries(self, path: Path, name: str = "") -> dict[str, Path | str]:
        """Return a program and what it is linked with, by their places in the machine."""
        files: dict[str, Path | str] = {f"bin/{name or path.name}": path}
        wanted = elf.needs(path.read_bytes())
        while wanted:
            library = wanted.pop()
            if f"lib/{library}" not in files:
                found = self._library(library)
                files[f"lib/{library}"] = found
                wanted += elf.needs(found.read_bytes())
        return files

    def _library(self, name: str) -> Path:
        folders = (self.sysroot / part / f"{self.machine}-linux-gnu" for part in ("lib", "usr/lib"))
        return next(folder / name for folder in folders if (folder / name).exists())

    def _compiled(self, source: Path, name: str, *flags: str) -> Path:
        out = self.folder / name
        command = [self.build.compiler, f"--sysroot={self.sysroot}", str(source), "-o", str(out), *flags]
        self._run(command, dict(os.environ), self.folder)
        return out

    def _run(self, command: list[str], environment: dict[str, str], folder: Path) -> None:
        ran = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)
        assert ran.returncode == 0, ran.stderr[-4000:]


def arm64(folder: Path) -> tuple[small_machine.Machine, Foreign]:
    """Return the machine, and what compiles for it into `folder`. Raises small_machine.Unavailable."""
    machine = small_machine.ensure(small_machine.ARM64)
    return machine, Foreign("aarch64", "arm64", machine.guest, folder)
