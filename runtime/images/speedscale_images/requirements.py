"""What an image must hold of others' Python, out of requirements.lock: exact versions with hashes.

Called by `scripts/gen.py`, which writes `<image>/requirements.txt`, and the same for what compiles patterns while
images are built; the build installs from those files and looks at no source. The names are those of what the programs
import, and of what those distributions need in turn on Linux.
"""

from __future__ import annotations

import importlib
import importlib.util
import re
from collections.abc import Iterable, Iterator, Mapping
from functools import cache
from importlib.metadata import Distribution, distribution, packages_distributions
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from speedscale_schemas.verbs import Verb

from . import patterns
from .catalogue import Catalogue, Image
from .closure import Closure, closure, index

_LINUX = {
    "implementation_name": "cpython",
    "os_name": "posix",
    "platform_machine": "x86_64",
    "platform_python_implementation": "CPython",
    "platform_system": "Linux",
    "python_full_version": "3.11.2",
    "python_version": "3.11",
    "sys_platform": "linux",
}
_NOTE = "# Written by `make gen` from requirements.lock and from what the programs of this image import.\n"
_PATTERNS = "# Written by `make gen` from requirements.lock and from what compiles patterns for images.\n"


class Refused(Exception):
    """An image would hold what it must not; the message says by which import."""


def files(catalogue: Catalogue) -> Iterator[tuple[str, str]]:
    """Yield each image's file: path from the root of the repository, and text. Raises Refused."""
    modules = index(catalogue.root)
    lock = blocks((catalogue.root / "requirements.lock").read_text("utf-8"))
    for image in catalogue.images.values():
        if image.programs:
            names = of(image, catalogue, modules)
            text = _NOTE + "".join(lock[name] for name in sorted(names))
            yield f"{catalogue.folder(image).relative_to(catalogue.root)}/requirements.txt", text
    compiler = {
        name
        for module in closure([patterns.PROGRAM], modules).foreign
        for name in _with_needs(_distribution(module), catalogue.never)
    }
    yield patterns.REQUIREMENTS, _PATTERNS + "".join(lock[name] for name in sorted(compiler))


def of(image: Image, catalogue: Catalogue, modules: Mapping[str, Path]) -> set[str]:
    """Return the names of the distributions that the image holds. Raises Refused for one that it must not."""
    found = imports(image, catalogue, modules)
    refused = {canonicalize_name(name) for name in image.without}
    members = {catalogue.distribution(member): member for member in found.members}
    for name in sorted(refused & set(members)):
        package = next(m for m in found.own if m.partition(".")[0] == name.replace("-", "_"))
        raise Refused(f"image {image.name} would hold {name}: {found.path(package)}")
    names: set[str] = set()
    for module in found.foreign:
        needed = set(_with_needs(_distribution(module), catalogue.never))
        if bad := needed & refused:
            raise Refused(f"image {image.name} would hold {', '.join(sorted(bad))}: {found.path(module)}")
        names |= needed
    return names


def imports(image: Image, catalogue: Catalogue, modules: Mapping[str, Path]) -> Closure:
    """Return all that the image's programs import; a program whose module is not written yet imports nothing."""
    roots = [catalogue.module(program) for program in image.programs]
    if image.verbs:
        roots += [verb.module for point in catalogue.points(image.verbs) for verb in _verbs(point)]
    return closure([root for root in roots if root in modules], modules)


def _verbs(point: str) -> tuple[Verb, ...]:
    """Return the verbs that an entry point names, from a member's source: in a Containerfile none is installed."""
    module, _, name = point.partition(":")
    return tuple(getattr(importlib.import_module(module), name))


def blocks(lock: str) -> dict[str, str]:
    """Return the lines of each distribution in a hashed requirements file, by canonical name."""
    found = {}
    for match in re.finditer(r"^([A-Za-z0-9._-]+)(?:\[[^]]*\])?==.*?(?=^\S|\Z)", lock, re.MULTILINE | re.DOTALL):
        found[str(canonicalize_name(match[1]))] = re.sub(r"^ +#.*\n", "", match[0], flags=re.MULTILINE)
    return found


_distributions = cache(packages_distributions)


@cache
def _distribution(module: str) -> str:
    """Return the distribution that a dotted name comes from; several may share a top-level name."""
    top = module.partition(".")[0]
    candidates = sorted({str(canonicalize_name(name)) for name in _distributions().get(top, ())})
    if not candidates:
        raise Refused(f"{module} is imported and in no distribution of the lock; add it to a pyproject, then make lock")
    if len(candidates) == 1:
        return candidates[0]
    path = _file(module)
    for name in candidates:
        if any(str(file.locate()) == path for file in distribution(name).files or ()):
            return name
    raise Refused(f"{module} may come from any of {', '.join(candidates)}")


def _file(module: str) -> str:
    """Return the file of a module, or of the module that has it as an attribute."""
    while module:
        try:
            spec = importlib.util.find_spec(module)
        except ModuleNotFoundError:
            spec = None
        if spec is not None and spec.origin:
            return spec.origin
        module = module.rpartition(".")[0]
    return ""


def _with_needs(name: str, never: Iterable[str]) -> Iterator[str]:
    """Yield a distribution and what it needs, directly or not."""
    seen: set[tuple[str, str]] = set()
    queue = [(str(canonicalize_name(name)), "")]
    while queue:
        name, extra = queue.pop()
        if (name, extra) in seen or name in never:
            continue
        seen.add((name, extra))
        yield name
        queue += _needs(distribution(name), extra)


def _needs(found: Distribution, extra: str) -> Iterator[tuple[str, str]]:
    for line in found.requires or ():
        need = Requirement(line)
        if need.marker is None or need.marker.evaluate({**_LINUX, "extra": extra}):
            for wanted in ("", *need.extras):
                yield str(canonicalize_name(need.name)), wanted
