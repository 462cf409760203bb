"""What everything that sends to the forwarder shares: its address, the root that signed it, and a token.

Secret `speedscale-certs` exists in every namespace where something of ours runs, made by the controller, with the same
keys everywhere: `ca.crt` (the root), `ca-bundle.crt` (public roots and ours), `token` (this namespace's), and
`intermediate.crt`, `intermediate.key` (this namespace's CA for interception, for sidecars and responders). In our own
namespace it holds the root's key besides, as `tls.crt` and `tls.key`, the names of the vendor's chart; volumes name
their items one by one, so that no pod ever mounts it.
"""

from __future__ import annotations

from speedscale_manifests.objects import Manifest, env, names
from speedscale_manifests.values import Values

PATH = "/etc/ssl/speedscale"
VOLUME = "speedscale-certs"

_READ_ONLY_FOR_ALL = 0o444  # our user is not the files' owner, and a group is not given in a user's pod

_IDENTITY = {"ca.crt": "ca.crt", "token": "token"}
_AUTHORITY = {"intermediate.crt": "tls.crt", "intermediate.key": "tls.key"}
_TRUST = {"ca.crt": "ca.crt", "ca-bundle.crt": "ca-bundle.crt"}


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


def identity_volume(*, optional: bool) -> Manifest:
    """Return the volume of a sender that intercepts nothing: root and token."""
    return _volume(VOLUME, _IDENTITY, optional)


def interception_volume(*, optional: bool) -> Manifest:
    """Return the volume of a sidecar: root, token, and the namespace's CA as tls.crt and tls.key."""
    return _volume(VOLUME, {**_IDENTITY, **_AUTHORITY}, optional)


def authority_volume() -> Manifest:
    """Return the volume of a responder: root, and the namespace's CA."""
    return _volume(VOLUME, {"ca.crt": "ca.crt", **_AUTHORITY}, False)


def trust_volume() -> Manifest:
    """Return the volume for the application's containers: certificates only."""
    return _volume("speedscale-trust", _TRUST, True)


def mount(path: str = PATH) -> Manifest:
    """Return the mount of one of the first three volumes."""
    return {"name": VOLUME, "mountPath": path, "readOnly": True}


def _volume(name: str, items: dict[str, str], optional: bool) -> Manifest:
    source: Manifest = {
        "secretName": names.CERTS,
        "items": [{"key": key, "path": path} for key, path in sorted(items.items())],
        "defaultMode": _READ_ONLY_FOR_ALL,
    }
    return {"name": name, "secret": {**source, "optional": True} if optional else source}
