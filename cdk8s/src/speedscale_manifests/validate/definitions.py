"""A CustomResourceDefinition against what an API server demands of it beyond its schema.

Called by the step `crd` for definitions that fit the schema of their kind. The rules of structural schemas, of names
and versions, of defaults, and of CEL as far as they can be seen without a CEL compiler. Pure. Each problem is (path,
reason).
Source: Kubernetes, "Extend the Kubernetes API with CustomResourceDefinitions", sections structural schemas,
defaulting, validation rules; apiextensions.k8s.io/v1 field reference.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from jsonschema import Draft202012Validator

from . import kubernetes
from .custom import INT_OR_STRING, PRESERVE, strict
from .findings import Path

Wrong = Iterator[tuple[Path, str]]
Node = Mapping[str, Any]

_FORBIDDEN: tuple[str, ...] = (
    "$ref",
    "$schema",
    "$id",
    "$defs",
    "definitions",
    "dependencies",
    "deprecated",
    "discriminator",
)
_FORBIDDEN += ("id", "patternProperties", "readOnly", "writeOnly", "xml", "additionalItems", "examples", "const")
_TYPES = frozenset(("object", "array", "string", "integer", "number", "boolean"))
_JUNCTORS = ("allOf", "anyOf", "oneOf")
# What may not stand inside of a junctor: it describes values there, it does not shape them.
_SHAPING = ("description", "type", "default", "additionalProperties", "nullable", "title")
_COMMON = ("apiVersion", "kind", "metadata")
_PROPS = "io.k8s.apiextensions-apiserver.pkg.apis.apiextensions.v1.JSONSchemaProps"
_RULE_LIMIT = 100
_OPEN = {"(": ")", "[": "]", "{": "}"}
_STRING = re.compile(r'"(?:[^"\\]|\\.)*"|\'(?:[^\'\\]|\\.)*\'')


def check(manifest: Node) -> Wrong:
    """Yield what an API server would refuse of a CustomResourceDefinition that fits its OpenAPI schema."""
    spec = manifest.get("spec")
    if not isinstance(spec, Mapping):
        return
    yield from _names(manifest, spec)
    versions = [version for version in spec.get("versions") or () if isinstance(version, Mapping)]
    stored = [version.get("name") for version in versions if version.get("storage")]
    if len(stored) != 1:
        yield ("spec", "versions"), f"exactly one version is stored, found {len(stored)}"
    if not any(version.get("served") for version in versions):
        yield ("spec", "versions"), "no version is served"
    for index, version in enumerate(versions):
        path: Path = ("spec", "versions", index)
        if [one.get("name") for one in versions].count(version.get("name")) > 1:
            yield (*path, "name"), f"version {version.get('name')!r} stands twice"
        yield from _version(version, path)


def _names(manifest: Node, spec: Node) -> Wrong:
    names = spec.get("names") or {}
    wanted = f"{names.get('plural')}.{spec.get('group')}"
    if (manifest.get("metadata") or {}).get("name") != wanted:
        yield ("metadata", "name"), f"the name has to be {wanted}, plural and group"
    for key in ("plural", "singular"):
        if key in names and names[key] != str(names[key]).lower():
            yield ("spec", "names", key), "has to be lower case"
    if spec.get("scope") not in ("Namespaced", "Cluster"):
        yield ("spec", "scope"), "expected Namespaced or Cluster"
    if spec.get("preserveUnknownFields"):
        yield ("spec", "preserveUnknownFields"), "has to be false: v1 prunes unknown fields"


def _version(version: Node, path: Path) -> Wrong:
    schema = (version.get("schema") or {}).get("openAPIV3Schema")
    if not isinstance(schema, Mapping):
        yield (*path, "schema", "openAPIV3Schema"), "each version needs a schema"
        return
    root: Path = (*path, "schema", "openAPIV3Schema")
    shapes = list(_shapes(schema, root))
    if shapes:
        yield from shapes
        return
    if schema.get("type") != "object":
        yield (*root, "type"), "the root is of type object"
    metadata = (schema.get("properties") or {}).get("metadata") or {}
    extra = sorted(set(metadata) - {"type", "description"} - ({"properties"} if _only_names(metadata) else set()))
    if extra:
        yield (
            (*root, "properties", "metadata"),
            f"only type, name and generateName may be said of it, not {', '.join(extra)}",
        )
    yield from _node(schema, root, below_list=False)
    subresources = version.get("subresources") or {}
    properties = schema.get("properties") or {}
    if "status" in subresources and "status" not in properties:
        yield (*path, "subresources", "status"), "the schema has no status"
    for index, column in enumerate(version.get("additionalPrinterColumns") or ()):
        reason = _column(str(column.get("jsonPath", "")), schema)
        if reason:
            yield (*path, "additionalPrinterColumns", index, "jsonPath"), reason


def _only_names(metadata: Node) -> bool:
    return set(metadata.get("properties") or {}) <= {"name", "generateName"}


def _node(node: Node, path: Path, *, below_list: bool) -> Wrong:
    """Yield the problems of a schema's node and of those below it."""
    yield from _keywords(node, path)
    yield from _junctors(node, path)
    yield from _lists(node, path)
    yield from _default(node, path)
    yield from _rules(node, path, below_list=below_list)
    for name, inner in (node.get("properties") or {}).items():
        yield from _node(inner, (*path, "properties", name), below_list=below_list)
    items, extra = node.get("items"), node.get("additionalProperties")
    if isinstance(items, Mapping):
        correlated = node.get("x-kubernetes-list-type") == "map"
        yield from _node(items, (*path, "items"), below_list=below_list or not correlated)
    if isinstance(extra, Mapping):
        yield from _node(extra, (*path, "additionalProperties"), below_list=below_list)


def _shapes(node: Node, path: Path) -> Wrong:
    """Yield what is no schema below `items` and `additionalProperties`, where Kubernetes' schema allows anything."""
    for name, inner in (node.get("properties") or {}).items():
        yield from _shapes(inner, (*path, "properties", name))
    for key in ("items", "additionalProperties"):
        inner = node.get(key)
        if isinstance(inner, Mapping):
            shape = kubernetes.check_part(_PROPS, inner)
            yield from (((*path, key, *problem.parts), f"{problem.value}: {problem.expected}") for problem in shape)
            if not shape:
                yield from _shapes(inner, (*path, key))


def _keywords(node: Node, path: Path) -> Wrong:
    for key in _FORBIDDEN:
        if key in node:
            yield (*path, key), f"{key} may not stand in a structural schema"
    free = node.get(INT_OR_STRING) or node.get(PRESERVE)
    if "type" not in node and not free:
        yield path, "a type is missing (structural schemas name one at each place)"
    if "type" in node and str(node["type"]) not in _TYPES:
        yield (*path, "type"), f"{node['type']!r} is no type here; allow null with nullable: true"
    if node.get(INT_OR_STRING) and "type" in node:
        yield (*path, "type"), f"no type beside {INT_OR_STRING}"
    if node.get("uniqueItems"):
        yield (*path, "uniqueItems"), "has to be false; use x-kubernetes-list-type: set"
    if "properties" in node and "additionalProperties" in node:
        yield (*path, "additionalProperties"), "not together with properties"
    if node.get("additionalProperties") is False:
        yield (*path, "additionalProperties"), "false is not allowed: unknown fields are pruned anyway"
    if node.get("type") == "array" and not isinstance(node.get("items"), Mapping):
        yield (*path, "items"), "an array names the schema of its items"
    if node.get("x-kubernetes-embedded-resource") and node.get("type") != "object":
        yield path, "an embedded resource is an object"
    unknown = sorted(set(node.get("required") or ()) - set(node.get("properties") or {}))
    if unknown and "properties" in node and not node.get(PRESERVE):
        yield (*path, "required"), f"{', '.join(unknown)}: required, but no property"
    if "pattern" in node:
        try:
            re.compile(node["pattern"])
        except re.error as error:
            yield (*path, "pattern"), f"no regular expression: {error}"


def _junctors(node: Node, path: Path) -> Wrong:
    parts = [((*path, key, index), inner) for key in _JUNCTORS for index, inner in enumerate(node.get(key) or ())]
    if isinstance(node.get("not"), Mapping):
        parts.append(((*path, "not"), node["not"]))
    for where, inner in parts:
        yield from _inside(inner, node, where, allow_type=bool(node.get(INT_OR_STRING)))


def _inside(inner: Node, outer: Node, path: Path, *, allow_type: bool) -> Wrong:
    for key in _SHAPING:
        if key in inner and not (key == "type" and allow_type):
            yield (*path, key), f"{key} may not stand inside allOf, anyOf, oneOf or not"
    for key in inner:
        if key.startswith("x-kubernetes-"):
            yield (*path, key), f"{key} may not stand inside allOf, anyOf, oneOf or not"
    known = outer.get("properties") or {}
    for name, below in (inner.get("properties") or {}).items():
        if name not in known:
            yield (*path, "properties", name), "has to be a property outside of the junctor as well"
        else:
            yield from _inside(below, known[name], (*path, "properties", name), allow_type=False)
    if isinstance(inner.get("items"), Mapping):
        yield from _inside(inner["items"], outer.get("items") or {}, (*path, "items"), allow_type=False)
    yield from _junctors({**inner, "properties": known}, path) if any(key in inner for key in _JUNCTORS) else ()


def _lists(node: Node, path: Path) -> Wrong:
    kind, keys = node.get("x-kubernetes-list-type"), node.get("x-kubernetes-list-map-keys")
    if kind is None and keys is None:
        return
    if node.get("type") != "array":
        yield path, "x-kubernetes-list-type is for arrays"
    if kind not in ("atomic", "set", "map"):
        yield (*path, "x-kubernetes-list-type"), "expected atomic, set or map"
    items = node.get("items") or {}
    atomic = "atomic" in (items.get("x-kubernetes-map-type"), items.get("x-kubernetes-list-type"))
    if kind == "set" and items.get("type") in ("object", "array") and not atomic:
        yield path, "items of a set are scalars or atomic"
    if (kind == "map") != bool(keys):
        yield path, "x-kubernetes-list-type: map and x-kubernetes-list-map-keys belong together"
    for key in keys or ():
        inner = (items.get("properties") or {}).get(key)
        if not isinstance(inner, Mapping) or inner.get("type") in ("object", "array"):
            yield (*path, "x-kubernetes-list-map-keys"), f"{key!r} is no scalar property of the items"
        elif key not in (items.get("required") or ()) and "default" not in inner:
            yield (*path, "x-kubernetes-list-map-keys"), f"{key!r} has to be required or have a default"


def _default(node: Node, path: Path) -> Wrong:
    if "default" not in node:
        return
    if node["default"] is None and not node.get("nullable"):
        yield (*path, "default"), "null is the default of a nullable field only"
        return
    errors = Draft202012Validator(strict(node)).iter_errors(node["default"])
    for error in errors:
        yield (*path, "default", *error.absolute_path), f"the default does not fit its schema: {error.message}"


def _rules(node: Node, path: Path, *, below_list: bool) -> Wrong:
    rules = node.get("x-kubernetes-validations") or ()
    if len(rules) > _RULE_LIMIT:
        yield (*path, "x-kubernetes-validations"), f"{len(rules)} rules; expected at most {_RULE_LIMIT}"
    seen: set[str] = set()
    for index, rule in enumerate(rules):
        where: Path = (*path, "x-kubernetes-validations", index)
        text = str(rule.get("rule", ""))
        if not text.strip():
            yield (*where, "rule"), "a rule is a CEL expression, this one is empty"
            continue
        if not _balanced(text):
            yield (*where, "rule"), "brackets or quotes of the CEL expression do not match"
        if text in seen:
            yield (*where, "rule"), "this rule stands twice"
        seen.add(text)
        if not re.search(r"\b(self|oldSelf)\b", _STRING.sub("", text)):
            yield (*where, "rule"), "the rule looks at nothing: it names neither self nor oldSelf"
        if below_list and re.search(r"\boldSelf\b", _STRING.sub("", text)):
            yield (*where, "rule"), "oldSelf is not known below a list whose items have no key (list type map)"
        if not str(rule.get("message", rule.get("messageExpression", ""))).strip():
            yield where, "without a message people are told the CEL expression"
        elif "\n" in str(rule.get("message", "")):
            yield (*where, "message"), "a message is one line"


def _balanced(text: str) -> bool:
    bare = _STRING.sub("", text)
    stack: list[str] = []
    for character in bare:
        if character in _OPEN:
            stack.append(_OPEN[character])
        elif character in ")]}" and (not stack or stack.pop() != character):
            return False
    return not stack and '"' not in bare and "'" not in bare


def _column(path: str, schema: Node) -> str:
    """Return why a printer column shows nothing: its path leads to no field of the schema."""
    if not path.startswith("."):
        return "a JSON path starts with a dot"
    node: Any = schema
    for part in re.findall(r"\.([A-Za-z_][\w-]*)|\[([^\]]*)\]", path):
        if part[1]:
            node = node.get("items") or {}
        elif (node is schema and part[0] in _COMMON) or node.get(PRESERVE) or "additionalProperties" in node:
            return ""
        else:
            known = node.get("properties") or {}
            if part[0] not in known:
                return f"the schema has no {part[0]!r} there"
            node = known[part[0]]
    return ""
