"""What the policy's rules look at and what they say.

A `Rule` looks at a `Scene` (every object of an installation, those inside the bundle too) and yields `Finding`s.
Whether a finding is allowed is not the rule's business: that is the table in `exemptions`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

from speedscale_manifests.objects import Manifest, Reference, names, reference, waves

_TEMPLATE_PATHS: Mapping[str, tuple[str, ...]] = {
    "Deployment": ("spec", "template"),
    "StatefulSet": ("spec", "template"),
    "DaemonSet": ("spec", "template"),
    "ReplicaSet": ("spec", "template"),
    "Job": ("spec", "template"),
    "CronJob": ("spec", "jobTemplate", "spec", "template"),
    "PodTemplate": ("template",),
    "Pod": (),
}
"""Where each kind keeps its pod template."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One breach of a rule.

    `path`: where in the object. `container`: which container, if it is about one. `what`: the very thing that is
    objected to (a capability, a verb), by which an exemption allows it. `warning`: it is the user's to choose.
    `remedy`: what to do.
    """

    rule: str
    object: Reference
    component: str
    path: str
    message: str
    container: str = ""
    what: str = ""
    warning: bool = False
    remedy: str = ""

    def __str__(self) -> str:
        return f"{self.object}: {self.path}: {self.message} [{self.rule}]"


@dataclass(frozen=True)
class Item:
    """An object under judgement. `template`: the controller fills it in later; `bundled`: it came out of the bundle."""

    manifest: Manifest
    bundled: bool = False
    template: bool = False

    @cached_property
    def reference(self) -> Reference:
        """The object's identity."""
        return reference(self.manifest)

    @property
    def kind(self) -> str:
        """The object's kind."""
        return self.reference.kind

    @property
    def labels(self) -> Mapping[str, str]:
        """The object's labels."""
        found: Mapping[str, str] = self.manifest["metadata"].get("labels") or {}
        return found

    @property
    def annotations(self) -> Mapping[str, str]:
        """The object's annotations."""
        found: Mapping[str, str] = self.manifest["metadata"].get("annotations") or {}
        return found

    @property
    def spec(self) -> Mapping[str, Any]:
        """The object's spec; empty where it has none."""
        found: Mapping[str, Any] = self.manifest.get("spec") or {}
        return found

    @property
    def component(self) -> str:
        """The component it belongs to, by its label."""
        return self.labels.get(names.COMPONENT_LABEL, "")

    @property
    def wave(self) -> int | None:
        """Its sync wave, if it is stamped; a PreSync hook comes before every wave."""
        if self.annotations.get(waves.HOOK) == "PreSync":
            return None
        text = self.annotations.get(waves.WAVE)
        return int(text) if text is not None else None

    def finding(self, rule: str, path: str, message: str, *, container: str = "", what: str = "") -> Finding:
        """Return a finding about this object."""
        return Finding(rule, self.reference, self.component, path, message, container, what)


@dataclass(frozen=True)
class Pod:
    """A pod template of an object."""

    item: Item
    metadata: Manifest
    spec: Manifest
    path: str

    @property
    def labels(self) -> Mapping[str, str]:
        """The labels of the pods."""
        found: Mapping[str, str] = self.metadata.get("labels") or {}
        return found

    def containers(self) -> Iterator[Container]:
        """Yield init containers, then containers."""
        for key in ("initContainers", "containers"):
            for index, spec in enumerate(self.spec.get(key) or ()):
                sidecar = spec.get("restartPolicy") == "Always"
                yield Container(self, spec, f"{self.path}{key}[{index}]", key == "initContainers" and not sidecar)

    def finding(self, rule: str, path: str, message: str, *, what: str = "") -> Finding:
        """Return a finding about the pod; `path` is below its spec."""
        return self.item.finding(rule, f"{self.path}{path}", message, what=what)


@dataclass(frozen=True)
class Container:
    """A container of a pod; `init`: it runs once, before the others."""

    pod: Pod
    spec: Manifest
    path: str
    init: bool

    @property
    def name(self) -> str:
        """The container's name."""
        return str(self.spec.get("name", ""))

    @property
    def security(self) -> Mapping[str, Any]:
        """The container's own security context."""
        found: Mapping[str, Any] = self.spec.get("securityContext") or {}
        return found

    def effective(self, key: str) -> Any:
        """Return a setting of the security context: the container's own, else the pod's."""
        own = self.security.get(key)
        return own if own is not None else (self.pod.spec.get("securityContext") or {}).get(key)

    def finding(self, rule: str, path: str, message: str, *, what: str = "") -> Finding:
        """Return a finding about the container; `path` is below it."""
        place = f"{self.path}.{path}" if path else self.path
        return self.pod.item.finding(rule, place, message, container=self.name, what=what)


@dataclass(frozen=True)
class Scene:
    """Everything that is judged together.

    `items`: each object once. `preset`: the kind of cluster it was made for. `bundle`: (ConfigMap, object inside) for
    all of the bundle, those that stand in the output as well among them.
    """

    items: tuple[Item, ...]
    preset: str = ""
    bundle: tuple[tuple[Item, Item], ...] = ()

    def of(self, *kinds: str) -> Iterator[Item]:
        """Yield the objects of these kinds."""
        return (item for item in self.items if item.kind in kinds)

    @cached_property
    def pods(self) -> tuple[Pod, ...]:
        """Every pod template."""
        return tuple(pod for item in self.items for pod in _pods(item))

    def containers(self) -> Iterator[Container]:
        """Yield every container of every pod template."""
        return (container for pod in self.pods for container in pod.containers())

    @cached_property
    def known(self) -> Mapping[tuple[str, str, str], Item]:
        """Objects by kind, namespace and name."""
        return {(item.kind, item.reference.namespace, item.reference.name): item for item in self.items}

    def find(self, kind: str, namespace: str, name: str) -> Item | None:
        """Return an object, or None."""
        return self.known.get((kind, namespace, name))


def _pods(item: Item) -> Iterator[Pod]:
    path = _TEMPLATE_PATHS.get(item.kind)
    if path is None:
        return
    node = item.manifest
    for key in path:
        node = node.get(key) or {}
    yield Pod(item, node.get("metadata") or {}, node.get("spec") or {}, ".".join((*path, "spec", "")))


@dataclass(frozen=True, slots=True)
class Rule:
    """A named assertion: `description` says what holds, `remedy` what to do where it does not.

    `warning`: values let users choose otherwise, so a breach is told and fails nothing.
    """

    id: str
    description: str
    remedy: str
    check: Callable[[Scene, str], Iterable[Finding]]
    warning: bool = False

    def findings(self, scene: Scene) -> list[Finding]:
        """Return every breach, exempt or not."""
        return [replace(finding, warning=self.warning, remedy=self.remedy) for finding in self.check(scene, self.id)]
