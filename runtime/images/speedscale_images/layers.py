"""The layers of an image, bottom up: core, python, what else it needs of Debian, distributions, patterns, our code.

Called by `build`. What changes most often is on top, and what images share is at the bottom and equal to the byte, so
that a node stores it once. Each layer is a function of inputs that are named when it is looked up in the cache.
"""

from __future__ import annotations

import hashlib
import tarfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from speedscale_schemas.errors import ConfigError

from . import base, bytecode, debian, java, native, patterns, requirements, sbom, wheels
from .cache import FORMAT, Cache, Item, Layer, Made, key
from .catalogue import HERE, Catalogue, Image
from .closure import index
from .tree import Tree

_CODE = {path.stem: path.read_bytes() for path in HERE.glob("*.py")}  # as it was when it was imported


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
    if image.java:
        below.append(_java(below[0], context))
    if image.programs:
        below.append(_distributions(image, context))
        modules = index(context.catalogue.root)
        if patterns.USER in requirements.imports(image, context.catalogue, modules).own:
            below.append(_patterns(context, modules))
    yield from below
    if image.java:
        yield _demo(image, context, below)
    else:
        yield _native(image, context, below) if image.native else _own(image, context, below)


def _debian(group: str, context: Context) -> Layer:
    packages = context.debian.packages(context.catalogue.groups[group])
    links = context.catalogue.links.get(group, {})

    def make() -> Made:
        tree = Tree()
        debian.unpack(packages, tree)
        for path, target in links.items():
            tree.link(path, target)
        if group == "core":
            base.core(tree)
        elif group == "python":
            with bytecode.unpacked(_python(context)) as compiler:
                base.python(tree, compiler)
        return Made(tree, [("deb", p.name, p.version, p.architecture) for p in packages])

    compiled_by = [p.sha256 for p in _python(context)] if group == "python" else []
    inputs = key(_code("debian", "base", "bytecode"), [p.sha256 for p in packages], links, compiled_by)
    return context.cache.layer(group, inputs, make)


def _distributions(image: Image, context: Context) -> Layer:
    path = context.catalogue.folder(image) / "requirements.txt"
    if not path.is_file():
        raise ConfigError([f"{path} is missing; run make gen"])

    def make() -> Made:
        tree = Tree()
        packages = wheels.install(path, context.architecture, context.catalogue.unwanted, tree)
        with bytecode.unpacked(compiler) as python:
            bytecode.precompile(tree, [wheels.SITE], python)
        return Made(tree, packages)

    rules = [context.catalogue.left_out, context.catalogue.kept]
    compiler = _python(context)
    inputs = key(
        _code("wheels", "elf", "bytecode"),
        path.read_text("utf-8"),
        context.architecture,
        rules,
        [p.sha256 for p in compiler],
    )
    return context.cache.layer(f"distributions-{image.name}", inputs, make)


def _patterns(context: Context, modules: Mapping[str, Path]) -> Layer:
    catalogue = context.catalogue
    compiler = [*_python(context), *context.debian.of(debian.machine()).packages(catalogue.groups["cplusplus"])]

    def make() -> Made:
        with bytecode.unpacked(compiler) as python:
            return Made(patterns.compiled(catalogue.root, context.architecture, catalogue.unwanted, python), [])

    inputs = key(
        _code("wheels", "elf", "bytecode", "patterns"),
        patterns.fingerprint(catalogue.root, modules),
        context.architecture,
        [p.sha256 for p in compiler],
    )
    return context.cache.layer("patterns", inputs, make)


def _java(core: Layer, context: Context) -> Layer:
    names = java.modules(_demo_folder(context))
    host, target = _jdk(context), context.debian.packages(context.catalogue.groups["jdk"])

    def make() -> Made:
        with tarfile.open(core.blob) as archive:
            bundle = archive.extractfile(base.BUNDLE)
            roots = bundle.read() if bundle else b""
        tree = java.runtime(host, target, names, roots)
        return Made(tree, [("deb", p.name, p.version, p.architecture) for p in target])

    inputs = key(_code("debian", "java"), [p.sha256 for p in (*host, *target)], names, core.digest)
    return context.cache.layer("java", inputs, make)


def _demo(image: Image, context: Context, below: Sequence[Layer]) -> Layer:
    demo, host = _demo_folder(context), _jdk(context)

    def make() -> Made:
        tree = java.application(host, demo, image.java)
        packages = [("own", image.name, context.catalogue.version, "Apache-2.0")]
        _bill(image, context, below, packages, tree)
        return Made(tree, packages)

    inputs = key(
        _code("debian", "java", "sbom"),
        image.title,
        image.java,
        java.sources(demo),
        [p.sha256 for p in host],
        [x.digest for x in below],
    )
    return context.cache.layer(f"own-{image.name}", inputs, make)


def _native(image: Image, context: Context, below: Sequence[Layer]) -> Layer:
    folder = context.catalogue.root / "runtime" / image.native
    foreign = context.architecture != debian.machine()
    headers = context.debian.packages(context.catalogue.groups[f"{image.native}_headers"]) if foreign else None

    def make() -> Made:
        tree = native.build(folder, image.native, context.architecture, headers)
        packages = [("own", image.name, context.catalogue.version, "Apache-2.0")]
        _bill(image, context, below, packages, tree)
        return Made(tree, packages)

    inputs = key(
        _code("debian", "native", "sbom"),
        image.title,
        native.sources(folder),
        [p.sha256 for p in headers or ()],
        context.architecture,
        [x.digest for x in below],
    )
    return context.cache.layer(f"own-{image.name}", inputs, make)


def _demo_folder(context: Context) -> Path:
    return context.catalogue.root / "runtime" / "images" / "java-demo"


def _python(context: Context) -> list[debian.Package]:
    """Return the Python of our images, for this machine: it compiles bytecode."""
    return context.debian.of(debian.machine()).packages(context.catalogue.groups["python"])


def _jdk(context: Context) -> list[debian.Package]:
    """Return the JDK for this machine."""
    return context.debian.of(debian.machine()).packages(context.catalogue.groups["jdk"])


def _bill(image: Image, context: Context, below: Sequence[Layer], own: Sequence[Item], tree: Tree) -> None:
    contents = [package for layer in below for package in layer.packages] + list(own)
    tree.file(sbom.PATH, sbom.document(image, context.catalogue.version, context.architecture, contents))


def _own(image: Image, context: Context, below: Sequence[Layer]) -> Layer:
    catalogue = context.catalogue
    modules = index(catalogue.root)
    programs = {p: catalogue.entry(p) for p in image.programs if catalogue.module(p) in modules}
    members = _members(image, catalogue)
    compiler = _python(context) if programs else []

    def make() -> Made:
        tree = Tree()
        packages = [wheels.member(context.member(m), catalogue.projects[m], tree) for m in members]
        for program, entry in programs.items():
            wheels.program(program, entry, tree)
        for path, program in image.links:
            tree.link(path, f"/{wheels.BIN}/{program}")
        if programs:
            with bytecode.unpacked(compiler) as python:
                bytecode.precompile(tree, [wheels.SITE], python)
        _bill(image, context, below, packages, tree)
        return Made(tree, packages)

    prints = {member: wheels.fingerprint(context.member(member)) for member in members}
    projects = {member: catalogue.projects[member] for member in members}
    inputs = key(
        _code("wheels", "bytecode", "sbom"),
        image.name,
        image.title,
        programs,
        image.links,
        prints,
        projects,
        [p.sha256 for p in compiler],
        [x.digest for x in below],
    )
    return context.cache.layer(f"own-{image.name}", inputs, make)


def _members(image: Image, catalogue: Catalogue) -> tuple[str, ...]:
    """Return the members that the programs and verbs import, directly or not."""
    return requirements.imports(image, catalogue, index(catalogue.root)).members


def _code(*modules: str) -> str:
    """Return the hash of the code that makes a layer: what it makes may differ when that does."""
    digest = hashlib.sha256(FORMAT.encode())
    for name in ("tree", *modules):
        digest.update(_CODE[name])
    return digest.hexdigest()
