"""Rules about images, resources and probes: that a pod is what was reviewed, bounded and observed."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from decimal import Decimal
from typing import Any

from speedscale_schemas.annotations import quantities

from .model import Container, Finding, Rule, Scene

_NEEDED = ("cpu", "memory")
_PROBED = frozenset({"Deployment", "StatefulSet", "DaemonSet"})


def _images(scene: Scene, rule: str) -> Iterator[Finding]:
    for container in scene.containers():
        image = str(container.spec.get("image", ""))
        name, _, digest = image.partition("@")
        tag = name.rpartition("/")[2].partition(":")[2]
        if not digest and (not tag or tag == "latest"):
            yield container.finding(rule, "image", f"{image!r} has no tag that stays", what=image)


def _resources(scene: Scene, rule: str) -> Iterator[Finding]:
    for container in scene.containers():
        for part in ("requests", "limits"):
            stated = _stated(container, part)
            for resource in _NEEDED:
                if resource not in stated:
                    what = f"{part}.{resource}"
                    yield container.finding(rule, f"resources.{part}.{resource}", "is not set", what=what)


def _stated(container: Container, part: str) -> Mapping[str, Any]:
    found: Mapping[str, Any] = (container.spec.get("resources") or {}).get(part) or {}
    return found


def _quantities(scene: Scene, rule: str) -> Iterator[Finding]:
    for container in scene.containers():
        for part in ("requests", "limits"):
            for resource, quantity in _stated(container, part).items():
                if amount_of(quantity) is None:
                    yield container.finding(rule, f"resources.{part}.{resource}", f"{quantity!r} is no quantity")
    for pod in scene.pods:
        for index, volume in enumerate(pod.spec.get("volumes") or ()):
            size = (volume.get("emptyDir") or {}).get("sizeLimit")
            if size is not None and amount_of(size) is None:
                yield pod.finding(rule, f"volumes[{index}].emptyDir.sizeLimit", f"{size!r} is no quantity")
    claims = [(item, "spec", item.spec) for item in scene.of("PersistentVolumeClaim")]
    for item in scene.of("StatefulSet"):
        for index, claim in enumerate(item.spec.get("volumeClaimTemplates") or ()):
            claims.append((item, f"spec.volumeClaimTemplates[{index}].spec", claim.get("spec") or {}))
    for item, path, spec in claims:
        size = ((spec.get("resources") or {}).get("requests") or {}).get("storage")
        if amount_of(size) is None:
            yield item.finding(rule, f"{path}.resources.requests.storage", f"{size!r} is no quantity")


def amount_of(quantity: Any) -> Decimal | None:
    """Return what a quantity stands for, None when it is none."""
    try:
        return quantities.amount(str(quantity))
    except ValueError:
        return None


def _within(scene: Scene, rule: str) -> Iterator[Finding]:
    for container in scene.containers():
        limits = _stated(container, "limits")
        for resource, quantity in _stated(container, "requests").items():
            wanted, most = amount_of(quantity), amount_of(limits.get(resource, quantity))
            if wanted is not None and most is not None and wanted > most:
                message = f"{quantity} is more than the limit {limits[resource]}; the API server refuses the pod"
                yield container.finding(rule, f"resources.requests.{resource}", message)


def _scratch(scene: Scene, rule: str) -> Iterator[Finding]:
    for pod in scene.pods:
        for index, volume in enumerate(pod.spec.get("volumes") or ()):
            if "emptyDir" in volume and not (volume["emptyDir"] or {}).get("sizeLimit"):
                message = f"{volume['name']} may fill the node's disk"
                yield pod.finding(rule, f"volumes[{index}].emptyDir.sizeLimit", message, what=volume["name"])


def _probes(scene: Scene, rule: str) -> Iterator[Finding]:
    for container in scene.containers():
        if container.init or container.pod.item.kind not in _PROBED:
            continue
        for probe in ("livenessProbe", "readinessProbe"):
            if not container.spec.get(probe):
                yield container.finding(rule, probe, "is not set", what=probe)
    for container in scene.containers():
        for probe in ("livenessProbe", "readinessProbe", "startupProbe"):
            port = ((container.spec.get(probe) or {}).get("httpGet") or {}).get("port")
            named = {entry.get("name") for entry in container.spec.get("ports") or ()}
            if isinstance(port, str) and port not in named:
                yield container.finding(rule, f"{probe}.httpGet.port", f"the container has no port {port}")


RULES: tuple[Rule, ...] = (
    Rule("image-pinned", "every image has a digest or a tag other than latest", "set image.tag", _images, warning=True),
    Rule("resources-set", "every container requests and limits CPU and memory", "set both in the values", _resources),
    Rule("quantities-parse", "every quantity is one", "write 500m, 512Mi, 2", _quantities),
    Rule("requests-within-limits", "no request is above its limit", "raise the limit", _within),
    Rule("bounded-scratch", "every emptyDir has a size limit", "set sizeLimit", _scratch),
    Rule("probes-set", "what runs on is probed, on ports that exist", "add the probe", _probes),
)
