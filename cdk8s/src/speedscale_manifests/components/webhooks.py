"""The three webhook configurations.

The workload webhook fails open: an operator that is down, hanging or wrong must not keep one pod of the users' from
starting. The replay webhooks fail closed on CREATE and UPDATE, where refusing harms nobody; they never see DELETE, or a
dead operator would keep namespaces from being deleted. `caBundle` is not here, not even empty: the controller or
cert-manager writes it, and a field that git does not mention is not drift.
"""

from __future__ import annotations

from typing import Any, Final, Literal

from speedscale_manifests.objects import Manifest, metadata, names
from speedscale_manifests.values import Values
from speedscale_schemas import trafficreplay

from .component import Component
from .network import NAMESPACE_NAME
from .operator import SERVICE_PORT

NAME: Final = "operator"
UNTOUCHED: Final = ("kube-system", "kube-node-lease")
SIDECAR: Final = "sidecar.speedscale.com"
REPLAY: Final = "replay.speedscale.com"
CA_INJECTOR: Final = "cert-manager.io/inject-ca-from"

_TEMPLATED = ["deployments", "statefulsets", "daemonsets", "jobs", "replicasets", "cronjobs"]
_WORKLOAD_OPERATIONS = ["CREATE", "UPDATE", "DELETE"]
_REPLAY_OPERATIONS = ["CREATE", "UPDATE"]
Kind = Literal["MutatingWebhookConfiguration", "ValidatingWebhookConfiguration"]


def webhook_configurations(values: Values) -> list[Manifest]:
    """Return the workload webhook and the mutating and validating replay webhooks."""
    mutate: Kind = "MutatingWebhookConfiguration"
    validate: Kind = "ValidatingWebhookConfiguration"
    return [
        _configuration(values, mutate, names.OPERATOR, _sidecar(values)),
        _configuration(values, mutate, names.REPLAY_WEBHOOKS, _replay(values, "mutate")),
        _configuration(values, validate, names.REPLAY_WEBHOOKS, _replay(values, "validate")),
    ]


def namespace_selector(values: Values) -> Manifest:
    """Return which namespaces are seen: never the cluster's own, and only the selected ones where some are.

    Our namespace is among the selected: the demo lives there with its sidecar.
    """
    expressions: list[Manifest] = [{"key": NAMESPACE_NAME, "operator": "NotIn", "values": list(UNTOUCHED)}]
    if watched := names.watched_namespaces(values):
        expressions.append({"key": NAMESPACE_NAME, "operator": "In", "values": list(watched)})
    return {"matchExpressions": expressions}


def _configuration(values: Values, kind: Kind, name: str, webhook: Manifest) -> Manifest:
    annotations = dict(values.webhook_annotations)
    if values.certificates.mode == "cert-manager":
        annotations[CA_INJECTOR] = f"{values.namespace}/{names.WEBHOOK_CERTS}"
    return {
        "apiVersion": "admissionregistration.k8s.io/v1",
        "kind": kind,
        "metadata": metadata(values, NAME, name, namespace="", user_annotations=True, annotations=annotations),
        "webhooks": [webhook],
    }


def _webhook(values: Values, name: str, path: str, **rest: Any) -> Manifest:
    return {
        "name": name,
        "admissionReviewVersions": ["v1"],
        "clientConfig": {
            "service": {
                "name": names.OPERATOR,
                "namespace": values.namespace,
                "path": path,
                "port": SERVICE_PORT,
            }
        },
        "namespaceSelector": namespace_selector(values),
        "objectSelector": {},
        "matchPolicy": "Equivalent",
        "sideEffects": "None",
        **rest,
    }


def _sidecar(values: Values) -> Manifest:
    return _webhook(
        values,
        SIDECAR,
        "/mutate",
        failurePolicy="Ignore",
        # Other webhooks may add containers after us.
        reinvocationPolicy="IfNeeded",
        timeoutSeconds=values.operator.webhook_timeout_seconds,
        rules=[
            _rule(_WORKLOAD_OPERATIONS, ["apps", "batch"], ["v1"], list(_TEMPLATED)),
            _rule(_WORKLOAD_OPERATIONS, [""], ["v1"], ["pods"]),
            # Argo Rollouts; the definition may be installed later or never.
            _rule(_WORKLOAD_OPERATIONS, ["argoproj.io"], ["*"], ["rollouts"]),
        ],
    )


def _replay(values: Values, verb: Literal["mutate", "validate"]) -> Manifest:
    rest: dict[str, Any] = {"reinvocationPolicy": "Never"} if verb == "mutate" else {}
    path = f"/{verb}-speedscale-com-{trafficreplay.VERSION}-{trafficreplay.KIND.lower()}"
    return _webhook(
        values,
        REPLAY,
        path,
        failurePolicy="Fail",
        timeoutSeconds=values.operator.replay_webhook_timeout_seconds,
        rules=[_rule(_REPLAY_OPERATIONS, [trafficreplay.GROUP], [trafficreplay.VERSION], [trafficreplay.PLURAL])],
        **rest,
    )


def _rule(operations: list[str], groups: list[str], versions: list[str], resources: list[str]) -> Manifest:
    return {
        "operations": list(operations),
        "apiGroups": groups,
        "apiVersions": versions,
        "resources": resources,
        "scope": "Namespaced",
    }


COMPONENT = Component(name="webhooks", chart="operator", identity=webhook_configurations)
