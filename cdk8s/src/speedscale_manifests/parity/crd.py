"""The schema of a custom resource as flat facets: `schema.spec.mode#enum[full-replay]` = true.

Called by `flatten`. Pure. Descriptions are left out, except that a field is marked deprecated.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from .shapes import mapping, mappings, texts

_DEPRECATED = re.compile(r"(?:\A|[.\n]\s*)deprecated", re.IGNORECASE)
_NESTED = ("properties", "items", "required", "description", "enum", "additionalProperties")


def without_schemas(spec: Mapping[str, Any]) -> dict[str, Any]:
    """Return a CRD's spec without the schemas of its versions."""
    versions = [{k: v for k, v in version.items() if k != "schema"} for version in mappings(spec.get("versions"))]
    for version in versions:
        version["subresources"] = sorted(mapping(version.get("subresources")))
    return {**spec, "versions": versions}


def schema_fields(spec: Mapping[str, Any]) -> dict[str, Any]:
    """Return the facets of every version's schema: type, format, limits, defaults, enums and required keys."""
    found: dict[str, Any] = {}
    for version in mappings(spec.get("versions")):
        root = mapping(mapping(version.get("schema")).get("openAPIV3Schema"))
        found.update(_facets(root, f"schema[{version.get('name')}]"))
    return found


def _facets(node: Mapping[str, Any], path: str) -> Iterator[tuple[str, Any]]:
    for key, value in node.items():
        if key not in _NESTED:
            yield f"{path}#{key}", value
    if _DEPRECATED.search(str(node.get("description", ""))):
        yield f"{path}#deprecated", True
    for value in texts(node.get("enum")):
        yield f"{path}#enum[{value}]", True
    for name in texts(node.get("required")):
        yield f"{path}.{name}#required", True
    for name, inner in mapping(node.get("properties")).items():
        yield from _facets(mapping(inner), f"{path}.{name}")
    for key, mark in (("items", "[]"), ("additionalProperties", "{}")):
        if isinstance(node.get(key), Mapping):
            yield from _facets(node[key], path + mark)
