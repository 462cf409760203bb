"""Environment of containers: plain values, the pod's own fields, Secrets and ConfigMaps.

Secrets are referred to and never carried. They are made in the cluster after these manifests are applied, hence
`optional` unless a component cannot start without.
"""

from __future__ import annotations

from speedscale_manifests.values import Values

from .manifest import Manifest


def env(name: str, value: str | int | bool) -> Manifest:
    """Return a variable; numbers become decimal, booleans `true` and `false`."""
    text = str(value).lower() if isinstance(value, bool) else str(value)
    return {"name": name, "value": text}


def field_env(name: str, path: str) -> Manifest:
    """Return a variable with a field of the pod, e.g. `metadata.name`."""
    return {"name": name, "valueFrom": {"fieldRef": {"apiVersion": "v1", "fieldPath": path}}}


def pod_env() -> list[Manifest]:
    """Return POD_NAME and POD_NAMESPACE."""
    return [field_env("POD_NAME", "metadata.name"), field_env("POD_NAMESPACE", "metadata.namespace")]


def secret_env(name: str, secret: str, key: str, *, optional: bool = True) -> Manifest:
    """Return a variable with one key of a Secret."""
    return {"name": name, "valueFrom": {"secretKeyRef": {"name": secret, "key": key, "optional": optional}}}


def config_env(name: str, *, optional: bool = False) -> Manifest:
    """Return an `envFrom` entry: every key of a ConfigMap."""
    source: Manifest = {"name": name}
    return {"configMapRef": {**source, "optional": True} if optional else source}


def secret_keys_env(name: str, *, optional: bool = True) -> Manifest:
    """Return an `envFrom` entry: every key of a Secret."""
    return {"secretRef": {"name": name, "optional": optional}}


def proxy_env(values: Values) -> list[Manifest]:
    """Return HTTP_PROXY, HTTPS_PROXY and NO_PROXY, as far as they are set."""
    pairs = (
        ("HTTP_PROXY", values.http_proxy),
        ("HTTPS_PROXY", values.https_proxy),
        ("NO_PROXY", values.no_proxy),
    )
    return [env(name, value) for name, value in pairs if value]
