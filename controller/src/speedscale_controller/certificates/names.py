"""Names that certificates and Secrets of an installation have, in the cluster and inside of a Secret.

Names only. What each Secret is for stands in docs/certificates.md; who mounts which key in docs/templates.md.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Final

WEBHOOK: Final = "speedscale-webhook-certs"
CERTS: Final = "speedscale-certs"
"""In the installation's namespace the root with its key; in a target namespace what sidecars and responders mount."""
OWN: Final = "speedscale-own-certs"
"""What CERTS is in a target namespace, for the installation's own."""
FORWARDER: Final = "speedscale-forwarder-certs"
BACKEND: Final = "speedscale-cloud-certs"
COLLECTOR: Final = "speedscale-collector-certs"
DLP_KEY: Final = "speedscale-dlp-key"
JKS: Final = "speedscale-jks"

STATE: Final = "speedscale-operator-state"
INSTANCE_ID: Final = "INSTANCE_ID"
ADOPTED: Final = "ADOPTED_INSTANCE_IDS"
"""Keys of `STATE`: who we are, and the ids of installations that are gone, one a line."""
OVERRIDE: Final = "speedscale-operator-override"
OPERATOR: Final = "speedscale-operator"
REPLAY_WEBHOOKS: Final = "speedscale-operator-replay"

# keys inside of Secrets
CA: Final = "ca.crt"
CERTIFICATE: Final = "tls.crt"
KEY: Final = "tls.key"
BUNDLE: Final = "ca-bundle.crt"
UPSTREAM: Final = "upstream.crt"
"""The user's own authorities (`sidecar.extraRoots`), by which sidecars verify servers."""
TOKEN: Final = "token"
TOKENS: Final = "tokens"
SENDERS: Final = "senders.json"
TOKEN_OWNERS: Final = "tokens.json"
SIGNER: Final = "signer.crt"
SIGNER_KEY: Final = "signer.key"
PREVIOUS: Final = "previous.crt"
PREVIOUS_KEY: Final = "previous.key"
TRUST_STORE: Final = "cacerts.jks"
FIRST_DLP_KEY: Final = "k1"

MANAGED_BY: Final = "operator.speedscale.com/managed-by"
"""Annotation: the INSTANCE_ID of the operator that made the object; without it nobody of us did."""
PUBLISHED: Final = "certificates.speedscale.com/published"
"""Annotation of WEBHOOK: which CA bundle all webhook configurations have, and since when."""
TRUSTED: Final = "certificates.speedscale.com/trusted-since"
"""Annotation of CERTS and OWN: since when each root stands in `ca.crt`, JSON."""

MANAGER: Final = "speedscale-operator/certificates"
"""Field manager of everything that is written here."""


class Certificate(StrEnum):
    """The certificates of an installation; label of metrics."""

    WEBHOOK_CA = "webhook_ca"
    WEBHOOK = "webhook"
    ROOT = "root"
    NAMESPACE = "namespace"
    FORWARDER = "forwarder"
    BACKEND = "backend"
    COLLECTOR = "collector"


def service_names(service: str, namespace: str) -> tuple[str, ...]:
    """Return the DNS names that a Service is reached by inside of a cluster, the API server's (`.svc`) first."""
    name = f"{service}.{namespace}"
    return (f"{name}.svc", name, f"{name}.svc.cluster.local")
