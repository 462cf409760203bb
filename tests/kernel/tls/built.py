"""Programs that tests build once, and keep beside the project's other tools."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
from pathlib import Path

import nettap_build
import pytest

GO = {
    "plain": ({"CGO_ENABLED": "0"}, []),
    "stripped": ({"CGO_ENABLED": "0"}, ["-ldflags=-s -w"]),
    "pie": ({"CGO_ENABLED": "0"}, ["-buildmode=pie", "-ldflags=-s -w"]),
    "cgo": ({"CGO_ENABLED": "1"}, ["-buildmode=pie", "-ldflags=-s -w -linkmode=external"]),
}
C = {
    "shared": ["-lssl", "-lcrypto"],
    "static": ["-static", "-lssl", "-lcrypto", "-ldl", "-pthread"],
    "static-pie": ["-static-pie", "-fPIE", "-lssl", "-lcrypto", "-ldl", "-pthread"],
}


def _place(sources: Path, form: str) -> Path:
    files = sorted(p for p in (sources.rglob("*") if sources.is_dir() else [sources]) if p.is_file())
    digest = hashlib.sha256(form.encode() + b"".join(p.read_bytes() for p in files)).hexdigest()[:16]
    folder = nettap_build.cache() / f"tls-programs-{digest}"
    folder.mkdir(parents=True, exist_ok=True)
    return folder / "program"


def _build(program: Path, command: list[str], folder: Path, environment: dict[str, str]) -> Path:
    if program.exists():
        return program
    part = program.with_suffix(f".{os.getpid()}")
    command = [word if word != "OUT" else str(part) for word in command]
    with nettap_build.locked():
        if not program.exists():
            settings = {**os.environ, **environment}
            ran = subprocess.run(command, cwd=folder, env=settings, capture_output=True, text=True, check=False)
            assert ran.returncode == 0, ran.stderr[-4000:]
            part.rename(program)
    return program


def go(sources: Path, form: str) -> Path:
    """Return the Go program in a folder, built in one of the forms of GO."""
    compiler = shutil.which("go", path=os.environ.get("PATH", "") + ":/usr/local/go/bin")
    if not compiler:
        pytest.skip("go is not installed: make tools")
    environment, flags = GO[form]
    settings = {**environment, "GOTOOLCHAIN": "local", "GOFLAGS": "-buildvcs=false"}
    return _build(_place(sources, form), [compiler, "build", *flags, "-o", "OUT", "."], sources, settings)


def compiled(source: Path, linked: str) -> Path:
    """Return a C program, linked with OpenSSL in one of the ways of C."""
    if not Path("/usr/include/openssl/ssl.h").exists():
        pytest.skip("libssl-dev is not installed: make tools")
    command = ["gcc", "-O1", "-Wall", "-Wextra", "-Werror", str(source), "-o", "OUT", *C[linked]]
    return _build(_place(source, linked), command, source.parent, {})
