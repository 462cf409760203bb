"""Objects against the strict schemas of Kubernetes, 1.25 to the newest, without a cluster.

Called by the step `kubernetes` and by tests. The schemas come from the package `kubernetes-validate`; its own entry
reads two megabytes of JSON for each object. Here each is read once, `quick` says whether an object fits, and
jsonschema is asked for reasons only where it does not. Unknown fields are errors. The schemas know no quantities,
names or enums of strings: those are rules in `policy`. Pure but for reading package data.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from functools import cache
from importlib import resources
from importlib.resources.abc import Traversable
from typing import Any

from jsonschema import Draft202012Validator
from referencing import Registry, Resource

from speedscale_schemas.errors import ConfigError
from speedscale_schemas.wording import Problem, nearest, problems

from .quick import Compiler, Fits, UnknownKeyword

_STRICT = re.compile(r"v(\d+)\.(\d+)\.\d+-local-strict")
_OLDEST = (1, 25)


def versions() -> tuple[str, ...]:
    """Return the versions there are schemas of, oldest first: `1.25` … the newest."""
    return tuple(f"{major}.{minor}" for major, minor in sorted(_folders()) if (major, minor) >= _OLDEST)


def chosen(text: str = "") -> tuple[str, ...]:
    """Return the versions that a user's choice names.

    `text` is empty (the oldest and the newest), `all`, `newest`, `oldest`, a list such as `1.29,1.31`, or a range
    `1.29..1.31` whose ends may be `oldest` and `newest`. Raises ConfigError for anything else, with what there is.
    """
    known = versions()
    if text in ("", "default"):
        return (known[0], known[-1])
    if text == "all":
        return known
    low, dots, high = text.partition("..")
    if dots:
        first, last = known.index(_one(low or "oldest", known)), known.index(_one(high or "newest", known))
        if first > last:
            raise ConfigError([f"--kubernetes {text}: {low} is newer than {high}; expected OLDER..NEWER"])
        return known[first : last + 1]
    return tuple(sorted({_one(name.strip(), known) for name in text.split(",")}, key=known.index))


def check(manifest: Mapping[str, Any], version: str, *, source: str = "") -> list[Problem] | None:
    """Return every problem of an object in one version, or None when that version has no such kind.

    `version` is one of `versions()`. A kind that Kubernetes knows under another apiVersion is a problem, not None.
    """
    api, kind = str(manifest.get("apiVersion", "")), str(manifest.get("kind", ""))
    if not is_builtin(api, version):
        return None
    file = _file(api, kind)
    schema = _schema(version, file)
    if schema is None:
        return [_unknown(api, kind, version, source)]
    if _fits(version, file, manifest):
        return []
    return problems(_validator(version, file).iter_errors(manifest), manifest, source)


def check_part(definition: str, value: object) -> list[Problem]:
    """Return every problem of a part of an object in the newest version.

    `definition` is its full name in the schemas, such as `io.k8s.api.core.v1.PodSpec`; KeyError when there is none.
    """
    folder = _folder(versions()[-1]).name
    schema = {"$ref": f"https://kubernetes.io/api/_definitions.json#/$defs/{definition}"}
    if _compiler(folder).compile(schema)(value):
        return []
    return problems(Draft202012Validator(schema, registry=_registry(folder)).iter_errors(value), value, "")


def is_builtin(api: str, version: str) -> bool:
    """Return whether an apiVersion's group is one of Kubernetes' own in a version or in the newest."""
    group = api.rpartition("/")[0]
    return "." not in group or group in _groups(version) or group in _groups(versions()[-1])


def _one(name: str, known: Sequence[str]) -> str:
    if name in ("oldest", "newest"):
        return known[0 if name == "oldest" else -1]
    if name.removeprefix("v") in known:
        return name.removeprefix("v")
    raise ConfigError([f"--kubernetes {name}: there are schemas of {known[0]} to {known[-1]}, `newest` and `all`"])


def _root() -> Traversable:
    return resources.files("kubernetes_validate") / "kubernetes-json-schema"


@cache
def _folders() -> dict[tuple[int, int], Traversable]:
    found: dict[tuple[int, int], Traversable] = {}
    for folder in _root().iterdir():
        match = _STRICT.fullmatch(folder.name)
        if match:
            found[int(match[1]), int(match[2])] = folder
    return found


def _folder(version: str) -> Traversable:
    major, _, minor = version.partition(".")
    return _folders()[int(major), int(minor)]


def _file(api: str, kind: str) -> str:
    """Return the schema's file of a kind, e.g. `role-rbac-v1.json`: the group is cut at its first dot."""
    group, _, name = api.rpartition("/")
    short = group.partition(".")[0]
    return f"{kind.lower()}-{f'{short}-' if short else ''}{name}.json"


@cache
def _names(version: str) -> frozenset[str]:
    return frozenset(entry.name for entry in _folder(version).iterdir())


@cache
def _index(version: str) -> dict[str, tuple[str, ...]]:
    """Return kind → its apiVersions, of what has a group, version and kind of its own."""
    found: dict[str, set[str]] = {}
    for definition in _definitions(_folder(version).name)["$defs"].values():
        for known in definition.get("x-kubernetes-group-version-kind", ()):
            api = f"{known['group']}/{known['version']}" if known["group"] else known["version"]
            found.setdefault(known["kind"], set()).add(api)
    return {kind: tuple(sorted(apis)) for kind, apis in found.items()}


@cache
def _groups(version: str) -> frozenset[str]:
    return frozenset(api.rpartition("/")[0] for apis in _index(version).values() for api in apis)


def _unknown(api: str, kind: str, version: str, source: str) -> Problem:
    others = _index(version).get(kind, ())
    if others and len(others) <= 3:  # more: a kind of meta/v1, such as DeleteOptions, which every group lists
        expected = f"Kubernetes {version} has no {kind} in {api}; it has {' and '.join(others)}"
        return Problem(source, "apiVersion", json.dumps(api), expected, "", ("apiVersion",))
    near = nearest(kind, _index(version))
    hint = f"did you mean {near[0]!r}?" if near else ""
    return Problem(source, "kind", json.dumps(kind), f"Kubernetes {version} has no such kind in {api}", hint, ("kind",))


@cache
def _definitions(folder: str) -> Any:
    return json.loads((_root() / folder / "_definitions.json").read_text("utf-8"))


@cache
def _registry(folder: str) -> Registry[Any]:
    resource: Resource[Any] = Resource.from_contents(_definitions(folder))
    registry: Registry[Any] = resource @ Registry()
    return registry


@cache
def _schema(version: str, file: str) -> Any:
    """Return the schema of a kind, None when there is none or the file describes a part of an object only."""
    if file not in _names(version):
        return None
    contents = json.loads((_folder(version) / file).read_text("utf-8"))
    return contents if "x-kubernetes-group-version-kind" in contents else None


@cache
def _compiler(folder: str) -> Compiler:
    return Compiler(_definitions(folder)["$defs"])


@cache
def _predicate(version: str, file: str) -> Fits:
    return _compiler(_folder(version).name).compile(_schema(version, file))


def _fits(version: str, file: str, manifest: Mapping[str, Any]) -> bool:
    """Return whether an object fits for certain; False also when a schema says what predicates cannot."""
    try:
        return _predicate(version, file)(manifest)
    except UnknownKeyword:  # parts of a schema are compiled when a value first reaches them
        return False


@cache
def _validator(version: str, file: str) -> Draft202012Validator:
    contents = _schema(version, file)
    resource: Resource[Any] = Resource.from_contents(contents)
    return Draft202012Validator(contents, registry=resource @ _registry(_folder(version).name))
