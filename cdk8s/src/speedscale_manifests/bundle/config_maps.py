"""ConfigMaps `speedscale-bundle-<component>`, one for each component that has managed objects or templates.

A ConfigMap is refused beyond 200 KiB: client-side apply writes the object a second time into an annotation, which
may have 262,144 bytes.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Mapping
from typing import Final

from speedscale_manifests.components.component import Component
from speedscale_manifests.components.inventory import enabled
from speedscale_manifests.objects import Manifest, metadata, stamp
from speedscale_manifests.objects.emit import emit
from speedscale_manifests.values import Values
from speedscale_schemas.errors import ConfigError

BUNDLE_LABEL: Final = "controlplane.speedscale.com/bundle"
CONTENT: Final = "controlplane.speedscale.com/content"
"""What is inside: `managed` (applied as it is) or `templates` (filled in first); never both in one ConfigMap."""

CONTENT_HASH: Final = "controlplane.speedscale.com/content-hash"
MAX_BYTES: Final = 200 * 1024


def bundle(values: Values) -> list[Manifest]:
    """Return the ConfigMaps of all components that these values deploy, in the order of the table.

    Raises ConfigError when a component's objects are more than a ConfigMap may hold, or two would have one key.
    """
    return [made for component in enabled(values) for made in _component(values, component)]


def content_hash(data: Mapping[str, str]) -> str:
    """Return SHA-256 (hex) of a ConfigMap's data: each key and text, sorted by key, with its length before it."""
    digest = hashlib.sha256()
    for key in sorted(data):
        for part in (key.encode("utf-8"), data[key].encode("utf-8")):
            digest.update(len(part).to_bytes(8, "big") + part)
    return digest.hexdigest()


def _component(values: Values, component: Component) -> Iterator[Manifest]:
    managed = [stamp(values, component.chart, item, managed=True) for item in component.managed(values)]
    if managed:
        yield _config_map(values, component.name, "managed", managed)
    templates = component.templates(values)
    if templates:
        name = f"{component.name}-templates" if managed else component.name
        yield _config_map(values, name, "templates", templates)


def _config_map(values: Values, component: str, content: str, manifests: Iterable[Manifest]) -> Manifest:
    data = _data(component, manifests)
    size = sum(len(key) + len(text.encode("utf-8")) for key, text in data.items())
    if size > MAX_BYTES:
        raise ConfigError([_too_large(component, size, data)])
    item: Manifest = {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": metadata(
            values,
            component,
            f"speedscale-bundle-{component}",
            user_annotations=True,
            labels_={BUNDLE_LABEL: component},
            annotations={CONTENT: content, CONTENT_HASH: content_hash(data)},
        ),
        "data": data,
    }
    return stamp(values, "operator", item, managed=False)


def _data(component: str, manifests: Iterable[Manifest]) -> dict[str, str]:
    """Return the objects' texts by key, sorted by key."""
    data: dict[str, str] = {}
    for manifest in manifests:
        key = _key(manifest)
        if key in data:
            raise ConfigError([f"bundle of {component}: two objects would have the key {key}; one would be lost"])
        data[key] = emit(manifest)
    return {key: data[key] for key in sorted(data)}


def _key(manifest: Manifest) -> str:
    """Return `<kind>-<name>.yaml`; what a gap puts into the name is left out, so that it is a valid key."""
    name = str(manifest["metadata"]["name"])
    fixed = "-".join(part for part in _without_gaps(name).split("-") if part)
    return f"{str(manifest['kind']).lower()}-{fixed}.yaml"


def _without_gaps(name: str) -> str:
    """Return the parts of a text outside of `@…@`; names of objects hold no other `@`."""
    return "".join(name.split("@")[::2])


def _too_large(component: str, size: int, data: Mapping[str, str]) -> str:
    largest = max(data, key=lambda key: len(data[key]))
    return (
        f"bundle of {component}: {size:,} bytes, more than the {MAX_BYTES:,} that fit into a ConfigMap;"
        f" the largest object is {largest} with {len(data[largest]):,};"
        " make its rules, exporters or annotations smaller"
    )
