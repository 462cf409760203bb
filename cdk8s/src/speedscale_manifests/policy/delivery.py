"""Rules about how an installation is delivered and lives: protection, marks, disruption, reach from outside."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from speedscale_manifests.objects import names, waves

from .model import Finding, Item, Pod, Rule, Scene

_WORKLOADS = ("Deployment", "StatefulSet", "DaemonSet", "Job", "CronJob")
_DEMO = frozenset({"java-server", "java-client"})
_OUTSIDE = ("Ingress", "Gateway", "HTTPRoute", "GRPCRoute", "TCPRoute", "Route")


def _for_argo(scene: Scene) -> bool:
    """Return whether the output carries Argo CD's annotations at all."""
    return any(waves.WAVE in item.annotations for item in scene.items)


def _options(item: Item) -> set[str]:
    return {option.strip() for option in item.annotations.get(waves.OPTIONS, "").split(",")}


def _protected(scene: Scene, rule: str) -> Iterator[Finding]:
    if not _for_argo(scene):
        return
    needed = {
        "CustomResourceDefinition": ({"Prune=false", "Delete=false"}, "deleting it deletes every TrafficReplay"),
        "Namespace": ({"Prune=confirm", "Delete=confirm"}, "deleting it deletes everything in it"),
        "PersistentVolumeClaim": ({"Prune=confirm", "Delete=confirm"}, "deleting it deletes accepted traffic"),
    }
    for kind, (options, why) in needed.items():
        for item in scene.of(kind):
            missing = options - _options(item)
            if missing and not item.bundled:
                listed = ",".join(sorted(missing))
                yield item.finding(rule, "metadata.annotations", f"lacks {listed}: {why}", what=kind)


def _replaced(scene: Scene, rule: str) -> Iterator[Finding]:
    for item in scene.items:
        for option in sorted(_options(item) & {"Replace=true", "Force=true"}):
            yield item.finding(rule, "metadata.annotations", f"{option} deletes what it replaces")


def _definitions(scene: Scene, rule: str) -> Iterator[Finding]:
    for item in scene.of("CustomResourceDefinition"):
        versions = item.spec.get("versions") or ()
        if [bool(version.get("storage")) for version in versions].count(True) != 1:
            yield item.finding(rule, "spec.versions", "not exactly one version is stored")
        for index, version in enumerate(versions):
            path = f"spec.versions[{index}]"
            schema = (version.get("schema") or {}).get("openAPIV3Schema") or {}
            if not schema.get("properties"):
                yield item.finding(rule, f"{path}.schema", "has no structural schema")
            if "status" not in (version.get("subresources") or {}):
                yield item.finding(rule, f"{path}.subresources", "status is no subresource: users could write it")
            for place in _unpruned(schema):
                where = ".".join((f"{path}.schema.openAPIV3Schema", *place))
                yield item.finding(rule, where, "keeps unknown fields, so mistypes go unseen")


def _unpruned(node: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    if isinstance(node, dict):
        if node.get("x-kubernetes-preserve-unknown-fields"):
            yield path
        for key, value in node.items():
            if isinstance(value, dict | list):
                yield from _unpruned(value, (*path, key))
    elif isinstance(node, list):
        for index, value in enumerate(node):
            yield from _unpruned(value, (*path, str(index)))


def _ignored(scene: Scene, rule: str) -> Iterator[Finding]:
    for item in scene.of(*_WORKLOADS):
        marked = item.annotations.get(names.IGNORE) == "true"
        if item.component in _DEMO and marked:
            yield item.finding(rule, "metadata.annotations", f"{names.IGNORE}: the demo would get no sidecar")
        if item.component not in _DEMO and not marked:
            yield item.finding(rule, "metadata.annotations", f"lacks {names.IGNORE}: we would inject ourselves")


def _disruption(scene: Scene, rule: str) -> Iterator[Finding]:
    for item in scene.of("PodDisruptionBudget"):
        spec = item.spec
        selector = (spec.get("selector") or {}).get("matchLabels") or {}
        pods = [pod for pod in scene.pods if _selects(selector, pod)]
        if not pods:
            yield item.finding(rule, "spec.selector", "selects no pod of this installation")
        for pod in pods:
            replicas = (pod.item.spec).get("replicas", 1)
            at_least, at_most = spec.get("minAvailable"), spec.get("maxUnavailable")
            if isinstance(at_least, int) and at_least >= replicas:
                message = f"{at_least} of {replicas} pods must stay: no node could be drained"
                yield item.finding(rule, "spec.minAvailable", message)
            if at_least in ("100%",) or at_most in (0, "0%"):
                yield item.finding(rule, "spec", "no pod may ever go: no node could be drained")


def _selects(selector: Any, pod: Pod) -> bool:
    return bool(selector) and all(pod.labels.get(key) == value for key, value in selector.items())


def _inside(scene: Scene, rule: str) -> Iterator[Finding]:
    for item in scene.of(*_OUTSIDE):
        yield item.finding(rule, "kind", "lets callers in from outside the cluster")
    for item in scene.of("Service"):
        spec = item.spec
        kind = spec.get("type", "ClusterIP")
        if kind not in ("ClusterIP", "ExternalName") or spec.get("externalIPs"):
            yield item.finding(rule, "spec.type", f"{kind} lets callers in from outside the cluster", what=kind)


def _rolls(scene: Scene, rule: str) -> Iterator[Finding]:
    """Yield workloads that read settings from our ConfigMaps as variables and would not notice a change."""
    for pod in scene.pods:
        if pod.item.kind not in ("Deployment", "StatefulSet", "DaemonSet"):
            continue
        read = {
            entry["configMapRef"].get("name", "")
            for container in pod.containers()
            for entry in container.spec.get("envFrom") or ()
            if "configMapRef" in entry
        }
        ours = [name for name in sorted(read) if scene.find("ConfigMap", pod.item.reference.namespace, name)]
        if ours and names.CONFIG_HASH not in (pod.metadata.get("annotations") or {}):
            message = f"reads {', '.join(ours)} at its start only, and would not roll when it changes"
            yield pod.finding(rule, "metadata.annotations", message)


RULES: tuple[Rule, ...] = (
    Rule("protected-from-pruning", "what holds other things is not pruned unasked", "set sync-options", _protected),
    Rule("never-replaced", "nothing is replaced or forced", "take the sync option out", _replaced),
    Rule("definitions-closed", "CRDs are structural, with a status subresource", "mend the schema", _definitions),
    Rule("ignore-mark", "our own workloads are not injected, the demo is", "use objects.workload", _ignored),
    Rule("disruption-leaves-room", "a PodDisruptionBudget lets nodes be drained", "lower minAvailable", _disruption),
    Rule("outbound-only", "nothing listens for the world outside", "use ClusterIP", _inside),
    Rule("config-change-rolls", "a workload rolls when its settings change", "pass config to pod_template", _rolls),
)
