"""The bill of materials in an image: CycloneDX 1.5, every Debian package, distribution and member with version.

Called by `layers` for the topmost layer. No time and no random number: equal content, equal file.
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Sequence
from typing import Any

from .cache import Item
from .catalogue import Image

PATH = "usr/share/speedscale/sbom.cdx.json"


def document(image: Image, version: str, architecture: str, packages: Sequence[Item]) -> bytes:
    """Return the file. `packages` are those of all layers."""
    components = [_component(*package) for package in sorted(set(packages))]
    body: dict[str, Any] = {
        "bomFormat": "CycloneDX",
        "specVersion": "1.5",
        "version": 1,
        "metadata": {
            "component": {
                "type": "container",
                "bom-ref": image.name,
                "name": f"speedscale/{image.name}",
                "version": version,
                "description": image.title,
                "properties": [{"name": "architecture", "value": architecture}],
            }
        },
        "components": components,
    }
    serial = uuid.uuid5(uuid.NAMESPACE_OID, json.dumps(body, sort_keys=True))
    return (json.dumps({**body, "serialNumber": f"urn:uuid:{serial}"}, indent=1, sort_keys=True) + "\n").encode()


def _component(kind: str, name: str, version: str, detail: str) -> dict[str, Any]:
    component: dict[str, Any] = {"type": "library", "name": name, "version": version}
    if kind == "deb":
        component["purl"] = f"pkg:deb/debian/{name}@{version.replace(':', '%3A').replace('+', '%2B')}?arch={detail}"
    elif kind == "pypi":
        component["purl"] = f"pkg:pypi/{name}@{version}"
        if detail:
            component["licenses"] = [{"license": {"name": detail}}]
    else:
        component["licenses"] = [{"license": {"id": detail}}]
    return {**component, "bom-ref": component.get("purl", f"{name}@{version}")}
