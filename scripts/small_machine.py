"""A small machine with another kernel than ours: Debian's, under qemu, without KVM and without root's help.

    machine = ensure()                     kernel and qemu, unpacked from Debian's packages into our cache
    machine.boot({"bin/x": path}, init)    runs `init` with these files until it powers off; what it said comes back

Nothing is installed: apt downloads what is missing here, dpkg-deb unpacks it. x86-64 alone. Used by tests/kernel/qemu.
"""

from __future__ import annotations

import fcntl
import gzip
import os
import platform
import shutil
import subprocess
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import nettap_build

PACKAGES = ("qemu-system-x86", "linux-image-cloud-amd64", "seabios")
MEMORY_MIB = 768
MODULES = (
    *("kernel/crypto/gf128mul.ko", "kernel/crypto/ghash-generic.ko", "kernel/crypto/ctr.ko", "kernel/crypto/gcm.ko"),
    "kernel/net/tls/tls.ko",
)
"""What is kept of the kernel's modules, in the order in which they can be loaded: TLS in the kernel, by AES-GCM."""
_FOLDER = "small-machine-bookworm-2"
_CONSOLE = "console=ttyS0 panic=-1 quiet loglevel=3 mitigations=off"


class Unavailable(Exception):
    """There is no such machine here; the text says why."""


@dataclass(frozen=True)
class Machine:
    """Unpacked packages below `root`."""

    root: Path

    @property
    def kernel(self) -> Path:
        """Return the newest kernel."""
        return sorted((self.root / "boot").glob("vmlinuz-*-cloud-amd64"))[-1]

    def modules(self) -> dict[str, Path]:
        """Return MODULES of the newest kernel by paths below `modules/`, whose order is theirs."""
        folder = self.root / "lib/modules" / self.kernel.name.removeprefix("vmlinuz-")
        return {f"modules/{number}.ko": folder / name for number, name in enumerate(MODULES)}

    def boot(self, files: Mapping[str, Path | str], folder: Path, *, arguments: str = "", within_s: float = 240) -> str:
        """Run a machine whose file system is these files until it ends, and return what its console said.

        `files` are content (text) or where it lies, by path; `init` is the first program. `folder` is for what the
        run needs. Raises Unavailable when it does not end within `within_s` seconds.
        """
        image, console = folder / "initramfs.gz", folder / "console"
        image.write_bytes(gzip.compress(_cpio(files), compresslevel=1))
        command = [
            *(str(self.root / "usr/bin/qemu-system-x86_64"), "-L", str(self.root / "usr/share/qemu")),
            *("-L", str(self.root / "usr/share/seabios"), "-machine", "q35,accel=tcg", "-cpu", "max", "-smp", "2"),
            *("-m", str(MEMORY_MIB), "-nodefaults", "-display", "none", "-no-reboot", "-serial", f"file:{console}"),
            *("-kernel", str(self.kernel), "-initrd", str(image), "-append", f"{_CONSOLE} {arguments}".strip()),
        ]
        libraries = (self.root / "usr/lib/x86_64-linux-gnu", self.root / "lib/x86_64-linux-gnu")
        environment = {**os.environ, "LD_LIBRARY_PATH": ":".join(map(str, libraries))}
        try:
            ran = subprocess.run(
                command, env=environment, capture_output=True, text=True, timeout=within_s, check=False
            )
        except subprocess.TimeoutExpired:
            raise Unavailable(f"it did not end within {within_s:.0f} s:\n{_read(console)[-4000:]}") from None
        if ran.returncode != 0:
            raise Unavailable(f"qemu ended with {ran.returncode}: {ran.stderr.strip()[-2000:]}")
        return _read(console)


def ensure() -> Machine:
    """Return the machine, downloading and unpacking its packages when they are not there. Raises Unavailable."""
    if platform.machine() != "x86_64":
        raise Unavailable(f"the small machine is x86-64, this one is {platform.machine()}")
    place = nettap_build.cache() / _FOLDER
    place.parent.mkdir(parents=True, exist_ok=True)
    with (place.parent / "small-machine.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not place.is_dir():
            with tempfile.TemporaryDirectory(dir=place.parent, prefix=".small-machine-") as folder:
                _unpack(Path(folder))
                shutil.copytree(Path(folder) / "root", place, symlinks=True)
    return Machine(place)


def _unpack(folder: Path) -> None:
    packages, root = folder / "packages", folder / "root"
    (packages / "partial").mkdir(parents=True)
    root.mkdir()
    if not _download(packages):
        subprocess.run(["apt-get", "update", "-qq"], capture_output=True, check=False)
        if not _download(packages):
            raise Unavailable(f"apt-get cannot download {', '.join(PACKAGES)}; root and Debian's sources are needed")
    for package in sorted(packages.glob("*.deb")):
        subprocess.run(["dpkg-deb", "--extract", str(package), str(root)], check=True)
    kept = {module for name in MODULES for module in root.glob(f"lib/modules/*/{name}")}
    for module in root.glob("lib/modules/**/*.ko"):
        if module not in kept:
            module.unlink()
    for part in ("usr/share/doc", "usr/share/locale"):
        shutil.rmtree(root / part, ignore_errors=True)


def _download(packages: Path) -> bool:
    """Download the packages and what they depend on, as far as it is not installed here."""
    command = ["apt-get", "install", "--download-only", "--yes", "-qq", "--no-install-recommends", "--reinstall"]
    command += ["-o", f"Dir::Cache::archives={packages}", "-o", "APT::Sandbox::User=root", *PACKAGES]
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    try:
        ran = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    except FileNotFoundError:
        return False
    return ran.returncode == 0


def _read(console: Path) -> str:
    return console.read_text("utf-8", "replace").replace("\r\n", "\n") if console.exists() else ""


def _cpio(files: Mapping[str, Path | str]) -> bytes:
    """Return an archive in the `newc` format (kernel: Documentation/driver-api/early-userspace/buffer-format.rst)."""
    return b"".join([*_entries(files), _entry(0, "TRAILER!!!", 0, b"")])


def _entries(files: Mapping[str, Path | str]) -> Iterator[bytes]:
    folders = {str(parent) for name in files for parent in Path(name).parents} | {"dev", "proc", "sys", "tmp", "run"}
    for number, name in enumerate(sorted(folders - {"."}), 1):
        yield _entry(number, name, 0o40755, b"")
    yield _entry(800, "dev/console", 0o20600, b"", device=(5, 1))
    for number, (name, source) in enumerate(sorted(files.items()), 1000):
        content = source.encode() if isinstance(source, str) else source.read_bytes()
        yield _entry(number, name, 0o100755, content)


def _entry(number: int, name: str, mode: int, content: bytes, device: tuple[int, int] = (0, 0)) -> bytes:
    path = name.encode() + b"\0"
    fields = (number, mode, 0, 0, 1, 0, len(content), 0, 0, *device, len(path), 0)
    head = b"070701" + b"".join(b"%08x" % value for value in fields) + path
    return _padded(head) + _padded(content)


def _padded(data: bytes) -> bytes:
    return data + b"\0" * (-len(data) % 4)
