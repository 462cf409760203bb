"""Rights: a `Grant` is an RBAC rule with the reason it exists for.

Roles hold rules only; the reasons are kept in code and printed into `docs/rbac.md`. No grant may use a wildcard:
`rules` refuses one.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from speedscale_manifests.values import Values

from . import names
from .identity import metadata
from .manifest import Manifest

_RBAC = "rbac.authorization.k8s.io"


@dataclass(frozen=True, slots=True)
class Grant:
    """One RBAC rule and why it exists.

    `groups`: API groups, "" is the core. `object_names`: limits the rule to objects of these names; `create`, `list`
    and `watch` of a whole collection cannot be limited so.
    """

    groups: tuple[str, ...]
    resources: tuple[str, ...]
    verbs: tuple[str, ...]
    reason: str
    object_names: tuple[str, ...] = ()

    def rule(self) -> Manifest:
        """Return the rule as RBAC writes it; ValueError when it has a wildcard or is empty."""
        parts = (*self.groups, *self.resources, *self.verbs, *self.object_names)
        if any("*" in part for part in parts) or not (self.groups and self.resources and self.verbs):
            raise ValueError(f"grant {self.groups}/{self.resources}/{self.verbs}: wildcards and gaps are not allowed")
        rule: Manifest = {
            "apiGroups": list(self.groups),
            "resources": list(self.resources),
            "verbs": list(self.verbs),
        }
        if self.object_names:
            rule["resourceNames"] = list(self.object_names)
        return rule


def rules(grants: Iterable[Grant]) -> list[Manifest]:
    """Return the RBAC rules of grants, in their order."""
    return [grant.rule() for grant in grants]


def role(
    values: Values, component: str, grants: Iterable[Grant], *, namespace: str | None = None, name: str = ""
) -> Manifest:
    """Return a Role; `namespace`: None means the installation's own."""
    return {
        "apiVersion": f"{_RBAC}/v1",
        "kind": "Role",
        "metadata": metadata(values, component, name, namespace=namespace, user_annotations=True),
        "rules": rules(grants),
    }


def cluster_role(values: Values, component: str, grants: Iterable[Grant], *, name: str = "") -> Manifest:
    """Return a ClusterRole."""
    return {
        "apiVersion": f"{_RBAC}/v1",
        "kind": "ClusterRole",
        "metadata": metadata(values, component, name, namespace="", user_annotations=True),
        "rules": rules(grants),
    }


def role_binding(
    values: Values,
    component: str,
    *,
    namespace: str | None = None,
    name: str = "",
    account: str = "",
    to: tuple[str, str] | None = None,
) -> Manifest:
    """Return a RoleBinding of the installation's ServiceAccount.

    `name`: of the binding and, without `to`, of the Role. `account`: ServiceAccount in the installation's namespace,
    empty means the component's. `to`: (kind, name) of the role where it is another.
    """
    return _binding(values, component, "RoleBinding", namespace, name, account, to or ("Role", ""))


def cluster_role_binding(
    values: Values, component: str, *, name: str = "", account: str = "", to: str = ""
) -> Manifest:
    """Return a ClusterRoleBinding; `to`: the ClusterRole's name where it is not `name`."""
    return _binding(values, component, "ClusterRoleBinding", "", name, account, ("ClusterRole", to))


def _binding(
    values: Values,
    component: str,
    kind: str,
    namespace: str | None,
    name: str,
    account: str,
    to: tuple[str, str],
) -> Manifest:
    own = name or names.app_name(component)
    return {
        "apiVersion": f"{_RBAC}/v1",
        "kind": kind,
        "metadata": metadata(values, component, own, namespace=namespace, user_annotations=True),
        "roleRef": {"apiGroup": _RBAC, "kind": to[0], "name": to[1] or own},
        "subjects": [
            {
                "kind": "ServiceAccount",
                "name": account or names.app_name(component),
                "namespace": values.namespace,
            }
        ],
    }
