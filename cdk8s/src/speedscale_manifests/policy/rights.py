"""Rules about RBAC: no wildcard, no right that leads to other rights, names where objects have them.

Sources: Kubernetes documentation, "RBAC Good Practices" (privilege escalation risks).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from speedscale_manifests.objects import names

from .model import Finding, Item, Rule, Scene

_RBAC = "rbac.authorization.k8s.io"
_PARTS = ("apiGroups", "resources", "verbs", "resourceNames", "nonResourceURLs")
_READ = frozenset({"get", "list", "watch"})
_LEADS_ON = frozenset({"escalate", "bind", "impersonate"})
_DOORS = frozenset(
    {
        "pods/exec",
        "pods/attach",
        "pods/portforward",
        "pods/proxy",
        "pods/ephemeralcontainers",
        "services/proxy",
        "nodes/proxy",
        "serviceaccounts/token",
        "certificatesigningrequests/approval",
        "tokenreviews",
    }
)
_NAMED = frozenset({"mutatingwebhookconfigurations", "validatingwebhookconfigurations", "customresourcedefinitions"})


def _rules(scene: Scene) -> Iterator[tuple[Item, str, Mapping[str, Any]]]:
    for item in scene.of("Role", "ClusterRole"):
        for index, rule in enumerate(item.manifest.get("rules") or ()):
            yield item, f"rules[{index}]", rule


def _wildcards(scene: Scene, rule: str) -> Iterator[Finding]:
    for item, path, right in _rules(scene):
        for part in _PARTS:
            if any("*" in str(value) for value in right.get(part) or ()):
                yield item.finding(rule, f"{path}.{part}", "is a wildcard")


def _empty(scene: Scene, rule: str) -> Iterator[Finding]:
    for item in scene.of("Role", "ClusterRole"):
        if not item.manifest.get("rules"):
            yield item.finding(rule, "rules", "grants nothing")
    for item, path, right in _rules(scene):
        if not right.get("verbs") or not (right.get("resources") or right.get("nonResourceURLs")):
            yield item.finding(rule, path, "grants nothing")


def _over_rights(scene: Scene, rule: str) -> Iterator[Finding]:
    for item, path, right in _rules(scene):
        verbs = set(right.get("verbs") or ())
        if _RBAC in (right.get("apiGroups") or ()) and verbs - _READ:
            yield item.finding(rule, f"{path}.verbs", f"writes rights: {', '.join(sorted(verbs - _READ))}")
        for verb in sorted(verbs & _LEADS_ON):
            yield item.finding(rule, f"{path}.verbs", f"leads to other rights: {verb}", what=verb)


def _doors(scene: Scene, rule: str) -> Iterator[Finding]:
    for item, path, right in _rules(scene):
        for resource in sorted(set(right.get("resources") or ()) & _DOORS):
            yield item.finding(
                rule, f"{path}.resources", f"leads into other pods or accounts: {resource}", what=resource
            )


def _secrets(scene: Scene, rule: str) -> Iterator[Finding]:
    every = _every_secret_is_wanted(scene)
    for item, path, right in _rules(scene):
        if "secrets" not in (right.get("resources") or ()) or right.get("resourceNames"):
            continue
        # `create` cannot be limited by name, and it reads nothing.
        verbs = set(right.get("verbs") or ()) - {"create"}
        if every and item.component == "operator":
            verbs -= {"get"}
        if verbs:
            message = f"reaches every Secret: {', '.join(sorted(verbs))}"
            yield item.finding(rule, f"{path}.resourceNames", message, what="secrets")


def _every_secret_is_wanted(scene: Scene) -> bool:
    """Return whether the output itself says that replays may mount any Secret."""
    return any(
        (item.manifest.get("data") or {}).get("SECRET_ACCESS_LIST") == "*"
        for item in scene.of("ConfigMap")
        if item.reference.name == names.OPERATOR
    )


def _named(scene: Scene, rule: str) -> Iterator[Finding]:
    for item, path, right in _rules(scene):
        for resource in sorted(set(right.get("resources") or ()) & _NAMED):
            if not right.get("resourceNames"):
                yield item.finding(rule, f"{path}.resourceNames", f"reaches every one of {resource}", what=resource)


def _bound(scene: Scene, rule: str) -> Iterator[Finding]:
    for item in scene.of("RoleBinding", "ClusterRoleBinding"):
        role = item.manifest["roleRef"]
        namespace = item.reference.namespace if role["kind"] == "Role" else ""
        if scene.find(role["kind"], namespace, role["name"]) is None:
            yield item.finding(rule, "roleRef", f"there is no {role['kind']} {role['name']}")
        for index, subject in enumerate(item.manifest.get("subjects") or ()):
            path = f"subjects[{index}]"
            if subject.get("kind") != "ServiceAccount":
                yield item.finding(rule, path, f"binds {subject.get('kind')}, not an account of ours")
            elif scene.find("ServiceAccount", subject.get("namespace", ""), subject["name"]) is None:
                yield item.finding(rule, path, f"there is no ServiceAccount {subject['name']}")


RULES: tuple[Rule, ...] = (
    Rule("no-rbac-wildcards", "no rule has a wildcard", "name groups, resources and verbs", _wildcards),
    Rule("no-empty-rights", "every Role and rule grants something", "take it out", _empty),
    Rule("no-rights-over-rights", "nothing writes RBAC, escalates, binds or impersonates", "take it out", _over_rights),
    Rule("no-doors", "no right leads into pods, nodes or tokens of others", "take it out", _doors),
    Rule("secrets-by-name", "Secrets are granted by name, unless `*` was asked for", "set resourceNames", _secrets),
    Rule(
        "cluster-settings-by-name", "webhook configurations and CRDs are granted by name", "set resourceNames", _named
    ),
    Rule("bindings-resolve", "every binding joins a Role and an account that exist", "write both", _bound),
)
