"""The layers of an image, bottom up: core, python, what else it needs of Debian, distributions, our own code.

Called by `build`. What changes most often is on top, and what images share is at the bottom and equal to the byte, so
that a node stores it once. Each layer is a function of inputs that are named when it is looked up in the cache.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from speedscale_schemas.errors import ConfigError

from . import debian, sbom, wheels
from .cache import Cache, Layer, Made, key
from .catalogue import HERE, Catalogue, Image
from .closure import closure, index
from .tree import MERGED, Tree

BUNDLE = "etc/ssl/certs/ca-certificates.crt"
STDLIB = "usr/lib/python3.11"
_PASSWD = (
    ("root", 0, "/root"),
    ("speedscale", 2100, "/tmp"),
    ("goproxy", 2102, "/tmp"),
    ("nobody", 65534, "/nonexistent"),
)
_STDLIB_LEFT_OUT = (
    "config-3.11-x86_64-linux-gnu", "config-3.11-aarch64-linux-gnu", "ensurepip", "idlelib", "lib2to3", "pydoc_data",
    "sitecustomize.py", "test", "tkinter", "turtle.py", "turtledemo", "unittest/test", "distutils/tests", "venv",
)  # fmt: skip
_MODULES_LEFT_OUT = (
    "_crypt", "_ctypes_test", "_curses", "_curses_panel", "_dbm", "_testbuffer", "_testcapi", "_testclinic",
    "_testimportmultiple", "_testinternalcapi", "_testmultiphase", "_xxtestfuzz", "audioop", "nis", "ossaudiodev",
    "readline", "xxlimited", "xxlimited_35",
)  # fmt: skip


@dataclass(frozen=True)
class Context:
    """What every layer is made with."""

    catalogue: Catalogue
    cache: Cache
    debian: debian.Debian
    architecture: str

    def member(self, name: str) -> Path:
        """Return the folder of a member of the workspace."""
        return self.catalogue.root / name


def of(image: Image, context: Context) -> Iterator[Layer]:
    """Yield the image's layers from the bottom up. Raises ConfigError for what is missing."""
    below = [_debian("core", context)]
    if image.programs:
        below.append(_debian("python", context))
    below += [_debian(group, context) for group in image.debian]
    if image.programs:
        below.append(_distributions(image, context))
    yield from below
    yield _own(image, context, below)


def _debian(group: str, context: Context) -> Layer:
    packages = context.debian.packages(context.catalogue.groups[group])
    links = context.catalogue.links.get(group, {})

    def make() -> Made:
        tree = Tree()
        debian.unpack(packages, tree)
        for path, target in links.items():
            tree.link(path, target)
        if group == "core":
            _core(tree)
        elif group == "python":
            _python(tree)
        return Made(tree, [("deb", p.name, p.version, p.architecture) for p in packages])

    return context.cache.layer(group, key(_code(), [p.sha256 for p in packages], links), make)


def _core(tree: Tree) -> None:
    """What maintainers' scripts and an installer make: links of /usr, users, certificates in one file."""
    for name in MERGED:
        tree.link(name, f"usr/{name}")
        tree.folder(f"usr/{name}")
    tree.file("etc/passwd", "".join(f"{n}:x:{i}:{i}:{n}:{h}:/usr/sbin/nologin\n" for n, i, h in _PASSWD).encode())
    tree.file("etc/group", "".join(f"{name}:x:{number}:\n" for name, number, _ in _PASSWD).encode())
    tree.file("etc/nsswitch.conf", b"passwd: files\ngroup: files\nhosts: files dns\n")
    tree.folder("tmp", 0o1777)
    tree.folder("var/tmp", 0o1777)
    for name in ("dev", "proc", "root", "run", "sys"):
        tree.folder(name)
    roots = [entry.data for path, entry in tree if path.startswith("usr/share/ca-certificates/") and entry.data]
    tree.file(BUNDLE, b"".join(roots))
    tree.remove("usr/share/ca-certificates")
    tree.remove("usr/sbin/update-ca-certificates")
    tree.link("usr/lib/ssl/cert.pem", f"/{BUNDLE}")
    tree.link("usr/lib/ssl/certs", "/etc/ssl/certs")


def _python(tree: Tree) -> None:
    for name in _STDLIB_LEFT_OUT:
        tree.remove(f"{STDLIB}/{name}")
    for path in [path for path, _ in tree if path.startswith(f"{STDLIB}/lib-dynload/")]:
        if path.rpartition("/")[2].partition(".")[0] in _MODULES_LEFT_OUT:
            tree.remove(path)
    wheels.precompile(tree, [STDLIB])


def _distributions(image: Image, context: Context) -> Layer:
    path = context.catalogue.folder(image) / "requirements.txt"
    if not path.is_file():
        raise ConfigError([f"{path} is missing; run make gen"])

    def make() -> Made:
        tree = Tree()
        packages = wheels.install(path, context.architecture, tree)
        wheels.precompile(tree, [wheels.SITE])
        return Made(tree, packages)

    inputs = key(_code(), path.read_text("utf-8"), context.architecture)
    return context.cache.layer(f"distributions-{image.name}", inputs, make)


def _own(image: Image, context: Context, below: Sequence[Layer]) -> Layer:
    catalogue = context.catalogue
    modules = index(catalogue.root)
    programs = {p: catalogue.entry(p) for p in image.programs if catalogue.module(p) in modules}
    members = _members(image, catalogue)

    def make() -> Made:
        tree = Tree()
        packages = [wheels.member(context.member(m), catalogue.projects[m], tree) for m in members]
        for program, entry in programs.items():
            wheels.program(program, entry, tree)
        for path, program in image.links:
            tree.link(path, f"/{wheels.BIN}/{program}")
        wheels.precompile(tree, [wheels.SITE])
        contents = [package for layer in below for package in layer.packages] + packages
        tree.file(sbom.PATH, sbom.document(image, catalogue.version, context.architecture, contents))
        return Made(tree, packages)

    prints = {member: wheels.fingerprint(context.member(member)) for member in members}
    projects = {member: catalogue.projects[member] for member in members}
    inputs = key(_code(), image.name, image.title, programs, image.links, prints, projects, [x.digest for x in below])
    return context.cache.layer(f"own-{image.name}", inputs, make)


def _members(image: Image, catalogue: Catalogue) -> tuple[str, ...]:
    """Return the members that the programs import; a build with one that cannot start is refused."""
    modules = index(catalogue.root)
    wanted = [module for program in image.programs if (module := catalogue.module(program)) in modules]
    if image.verbs:
        return tuple(
            sorted(m for m in catalogue.projects if image.verbs in str(catalogue.projects[m]) or m == "schemas")
        )
    return closure(wanted, modules).members


def _code() -> str:
    """Return the hash of this builder: what it makes differs when it does."""
    digest = hashlib.sha256()
    for path in sorted(HERE.glob("*.py")):
        digest.update(json.dumps([path.name, path.read_text("utf-8")]).encode())
    return digest.hexdigest()
