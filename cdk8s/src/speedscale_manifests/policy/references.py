"""Rules about names that point at other objects: what is referred to exists, or is known to be made in the cluster.

Secrets are not here: every one is made in the cluster or by the user, and `secrets` holds that none is in git.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final, NamedTuple

from speedscale_manifests.objects import names

from .model import Finding, Item, Pod, Rule, Scene

MADE_IN_CLUSTER: Final[Mapping[tuple[str, str], str]] = {
    ("ConfigMap", names.OPERATOR_OVERRIDE): "the user's, or an empty one made by the controller",
    ("ConfigMap", names.OPERATOR_STATE): "the controller keeps INSTANCE_ID there; git must not have it",
    ("ConfigMap", "speedscale-nettap-targets"): "the controller writes the targets that annotations name",
    ("ConfigMap", "kube-root-ca.crt"): "the controller manager puts it into every namespace",
    ("ServiceAccount", "default"): "every namespace has it",
}
"""Objects that manifests may refer to without having them: (kind, name) → who makes them."""


_SIDECAR_PORTS = frozenset({4143, 4140, 4144, 4145})
_INJECT = "sidecar.speedscale.com/inject"


class Use(NamedTuple):
    """One object's mention of another."""

    kind: str
    namespace: str
    name: str
    path: str
    optional: bool


def _uses(pod: Pod) -> Iterator[Use]:
    """Yield the ConfigMaps, claims and accounts that a pod needs."""
    namespace = pod.item.reference.namespace
    yield Use("ServiceAccount", namespace, pod.spec.get("serviceAccountName", "default"), "serviceAccountName", False)
    for index, volume in enumerate(pod.spec.get("volumes") or ()):
        path = f"volumes[{index}]"
        if claim := volume.get("persistentVolumeClaim"):
            yield Use("PersistentVolumeClaim", namespace, claim["claimName"], path, False)
        sources = [volume, *((volume.get("projected") or {}).get("sources") or ())]
        for source in sources:
            if found := source.get("configMap"):
                yield Use("ConfigMap", namespace, found.get("name", ""), path, bool(found.get("optional")))
    for container in pod.containers():
        for where, source in _config_sources(container.spec):
            path = f"{container.path}.{where}".removeprefix(pod.path)
            yield Use("ConfigMap", namespace, source.get("name", ""), path, bool(source.get("optional")))


def _config_sources(container: Mapping[str, Any]) -> Iterator[tuple[str, Mapping[str, Any]]]:
    for index, entry in enumerate(container.get("envFrom") or ()):
        if source := entry.get("configMapRef"):
            yield f"envFrom[{index}]", source
    for index, entry in enumerate(container.get("env") or ()):
        if source := (entry.get("valueFrom") or {}).get("configMapKeyRef"):
            yield f"env[{index}]", source


def _exist(scene: Scene, rule: str) -> Iterator[Finding]:
    for pod in scene.pods:
        for use in _uses(pod):
            made = (use.kind, use.name) in MADE_IN_CLUSTER or use.optional
            if not made and scene.find(use.kind, use.namespace, use.name) is None:
                yield pod.finding(rule, use.path, f"there is no {use.kind} {use.name}", what=use.name)


def _selectors(scene: Scene, rule: str) -> Iterator[Finding]:
    for pod in scene.pods:
        selector = (pod.item.spec).get("selector") if pod.item.kind != "Job" else None
        if selector is None:
            continue
        for key, value in (selector.get("matchLabels") or {}).items():
            if pod.labels.get(key) != value:
                yield pod.item.finding(rule, "spec.selector.matchLabels", f"{key}={value} is on no pod of its own")


def _services(scene: Scene, rule: str) -> Iterator[Finding]:
    for item in scene.of("Service"):
        spec = item.spec
        selector = spec.get("selector")
        if not selector:
            continue
        pods = [pod for pod in scene.pods if _selected(pod, item, selector)]
        if not pods:
            yield item.finding(rule, "spec.selector", "selects no pod of this installation")
            continue
        for index, port in enumerate(spec.get("ports") or ()):
            target = port.get("targetPort", port.get("port"))
            if not any(target in _ports(pod) for pod in pods):
                yield item.finding(rule, f"spec.ports[{index}].targetPort", f"no selected container has port {target}")


def _selected(pod: Pod, item: Item, selector: Mapping[str, str]) -> bool:
    same = pod.item.reference.namespace == item.reference.namespace
    return same and all(pod.labels.get(key) == value for key, value in selector.items())


def _ports(pod: Pod) -> set[str | int]:
    """Return the ports of a pod by number and by name, those of a sidecar that it asks for among them."""
    injected = pod.item.annotations.get(_INJECT) == "true"
    found: set[str | int] = set(_SIDECAR_PORTS) if injected else set()
    for container in pod.containers():
        for port in container.spec.get("ports") or ():
            found |= {port["containerPort"], port.get("name", "")}
    return found


def _waves(scene: Scene, rule: str) -> Iterator[Finding]:
    for item, other, why in _needs(scene):
        if item.bundled or other.bundled or item.wave is None or other.wave is None:
            continue
        if other.wave > item.wave:
            message = f"wave {item.wave}, but {other.reference} comes in wave {other.wave}"
            yield item.finding(rule, why, message, what=other.kind)


def _needs(scene: Scene) -> Iterator[tuple[Item, Item, str]]:
    """Yield (object, the object it needs, where it says so)."""
    for pod in scene.pods:
        for use in _uses(pod):
            if found := scene.find(use.kind, use.namespace, use.name):
                yield pod.item, found, f"{pod.path}{use.path}"
    for item in scene.of("RoleBinding", "ClusterRoleBinding"):
        role = item.manifest["roleRef"]
        namespace = item.reference.namespace if role["kind"] == "Role" else ""
        if found := scene.find(role["kind"], namespace, role["name"]):
            yield item, found, "roleRef"
    for item in scene.items:
        if found := scene.find("Namespace", "", item.reference.namespace):
            yield item, found, "metadata.namespace"


def _mounts(scene: Scene, rule: str) -> Iterator[Finding]:
    for container in scene.containers():
        pod = container.pod
        volumes = {volume["name"] for volume in pod.spec.get("volumes") or ()}
        # A StatefulSet's claims, and in a sidecar's template the application's own volumes, are volumes too.
        volumes |= {claim["metadata"]["name"] for claim in pod.item.spec.get("volumeClaimTemplates") or ()}
        for index, mount in enumerate(container.spec.get("volumeMounts") or ()):
            if mount["name"] not in volumes:
                yield container.finding(rule, f"volumeMounts[{index}]", f"there is no volume {mount['name']}")


RULES: tuple[Rule, ...] = (
    Rule("references-exist", "what a pod refers to exists", "write it, or add it to MADE_IN_CLUSTER", _exist),
    Rule("selectors-match", "a workload selects its own pods", "put the label on the template", _selectors),
    Rule("services-select-pods", "a Service selects pods, and its target ports exist", "mend the selector", _services),
    Rule("waves-in-order", "nothing needs an object of a later wave", "move it to an earlier wave", _waves),
    Rule("volumes-exist", "every mount has its volume", "add the volume", _mounts),
)
