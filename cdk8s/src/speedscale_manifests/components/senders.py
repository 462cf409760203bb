"""What everything that sends to the forwarder shares: its address, the root that signed it, and a token.

The controller makes one Secret for each namespace where something of ours runs: `speedscale-certs` in target
namespaces, `speedscale-own-certs` in our own (where `speedscale-certs` holds the root and its key). Its keys are the
same everywhere: `ca.crt` (the root), `ca-bundle.crt` (public roots and ours), `token` (this namespace's), `tls.crt` and
`tls.key` (this namespace's CA for interception, for sidecars and responders), with `sidecar.extraRoots` also
`upstream.crt` (the authorities of the user's own servers). Volumes name their items one by one:
nobody mounts a key that it does not use.
"""

from __future__ import annotations

from collections.abc import Sequence

from speedscale_manifests.objects import Manifest, env, names
from speedscale_manifests.values import Values
from speedscale_schemas.templates import gap

PATH = "/etc/ssl/speedscale"
VOLUME = "speedscale-certs"
COLLECTOR_VOLUME = "collector-identity"

_READ_ONLY_FOR_ALL = 0o444  # our user is not the files' owner, and a group is not given in a user's pod

_IDENTITY = ("ca.crt", "token")
_AUTHORITY = ("ca.crt", "tls.crt", "tls.key")
_TRUST = ("ca-bundle.crt", "ca.crt")
UPSTREAM_ROOTS = "upstream.crt"


def address(values: Values) -> str:
    """Return where senders inside the cluster send: TLS on port 80 of the Service, the port of the vendor's."""
    return f"https://{names.FORWARDER}.{values.namespace}.svc:80"


def sender_env(values: Values) -> list[Manifest]:
    """Return FORWARDER_ADDR and the files that prove who is who, in a container that mounts `mount`."""
    return [
        env("FORWARDER_ADDR", address(values)),
        env("FORWARDER_CA_FILE", f"{PATH}/ca.crt"),
        env("FORWARDER_TOKEN_FILE", f"{PATH}/token"),
    ]


def identity_volume() -> Manifest:
    """Return the volume of a sender of ours that intercepts nothing: root and token. Without it the pod waits."""
    return _volume(VOLUME, names.OWN_CERTS, _IDENTITY)


def interception_volume(values: Values) -> Manifest:
    """Return the volume of a sidecar: root, token, the namespace's CA, upstream roots; a pod starts without it."""
    return _volume(VOLUME, gap("certs_secret"), sorted({*_IDENTITY, *_AUTHORITY, *_upstream(values)}), optional=True)


def authority_volume() -> Manifest:
    """Return the volume of a responder: root and the namespace's CA. Without it the pod waits."""
    return _volume(VOLUME, gap("certs_secret"), _AUTHORITY)


def upstream_env(values: Values, name: str) -> list[Manifest]:
    """Return the variable that names the file of the user's own authorities, where there are such."""
    return [env(name, f"{PATH}/{UPSTREAM_ROOTS}")] if _upstream(values) else []


def collector_volume(values: Values) -> Manifest:
    """Return the volume of a generator or responder: root, token, upstream roots.

    A pod starts without it, and then brings no results.
    """
    return _volume(COLLECTOR_VOLUME, gap("certs_secret"), [*_IDENTITY, *_upstream(values)], optional=True)


def collector_mount() -> Manifest:
    """Return the mount of `collector_volume`."""
    return {"name": COLLECTOR_VOLUME, "mountPath": PATH, "readOnly": True}


def trust_volume() -> Manifest:
    """Return the volume for the application's containers: certificates only, for Java as a trust store as well.

    A pod waits for it. Variables such as SSL_CERT_FILE point there, and an application that starts with a file that is
    not there yet trusts nobody, the public roots included, for as long as it lives.
    """
    items = [{"key": key, "path": key} for key in _TRUST]
    sources = [{"secret": {"name": gap("certs_secret"), "items": items}}, gap("java_trust_source")]
    return {"name": "speedscale-trust", "projected": {"sources": sources, "defaultMode": _READ_ONLY_FOR_ALL}}


def mount(path: str = PATH) -> Manifest:
    """Return the mount of one of these volumes but the last."""
    return {"name": VOLUME, "mountPath": path, "readOnly": True}


def _upstream(values: Values) -> tuple[str, ...]:
    return (UPSTREAM_ROOTS,) if values.sidecar.extra_roots else ()


def _volume(name: str, secret: str, keys: Sequence[str], *, optional: bool = False) -> Manifest:
    source: Manifest = {
        "secretName": secret,
        "items": [{"key": key, "path": key} for key in keys],
        "defaultMode": _READ_ONLY_FOR_ALL,
    }
    return {"name": name, "secret": {**source, "optional": True} if optional else source}
