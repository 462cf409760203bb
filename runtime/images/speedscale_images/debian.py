"""Debian packages as files: downloaded and verified by apt, unpacked by dpkg-deb, nothing installed or executed.

Called by `layers`. Packages come from the sources that this machine's apt is set up with, in an apt state of our own,
so that neither the machine's lists nor its packages are touched, and another architecture works as well. Once
downloaded a package stays in the cache and is used until `refresh`: the same cache gives the same image.

What no program needs is left out (`LEFT_OUT`); copyright files stay, and each package's control data goes where
scanners look for it in images without dpkg.
"""

from __future__ import annotations

import fnmatch
import hashlib
import os
import platform
import subprocess
import tarfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from speedscale_schemas.errors import ConfigError

from .cache import Cache
from .tree import Tree

STATUS = "var/lib/dpkg/status.d"
SOURCES = (Path("/etc/apt/sources.list.d/debian.sources"), Path("/etc/apt/sources.list"))
LEFT_OUT = (
    "etc/apt/*",
    "etc/cron.*",
    "etc/default/*",
    "etc/dpkg/*",
    "etc/init.d/*",
    "etc/logrotate.d/*",
    "etc/motd",
    "etc/profile*",
    "etc/update-motd.d/*",
    "usr/bin/pdb3*",
    "usr/bin/py3*",
    "usr/bin/pydoc*",
    "usr/bin/pygettext*",
    "usr/lib/*/audit/*",
    "usr/lib/*/engines-3/*",
    "usr/lib/*/gconv/*",
    "usr/lib/systemd/*",
    "usr/lib/valgrind/*",
    "usr/share/applications/*",
    "usr/share/apport/*",
    "usr/share/base-files/*",
    "usr/share/bash-completion/*",
    "usr/share/binfmts/*",
    "usr/share/bug/*",
    "usr/share/common-licenses/*",
    "usr/share/gcc/*",
    "usr/share/gdb/*",
    "usr/share/info/*",
    "usr/share/lintian/*",
    "usr/share/locale/*",
    "usr/share/man/*",
    "usr/share/pixmaps/*",
    "usr/share/python3/*",
    "var/*",
)
"""Patterns of paths that no image gets."""


@dataclass(frozen=True)
class Package:
    """A downloaded package."""

    name: str
    version: str
    architecture: str
    path: Path
    sha256: str


class Debian:
    """Packages of one suite and architecture, kept in a folder of the cache."""

    def __init__(self, suite: str, architecture: str, cache: Cache) -> None:
        """`architecture` is Debian's name for it (`amd64`)."""
        self.suite, self.architecture, self._cache = suite, architecture, cache
        self._name = f"{suite}-{architecture}"
        self._folder = cache.place / "debian" / self._name

    def of(self, architecture: str) -> Debian:
        """Return the same for another architecture."""
        return Debian(self.suite, architecture, self._cache)

    def packages(self, names: Sequence[str]) -> list[Package]:
        """Return these packages, downloading those that are not in the cache.

        Raises ConfigError when apt is missing, has no source of this suite, or does not know a package.
        """
        with self._cache.locked(self._name):
            if missing := [name for name in names if not self._kept(name)]:
                self._download(missing)
        return [self._package(self._kept(name)[0]) for name in sorted(names)]

    def refresh(self) -> None:
        """Forget what was downloaded: the next image gets Debian's newest."""
        for path in [*self._folder.glob("*.deb"), self._folder / "lists" / "fresh"]:
            path.unlink(missing_ok=True)

    def _kept(self, name: str) -> list[Path]:
        return sorted(self._folder.glob(f"{name}_*.deb"))

    def _download(self, names: Sequence[str]) -> None:
        self._folder.mkdir(parents=True, exist_ok=True)
        marker = self._folder / "lists" / "fresh"
        if not marker.exists():
            self._apt("update", "-qq")
            marker.touch()
        try:
            self._apt("download", "-qq", *names)
        except ConfigError:  # the lists name versions that are gone
            self._apt("update", "-qq")
            self._apt("download", "-qq", *names)

    def _apt(self, *arguments: str) -> None:
        sources = next((path for path in SOURCES if path.is_file()), None)
        if sources is None:
            raise ConfigError(["no apt sources here; build images on Debian or with their Containerfiles"])
        lists = self._folder / "lists"
        (lists / "partial").mkdir(parents=True, exist_ok=True)
        status = self._folder / "status"
        status.touch()
        options = {
            "APT::Architecture": self.architecture,
            "APT::Architectures": self.architecture,
            "APT::Sandbox::User": "root",
            "APT::Default-Release": "",
            "Acquire::Languages": "none",
            "Dir::Etc::SourceList": str(sources),
            "Dir::Etc::SourceParts": "-",
            "Dir::State": str(self._folder),
            "Dir::State::Lists": str(lists),
            "Dir::State::Status": str(status),
            "Dir::Cache::pkgcache": "",
            "Dir::Cache::srcpkgcache": "",
        }
        command = ["apt-get", *(f"-o{name}={value}" for name, value in options.items()), *arguments]
        environment = {**os.environ, "LC_ALL": "C", "DEBIAN_FRONTEND": "noninteractive"}
        try:
            ran = subprocess.run(
                command, cwd=self._folder, env=environment, capture_output=True, text=True, check=False
            )
        except FileNotFoundError as error:
            raise ConfigError(["apt-get is not here; build images on Debian or with their Containerfiles"]) from error
        if ran.returncode != 0:
            raise ConfigError([f"apt-get {arguments[0]}: {line}" for line in ran.stderr.splitlines()[-5:]])

    def _package(self, path: Path) -> Package:
        fields = subprocess.run(
            ["dpkg-deb", "--field", str(path), "Package", "Version", "Architecture"],
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        values = dict(line.split(": ", 1) for line in fields.splitlines())
        digest = hashlib.sha256(path.read_bytes()).hexdigest()
        return Package(values["Package"], values["Version"], values["Architecture"], path, digest)


def machine() -> str:
    """Return this machine's architecture by Debian's name."""
    return {"x86_64": "amd64", "aarch64": "arm64"}.get(platform.machine(), platform.machine())


def unpack(packages: Sequence[Package], tree: Tree) -> None:
    """Put the files of the packages into the tree, without what is left out everywhere."""
    for package in packages:
        control = subprocess.run(["dpkg-deb", "--field", str(package.path)], capture_output=True, check=True).stdout
        tree.file(f"{STATUS}/{package.name}", control)
        command = ["dpkg-deb", "--fsys-tarfile", str(package.path)]
        with (
            subprocess.Popen(command, stdout=subprocess.PIPE) as process,
            tarfile.open(fileobj=process.stdout, mode="r|") as archive,
        ):
            _files(archive, tree)
        if process.returncode != 0:
            raise ConfigError([f"{package.path} is damaged: dpkg-deb ended with {process.returncode}; remove it"])


def _files(archive: tarfile.TarFile, tree: Tree) -> None:
    for member in archive:
        path = member.name.removeprefix("./").rstrip("/")
        if not path or member.isdir() or _left_out(path):
            continue  # folders come with what is in them
        if member.issym():
            tree.link(path, member.linkname)
        elif member.islnk():
            tree.file(path, tree.read(member.linkname.removeprefix("./")), member.mode)
        elif member.isfile():
            stream = archive.extractfile(member)
            tree.file(path, stream.read() if stream else b"", member.mode)


def _left_out(path: str) -> bool:
    if path.startswith("usr/share/doc/"):
        return not path.endswith("/copyright")
    usr = path if path.startswith(("usr/", "etc/", "var/")) else f"usr/{path}"
    return any(fnmatch.fnmatchcase(usr, pattern) for pattern in LEFT_OUT)
