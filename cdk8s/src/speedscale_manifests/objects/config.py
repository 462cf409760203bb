"""ConfigMaps and their hashes.

A workload whose ConfigMap changes must roll: `config_hash` goes into its pod template. Settings in JSON are written as
the vendor's chart does (`toJson` of Go: sorted keys, no blanks), so that both installations compare equal.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Any

from speedscale_manifests.values import Values

from .identity import metadata
from .manifest import Manifest, prune

# Go's encoding/json writes these as escapes, so that the text can stand inside HTML.
_GO_ESCAPES = {"<": "\\u003c", ">": "\\u003e", "&": "\\u0026", "\u2028": "\\u2028", "\u2029": "\\u2029"}


def config_map(
    values: Values,
    component: str,
    data: Mapping[str, str],
    *,
    name: str = "",
    namespace: str | None = None,
    annotations: Mapping[str, str] | None = None,
) -> Manifest:
    """Return a ConfigMap of text; keys are written sorted, whatever order they come in."""
    return {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": metadata(
            values, component, name, namespace=namespace, user_annotations=True, annotations=annotations
        ),
        "data": {key: data[key] for key in sorted(data)},
    }


def config_hash(*config_maps: Manifest) -> str:
    """Return SHA-256 (hex) over name and data of ConfigMaps, for a pod template's `config-hash`."""
    content = [[item["metadata"]["name"], item.get("data", {})] for item in config_maps]
    text = json.dumps(content, sort_keys=True, separators=(",", ":"), ensure_ascii=True)
    return hashlib.sha256(text.encode("ascii")).hexdigest()


def go_json(value: Any) -> str:
    """Return JSON as Go writes it: sorted keys, no blanks, `<`, `>` and `&` escaped, the rest UTF-8."""
    text = json.dumps(prune(value), sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return "".join(_GO_ESCAPES.get(char, char) for char in text)
