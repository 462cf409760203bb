"""Rules about the bundle: that it says the same as `dist/`, and that the controller may do what it holds."""

from __future__ import annotations

from collections.abc import Iterator

from speedscale_manifests.bundle import BUNDLE_LABEL, CONTENT_HASH, content_hash
from speedscale_manifests.objects import names

from .model import Finding, Item, Rule, Scene

_PLURALS = {
    "NetworkPolicy": "networkpolicies",
    "Ingress": "ingresses",
}
_MAKES = frozenset({"create", "patch"})


def _agrees(scene: Scene, rule: str) -> Iterator[Finding]:
    for box, item in scene.bundle:
        twin = scene.find(*_key(item))
        if twin is not None and not twin.bundled and twin.manifest != item.manifest:
            yield box.finding(rule, "data", f"{item.reference} differs from the one in the output")


def _hashed(scene: Scene, rule: str) -> Iterator[Finding]:
    for box in scene.of("ConfigMap"):
        if BUNDLE_LABEL not in box.labels:
            continue
        if box.annotations.get(CONTENT_HASH) != content_hash(box.manifest.get("data") or {}):
            yield box.finding(rule, "metadata.annotations", f"{CONTENT_HASH} is not that of the data")


def _key(item: Item) -> tuple[str, str, str]:
    return item.kind, item.reference.namespace, item.reference.name


def _permitted(scene: Scene, rule: str) -> Iterator[Finding]:
    """Yield templates that the operator could not create, and managed objects that it should make and could not."""
    made = [item for item in scene.items if item.bundled and item.kind != "PodTemplate"]
    for item in made:
        granted = _verbs(scene, item)
        for verb in sorted(_MAKES - granted):
            yield item.finding(rule, "kind", f"the operator has no right to {verb} a {item.kind}", what=verb)


def _verbs(scene: Scene, item: Item) -> set[str]:
    """Return what the operator may do with objects like this one: in every namespace, or in this one."""
    plural = _PLURALS.get(item.kind, f"{item.kind.lower()}s")
    return {
        verb
        for role in scene.of("ClusterRole", "Role")
        if role.reference.name == names.OPERATOR and _reaches(scene, role, item)
        for right in role.manifest.get("rules") or ()
        if item.reference.group in (right.get("apiGroups") or ()) and plural in (right.get("resources") or ())
        if not right.get("resourceNames")
        for verb in right["verbs"]
    }


def _reaches(scene: Scene, role: Item, item: Item) -> bool:
    """Return whether a Role holds where the object is; a template's example namespace stands for any watched one."""
    if role.kind == "ClusterRole" or role.reference.namespace == item.reference.namespace:
        return True
    homes = {operator.reference.namespace for operator in scene.of("Deployment") if operator.component == "operator"}
    return item.template and item.reference.namespace not in homes and role.reference.namespace not in homes


RULES: tuple[Rule, ...] = (
    Rule("bundle-agrees", "bundle and output hold the same objects", "synthesise anew", _agrees),
    Rule("bundle-hashed", "each ConfigMap of the bundle has the hash of its data", "synthesise anew", _hashed),
    Rule("bundle-permitted", "the operator may make what the bundle holds", "add the grant", _permitted),
)
