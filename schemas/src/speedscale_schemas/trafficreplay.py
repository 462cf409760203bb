"""The custom resource TrafficReplay: its CRD schema as an API server wants it, and the same judgement offline.

Called by the component that emits the CustomResourceDefinition, by validation and linting of manifests, and by the
admission webhook. The one source is `documents/trafficreplay.schema.json`; this module only changes its dialect.
Invariants: every CEL rule of the document has a check here under the same message; of the documented defaults only
those in `SERVER_DEFAULTS` reach the CRD, because an API server writes its defaults into the users' objects, where a
GitOps tool would see them. Pure.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Callable, Iterator, Mapping
from functools import cache
from typing import Any

from .validation import check, schema
from .wording import Path, Problem, path_text, short

GROUP = "speedscale.com"
VERSION = "v1"
API_VERSION = f"{GROUP}/{VERSION}"
KIND = "TrafficReplay"
PLURAL = "trafficreplays"
DOCUMENT = "trafficreplay"

SERVER_DEFAULTS: frozenset[Path] = frozenset(
    {("spec", "cleanup"), ("status",), ("status", "observedGeneration")},
)
"""Properties whose default the API server fills in; `mode` and the like are filled in by the operator, unseen."""

# What JSON Schema says and a structural schema of Kubernetes may not say. Unknown fields are pruned by the server
# (or refused, under strict field validation) without `additionalProperties: false`.
_NOT_IN_A_CRD = frozenset({"$schema", "$id", "$defs", "title", "examples", "default", "deprecated"})


# A DNS subdomain (RFC 1123), as Kubernetes wants names of objects.
_NAME = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*")


def crd_names() -> dict[str, Any]:
    """Return `spec.names` of the CustomResourceDefinition."""
    return {
        "kind": KIND,
        "listKind": f"{KIND}List",
        "plural": PLURAL,
        "shortNames": ["replay"],
        "singular": "trafficreplay",
    }


def crd_schema() -> dict[str, Any]:
    """Return the structural OpenAPI v3 schema (`openAPIV3Schema`): no references, only the safe defaults."""
    document = schema(DOCUMENT)
    made: dict[str, Any] = _structural(document, (), document["$defs"])
    made["properties"]["metadata"] = {"type": "object"}  # an API server lets nothing else stand here
    return made


def printer_columns() -> list[dict[str, Any]]:
    """Return `additionalPrinterColumns`: what `kubectl get replay` shows, the same as the vendor's."""
    return [
        {"jsonPath": ".status.active", "name": "Active", "type": "boolean"},
        {"jsonPath": ".spec.mode", "name": "Mode", "type": "string"},
        {"jsonPath": ".status.conditions[-1:].message", "name": "Status", "type": "string"},
        {"jsonPath": ".metadata.creationTimestamp", "name": "Age", "type": "date"},
    ]


def crd_versions() -> list[dict[str, Any]]:
    """Return `spec.versions` of the CustomResourceDefinition: v1, served and stored, with the status subresource."""
    return [
        {
            "additionalPrinterColumns": printer_columns(),
            "name": VERSION,
            "schema": {"openAPIV3Schema": crd_schema()},
            "served": True,
            "storage": True,
            "subresources": {"status": {}},
        }
    ]


def cel_rules() -> tuple[tuple[str, str], ...]:
    """Return the path and the message of each CEL rule in the CRD, in document order."""
    return tuple((path_text(path), rule["message"]) for path, rule in _rules(crd_schema(), ()))


def validate(document: object, *, source: str = "", old: object = None) -> list[Problem]:
    """Return every problem of a TrafficReplay: what the API server would refuse, and unknown fields as well.

    `old` is the stored object when this one replaces it: then the rules about what a started replay may not change
    apply too. Each problem names path, what stands there, what was expected and the nearest known field.
    """
    found = check(DOCUMENT, document, source=source)
    if not isinstance(document, Mapping):
        return found
    wrong = {problem.parts for problem in found}
    for test in _CHECKS.values():
        for path, value, message in test(document, old if isinstance(old, Mapping) else None):
            if path not in wrong:
                found.append(Problem(source, path_text(path), value, message, "", path))
    name = _part(document, "metadata", dict).get("name")
    if isinstance(name, str) and (len(name) > 253 or not _NAME.fullmatch(name)):
        expected = "expected lower-case letters, digits, - and ., at most 253 characters"
        found.append(Problem(source, "metadata.name", short(name), expected, "", ("metadata", "name")))
    for path, text in _patches(document):
        if not _is_base64(text):
            found.append(Problem(source, path_text(path), short(text), "expected base64", "", path))
    return found


# From JSON Schema to a structural schema


def _structural(node: Any, path: Path, shared: Mapping[str, Any]) -> Any:
    if "$ref" in node:
        target = shared[str(node["$ref"]).rpartition("/")[2]]
        node = {**target, **{key: value for key, value in node.items() if key != "$ref"}}
    made: dict[str, Any] = {}
    for key, value in node.items():
        if key == "properties":
            made[key] = {name: _structural(inner, (*path, name), shared) for name, inner in value.items()}
        elif key == "items":
            made[key] = _structural(value, (*path, "[]"), shared)
        elif key not in _NOT_IN_A_CRD and not (key == "additionalProperties" and value is False):
            made[key] = value
    if path in SERVER_DEFAULTS:
        made["default"] = node["default"]
    return made


def _rules(node: Mapping[str, Any], path: Path) -> Iterator[tuple[Path, Mapping[str, str]]]:
    for rule in node.get("x-kubernetes-validations", ()):
        yield path, rule
    for name, inner in node.get("properties", {}).items():
        yield from _rules(inner, (*path, name))
    if "items" in node:
        yield from _rules(node["items"], (*path, "[]"))


# The CEL rules, said again in Python. Each yields (path, what stands there, message).

_Found = Iterator[tuple[Path, str, str]]
_Check = Callable[[Mapping[str, Any], Mapping[str, Any] | None], _Found]

MESSAGE_TARGET = "a workload has either ref or customURI: exactly one of them"
MESSAGE_GENERATOR = "mode generator-only needs somewhere to send the tests: customURL or workloads"
MESSAGE_TESTS = "a key stands under tests of one workload only"
FROZEN: Mapping[str, object] = {
    "snapshotID": None,
    "testConfigID": None,
    "mode": "full-replay",
    "customURL": None,
    "workloads": None,
    "workloadRef": None,
}
"""Fields of `spec` that a started replay keeps, with what an absent one means."""


def frozen_message(field: str) -> str:
    """Return what is said when a started replay's field changes."""
    return f"spec.{field} cannot change once the replay has started; delete the replay and create another"


def _part(node: Any, key: str, kind: type) -> Any:
    """Return a part of an object when it is of the right kind, else an empty one; the schema tells of wrong kinds."""
    value = node.get(key) if isinstance(node, Mapping) else None
    return value if isinstance(value, kind) else kind()


def _workloads(document: Mapping[str, Any]) -> list[tuple[int, dict[str, Any]]]:
    items = _part(_part(document, "spec", dict), "workloads", list)
    return [(index, item) for index, item in enumerate(items) if isinstance(item, dict)]


def _one_target(document: Mapping[str, Any], old: Mapping[str, Any] | None) -> _Found:
    for index, item in _workloads(document):
        if ("ref" in item) == bool(item.get("customURI")):
            yield ("spec", "workloads", index), short(item), MESSAGE_TARGET


def _generator_has_a_target(document: Mapping[str, Any], old: Mapping[str, Any] | None) -> _Found:
    spec = _part(document, "spec", dict)
    targets = (spec.get("customURL"), "workloadRef" in spec, spec.get("workloads"))
    if spec.get("mode") == "generator-only" and not any(targets):
        yield ("spec", "mode"), short("generator-only"), MESSAGE_GENERATOR


def _tests_once(document: Mapping[str, Any], old: Mapping[str, Any] | None) -> _Found:
    owner: dict[str, int] = {}
    for index, item in _workloads(document):
        for number, key in enumerate(_part(item, "tests", list)):
            if isinstance(key, str) and owner.setdefault(key, index) != index:
                yield ("spec", "workloads", index, "tests", number), short(key), MESSAGE_TESTS


def _kept(field: str) -> _Check:
    absent = FROZEN[field]

    def changed(document: Mapping[str, Any], old: Mapping[str, Any] | None) -> _Found:
        if old is None or "startedTime" not in _part(old, "status", dict) or "spec" not in old:
            return
        before, after = _part(old, "spec", dict).get(field, absent), _part(document, "spec", dict).get(field, absent)
        if "spec" not in document or before != after:
            yield ("spec", field), short(after), frozen_message(field)

    return changed


_CHECKS: Mapping[str, _Check] = {
    MESSAGE_TARGET: _one_target,
    MESSAGE_GENERATOR: _generator_has_a_target,
    MESSAGE_TESTS: _tests_once,
    **{frozen_message(field): _kept(field) for field in FROZEN},
}


@cache
def _patch_paths() -> tuple[Path, ...]:
    def walk(node: Mapping[str, Any], path: Path) -> Iterator[Path]:
        if node.get("format") == "byte":
            yield path
        for name, inner in node.get("properties", {}).items():
            yield from walk(inner, (*path, name))
        if "items" in node:
            yield from walk(node["items"], (*path, "[]"))

    return tuple(walk(crd_schema(), ()))


def _patches(document: Mapping[str, Any]) -> Iterator[tuple[Path, str]]:
    for path in _patch_paths():
        yield from _at(document, path, ())


def _at(node: Any, path: Path, done: Path) -> Iterator[tuple[Path, str]]:
    if not path:
        if isinstance(node, str):
            yield done, node
    elif path[0] == "[]":
        for index, item in enumerate(node if isinstance(node, list) else ()):
            yield from _at(item, path[1:], (*done, index))
    elif isinstance(node, Mapping) and path[0] in node:
        yield from _at(node[path[0]], path[1:], (*done, path[0]))


def _is_base64(text: str) -> bool:
    try:
        base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        return False
    return True
