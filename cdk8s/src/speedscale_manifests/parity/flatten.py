"""Kubernetes objects as flat fields: object name → field path → plain value, the same for the same meaning.

Called by `compare` and `restate`. Pure. Where order means nothing (environment by name, rules, capabilities), items are
named by what identifies them; where it does (commands, `envFrom`), it is a value of its own. JSON and YAML inside
ConfigMaps is parsed. Secret data, generated keys and scripts are never kept, only that they are there.

A path reads `spec.template.spec.containers[operator].env[POD_NAME].value`; a set's member is `…drop[ALL]` = true.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

import yaml

from . import crd, reading, rights
from .shapes import mapping, mappings, texts

Fields = dict[str, Any]
Facts = dict[str, Fields]

HIDDEN = "(hidden)"
GENERATED = "(generated)"
_UUID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_RBAC = {"Role", "ClusterRole"}
_ORDERED = {"command", "args"}
_SETS_IN_TEXT = {"COMPONENT_IMAGE_TAGS", "NAMESPACE_SELECTOR", "SECRET_ACCESS_LIST"}
_DROPPED = {"creationTimestamp", "status", "kind"}
_EMPTY_IS_ABSENT = {"annotations", "labels", "nodeSelector", "affinity", "tolerations", "resources"}


def facts_of(objects: Iterable[Mapping[str, Any]], namespace: str) -> Facts:
    """Return the fields of each object, and what each service account may do.

    `namespace` is the installation's own: objects in it, or in none, are named `Kind/name`, others `Kind/name@where`.
    """
    found: Facts = {}
    manifests = [o for o in objects if o]
    for manifest in manifests:
        found[object_name(manifest, namespace)] = fields_of(manifest)
    for account, granted in rights.rights_of(manifests, namespace).items():
        found[account] = dict(granted)
    return found


def object_name(manifest: Mapping[str, Any], namespace: str) -> str:
    """Return the name by which an object is matched: `Deployment/speedscale-operator`, `Role/x@shop`."""
    metadata = mapping(manifest.get("metadata"))
    where = metadata.get("namespace") or namespace
    return f"{manifest.get('kind')}/{metadata.get('name')}" + ("" if where == namespace else f"@{where}")


def fields_of(manifest: Mapping[str, Any]) -> Fields:
    """Return one object's fields; RBAC rules are left to `rights`, a CRD's schema to `crd`."""
    kind = str(manifest.get("kind"))
    found: Fields = {}
    for key, value in manifest.items():
        if key in _DROPPED:
            continue
        if key in ("data", "stringData", "binaryData"):
            found.update(_data(kind, mapping(value)))
        elif key == "rules" and kind in _RBAC:
            continue
        elif key == "spec" and kind == "CustomResourceDefinition":
            found.update(_walk(crd.without_schemas(mapping(value)), key))
            found.update(crd.schema_fields(mapping(value)))
        elif key == "spec" and kind == "Service":
            found.update(_walk(_service(mapping(value)), key))
        else:
            found.update(_walk(value, key))
    for path in ("metadata.name", "metadata.namespace"):
        found.pop(path, None)
    return found


def _service(spec: Mapping[str, Any]) -> dict[str, Any]:
    """Return a Service's spec with the target that the API server would fill in."""
    return {**spec, "ports": [{"targetPort": port.get("port"), **port} for port in mappings(spec.get("ports"))]}


def _data(kind: str, data: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    for key, value in data.items():
        path = f"data[{key}]"
        if kind == "Secret":
            yield path, HIDDEN
        elif key in _SETS_IN_TEXT:
            yield from _walk(str(value).split(",") if value else [], path)
        elif not isinstance(value, str):
            yield path, value
        elif value[:1] in ("{", "["):
            yield from _parsed(path, value, json.loads)
        elif key.endswith((".yaml", ".yml")):
            yield from _parsed(path, value, reading.document)
        else:
            yield path, _UUID.sub("(uuid)", value)


def _parsed(path: str, text: str, parse: Callable[[str], Any]) -> Iterator[tuple[str, Any]]:
    try:
        value = parse(text)
    except (ValueError, yaml.YAMLError):
        value = text
    yield from _walk(value, path)


def _walk(value: Any, path: str) -> Iterator[tuple[str, Any]]:
    """Yield the leaves below a value; nulls are absent, empty objects and lists leaves where they mean something."""
    name = _last_name(path)
    if value is None or (value in ({}, []) and name in _EMPTY_IS_ABSENT):
        return
    if isinstance(value, Mapping) and value:
        members = [found for key, inner in value.items() for found in _walk(inner, _step(path, str(key)))]
        yield from members or [(path, {})]
    elif isinstance(value, list) and value:
        yield from _items(value, path, name)
    elif name == "caBundle":
        if value:
            yield path, GENERATED
    else:
        yield path, _shown(value)


def _items(items: list[Any], path: str, name: str) -> Iterator[tuple[str, Any]]:
    if name in _ORDERED:
        yield path, [_shown(item) for item in items]
    elif name == "rules" and all(isinstance(item, Mapping) and "operations" in item for item in items):
        yield from ((f"{path}[{rule}]", scope) for rule, scope in _admission_rules(items).items())
    elif all(not isinstance(item, Mapping | list) for item in items):
        for item in items:
            yield f"{path}[{item}]", True
    else:
        identity = _IDENTITY.get(name, _by_name)
        keys = _unique([_key(identity, item, n) for n, item in enumerate(items)])
        if name == "envFrom":
            yield f"{path}#order", keys
        for key, item in zip(keys, items, strict=True):
            rest = item
            if isinstance(item, Mapping) and identity(item):
                rest = {k: v for k, v in item.items() if k not in _NAMED_BY.get(name, ("name",))}
            yield from _walk(rest, f"{path}[{key}]")


def _admission_rules(rules: list[Any]) -> dict[str, bool | str]:
    """Return each operation on each resource that a webhook is called for.

    Whether the scope is `*` or Namespaced is the same for them: every kind that these webhooks name has a namespace.
    """
    return {
        f"{operation} {group or 'core'}/{version}/{resource}": "Cluster" if rule.get("scope") == "Cluster" else True
        for rule in rules
        for operation in texts(rule.get("operations"))
        for group in texts(rule.get("apiGroups"))
        for version in texts(rule.get("apiVersions"))
        for resource in texts(rule.get("resources"))
    }


def _step(path: str, key: str) -> str:
    return f"{path}.{key}" if re.fullmatch(r"[A-Za-z0-9_-]+", key) else f"{path}[{key}]"


def _last_name(path: str) -> str:
    return re.sub(r"\[[^]]*\]", "", path).rpartition(".")[2]


def _shown(value: Any) -> Any:
    """Return a leaf as it is kept: of a script only its hash, so that nobody's code is copied."""
    if isinstance(value, str) and "\n" in value.strip():
        return f"(script {hashlib.sha256(value.strip().encode()).hexdigest()[:12]})"
    return value


Identity = Callable[[Mapping[str, Any]], str]


def _by_name(item: Mapping[str, Any]) -> str:
    return str(item.get("name") or "")


def _port(item: Mapping[str, Any]) -> str:
    """Return a Service port's number, a container port's name: what others refer to."""
    return str(item.get("port") or item.get("name") or item.get("containerPort") or "")


def _env_source(item: Mapping[str, Any]) -> str:
    for kind in ("configMapRef", "secretRef"):
        if kind in item:
            return f"{kind}:{mapping(item[kind]).get('name')}"
    return ""


def _toleration(item: Mapping[str, Any]) -> str:
    value = f"={item['value']}" if "value" in item else ""
    return f"{item.get('key', '*')}{value}:{item.get('effect', '*')}"


def _mount(item: Mapping[str, Any]) -> str:
    return str(item.get("mountPath") or "")


def _expression(item: Mapping[str, Any]) -> str:
    return f"{item.get('key')} {item.get('operator')}"


def _subject(item: Mapping[str, Any]) -> str:
    return f"{item.get('kind')}/{item.get('name')}"


# What identifies an item of a list, and which of its keys that repeats.
_IDENTITY: dict[str, Identity] = {
    "ports": _port,
    "envFrom": _env_source,
    "tolerations": _toleration,
    "volumeMounts": _mount,
    "matchExpressions": _expression,
    "subjects": _subject,
}
_NAMED_BY = {
    "envFrom": (),
    "ports": (),
    "tolerations": ("key", "value", "effect"),
    "volumeMounts": ("mountPath",),
    "matchExpressions": ("key", "operator"),
    "subjects": ("kind", "name"),
}


def _key(identity: Identity, item: Any, index: int) -> str:
    return (identity(item) if isinstance(item, Mapping) else "") or str(index)


def _unique(keys: list[str]) -> list[str]:
    """Return the keys with a number after those that stand for a second item."""
    seen: dict[str, int] = {}
    found = []
    for key in keys:
        seen[key] = seen.get(key, 0) + 1
        found.append(key if seen[key] == 1 else f"{key}#{seen[key]}")
    return found
