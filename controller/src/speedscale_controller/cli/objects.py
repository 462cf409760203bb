"""What the verbs here read of any Kubernetes object; tolerant, as live objects come from everywhere.

Pure accessors; what they mean is the business of who calls them.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from speedscale_controller.injection import pod_template_path


def mapping(value: object) -> Mapping[str, Any]:
    """Return the value if it is a mapping, else an empty one."""
    return value if isinstance(value, Mapping) else {}


def meta(obj: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return an object's metadata."""
    return mapping(obj.get("metadata"))


def annotations_of(obj: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return an object's annotations."""
    return mapping(meta(obj).get("annotations"))


def labels_of(obj: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return an object's labels."""
    return mapping(meta(obj).get("labels"))


def title(obj: Mapping[str, Any]) -> str:
    """Return how an object is called in a sentence: `Deployment shop/cart`."""
    place = f"{meta(obj)['namespace']}/" if meta(obj).get("namespace") else ""
    return f"{obj.get('kind', 'object')} {place}{meta(obj).get('name', '')}"


def pod_template(workload: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return what holds the pods' metadata and spec; empty for kinds that have no pods."""
    try:
        path = pod_template_path(str(workload.get("kind", "")))
    except KeyError:
        return {}
    found: Mapping[str, Any] = workload
    for key in path:
        found = mapping(found.get(key))
    return found


def containers(template: Mapping[str, Any], *, inits: bool = True) -> Iterator[Mapping[str, Any]]:
    """Yield the containers of a pod template, with `inits` the init containers as well."""
    spec = mapping(template.get("spec"))
    for key in ("containers", "initContainers") if inits else ("containers",):
        yield from (mapping(container) for container in spec.get(key) or ())


def condition(obj: Mapping[str, Any], type_: str) -> Mapping[str, Any]:
    """Return a condition of an object's status, empty when it has none of this type."""
    found = mapping(obj.get("status")).get("conditions") or ()
    return next((c for c in map(mapping, found) if c.get("type") == type_), {})
