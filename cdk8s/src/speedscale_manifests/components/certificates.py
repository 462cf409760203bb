"""Certificates by cert-manager, for those who have it: the webhook's own and the CA for TLS interception.

In the modes `controller` and `manual` nothing is written here: the controller, or the user, makes the Secrets. In this
mode the controller only reads them; cert-manager's injector writes the CA bundle of the webhook configurations
(annotation in `webhooks`).
"""

from __future__ import annotations

from typing import Any, Final

from speedscale_manifests.objects import Manifest, metadata, names
from speedscale_manifests.values import Values
from speedscale_schemas.errors import ConfigError

from .component import Component

NAME: Final = "operator"
_LEAF = {"duration": "2160h0m0s", "renewBefore": "720h0m0s"}
_CA = {"duration": "8760h0m0s", "renewBefore": "2920h0m0s"}


def enabled(values: Values) -> bool:
    """Return whether cert-manager makes the certificates."""
    return values.certificates.mode == "cert-manager"


def certificates(values: Values) -> list[Manifest]:
    """Return the Certificates; ConfigError without the name of an issuer."""
    if not values.certificates.issuer_ref.name:
        raise ConfigError(
            ["certificates.issuerRef.name: mode cert-manager needs an issuer; name a ClusterIssuer or Issuer of yours"]
        )
    service = f"{names.OPERATOR}.{values.namespace}"
    leaf = _certificate(
        values,
        names.WEBHOOK_CERTS,
        _LEAF,
        commonName=names.OPERATOR,
        dnsNames=[service, f"{service}.svc", f"{service}.svc.cluster.local"],
        usages=["digital signature", "key encipherment", "server auth"],
    )
    authority = _certificate(
        values,
        names.CERTS,
        _CA,
        commonName="Speedscale",
        isCA=True,
        usages=["digital signature", "cert sign", "crl sign"],
    )
    return [leaf, authority]


def _certificate(values: Values, name: str, life: dict[str, str], **spec: Any) -> Manifest:
    issuer = values.certificates.issuer_ref
    return {
        "apiVersion": "cert-manager.io/v1",
        "kind": "Certificate",
        "metadata": metadata(values, NAME, name),
        "spec": {
            "secretName": name,
            **life,
            "privateKey": {"algorithm": "ECDSA", "size": 256, "rotationPolicy": "Always"},
            "issuerRef": {"name": issuer.name, "kind": issuer.kind, "group": issuer.group},
            **spec,
        },
    }


COMPONENT = Component(name="certificates", chart="operator", enabled=enabled, identity=certificates)
