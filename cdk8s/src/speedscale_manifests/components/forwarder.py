"""The forwarder: takes batches of traffic, filters and redacts them, keeps them until every exporter has them.

Secrets, all made in the cluster: `speedscale-forwarder-certs` (its leaf `tls.crt` and `tls.key`, signed by the CA whose
root every sender has, and `tokens`, the senders' bearer tokens, one a line) and the redaction key. Neither mount is
optional: without them the pod waits, because unencrypted batches and unredacted traffic are worse than none; senders
queue meanwhile, and the application goes on.

Storage: one replica with a claim is a Deployment that ends the old pod first (a spool has one owner); more replicas
with claims are a StatefulSet; without persistence an emptyDir lasts as long as the pod.
"""

from __future__ import annotations

from speedscale_manifests.objects import (
    Manifest,
    claim,
    claim_template,
    config_env,
    container,
    deployment,
    env,
    http_probe,
    names,
    option,
    pod_template,
    proxy_env,
    scratch,
    service,
    service_account,
    volume,
    workload,
)
from speedscale_manifests.values import Values

from . import backend, network, urls
from . import forwarder_config as config
from .component import Component

NAME = "forwarder"

_SPOOL_VOLUME = "spool"
_GRACE_S = config.DRAIN_S + 15
_READ_ONLY_FOR_ALL = 0o444  # the user is not the files' owner, and a group is not given on every cluster


def identity(values: Values) -> list[Manifest]:
    """Return the account: no rights, no token of the cluster's; a cloud's role where the user names one."""
    return [service_account(values, NAME, annotations=values.forwarder.service_account_annotations)]


def managed(values: Values) -> list[Manifest]:
    """Return configuration, claim, workload, Service and policy."""
    settings = config.settings(values)
    rules = config.rules(values)
    template = _pod(values, settings)
    return [
        settings,
        *rules,
        *_storage_and_workload(values, template),
        _service(values),
        *_policy(values),
    ]


def _storage_and_workload(values: Values, template: Manifest) -> list[Manifest]:
    settings = values.forwarder
    if settings.persistence.enabled and settings.replicas > 1:
        return [
            workload(
                values,
                "StatefulSet",
                NAME,
                template,
                replicas=settings.replicas,
                serviceName=names.FORWARDER,
                podManagementPolicy="Parallel",
                updateStrategy={"type": "RollingUpdate"},
                volumeClaimTemplates=[claim_template(NAME, settings.persistence, _SPOOL_VOLUME)],
            )
        ]
    store = volume(_SPOOL_VOLUME, names.FORWARDER, settings.persistence)
    template["spec"]["volumes"].append(store)
    if not settings.persistence.enabled:
        return [deployment(values, NAME, template, replicas=settings.replicas)]
    # Pruning the claim would delete traffic that was accepted and not yet exported: a person has to say so.
    kept = option(values, claim(values, NAME, settings.persistence), "Prune=confirm,Delete=confirm")
    return [kept, deployment(values, NAME, template, replicas=settings.replicas, recreate=True)]


def _pod(values: Values, settings: Manifest) -> Manifest:
    temporary, temporary_mount = scratch("tmp", "/tmp", "64Mi")
    volumes: list[Manifest] = [
        temporary,
        {"name": "filters", "configMap": {"name": config.FILTERS}},
        {"name": "dlp-rules", "configMap": {"name": config.DLP_RULES}},
        _secret("identity", names.FORWARDER_CERTS),
    ]
    mounts: list[Manifest] = [
        temporary_mount,
        {"name": _SPOOL_VOLUME, "mountPath": config.STATE},
        {"name": "filters", "mountPath": f"{config.HOME}/data/filters", "readOnly": True},
        {"name": "dlp-rules", "mountPath": f"{config.HOME}/data/dlp", "readOnly": True},
        {"name": "identity", "mountPath": config.IDENTITY, "readOnly": True},
    ]
    if values.dlp.enabled:
        volumes.append(_secret("dlp-key", names.dlp_key_secret(values)))
        mounts.append({"name": "dlp-key", "mountPath": config.DLP_KEY, "readOnly": True})
    for number, secret in enumerate(config.exporter_secrets(values)):
        volumes.append(_secret(f"exporter-{number}", secret))
        mounts.append({"name": f"exporter-{number}", "mountPath": config.secret_path(secret), "readOnly": True})
    if backend.url(values):
        volumes += [backend.key_volume(values), *backend.trust_volume(values)]
        mounts += [backend.key_mount(), *backend.trust_mount(values)]
    return pod_template(
        values,
        NAME,
        [_container(values, mounts)],
        service_account=names.FORWARDER,
        config=[settings],
        volumes=volumes,
        terminationGracePeriodSeconds=_GRACE_S,
    )


def _container(values: Values, mounts: list[Manifest]) -> Manifest:
    return container(
        values,
        "speedscale-forwarder",
        "forwarder",
        values.forwarder.resources,
        command=["speedscale-forwarder"],
        env=_environment(values),
        envFrom=[config_env(names.FORWARDER)],
        ports=[
            {"name": "batches", "containerPort": config.PORT, "protocol": "TCP"},
            {"name": "metrics", "containerPort": config.METRICS_PORT, "protocol": "TCP"},
        ],
        # A full spool is read once before the service is ready.
        startupProbe=http_probe("/healthz", "metrics", period_s=5, failures=60),
        livenessProbe=http_probe("/healthz", "metrics", period_s=20, failures=3),
        readinessProbe=http_probe("/readyz", "metrics", period_s=5, failures=2),
        volumeMounts=mounts,
    )


def _environment(values: Values) -> list[Manifest]:
    return [
        env("FORWARDER_HOST", "0.0.0.0"),
        env("FORWARDER_PORT", config.PORT),
        env("FORWARDER_TLS_CERT_FILE", f"{config.IDENTITY}/tls.crt"),
        env("FORWARDER_TLS_KEY_FILE", f"{config.IDENTITY}/tls.key"),
        env("FORWARDER_TOKEN_FILE", f"{config.IDENTITY}/tokens"),
        env("METRICS_HOST", "0.0.0.0"),
        env("METRICS_HTTP_PORT", config.METRICS_PORT),
        env("SPEEDSCALE_HOME", config.HOME),
        env("SPOOL_DIR", f"{config.STATE}/spool"),
        *([env("DLP_KEY_PATH", config.DLP_KEY)] if values.dlp.enabled else []),
        *([backend.key_env(), *backend.client_env(values)] if backend.url(values) else []),
        *proxy_env(values),
    ]


def _secret(name: str, secret: str) -> Manifest:
    return {"name": name, "secret": {"secretName": secret, "defaultMode": _READ_ONLY_FOR_ALL}}


def _service(values: Values) -> Manifest:
    # A batch that is sent again goes to the replica that can tell that it has it.
    sticky: Manifest = (
        {"sessionAffinity": "ClientIP", "sessionAffinityConfig": {"clientIP": {"timeoutSeconds": 10800}}}
        if values.forwarder.replicas > 1
        else {}
    )
    ports = [{"name": "batches", "port": 80, "targetPort": "batches", "appProtocol": "https"}]
    return service(values, NAME, ports, **sticky)


def _policy(values: Values) -> list[Manifest]:
    # nettap is on the nodes' network, where no selector finds it; TLS and a token are asked for in any case.
    senders = network.from_anywhere if values.ebpf.enabled else network.from_all_pods
    return network.policy(
        values,
        NAME,
        ingress=[senders(config.PORT), *network.metrics(values, config.METRICS_PORT)],
        egress=[network.to_dns(), network.to_outside(values, *_outside_ports(values)), *backend.egress(values)],
    )


def _outside_ports(values: Values) -> list[int]:
    """Return the ports of exporters and proxies, which need not be among `networkPolicies.backendPorts`."""
    exporters = values.forwarder.exporters.values()
    endpoints = [str(spec.get(key) or "") for spec in exporters for key in ("otel_endpoint", "endpointURL")]
    endpoints += [broker for spec in exporters for broker in spec.get("brokers") or ()]
    endpoints += ["https://aws" for spec in exporters if spec.get("type") in ("firehose", "s3")]
    return urls.ports(*endpoints, backend.url(values), values.http_proxy, values.https_proxy)


COMPONENT = Component(name=NAME, chart="forwarder", identity=identity, managed=managed)
