"""The structural schema of a definition → a JSON Schema that refuses what an API server would prune.

Called by `schemas` for custom resources and by `definitions` for defaults. Pure.
Source: Kubernetes, "Extend the Kubernetes API with CustomResourceDefinitions", section structural schemas.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

INT_OR_STRING = "x-kubernetes-int-or-string"
PRESERVE = "x-kubernetes-preserve-unknown-fields"


def custom(schema: Mapping[str, Any]) -> dict[str, Any]:
    """Return the JSON Schema of custom resources of a CRD: its schema, what every object has, nothing unknown."""
    made = strict(schema)
    text = {"type": "string"}
    properties = {**made.get("properties", {}), "apiVersion": text, "kind": text, "metadata": {"type": "object"}}
    required = sorted({*made.get("required", ()), "metadata"})
    return {**made, "type": "object", "properties": properties, "required": required}


def strict(schema: Mapping[str, Any]) -> dict[str, Any]:
    """Return a structural schema as JSON Schema 2020-12 that refuses the unknown fields a server would prune."""
    made: dict[str, Any] = {}
    for key, value in schema.items():
        if key == "properties":
            made[key] = {name: strict(node) for name, node in value.items()}
        elif key == "items":
            made[key] = strict(value)
        elif key == "additionalProperties":
            made[key] = strict(value) if isinstance(value, Mapping) else value
        elif key in ("allOf", "anyOf", "oneOf"):
            made[key] = list(value)
        elif key not in ("default", "format") and not key.startswith("x-kubernetes-"):
            made[key] = value
    if schema.get(INT_OR_STRING):
        made["type"] = ["integer", "string"]
        made.pop("anyOf", None)
    if schema.get("nullable") and "type" in made:
        kinds = made["type"] if isinstance(made["type"], list) else [made["type"]]
        made["type"] = [*kinds, "null"]
    made.pop("nullable", None)
    closed = schema.get("type") == "object" and not schema.get("x-kubernetes-embedded-resource")
    if closed and "additionalProperties" not in made and not schema.get(PRESERVE):
        made["additionalProperties"] = False
    return made
