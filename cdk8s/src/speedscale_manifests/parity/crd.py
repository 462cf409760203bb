"""The schema of a custom resource as flat facets: `schema.spec.mode#enum[full-replay]` = true.

Called by `flatten`. Pure. Descriptions are left out, except that a field is marked deprecated.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

_DEPRECATED = re.compile(r"(?:\A|[.\n]\s*)deprecated", re.IGNORECASE)
_NESTED = ("properties", "items", "required", "description", "enum", "additionalProperties")


def without_schemas(spec: Mapping[str, Any]) -> dict[str, Any]:
    """Return a CRD's spec without the schemas of its versions."""
    versions = [{k: v for k, v in version.items() if k != "schema"} for version in spec.get("versions") or ()]
    for version in versions:
        version["subresources"] = sorted(version.get("subresources") or ())
    return {**spec, "versions": versions}


def schema_fields(spec: Mapping[str, Any]) -> dict[str, Any]:
    """Return the facets of every version's schema: type, format, limits, defaults, enums and required keys."""
    found: dict[str, Any] = {}
    for version in spec.get("versions") or ():
        root = (version.get("schema") or {}).get("openAPIV3Schema") or {}
        found.update(_facets(root, f"schema[{version.get('name')}]"))
    return found


def _facets(node: Mapping[str, Any], path: str) -> Iterator[tuple[str, Any]]:
    for key, value in node.items():
        if key not in _NESTED:
            yield f"{path}#{key}", value
    if _DEPRECATED.search(str(node.get("description", ""))):
        yield f"{path}#deprecated", True
    for value in node.get("enum") or ():
        yield f"{path}#enum[{value}]", True
    for name in node.get("required") or ():
        yield f"{path}.{name}#required", True
    for name, inner in (node.get("properties") or {}).items():
        yield from _facets(inner, f"{path}.{name}")
    for key, mark in (("items", "[]"), ("additionalProperties", "{}")):
        if isinstance(node.get(key), Mapping):
            yield from _facets(node[key], path + mark)
