"""The operator: the controller with its admission webhooks, and what it needs to run.

Not managed by itself: its objects stand in `dist/` in both profiles. Its rights are in `rbac`, its settings in
`operator_config`, the webhook configurations in `webhooks`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from speedscale_manifests.objects import (
    Manifest,
    config_env,
    container,
    deployment,
    http_probe,
    metadata,
    names,
    pod_env,
    pod_template,
    scratch,
    secret_keys_env,
    selector,
    service,
    service_account,
)
from speedscale_manifests.values import Values

from . import backend, network, replay_collector, urls
from .component import Component
from .operator_config import operator_config

NAME: Final = "operator"
WEBHOOK: Final = "webhook-server"
HEALTH: Final = "health-check"
SERVICE_PORT: Final = 443

# Shutdown fails readiness, goes on serving for about 10 s until no API server asks any more, then drains.
_GRACE_S = 30


def operator_objects(values: Values) -> list[Manifest]:
    """Return everything of the operator but its rights and webhook configurations."""
    config = operator_config(values)
    return [
        service_account(values, NAME, token=True),
        config,
        *network_policies(values),
        operator_deployment(values, config),
        operator_service(values),
        *disruption_budget(values),
    ]


def operator_deployment(values: Values, config: Manifest) -> Manifest:
    """Return the Deployment; it rolls when `config` changes.

    The webhook listens on 9443 and needs no capability (the chart's 443 does). No Secret is mounted: certificates are
    made after the start, so the controller reads them by name from the API, and no pod waits for one that is missing.
    """
    template = pod_template(
        values,
        NAME,
        [_container(values)],
        service_account=names.OPERATOR,
        token=True,
        config=[config],
        volumes=[scratch("tmp", "/tmp", "64Mi")[0], *_outside(values, backend.trust_volume)],
        terminationGracePeriodSeconds=_GRACE_S,
        topologySpreadConstraints=_spread(values),
        **_host_network(values),
    )
    return deployment(values, NAME, template, replicas=values.operator.replicas, strategy=_strategy(values))


def _container(values: Values) -> Manifest:
    return container(
        values,
        NAME,
        "operator",
        values.operator.resources,
        command=["/operator"],
        env=[*pod_env(), *_outside(values, backend.trust_env)],
        # The order matters: what comes later wins.
        envFrom=[
            config_env(names.OPERATOR),
            config_env(names.OPERATOR_OVERRIDE, optional=True),
            secret_keys_env(names.api_key_secret(values)),
        ],
        ports=[
            {"name": WEBHOOK, "containerPort": names.WEBHOOK_PORT, "protocol": "TCP"},
            {"name": HEALTH, "containerPort": names.HEALTH_PORT, "protocol": "TCP"},
        ],
        livenessProbe=http_probe("/healthz", HEALTH, delay_s=30, period_s=30, failures=5),
        # Ready means: certificates live and CA bundles written.
        readinessProbe=http_probe("/readyz", HEALTH, delay_s=5, period_s=5, failures=10),
        volumeMounts=[scratch("tmp", "/tmp")[1], *_outside(values, backend.trust_mount)],
    )


def _outside(values: Values, parts: Callable[[Values], list[Manifest]]) -> list[Manifest]:
    """Return what trust in a backend outside of this installation needs; of our own the API knows the certificate."""
    return parts(values) if values.app_url else []


def _strategy(values: Values) -> Manifest:
    """Return how pods are replaced.

    With a Lease two controllers can live side by side, so the new pod answers before the old one goes and no admission
    request meets a blind moment. Without one the old has to end first. On the node's network the new pod needs the
    port of the old, so there is no surge; alone on a node it must wait for the old one's end.
    """
    settings = values.operator
    if not settings.leader_election or (values.host_network and settings.replicas == 1):
        return {"type": "Recreate"}
    surge, unavailable = (0, 1) if values.host_network else (1, 0)
    return {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": surge, "maxUnavailable": unavailable}}


def _spread(values: Values) -> list[Manifest]:
    """Return the wish, not the condition, that replicas run on different nodes."""
    if values.operator.replicas == 1:
        return []
    return [
        {
            "maxSkew": 1,
            "topologyKey": "kubernetes.io/hostname",
            "whenUnsatisfiable": "ScheduleAnyway",
            "labelSelector": {"matchLabels": selector(NAME)},
        }
    ]


def _host_network(values: Values) -> dict[str, Any]:
    if not values.host_network:
        return {}
    return {"hostNetwork": True, "dnsPolicy": "ClusterFirstWithHostNet"}


def operator_service(values: Values) -> Manifest:
    """Return the Service that the API server calls webhooks by."""
    return service(values, NAME, [{"port": SERVICE_PORT, "targetPort": WEBHOOK}])


def disruption_budget(values: Values) -> list[Manifest]:
    """Return the PodDisruptionBudget; with one pod it would only keep a node from being drained."""
    if not values.operator.pod_disruption_budget or values.operator.replicas < 2:
        return []
    return [
        {
            "apiVersion": "policy/v1",
            "kind": "PodDisruptionBudget",
            "metadata": metadata(values, NAME),
            "spec": {"minAvailable": 1, "selector": {"matchLabels": selector(NAME)}},
        }
    ]


def network_policies(values: Values) -> list[Manifest]:
    """Return the operator's NetworkPolicy.

    The API server calls from an address that no selector names, hence 9443 from anywhere. Probes come from the node,
    which every implementation lets through. On the node's network no policy applies to a pod, and none is written.
    """
    if values.host_network:
        return []
    return network.policy(
        values,
        NAME,
        ingress=[network.from_anywhere(names.WEBHOOK_PORT), *network.metrics(values, names.HEALTH_PORT)],
        egress=[
            network.to_dns(),
            network.to_api_server(values),
            # before an old CA is dropped, the leader sees that every replica shows the new certificate
            network.to_component(NAME, names.WEBHOOK_PORT),
            # a replay's collector stands in this namespace, and is asked for the report
            network.to_component(replay_collector.NAME, replay_collector.PORT),
            network.to_outside(values, *urls.ports(backend.url(values), values.http_proxy, values.https_proxy)),
            *backend.egress(values),
        ],
    )


COMPONENT = Component(name=NAME, chart="operator", identity=operator_objects)
