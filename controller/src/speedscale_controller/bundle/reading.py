"""From ConfigMaps to parts of a bundle, and what is wrong with them.

Called by `model` only. Total: nothing that an API server can hand out makes it raise. The hash is the one that
synthesis writes: SHA-256 over each key and text, sorted by key, each with its length (8 bytes, big endian) before it.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

import yaml

LABEL: Final = "controlplane.speedscale.com/bundle"
CONTENT: Final = "controlplane.speedscale.com/content"
HASH: Final = "controlplane.speedscale.com/content-hash"
VERSION: Final = "app.kubernetes.io/version"
CONTENTS: Final = ("managed", "templates")
MAX_PARTS: Final = 64
MAX_BYTES: Final = 1 << 20
"""What a ConfigMap can hold at all; more is no answer of an API server."""

_Loader: type[Any] = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


@dataclass(frozen=True, slots=True)
class Part:
    """One ConfigMap of the bundle, read."""

    name: str
    component: str
    content: str
    version: str
    content_hash: str
    manifests: tuple[Mapping[str, Any], ...]


def content_hash(data: Mapping[str, str]) -> str:
    """Return the hash of a ConfigMap's data, as hex."""
    digest = hashlib.sha256()
    for key in sorted(data):
        for part in (key.encode("utf-8", "surrogatepass"), data[key].encode("utf-8", "surrogatepass")):
            digest.update(len(part).to_bytes(8, "big") + part)
    return digest.hexdigest()


def parts(config_maps: Iterable[Mapping[str, Any]]) -> tuple[list[Part], list[str]]:
    """Return what can be read of those that are a bundle's, by name, and the problems of the others."""
    found: list[Part] = []
    problems: list[str] = []
    for config_map in config_maps:
        metadata = _mapping(config_map.get("metadata"))
        if LABEL not in _mapping(metadata.get("labels")):
            continue
        part, wrong = _part(config_map, metadata)
        problems += wrong
        if part is not None:
            found.append(part)
    found.sort(key=lambda part: part.name)
    return found, sorted(problems)


def whole(found: list[Part]) -> list[str]:
    """Return why these parts are not one whole bundle."""
    if len(found) > MAX_PARTS:
        return [f"{len(found)} ConfigMaps bear the label {LABEL}; a bundle has at most {MAX_PARTS}"]
    problems = []
    seen: dict[tuple[str, str], str] = {}
    for part in found:
        twin = seen.setdefault((part.component, part.content), part.name)
        if twin != part.name:
            problems.append(f"ConfigMaps {twin} and {part.name} both hold {part.content} of {part.component}")
    versions = sorted({part.version for part in found})
    if len(versions) > 1:
        by_version = "; ".join(f"{v}: {', '.join(p.name for p in found if p.version == v)}" for v in versions)
        problems.append(
            f"ConfigMaps of {len(versions)} versions ({by_version}): an apply is under way, or a ConfigMap was left"
            " over from an earlier installation; delete it then"
        )
    if not any(p.component == "sidecar" and any(m["kind"] == "PodTemplate" for m in p.manifests) for p in found):
        problems.append("no ConfigMap holds the sidecar's PodTemplate; apply the whole operator folder of the output")
    return problems


def _part(config_map: Mapping[str, Any], metadata: Mapping[str, Any]) -> tuple[Part | None, list[str]]:
    name = str(metadata.get("name", ""))
    labels, annotations = _mapping(metadata.get("labels")), _mapping(metadata.get("annotations"))
    data = {str(key): text for key, text in _mapping(config_map.get("data")).items() if isinstance(text, str)}
    component, content = str(labels[LABEL]), str(annotations.get(CONTENT, ""))
    actual = content_hash(data)
    wrong: list[str] = []
    if content not in CONTENTS:
        wrong.append(f"annotation {CONTENT} is {content!r}; expected {' or '.join(CONTENTS)}")
    if sum(map(len, data.values())) > MAX_BYTES:
        wrong.append("holds more than a ConfigMap can")
    if annotations.get(HASH) != actual:
        wrong.append(
            f"its data has hash {actual[:12]}…, annotation {HASH} says {str(annotations.get(HASH, 'nothing'))[:12]}…:"
            " it was edited by hand or cut; apply the synthesised one"
        )
    if wrong:
        return None, [f"ConfigMap {name}: {problem}" for problem in wrong]
    manifests, wrong = _manifests(data)
    if wrong:
        return None, [f"ConfigMap {name}: {problem}" for problem in wrong]
    if content == "templates":
        component = component.removesuffix("-templates")
    return Part(name, component, content, str(labels.get(VERSION, "")), actual, manifests), []


def _manifests(data: Mapping[str, str]) -> tuple[tuple[Mapping[str, Any], ...], list[str]]:
    found, wrong = [], []
    for key in sorted(data):
        try:
            manifest = yaml.load(data[key], Loader=_Loader)
        except (yaml.YAMLError, ValueError, RecursionError) as error:
            wrong.append(f"key {key}: is no YAML: {str(error).splitlines()[0] if str(error) else 'nested too deeply'}")
            continue
        missing = list(_missing(manifest))
        if missing:
            wrong.append(f"key {key}: is no Kubernetes object ({', '.join(missing)} missing)")
        else:
            found.append(manifest)
    return tuple(found), wrong


def _missing(manifest: object) -> Iterator[str]:
    obj = _mapping(manifest)
    for key in ("apiVersion", "kind"):
        if not isinstance(obj.get(key), str):
            yield key
    if not isinstance(_mapping(obj.get("metadata")).get("name"), str):
        yield "metadata.name"


def _mapping(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}
