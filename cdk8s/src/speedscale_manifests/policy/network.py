"""Rules about NetworkPolicies: where there are any, every pod has one, and none is a mere formality."""

from __future__ import annotations

from collections.abc import Iterator

from speedscale_schemas.selectors import selects

from .model import Finding, Item, Pod, Rule, Scene

_BOTH = {"Ingress", "Egress"}


def _policies(scene: Scene) -> list[Item]:
    return list(scene.of("NetworkPolicy"))


def _covered(scene: Scene, rule: str) -> Iterator[Finding]:
    policies = _policies(scene)
    if not policies:
        return
    for pod in scene.pods:
        # On the node's network no policy applies; what the controller fills in runs in the users' namespaces.
        if pod.item.template or pod.spec.get("hostNetwork"):
            continue
        directions = {
            direction
            for policy in policies
            if _selects(policy, pod)
            for direction in policy.spec.get("policyTypes") or ("Ingress",)
        }
        for missing in sorted(_BOTH - directions):
            yield pod.finding(rule, "", f"no NetworkPolicy bounds its {missing.lower()}", what=missing)


def _selects(policy: Item, pod: Pod) -> bool:
    if policy.reference.namespace != pod.item.reference.namespace:
        return False
    return selects(policy.spec.get("podSelector"), pod.labels)


def _open(scene: Scene, rule: str) -> Iterator[Finding]:
    for policy in _policies(scene):
        for direction in ("ingress", "egress"):
            for index, entry in enumerate(policy.spec.get(direction) or ()):
                if not entry or not (entry.get("ports") or entry.get("from") or entry.get("to")):
                    yield policy.finding(rule, f"spec.{direction}[{index}]", "lets everything through")


def _needed(scene: Scene, rule: str) -> Iterator[Finding]:
    for policy in _policies(scene):
        if not any(_selects(policy, pod) for pod in scene.pods):
            yield policy.finding(rule, "spec.podSelector", "selects no pod of this installation")


RULES: tuple[Rule, ...] = (
    Rule("network-policy-covers", "every pod is bounded in both directions", "use network.policy", _covered),
    Rule("network-policy-bounds", "no rule lets everything through", "name ports or peers", _open),
    Rule("network-policy-used", "every policy selects a pod", "mend the selector", _needed),
)
