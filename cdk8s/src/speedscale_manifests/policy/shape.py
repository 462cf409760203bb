"""Rules about names, labels, namespaces and sizes: what an API server would refuse, or a tool would trip over.

Sources: Kubernetes documentation, "Object Names and IDs", "Labels and Selectors".
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from typing import Any, Final

from speedscale_manifests.objects import names

from .model import Finding, Item, Rule, Scene

LARGEST_CONFIG_MAP: Final = 200 * 1024
"""Bytes; client-side apply keeps a copy in an annotation of at most 262,144."""

_LABEL = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?")
_SUBDOMAIN = re.compile(r"[a-z0-9]([-a-z0-9.]*[a-z0-9])?")
_KEY = re.compile(r"([a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?/)?[A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?")
_VALUE = re.compile(r"([A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?)?")
_CLUSTER_SCOPED = frozenset(
    {
        "Namespace",
        "CustomResourceDefinition",
        "ClusterRole",
        "ClusterRoleBinding",
        "MutatingWebhookConfiguration",
        "ValidatingWebhookConfiguration",
        "SecurityContextConstraints",
        "PriorityClass",
        "StorageClass",
        "ClusterIssuer",
    }
)
_DOTTED = frozenset({"CustomResourceDefinition", "ConfigMap"})


def _names(scene: Scene, rule: str) -> Iterator[Finding]:
    for item in scene.items:
        name = item.reference.name
        form = _SUBDOMAIN if item.kind in _DOTTED else _LABEL
        if len(name) > 63 or not form.fullmatch(name):
            yield item.finding(rule, "metadata.name", f"{name!r} is no name of at most 63 characters")
    for container in scene.containers():
        if not _LABEL.fullmatch(container.name) or len(container.name) > 63:
            yield container.finding(rule, "name", f"{container.name!r} is no name of at most 63 characters")
    for pod in scene.pods:
        found = [container.name for container in pod.containers()]
        for name, times in Counter(found).items():
            if times > 1:
                yield pod.finding(rule, "containers", f"{name!r} stands {times} times")


def _labels(scene: Scene, rule: str) -> Iterator[Finding]:
    for item, path, metadata in _metadata(scene):
        for key, value in (metadata.get("labels") or {}).items():
            if not _KEY.fullmatch(key) or not isinstance(value, str) or not _VALUE.fullmatch(value):
                yield item.finding(rule, f"{path}.labels", f"{key}={value!r} is no label")
        for key, value in (metadata.get("annotations") or {}).items():
            if not _KEY.fullmatch(key) or not isinstance(value, str):
                yield item.finding(rule, f"{path}.annotations", f"{key}={value!r} is no annotation")


def _metadata(scene: Scene) -> Iterator[tuple[Item, str, Any]]:
    for item in scene.items:
        yield item, "metadata", item.manifest["metadata"]
    for pod in scene.pods:
        yield pod.item, f"{pod.path.removesuffix('spec.')}metadata", pod.metadata


def _marked(scene: Scene, rule: str) -> Iterator[Finding]:
    for item in scene.items:
        if not item.component:
            yield item.finding(rule, "metadata.labels", f"has no label {names.COMPONENT_LABEL}")
    for pod in scene.pods:
        if not pod.labels.get(names.COMPONENT_LABEL) and not pod.item.template:
            yield pod.item.finding(rule, f"{pod.path}metadata.labels", f"has no label {names.COMPONENT_LABEL}")


def _namespaces(scene: Scene, rule: str) -> Iterator[Finding]:
    for item in scene.items:
        stated = bool(item.reference.namespace)
        if item.kind in _CLUSTER_SCOPED and stated:
            yield item.finding(rule, "metadata.namespace", f"a {item.kind} has none")
        if item.kind not in _CLUSTER_SCOPED and not stated and not item.template:
            yield item.finding(rule, "metadata.namespace", "is left to whoever applies it")


def _twins(scene: Scene, rule: str) -> Iterator[Finding]:
    times = Counter(item.reference for item in scene.items)
    for item in {item.reference: item for item in scene.items if times[item.reference] > 1}.values():
        yield item.finding(rule, "metadata.name", f"stands {times[item.reference]} times; the last would win")


def _sizes(scene: Scene, rule: str) -> Iterator[Finding]:
    for item in scene.of("ConfigMap"):
        data = item.manifest.get("data") or {}
        size = sum(len(key.encode()) + len(str(value).encode()) for key, value in data.items())
        if size >= LARGEST_CONFIG_MAP:
            yield item.finding(rule, "data", f"has {size} bytes, of {LARGEST_CONFIG_MAP} that apply with room")


def _plain(scene: Scene, rule: str) -> Iterator[Finding]:
    for item in scene.items:
        for path, node in _odd(item.manifest, ""):
            yield item.finding(rule, path, f"{node!r} is not what a manifest is made of")


def _odd(node: Any, path: str) -> Iterator[tuple[str, Any]]:
    """Yield what is neither text, number, boolean, list nor mapping; an empty annotation value of null is the usual."""
    if isinstance(node, dict):
        for key, value in node.items():
            yield from _odd(value, f"{path}.{key}" if path else str(key))
    elif isinstance(node, list):
        for index, value in enumerate(node):
            yield from _odd(value, f"{path}[{index}]")
    elif not isinstance(node, str | int | float):
        yield path, node


RULES: tuple[Rule, ...] = (
    Rule("valid-names", "names are DNS labels of at most 63 characters", "shorten it", _names),
    Rule("valid-labels", "labels and annotations have valid keys and text values", "mend the key or value", _labels),
    Rule("component-labelled", "every object says which component it belongs to", "use objects.metadata", _marked),
    Rule("explicit-namespace", "every namespaced object states its namespace", "set metadata.namespace", _namespaces),
    Rule("no-twins", "no object stands twice", "give one another name", _twins),
    Rule("config-map-size", "ConfigMaps stay below 200 KiB", "split it", _sizes),
    Rule("plain-values", "no null stands in a manifest", "leave the key out", _plain),
)
