"""A small installation of one object a kind, as a file of manifests: what the drift tests edit."""

from __future__ import annotations

from typing import Any

Manifest = dict[str, Any]

PART_OF = {"app.kubernetes.io/part-of": "speedscale", "controlplane.speedscale.com/component": "operator"}
PULLED = "registry.example.com/operator:1.0"


def objects(namespace: str) -> dict[str, Manifest]:
    """Return the objects by kind; names of cluster-scoped ones end with the namespace."""
    made = [
        _object("v1", "ServiceAccount", "it", namespace, automountServiceAccountToken=False),
        _object("v1", "ConfigMap", "it", namespace, data={"LOG_LEVEL": "info", "CLUSTER_NAME": "prod"}),
        _object("v1", "Service", "it", namespace, spec=_service()),
        _object("apps/v1", "Deployment", "it", namespace, spec=_deployment()),
        _object("apps/v1", "DaemonSet", "it", namespace, spec=_daemon_set()),
        _object("policy/v1", "PodDisruptionBudget", "it", namespace, spec=_budget()),
        _object("networking.k8s.io/v1", "NetworkPolicy", "it", namespace, spec=_network_policy()),
        _object("rbac.authorization.k8s.io/v1", "ClusterRole", f"it-{namespace}", rules=_rules()),
        _object("rbac.authorization.k8s.io/v1", "Role", "it", namespace, rules=_rules()),
        _object("admissionregistration.k8s.io/v1", _WEBHOOK, f"it-{namespace}", webhooks=_webhooks(namespace)),
        _definition(namespace),
    ]
    return {manifest["kind"]: manifest for manifest in made}


_WEBHOOK = "MutatingWebhookConfiguration"


def _object(api_version: str, kind: str, name: str, namespace: str = "", **rest: Any) -> Manifest:
    metadata = {"name": name, "labels": {"app": "it", **PART_OF}, "annotations": {"example.com/owner": "platform"}}
    if namespace:
        metadata["namespace"] = namespace
    return {"apiVersion": api_version, "kind": kind, "metadata": metadata, **rest}


def _deployment() -> Manifest:
    container = {
        "name": "operator",
        "image": PULLED,
        "args": ["--port", "9443"],
        "env": [{"name": "LOG_LEVEL", "value": "info"}, {"name": "REGION", "value": "eu"}],
        "ports": [{"name": "https", "containerPort": 9443}, {"containerPort": 8081}],
        # written as people do: the server stores 1 and 1Gi
        "resources": {"limits": {"cpu": "1000m", "memory": "1024Mi"}, "requests": {"cpu": 0.5, "memory": "64Mi"}},
        "securityContext": {"allowPrivilegeEscalation": False, "readOnlyRootFilesystem": True},
        "livenessProbe": {"httpGet": {"path": "/healthz", "port": 8081}},
        "volumeMounts": [{"name": "config", "mountPath": "/etc/operator"}],
    }
    pod = {
        "serviceAccountName": "it",
        "containers": [container],
        "volumes": [{"name": "config", "configMap": {"name": "it"}}, {"name": "scratch", "emptyDir": {}}],
    }
    return _workload(pod) | {"replicas": 2}


def _daemon_set() -> Manifest:
    return _workload({"containers": [{"name": "capture", "image": PULLED, "securityContext": {"privileged": False}}]})


def _workload(pod: Manifest) -> Manifest:
    template = {"metadata": {"labels": {"app": "it"}}, "spec": pod}
    return {"selector": {"matchLabels": {"app": "it"}}, "template": template}


def _service() -> Manifest:
    return {"selector": {"app": "it"}, "ports": [{"name": "https", "port": 443, "targetPort": 9443}]}


def _budget() -> Manifest:
    return {"minAvailable": 1, "selector": {"matchLabels": {"app": "it"}}}


def _network_policy() -> Manifest:
    dns = {"ports": [{"port": 53, "protocol": "UDP"}], "to": [{"namespaceSelector": {}}]}
    return {"podSelector": {"matchLabels": {"app": "it"}}, "policyTypes": ["Egress"], "egress": [dns]}


def _rules() -> list[Manifest]:
    return [
        {"apiGroups": ["apps"], "resources": ["deployments"], "verbs": ["get", "list"]},
        {"apiGroups": [""], "resources": ["configmaps"], "resourceNames": ["it"], "verbs": ["get"]},
    ]


def _webhooks(namespace: str) -> list[Manifest]:
    rule = {"apiGroups": ["apps"], "apiVersions": ["v1"], "operations": ["CREATE"], "resources": ["deployments"]}
    return [
        {
            "name": "sidecar.example.com",
            "admissionReviewVersions": ["v1"],
            "sideEffects": "None",
            "failurePolicy": "Ignore",
            "timeoutSeconds": 3,
            "clientConfig": {"service": {"name": "it", "namespace": namespace, "path": "/mutate"}},
            "rules": [rule],
            # nothing of the tests is ever sent to it
            "objectSelector": {"matchLabels": {"example.com/never": "true"}},
        }
    ]


def _definition(namespace: str) -> Manifest:
    group = f"{namespace}.example.com"
    schema = {
        "type": "object",
        "properties": {"spec": {"type": "object", "properties": {"size": {"type": "integer", "maximum": 5}}}},
    }
    version = {
        "name": "v1",
        "served": True,
        "storage": True,
        "schema": {"openAPIV3Schema": schema},
        "additionalPrinterColumns": [{"name": "Size", "type": "integer", "jsonPath": ".spec.size"}],
    }
    names = {"kind": "Thing", "plural": "things", "singular": "thing", "listKind": "ThingList"}
    spec = {"group": group, "scope": "Namespaced", "names": names, "versions": [version]}
    return _object("apiextensions.k8s.io/v1", "CustomResourceDefinition", f"things.{group}", spec=spec)
