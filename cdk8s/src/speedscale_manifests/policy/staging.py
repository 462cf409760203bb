"""From a list of objects to the scene that rules look at: the bundle is unpacked, templates are filled with examples.

What the controller makes out of the bundle runs in the cluster like everything else, so it is judged like everything
else, and here is the only place that knows how to get at it.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from functools import lru_cache
from typing import Any

import yaml

from speedscale_manifests.bundle import BUNDLE_LABEL, CONTENT
from speedscale_manifests.objects import Manifest, names, reference
from speedscale_schemas import templates
from speedscale_schemas.errors import ConfigError

from .model import Item, Scene

_LOADER: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


def stage(objects: Iterable[Manifest], preset: str = "") -> Scene:
    """Return the scene of objects as they stand in `dist/`.

    A managed object that stands in `dist/` and in the bundle is judged once; that both agree is a rule of its own.
    Raises ConfigError when something in the bundle cannot be read.
    """
    visible = [Item(manifest) for manifest in objects]
    seen = {item.reference for item in visible}
    gaps = _fillings(visible)
    bundle = tuple((box, item) for box in visible for item in _unpack(box, gaps))
    return Scene((*visible, *(item for _, item in bundle if item.reference not in seen)), preset, bundle)


def _unpack(box: Item, gaps: str) -> Iterator[Item]:
    """Yield the objects inside a ConfigMap of the bundle, templates filled; nothing for any other object."""
    if box.kind != "ConfigMap" or BUNDLE_LABEL not in box.labels:
        return
    content = box.annotations.get(CONTENT)
    if content not in ("managed", "templates"):
        reason = f"annotation {CONTENT} is {content!r}: expected managed or templates; synthesise anew"
        raise ConfigError([f"{box.reference}: {reason}"])
    template = content == "templates"
    for key, text in (box.manifest.get("data") or {}).items():
        yield Item(_read(box, key, text, gaps if template else ""), bundled=True, template=template)


def _fillings(items: Iterable[Item]) -> str:
    """Return, as JSON, an example for each gap, and for the sidecar's resources what the operator's settings say."""
    gaps = templates.examples()
    for item in items:
        if item.kind == "ConfigMap" and item.reference.name == names.OPERATOR:
            stated = json.loads((item.manifest.get("data") or {}).get("SIDECAR_CONFIG") or "{}").get("resources") or {}
            example = gaps["sidecar_resources"]
            gaps["sidecar_resources"] = {
                part: {**example.get(part, {}), **stated.get(part, {})} for part in ("requests", "limits")
            }
    return json.dumps(gaps)


def _read(box: Item, key: str, text: str, gaps: str) -> Manifest:
    where = f"{box.reference}: data[{key!r}]"
    try:
        manifest = _parsed(text, gaps)
        reference(manifest)
    except (yaml.YAMLError, KeyError, TypeError) as error:
        raise ConfigError([f"{where}: is no object: {error}"]) from error
    except ConfigError as error:
        raise ConfigError([f"{where}: {problem}" for problem in error.problems]) from error
    found: Manifest = manifest
    return found


@lru_cache(maxsize=256)
def _parsed(text: str, gaps: str) -> Any:
    """Return what a text says, with its gaps filled; nobody changes what comes back."""
    node = yaml.load(text, Loader=_LOADER)
    return templates.fill(node, json.loads(gaps)) if gaps else node
