"""Rules of certain clusters, held only where the values name their preset.

Sources: GKE documentation, "Resource requests in Autopilot"; OpenShift documentation, "Managing security context
constraints" (restricted-v2 assigns user and group ids from the namespace's range).

Autopilot changes what it does not like, and constraints of one's own may allow fixed ids: both are warnings.
"""

from __future__ import annotations

from collections.abc import Iterator

from .containers import amount_of
from .model import Finding, Rule, Scene

AUTOPILOT = "gke-autopilot"
OPENSHIFT = "openshift"
_ALL = ("cpu", "memory", "ephemeral-storage")
_IDS = ("runAsUser", "runAsGroup", "fsGroup", "supplementalGroups")


def _autopilot(scene: Scene, rule: str) -> Iterator[Finding]:
    if scene.preset != AUTOPILOT:
        return
    for container in scene.containers():
        resources = container.spec.get("resources") or {}
        requests, limits = resources.get("requests") or {}, resources.get("limits") or {}
        for resource in _ALL:
            wanted, most = requests.get(resource), limits.get(resource)
            if wanted is None or most is None or amount_of(wanted) != amount_of(most):
                message = f"request {wanted} and limit {most} differ: Autopilot would change them, and git would drift"
                yield container.finding(rule, f"resources.{resource}", message, what=resource)


def _autopilot_nodes(scene: Scene, rule: str) -> Iterator[Finding]:
    if scene.preset != AUTOPILOT:
        return
    for pod in scene.pods:
        if pod.item.kind == "DaemonSet":
            yield pod.finding(rule, "", "needs the node, which Autopilot does not give")


def _openshift(scene: Scene, rule: str) -> Iterator[Finding]:
    if scene.preset != OPENSHIFT:
        return
    # A component with constraints of its own chooses its ids there.
    own = {item.component for item in scene.of("SecurityContextConstraints")}
    for pod in scene.pods:
        if pod.item.component in own:
            continue
        security = pod.spec.get("securityContext") or {}
        for key in _IDS:
            if key in security:
                message = f"{key} is fixed; the namespace's range would refuse it"
                yield pod.finding(rule, f"securityContext.{key}", message, what=key)
        for container in pod.containers():
            for key in _IDS:
                if key in container.security:
                    message = f"{key} is fixed; the namespace's range would refuse it"
                    yield container.finding(rule, f"securityContext.{key}", message, what=key)


RULES: tuple[Rule, ...] = (
    Rule(
        "autopilot-resources",
        "GKE Autopilot: requests equal limits, disk included",
        "set both alike",
        _autopilot,
        warning=True,
    ),
    Rule("autopilot-nodes", "GKE Autopilot: nothing needs the node", "switch nettap off", _autopilot_nodes),
    Rule("openshift-ids", "OpenShift: no user or group id is fixed", "set it to null", _openshift, warning=True),
)
