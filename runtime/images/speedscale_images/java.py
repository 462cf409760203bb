"""The demo's Java: a runtime cut to the modules that it uses, and its jars.

Called by `layers`. Compiler and linker are those of Debian's JDK, unpacked and not installed; the runtime is cut from
the modules of the image's architecture. The trust store holds Debian's roots, written by our own code: Java's tools
would date and salt it.
"""

from __future__ import annotations

import hashlib
import importlib.util
import subprocess
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path, PurePosixPath
from types import ModuleType

from speedscale_schemas.errors import ConfigError
from speedscale_schemas.truststore import java_trust_store, pem_to_der, split_pem

from . import debian
from .tree import Tree

HOME = "opt/java"
APPLICATION = "app"
MODULES = "java.modules"
"""The demo's file that says what its runtime is cut to; `application` holds it to what the classes use."""
# Elliptic curves are a provider, found by name; no class refers to the module.
_BY_NAME = frozenset({"jdk.crypto.ec"})
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def modules(demo: Path) -> tuple[str, ...]:
    """Return the modules of the runtime, as the demo in folder `demo` names them, one a line."""
    return tuple((demo / MODULES).read_text("ascii").split())


def runtime(host: list[debian.Package], target: list[debian.Package], names: tuple[str, ...], roots: bytes) -> Tree:
    """Return a runtime of these modules.

    `host` is the JDK for this machine, `target` the same for the image's architecture; `roots` is the PEM bundle of
    public certificates. Raises ConfigError when the two JDKs differ in version or have no such module.
    """
    if {p.version for p in host} != {p.version for p in target}:
        raise ConfigError(["the JDKs for this machine and for the image differ in version; build with --refresh"])
    with _unpacked(host) as tools, _unpacked(target) as platform, tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "runtime"
        _run(
            *(tools / "bin" / "jlink", "--module-path", platform / "jmods", "--add-modules", ",".join(sorted(names))),
            *("--output", out, "--compress", "2", "--no-header-files", "--no-man-pages"),
            *("--strip-java-debug-attributes", "--vm", "server"),
        )
        tree = Tree()
        _put(out, tree)
    tree.file(f"{HOME}/lib/security/cacerts", trust_store(roots))
    tree.link("usr/bin/java", f"/{HOME}/bin/java")
    return tree


def application(host: list[debian.Package], demo: Path, main: str) -> Tree:
    """Return the jar with main class `main`, and the demo's options.

    Raises ConfigError when the demo does not compile, or uses other modules than its `java.modules` names.
    """
    builder = _builder(demo)
    name = next((jar for jar, entry in builder.PROGRAMS.items() if entry == main), None)
    if name is None:
        raise ConfigError([f"{demo}: no jar has the main class {main}"])
    tree = Tree()
    with _unpacked(host) as tools, tempfile.TemporaryDirectory() as folder:
        try:
            jars = builder.build(Path(folder), str(tools / "bin" / "javac"))
        except builder.BuildError as error:
            raise ConfigError(str(error).splitlines()) from error
        if wrong := unlike(modules(demo), {used for jar in jars for used in _modules(tools, jar)}):
            raise ConfigError([f"{demo / MODULES}: {line}" for line in wrong])
        tree.file(f"{APPLICATION}/demo.jar", (Path(folder) / name).read_bytes())
    tree.file(f"{APPLICATION}/java.options", (demo / "java.options").read_bytes())
    return tree


def unlike(named: Iterable[str], used: Iterable[str]) -> list[str]:
    """Return where the modules that are named differ from those that classes use, in words."""
    needed = {*used, *_BY_NAME}
    lines = [f"add {name}: the demo uses it" for name in sorted(needed - {*named})]
    return lines + [f"take {name} out: the demo does not use it" for name in sorted({*named} - needed)]


def command() -> tuple[str, ...]:
    """Return what starts the demo in its image."""
    return (f"/{HOME}/bin/java", f"@/{APPLICATION}/java.options", "-jar", f"/{APPLICATION}/demo.jar")


def sources(demo: Path) -> list[list[str]]:
    """Return name and hash of every file that the demo is made from."""
    files = sorted(p for p in demo.rglob("*") if p.is_file() and "__pycache__" not in p.parts)
    return [[str(p.relative_to(demo)), hashlib.sha256(p.read_bytes()).hexdigest()] for p in files]


def trust_store(roots: bytes) -> bytes:
    """Return Java's trust store with these roots, each named by its hash."""
    certificates = [pem_to_der(pem) for pem in split_pem(roots)]
    return java_trust_store({hashlib.sha256(der).hexdigest()[:40]: der for der in certificates}, _EPOCH)


@contextmanager
def _unpacked(packages: list[debian.Package]) -> Iterator[Path]:
    """Lay a JDK out in a folder of its own; links into /etc, where Debian keeps settings, become what they mean."""
    tree = Tree()
    debian.unpack(packages, tree)
    for path, entry in list(tree):
        target = entry.target.removeprefix("/")
        if entry.target.startswith("/") and target in tree and not tree.is_folder(target):
            tree.file(path, tree.read(target), tree.mode(target))
    with tempfile.TemporaryDirectory() as folder:
        tree.write(Path(folder))
        yield next(Path(folder).glob("usr/lib/jvm/*/bin/javac")).parent.parent


def _builder(demo: Path) -> ModuleType:
    """Return the demo's own program that makes its jars; it is no part of a package."""
    spec = importlib.util.spec_from_file_location("java_demo_build", demo / "build.py")
    if spec is None or spec.loader is None:
        raise ConfigError([f"{demo / 'build.py'} is missing"])
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def _modules(tools: Path, jar: Path) -> list[str]:
    found = _run(tools / "bin" / "jdeps", "--ignore-missing-deps", "--print-module-deps", "--multi-release", "17", jar)
    return found.strip().split(",")


def _put(folder: Path, tree: Tree) -> None:
    for path in sorted(folder.rglob("*")):
        relative = PurePosixPath(HOME) / path.relative_to(folder)
        if path.is_symlink():
            tree.link(str(relative), str(path.readlink()))
        elif path.is_file() and path.name not in ("release", "cacerts"):
            tree.file(str(relative), path.read_bytes(), path.stat().st_mode)


def _run(*command: object) -> str:
    ran = subprocess.run([str(part) for part in command], capture_output=True, text=True, check=False)
    if ran.returncode != 0:
        raise ConfigError([f"{Path(str(command[0])).name}: {x}" for x in (ran.stdout + ran.stderr).splitlines()[-5:]])
    return ran.stdout
