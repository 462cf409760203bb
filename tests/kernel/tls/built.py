"""Programs that tests build once, and keep beside the project's other tools."""

from __future__ import annotations

import hashlib
import os
import platform
import shutil
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

import nettap_build
import pytest

GO = {
    "plain": ({"CGO_ENABLED": "0"}, []),
    "stripped": ({"CGO_ENABLED": "0"}, ["-ldflags=-s -w"]),
    "pie": ({"CGO_ENABLED": "0"}, ["-buildmode=pie", "-ldflags=-s -w"]),
    "cgo": ({"CGO_ENABLED": "1"}, ["-buildmode=pie", "-ldflags=-s -w -linkmode=external"]),
}
# A wheel that carries OpenSSL 1.1.1 under names of its own, as wheels do.
WHEEL = "psycopg2-binary==2.9.5"
WHEEL_SHA256 = "bcda1c84a1c533c528356da5490d464a139b6e84eb77cc0b432e38c5c6dd7882"
BORINGSSL = Path("/usr/include/android/openssl/ssl.h")
"""Of Debian's android-libboringssl-dev, the one BoringSSL with symbols that comes as a library."""
_ANDROID = f"/usr/lib/{platform.machine()}-linux-gnu/android"
C = {
    "boringssl": ["-I/usr/include/android", f"-L{_ANDROID}", f"-Wl,-rpath,{_ANDROID}", "-lssl", "-lcrypto"],
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


def openssl_1_1() -> Path:
    """Return a folder with libssl and libcrypto of OpenSSL 1.1.1; skipped where they cannot be had."""
    folder = nettap_build.cache() / f"tls-openssl-{WHEEL_SHA256[:16]}"
    if folder.exists():
        return folder
    with tempfile.TemporaryDirectory(dir=nettap_build.cache()) as name:
        command = [sys.executable, "-m", "pip", "download", "-q", "--no-deps", "--only-binary=:all:", "-d", name, WHEEL]
        command += ["--python-version=3.11", "--implementation=cp", "--platform=manylinux2014_x86_64"]
        if subprocess.run(command, capture_output=True, check=False).returncode:
            pytest.skip("no package index to fetch OpenSSL 1.1 from")
        (wheel,) = Path(name).glob("*.whl")
        assert hashlib.sha256(wheel.read_bytes()).hexdigest() == WHEEL_SHA256
        with zipfile.ZipFile(wheel) as archive:
            libraries = [one for one in archive.namelist() if ".libs/lib" in one]
            archive.extractall(Path(name) / "wheel", libraries)
        (unpacked,) = (Path(name) / "wheel").iterdir()
        unpacked.rename(folder)
    return folder


def compiled(source: Path, linked: str) -> Path:
    """Return a C program, linked with OpenSSL in one of the ways of C."""
    if not Path("/usr/include/openssl/ssl.h").exists():
        pytest.skip("libssl-dev is not installed: make tools")
    if linked == "boringssl" and not BORINGSSL.exists():
        pytest.skip("android-libboringssl-dev is not installed: make tools")
    command = ["gcc", "-O1", "-Wall", "-Wextra", "-Werror", str(source), "-o", "OUT"]
    if linked == "1.1":
        folder = openssl_1_1()
        command += [str(one) for name in ("ssl", "crypto") for one in folder.glob(f"lib{name}-*.so.1.1")]
        command += [f"-Wl,--disable-new-dtags,-rpath,{folder}"]
    else:
        command += C[linked]
    return _build(_place(source, linked), command, source.parent, {})
