"""The rights that the operator needs, and those of who installs it: what is asked of the API server, one by one.

The operator's table is that of docs/rbac.md; a test holds it against the Roles that are synthesised. Pure: settings in,
questions out.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from speedscale_controller.certificates import names
from speedscale_controller.settings import Settings
from speedscale_schemas import trafficreplay

from .model import Object

_READ = ("get", "list", "watch")
_OWN = (*_READ, "create", "patch", "delete")
_ADMISSION = "admissionregistration.k8s.io"
_ANY_SECRET = "*"
NAMESPACES_MAX = 20
"""Namespaces of NAMESPACE_SELECTOR that are asked about; Roles are the same in all of them."""


@dataclass(frozen=True, slots=True)
class Need:
    """A rule as RBAC has it. `names` empty: every object of the kind. `reason`: what stops without it."""

    group: str
    resources: tuple[str, ...]
    verbs: tuple[str, ...]
    reason: str
    names: tuple[str, ...] = ()


def cluster(settings: Settings) -> tuple[Need, ...]:
    """Return what is needed without a namespace."""
    patch = ("patch",) if settings.certificates_mode == "controller" else ()
    mutating, validating = (names.OPERATOR, names.REPLAY_WEBHOOKS), (names.REPLAY_WEBHOOKS,)
    why = "webhooks are not trusted after a renewal of their certificate"
    return (
        Need(
            "apiextensions.k8s.io",
            ("customresourcedefinitions",),
            ("get",),
            "it never becomes ready",
            (f"{trafficreplay.PLURAL}.{trafficreplay.GROUP}",),
        ),
        Need(_ADMISSION, ("mutatingwebhookconfigurations",), (*_READ, *patch), why, mutating),
        Need(_ADMISSION, ("validatingwebhookconfigurations",), (*_READ, *patch), why, validating),
        Need("", ("namespaces",), _READ, "no sidecar is injected", settings.namespaces),
        Need("", ("nodes",), ("get", "list"), "native sidecars are decided on by the server's version alone"),
        Need("cilium.io", ("ciliumnodes",), ("get", "list"), "probes are taken for traffic where Cilium runs"),
    )


def workloads(settings: Settings, *, policies: bool) -> tuple[Need, ...]:
    """Return what is needed in each namespace that is worked in; `policies`: replays are bounded by NetworkPolicies."""
    plural, group = trafficreplay.PLURAL, trafficreplay.GROUP
    heal, replays = "workloads are not changed", "replays fail"
    return (
        Need("apps", ("deployments",), _OWN, heal),
        Need("apps", ("statefulsets", "daemonsets"), (*_READ, "patch", "delete"), heal),
        Need("apps", ("replicasets",), (*_READ, "patch"), heal),
        Need("batch", ("jobs",), _OWN, replays),
        Need("batch", ("cronjobs",), (*_READ, "patch"), heal),
        Need("argoproj.io", ("rollouts",), (*_READ, "patch", "delete"), heal),
        Need("", ("services",), _OWN, replays),
        Need("", ("configmaps",), ("get", "list", "create", "patch", "delete"), replays),
        *_secrets(settings),
        Need("", ("pods",), _READ, "nobody is told why pods do not start"),
        Need("", ("pods/log",), ("get",), "reports lack the last lines of what failed"),
        Need("", ("events",), ("get", "list", "create", "patch"), "users are told nothing"),
        Need("events.k8s.io", ("events",), ("get", "list", "create", "patch"), "users are told nothing"),
        Need("", ("resourcequotas", "limitranges"), _READ, "pods may be refused after injection"),
        Need("metrics.k8s.io", ("pods",), ("get", "list"), "reports lack CPU and memory"),
        *((Need("networking.k8s.io", ("networkpolicies",), _OWN, replays),) if policies else ()),
        Need(group, (plural,), (*_OWN, "update"), replays),
        Need(group, (f"{plural}/status",), ("get", "patch", "update"), replays),
        Need(group, (f"{plural}/finalizers",), ("update",), "replays fail where owner references are enforced"),
    )


def _copied(settings: Settings) -> tuple[str, ...]:
    found = (names.CERTS, settings.api_key_secret, names.JKS, settings.dlp_key_secret, *settings.image_pull_secrets)
    return tuple(dict.fromkeys(found))


def _secrets(settings: Settings) -> Iterator[Need]:
    copied = _copied(settings)
    yield Need("", ("secrets",), ("get", "patch", "delete"), "sidecars lack their certificates", copied)
    yield Need("", ("secrets",), ("create",), "sidecars lack their certificates")
    ours = {*copied, names.WEBHOOK}  # the list names our own as well
    listed = tuple(name for name in settings.secret_access if name not in ours)
    if _ANY_SECRET in listed:
        yield Need("", ("secrets",), ("get",), "replays lack the Secrets that they name")
    elif listed:
        yield Need("", ("secrets",), ("get",), "replays lack the Secrets that they name", listed)


def own(settings: Settings) -> tuple[Need, ...]:
    """Return what is needed in the installation's namespace besides."""
    kept = (*_copied(settings), names.WEBHOOK, names.FORWARDER, names.BACKEND, names.COLLECTOR, names.OWN)
    verbs = (*_READ, "patch", "update", "delete")
    return (
        Need("coordination.k8s.io", ("leases",), ("get", "update", "patch"), "nobody leads", (names.OPERATOR,)),
        Need("coordination.k8s.io", ("leases",), ("create",), "nobody leads"),
        Need("", ("secrets",), verbs, "certificates are not made or renewed", tuple(dict.fromkeys(kept))),
        Need("", ("configmaps",), ("watch",), "changes of settings and bundle take effect with a restart only"),
        *_managed(settings),
    )


def _managed(settings: Settings) -> tuple[Need, ...]:
    if settings.profile == "operator":
        verbs: tuple[str, ...] = _OWN
    elif settings.drift == "enforce":
        verbs = (*_READ, "patch")
    elif settings.drift == "report":
        verbs = _READ
    else:
        return ()
    why = "drift of managed components is not seen, or not mended"
    return (
        Need("apps", ("deployments", "statefulsets", "daemonsets"), verbs, why),
        Need("", ("services", "configmaps", "persistentvolumeclaims"), verbs, why),
        Need("networking.k8s.io", ("networkpolicies",), verbs, why),
        Need("policy", ("poddisruptionbudgets",), verbs, why),
    )


Question = tuple[str, str, str, str, str, str]
"""Group, resource, verb, namespace, name, reason."""


def questions(settings: Settings, *, policies: bool) -> list[Question]:
    """Return every right of the operator as a question, each once."""
    asked: dict[tuple[str, str, str, str, str], str] = {}

    def add(needs: Sequence[Need], namespace: str) -> None:
        for need in needs:
            for resource in need.resources:
                for verb in need.verbs:
                    for name in need.names or ("",):
                        asked.setdefault((need.group, resource, verb, namespace, name), need.reason)

    add(cluster(settings), "")
    for namespace in (*settings.namespaces[:NAMESPACES_MAX],) or ("",):
        add(workloads(settings, policies=policies), namespace)
    add(own(settings), settings.namespace)
    return [(*key, reason) for key, reason in asked.items()]


def installing(namespace: str) -> list[Question]:
    """Return what a user needs to apply the manifests."""
    made = [
        ("", "namespaces", ""),
        ("apiextensions.k8s.io", "customresourcedefinitions", ""),
        ("rbac.authorization.k8s.io", "clusterroles", ""),
        ("rbac.authorization.k8s.io", "clusterrolebindings", ""),
        (_ADMISSION, "mutatingwebhookconfigurations", ""),
        (_ADMISSION, "validatingwebhookconfigurations", ""),
        ("", "serviceaccounts", namespace),
        ("rbac.authorization.k8s.io", "roles", namespace),
        ("rbac.authorization.k8s.io", "rolebindings", namespace),
        ("", "configmaps", namespace),
        ("", "services", namespace),
        ("", "persistentvolumeclaims", namespace),
        ("apps", "deployments", namespace),
        ("apps", "daemonsets", namespace),
        ("networking.k8s.io", "networkpolicies", namespace),
    ]
    why = "the manifests hold one"
    return [(group, resource, verb, place, "", why) for group, resource, place in made for verb in ("create", "patch")]


def service_account(operator: Object | None, namespace: str) -> str:
    """Return the user name that the operator has towards the API server."""
    spec = (((operator or {}).get("spec") or {}).get("template") or {}).get("spec") or {}
    return f"system:serviceaccount:{namespace}:{spec.get('serviceAccountName') or names.OPERATOR}"
