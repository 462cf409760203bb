"""The objects inside the bundle's ConfigMaps, so that an upgrade is told by them and not as changed text.

Called by `compare`. In profile `operator` the workloads are nowhere else; in `gitops` each is a copy of one in the
output, and is counted, not told twice. Pure.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from speedscale_manifests.bundle import BUNDLE_LABEL, CONTENT, CONTENT_HASH

from .model import Manifest
from .texts import objects


def component(manifest: Manifest) -> str:
    """Return the component whose bundle a manifest is, or nothing."""
    if manifest.get("kind") != "ConfigMap":
        return ""
    labels = (manifest.get("metadata") or {}).get("labels") or {}
    return str(labels.get(BUNDLE_LABEL, ""))


def contents(manifests: Iterable[Manifest], content: str) -> dict[str, list[Manifest]]:
    """Return the objects of each component's bundle: those that are `managed`, or the `templates`.

    A key whose text is no manifest is left out here; its text is told.
    """
    found: dict[str, list[Manifest]] = {}
    for manifest in manifests:
        name = component(manifest)
        annotations = (manifest.get("metadata") or {}).get("annotations") or {}
        if name and annotations.get(CONTENT, "managed") == content:
            data = manifest.get("data")
            texts = data.values() if isinstance(data, Mapping) else ()
            found.setdefault(name, []).extend(one for text in texts for one in objects(str(text)))
    return found


def outside(manifest: Manifest) -> Manifest:
    """Return a bundle without its content and hash: what of the ConfigMap itself may change."""
    metadata = dict(manifest["metadata"])
    annotations = {key: value for key, value in (metadata.get("annotations") or {}).items() if key != CONTENT_HASH}
    data = manifest.get("data") or {}
    other = {key: text for key, text in data.items() if not objects(str(text))}
    return {**manifest, "metadata": {**metadata, "annotations": annotations}, "data": other}
