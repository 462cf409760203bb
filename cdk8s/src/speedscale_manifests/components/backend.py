"""The self-hosted backend (`speedscale-cloud`): API for traffic, snapshots, test configs, rules and reports.

Off by default: files, git and object storage do without it. Its certificate comes from Secret `speedscale-cloud-certs`
(`tls.crt`, `tls.key`, `ca.crt`), made by the controller and signed by its CA, because API keys pass over this
connection. The keys it accepts come from the Secret that clients in this cluster use, too.

Other components reach it with `client_env`, `egress`, `trust_volume` and `trust_mount`, all empty where it is not
deployed.
"""

from __future__ import annotations

from speedscale_manifests.objects import (
    Manifest,
    claim,
    container,
    deployment,
    env,
    http_probe,
    names,
    option,
    pod_template,
    proxy_env,
    scratch,
    secret_env,
    service,
    service_account,
    volume,
)
from speedscale_manifests.values import Values
from speedscale_schemas.annotations.quantities import amount

from . import network, urls
from .component import Component

NAME = "cloud"

PORT = 8443
METRICS_PORT = 4145
STATE = "/var/lib/speedscale"

KEY_FILE = "SPEEDSCALE_API_KEY"
_KEY_PATH = "/var/run/secrets/speedscale/apikey"
_CERTS_PATH = "/var/run/secrets/speedscale/cloud"
_TRUST_PATH = "/var/run/secrets/speedscale/backend-ca"
_ROOTS = "ca.crt"
_READ_ONLY_FOR_ALL = 0o444


def enabled(values: Values) -> bool:
    """Return whether the backend runs in this cluster."""
    return values.backend.enabled


def url(values: Values) -> str:
    """Return the backend's address: the user's, else that of the one deployed here, else nothing."""
    if values.app_url:
        return f"https://{values.app_url}"
    return f"https://{names.app_name(NAME)}.{values.namespace}.svc" if enabled(values) else ""


def client_env(values: Values) -> list[Manifest]:
    """Return what a client needs to know; SPEEDSCALE_APP_URL of the Secret yields to it."""
    found = url(values)
    return [env("SPEEDSCALE_APP_URL", found), *trust_env(values)] if found else []


def trust_env(values: Values) -> list[Manifest]:
    """Return where `trust_mount` has the roots of the backend's certificate; nothing where the public ones hold."""
    return [env("BACKEND_CA_FILE", f"{_TRUST_PATH}/{_ROOTS}")] if trust_mount(values) else []


def egress(values: Values) -> list[Manifest]:
    """Return the rule that lets a component reach the backend in this cluster."""
    return [network.to_component(NAME, PORT)] if _ours(values) else []


def trust_volume(values: Values) -> list[Manifest]:
    """Return the volume with the root that signed the backend's certificate, nothing else of that Secret.

    Of a backend outside of this installation it is the user's ConfigMap, which may come late.
    """
    source: Manifest = {"items": [{"key": _ROOTS, "path": _ROOTS}], "defaultMode": _READ_ONLY_FOR_ALL}
    if _ours(values):
        return [{"name": "backend-ca", "secret": {"secretName": names.CLOUD_CERTS, **source}}]
    if values.app_url and values.app_roots:
        return [{"name": "backend-ca", "configMap": {"name": values.app_roots, **source, "optional": True}}]
    return []


def trust_mount(values: Values) -> list[Manifest]:
    """Return the mount of `trust_volume`."""
    mount = {"name": "backend-ca", "mountPath": _TRUST_PATH, "readOnly": True}
    return [mount] if trust_volume(values) else []


def key_env() -> Manifest:
    """Return where a component finds the API key that `key_mount` mounts."""
    return env("SPEEDSCALE_API_KEY_FILE", f"{_KEY_PATH}/{KEY_FILE}")


def key_volume(values: Values) -> Manifest:
    """Return the volume with the API key alone; the Secret may come late, and the key may change."""
    source: Manifest = {
        "secretName": names.api_key_secret(values),
        "items": [{"key": KEY_FILE, "path": KEY_FILE}],
        "optional": True,
        "defaultMode": _READ_ONLY_FOR_ALL,
    }
    return {"name": "apikey", "secret": source}


def key_mount() -> Manifest:
    """Return the mount of `key_volume`."""
    return {"name": "apikey", "mountPath": _KEY_PATH, "readOnly": True}


def _ours(values: Values) -> bool:
    return enabled(values) and not values.app_url


def identity(values: Values) -> list[Manifest]:
    """Return the account: no rights in the cluster, no token; it may bear an identity of the cloud."""
    return [service_account(values, NAME)]


def managed(values: Values) -> list[Manifest]:
    """Return claim, workload, Service and policy."""
    persistence = values.backend.persistence
    # The database has one owner, hence one replica; the claim holds what people keep: a person prunes it.
    kept = [option(values, claim(values, NAME, persistence), "Prune=confirm,Delete=confirm")]
    return [
        *(kept if persistence.enabled else []),
        deployment(values, NAME, _pod(values), recreate=True),
        service(values, NAME, [{"name": "https", "port": 443, "targetPort": "https", "appProtocol": "https"}]),
        *_policy(values),
    ]


def _pod(values: Values) -> Manifest:
    temporary, temporary_mount = scratch("tmp", "/tmp", "1Gi")
    store = volume("state", names.app_name(NAME), values.backend.persistence)
    certs: Manifest = {"name": "certs", "secret": {"secretName": names.CLOUD_CERTS, "defaultMode": _READ_ONLY_FOR_ALL}}
    mounts = [
        temporary_mount,
        {"name": "state", "mountPath": STATE},
        {"name": "certs", "mountPath": _CERTS_PATH, "readOnly": True},
        key_mount(),
    ]
    return pod_template(
        values,
        NAME,
        [_container(values, mounts)],
        service_account=names.app_name(NAME),
        volumes=[temporary, store, certs, key_volume(values)],
        terminationGracePeriodSeconds=45,
    )


def _container(values: Values, mounts: list[Manifest]) -> Manifest:
    return container(
        values,
        "speedscale-cloud",
        "cloud",
        values.backend.resources,
        command=["speedscale-cloud"],
        env=[
            env("CLOUD_HOST", "0.0.0.0"),
            env("CLOUD_PORT", PORT),
            env("CLOUD_TLS_CERT_FILE", f"{_CERTS_PATH}/tls.crt"),
            env("CLOUD_TLS_KEY_FILE", f"{_CERTS_PATH}/tls.key"),
            env("DATA_DIR", STATE),
            env("LOG_LEVEL", values.log_level),
            env("METRICS_HOST", "0.0.0.0"),
            env("METRICS_HTTP_PORT", METRICS_PORT),
            env("RETENTION_DAYS", values.backend.retention.days),
            env("SPEEDSCALE_APP_URL", url(values)),
            key_env(),
            env("TRAFFIC_MAX_BYTES", int(amount(values.backend.retention.max_size))),
            *_object_store(values),
            *proxy_env(values),
        ],
        ports=[
            {"name": "https", "containerPort": PORT, "protocol": "TCP"},
            {"name": "metrics", "containerPort": METRICS_PORT, "protocol": "TCP"},
        ],
        startupProbe=http_probe("/healthz", "metrics", period_s=5, failures=60),
        livenessProbe=http_probe("/healthz", "metrics", period_s=20, failures=3),
        readinessProbe=http_probe("/readyz", "metrics", period_s=5, failures=2),
        volumeMounts=mounts,
    )


def _object_store(values: Values) -> list[Manifest]:
    """Return the object store's settings, and its credentials by reference; without these the pod's own identity."""
    s3 = values.backend.s3
    if not s3.bucket:
        return []
    settings = [("S3_BUCKET", s3.bucket), ("S3_ENDPOINT", s3.endpoint), ("AWS_REGION", s3.region)]
    found = [env(name, value) for name, value in settings if value]
    if s3.credentials_secret:
        keys = ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY")
        found += [secret_env(key, s3.credentials_secret, key, optional=False) for key in keys]
    return found


def _policy(values: Values) -> list[Manifest]:
    return network.policy(
        values,
        NAME,
        ingress=[network.from_all_pods(PORT), *network.metrics(values, METRICS_PORT)],
        egress=[
            network.to_dns(),
            network.to_outside(values, *urls.ports(values.backend.s3.endpoint, values.http_proxy, values.https_proxy)),
        ],
    )


COMPONENT = Component(name=NAME, chart="backend", enabled=enabled, identity=identity, managed=managed)
