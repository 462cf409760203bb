"""A small machine with another kernel than ours: Debian's, under qemu, without KVM and without root's help.

    machine = ensure()                     kernel and qemu, unpacked from Debian's packages into our cache
    machine.boot({"bin/x": path}, init)    runs `init` with these files until it powers off; what it said comes back

Nothing is installed: apt downloads what is missing here, dpkg-deb unpacks it. There are AMD64 and ARM64, that one with
what programs for it are compiled against; both run on x86-64. Used by tests/kernel/qemu.
"""

from __future__ import annotations

import fcntl
import gzip
import os
import platform
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import nettap_build

from speedscale_schemas.errors import ConfigError

sys.path.append(str(Path(__file__).resolve().parent.parent / "runtime" / "images"))

from speedscale_images import cache, catalogue, debian

MEMORY_MIB = 768
MODULES = (
    *("kernel/crypto/gf128mul.ko", "kernel/crypto/ghash-generic.ko", "kernel/crypto/ctr.ko", "kernel/crypto/gcm.ko"),
    "kernel/net/tls/tls.ko",
)
"""What is kept of the kernel's modules, in the order in which they can be loaded: TLS in the kernel, by AES-GCM."""
_FOLDER = "small-machine-bookworm-3"
_CONSOLE = "panic=-1 quiet loglevel=3 mitigations=off"


class Unavailable(Exception):
    """There is no such machine here; the text says why."""


@dataclass(frozen=True)
class Kind:
    """What a machine is: `emulator` names Debian packages for ours, `kernel` and `userland` for the machine itself."""

    architecture: str
    emulator: tuple[str, ...]
    program: str
    options: tuple[str, ...]
    console: str
    kernel: str
    """A package that depends on the newest kernel."""
    userland: tuple[str, ...] = ()


AMD64 = Kind(
    *("amd64", ("qemu-system-x86", "seabios"), "qemu-system-x86_64"),
    *(("-machine", "q35,accel=tcg", "-cpu", "max"), "ttyS0", "linux-image-cloud-amd64"),
)
ARM64 = Kind(
    *("arm64", ("qemu-system-arm",), "qemu-system-aarch64"),
    # the architecture's own algorithm to sign pointers with costs more to emulate than all else
    *(("-machine", "virt,accel=tcg", "-cpu", "max,pauth-impdef=on"), "ttyAMA0", "linux-image-cloud-arm64"),
    (*catalogue.load().groups["nettap_headers"], "busybox-static", "libssl-dev", "libssl3"),
)


@dataclass(frozen=True)
class Machine:
    """Unpacked packages: qemu below `root`, what the machine is made of below `guest`."""

    root: Path
    kind: Kind = AMD64

    @property
    def guest(self) -> Path:
        """Return the folder of the packages that are the machine's own."""
        return self.root / "guest"

    @property
    def kernel(self) -> Path:
        """Return the newest kernel."""
        return sorted((self.guest / "boot").glob("vmlinuz-*"))[-1]

    def modules(self) -> dict[str, Path]:
        """Return MODULES of the newest kernel by paths below `modules/`, whose order is theirs."""
        folder = self.guest / "lib/modules" / self.kernel.name.removeprefix("vmlinuz-")
        return {f"modules/{number}.ko": folder / name for number, name in enumerate(MODULES)}

    def boot(self, files: Mapping[str, Path | str], folder: Path, *, arguments: str = "", within_s: float = 240) -> str:
        """Run a machine whose file system is these files until it ends, and return what its console said.

        `files` are content (text) or where it lies, by path; `init` is the first program. `folder` is for what the
        run needs. Raises Unavailable when it does not end within `within_s` seconds.
        """
        image, console = folder / "initramfs.gz", folder / "console"
        image.write_bytes(gzip.compress(_cpio(files), compresslevel=1))
        command = [
            *(str(self.root / "usr/bin" / self.kind.program), "-L", str(self.root / "usr/share/qemu")),
            *("-L", str(self.root / "usr/share/seabios"), *self.kind.options, "-smp", "2"),
            *("-m", str(MEMORY_MIB), "-nodefaults", "-display", "none", "-no-reboot", "-serial", f"file:{console}"),
            *("-kernel", str(self.kernel), "-initrd", str(image), "-append"),
            f"console={self.kind.console} {_CONSOLE} {arguments}".strip(),
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


def ensure(kind: Kind = AMD64) -> Machine:
    """Return the machine, downloading and unpacking its packages when they are not there. Raises Unavailable."""
    if platform.machine() != "x86_64":
        raise Unavailable(f"small machines are made on x86-64, this one is {platform.machine()}")
    place = nettap_build.cache() / f"{_FOLDER}-{kind.architecture}"
    place.parent.mkdir(parents=True, exist_ok=True)
    with (place.parent / "small-machine.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not place.is_dir():
            with tempfile.TemporaryDirectory(dir=place.parent, prefix=".small-machine-") as folder:
                _unpack(kind, Path(folder))
                shutil.copytree(Path(folder) / "root", place, symlinks=True)
    return Machine(place, kind)


def _unpack(kind: Kind, folder: Path) -> None:
    packages, root = folder / "packages", folder / "root"
    (packages / "partial").mkdir(parents=True)
    guest = root / "guest"
    guest.mkdir(parents=True)
    if not _download(kind.emulator, packages):
        subprocess.run(["apt-get", "update", "-qq"], capture_output=True, check=False)
        if not _download(kind.emulator, packages):
            names = ", ".join(kind.emulator)
            raise Unavailable(f"apt-get cannot download {names}; root and Debian's sources are needed")
    for package in sorted(packages.glob("*.deb")):
        _extract(package, root)
    for package in _of_guest(kind):
        _extract(package, guest)
    kept = {module for name in MODULES for module in guest.glob(f"lib/modules/*/{name}")}
    for module in guest.glob("lib/modules/**/*.ko"):
        if module not in kept:
            module.unlink()
    for part in ("usr/share/doc", "usr/share/locale"):
        shutil.rmtree(root / part, ignore_errors=True)


def _extract(package: Path, folder: Path) -> None:
    subprocess.run(["dpkg-deb", "--extract", str(package), str(folder)], check=True)


def _of_guest(kind: Kind) -> list[Path]:
    """Return the packages that the machine itself is made of, whatever its architecture."""
    packages = debian.Debian(catalogue.load().suite, kind.architecture, cache.Cache(cache.folder()))
    try:
        (newest,) = packages.packages([kind.kernel])
        command = ["dpkg-deb", "--field", str(newest.path), "Depends"]
        depends = subprocess.run(command, capture_output=True, text=True, check=True).stdout
        kernel = depends.split()[0].rstrip(",")
        return [package.path for package in packages.packages([kernel, *kind.userland])]
    except ConfigError as error:
        raise Unavailable(f"what a machine of {kind.architecture} is made of cannot be had: {error}") from error


def _download(names: Iterable[str], packages: Path) -> bool:
    """Download the packages and what they depend on, as far as it is not installed here."""
    command = ["apt-get", "install", "--download-only", "--yes", "-qq", "--no-install-recommends", "--reinstall"]
    command += ["-o", f"Dir::Cache::archives={packages}", "-o", "APT::Sandbox::User=root", *names]
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
