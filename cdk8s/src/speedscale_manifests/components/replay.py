"""What the components of a replay share: names, labels, metadata, and the pod around a container.

Every object of a replay bears the replay's name (`replay.speedscale.com/env-id`) and its UID: by these the controller
finds, repairs and clears away what a replay made, also across namespaces, where an owner reference means nothing. All
text here may hold gaps; whoever returns a template seals it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from speedscale_manifests.objects import Manifest, container, env, names, pod_template, prune, scratch
from speedscale_manifests.values import Values
from speedscale_schemas.templates import gap

from . import senders

COMPONENT_LABEL = "replay.speedscale.com/component"
NAME_LABEL = "replay.speedscale.com/env-id"
ID_LABEL = "replay.speedscale.com/id"
METRICS_PORT = 4145
FETCH = "speedscale-fetch"

SNAPSHOTS = "/snapshots"
RESULTS = "/results"
HOME = "/var/lib/speedscale"
DLP_KEY = "/var/run/secrets/speedscale/dlp-key"


def name(component: str) -> str:
    """Return the name of a replay's object: `speedscale-<component>-<replay>`."""
    return f"speedscale-{component}-{gap('replay_name')}"


def selector(component: str) -> dict[str, str]:
    """Return the labels that select the pods of one component of one replay."""
    return {COMPONENT_LABEL: f"speedscale-{component}", NAME_LABEL: gap("replay_name")}


def labels(component: str) -> dict[str, str]:
    """Return the labels of every object of a replay."""
    return {
        "app": f"speedscale-{component}",
        names.COMPONENT_LABEL: component,
        "app.kubernetes.io/part-of": names.PART_OF,
        "app.kubernetes.io/version": names.VERSION,
        **selector(component),
        ID_LABEL: gap("replay_id"),
    }


def metadata(
    values: Values, component: str, *, name_: str = "", namespace: str = "", workload: bool = False
) -> Manifest:
    """Return the metadata of a replay's object.

    `name_`: where it is not `speedscale-<component>-<replay>`. `namespace`: where it is not that of the workload under
    test. `workload`: whether it is one, and so bears the user's labels and the mark that keeps our webhook away.
    """
    user = dict(values.global_labels) if workload else {}
    annotations = {**values.global_annotations, **({names.IGNORE: "true"} if workload else {})}
    meta: Manifest = {
        "name": name_ or name(component),
        "namespace": namespace or gap("namespace"),
        "labels": {**user, **labels(component)},
        "ownerReferences": gap("owner_references"),
    }
    return {**meta, "annotations": annotations} if annotations else meta


def dlp_key(values: Values) -> tuple[list[Manifest], list[Manifest], list[Manifest]]:
    """Return variables, mounts and volumes that give a container the redaction key; none where nothing is redacted."""
    if not values.dlp.enabled:
        return [], [], []
    volume: Manifest = {"name": "dlp-key", "secret": {"secretName": names.dlp_key_secret(values), "defaultMode": 0o444}}
    return [env("DLP_KEY_PATH", DLP_KEY)], [{"name": "dlp-key", "mountPath": DLP_KEY, "readOnly": True}], [volume]


def collector_env() -> list[Manifest]:
    """Return where the replay's collector is, and what proves who is who there; `senders.collector_mount` has it."""
    return [
        env("COLLECTOR_CA_FILE", f"{senders.PATH}/ca.crt"),
        env("COLLECTOR_TOKEN_FILE", f"{senders.PATH}/token"),
        env("COLLECTOR_URL", gap("collector_url")),
    ]


def fetch(values: Values, resources: Mapping[str, Any]) -> Manifest:
    """Return the init container that brings the snapshot; the controller takes it out where a volume has it already.

    `resources` are the pod's main container's: the two never run at once, so it asks for nothing more.
    """
    mounts = [{"name": "snapshot", "mountPath": SNAPSHOTS}, senders.collector_mount(), scratch("tmp", "/tmp")[1]]
    return container(
        values,
        FETCH,
        "replay",
        resources,
        command=["speedscale-fetch"],
        env=[
            *collector_env(),
            env("LOG_LEVEL", values.log_level),
            env("SNAPSHOT_DIR", SNAPSHOTS),
            env("SNAPSHOT_ID", gap("snapshot_id")),
        ],
        volumeMounts=mounts,
    )


def pod(
    values: Values,
    component: str,
    containers: Sequence[Manifest],
    *,
    service_account: str = "",
    token: bool = False,
    **spec: Any,
) -> Manifest:
    """Return a pod template of a replay's component; in a user's namespace it runs as `default`, without a token."""
    pulls: dict[str, Any] = {} if service_account else {"imagePullSecrets": gap("pull_secrets")}
    template = pod_template(
        values,
        component,
        containers,
        service_account=service_account,
        token=token,
        template_labels={**selector(component), ID_LABEL: gap("replay_id")},
        # the webhook sees pods, too
        template_annotations={names.IGNORE: "true"},
        **{**pulls, **spec},
    )
    template["metadata"]["labels"] = {**template["metadata"]["labels"], **labels(component)}
    return template


def deployment(values: Values, component: str, template: Manifest, **rest: Any) -> Manifest:
    """Return a Deployment of a replay; `rest`: `namespace`, and fields of its spec by their Kubernetes name."""
    namespace = rest.pop("namespace", "")
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": metadata(values, component, namespace=namespace, workload=True),
        "spec": prune(
            {
                "replicas": 1,
                "strategy": {"type": "Recreate"},
                **rest,
                "selector": {"matchLabels": selector(component)},
                "template": template,
            }
        ),
    }


def service(values: Values, component: str, name_: str, ports: Any, *, namespace: str = "") -> Manifest:
    """Return a Service of a replay with an address of its own, which host aliases need.

    `namespace`: where it is not that of the workload under test.
    """
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": metadata(values, component, name_=name_, namespace=namespace),
        "spec": {"type": "ClusterIP", "selector": selector(component), "ports": ports},
    }


def policy(
    values: Values,
    component: str,
    *,
    ingress: Sequence[Mapping[str, Any]] = (),
    egress: Sequence[Mapping[str, Any]] | None = None,
    namespace: str = "",
) -> list[Manifest]:
    """Return the NetworkPolicy of a component's pods, or nothing where the values switch policies off.

    Without `egress` that direction is open. `namespace`: where it is not that of the workload under test.
    """
    if not values.network_policies.enabled:
        return []
    spec: Manifest = {"podSelector": {"matchLabels": selector(component)}, "policyTypes": ["Ingress"]}
    if ingress:
        spec["ingress"] = prune(list(ingress))
    if egress is not None:
        spec["policyTypes"] = ["Ingress", "Egress"]
    if egress:  # the API server drops an empty list, and every apply would be a write
        spec["egress"] = prune(list(egress))
    return [
        {
            "apiVersion": "networking.k8s.io/v1",
            "kind": "NetworkPolicy",
            "metadata": metadata(values, component, namespace=namespace),
            "spec": spec,
        }
    ]
