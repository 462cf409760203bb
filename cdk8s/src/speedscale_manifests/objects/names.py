"""Names that a user meets and that more than one object must spell alike: labels, annotations, Secrets, ports.

Names only, no code that builds. A name of one component alone stands in that component's module.
"""

from __future__ import annotations

from typing import Final

from speedscale_manifests.values import Values

VERSION: Final = "0.2.0"
"""Version of the product, on every object as `app.kubernetes.io/version`."""

PART_OF: Final = "speedscale"
COMPONENT_LABEL: Final = "controlplane.speedscale.com/component"
CONFIG_HASH: Final = "controlplane.speedscale.com/config-hash"
IGNORE: Final = "operator.speedscale.com/ignore"
"""Marks a workload that the webhook must leave alone: all of ours but the demo."""

API_GROUP: Final = "speedscale.com"
CRD: Final = "trafficreplays.speedscale.com"

API_KEY_SECRET: Final = "speedscale-apikey"
WEBHOOK_CERTS: Final = "speedscale-webhook-certs"
CERTS: Final = "speedscale-certs"
JKS: Final = "speedscale-jks"
DLP_KEY: Final = "speedscale-dlp-key"
FORWARDER_CERTS: Final = "speedscale-forwarder-certs"
CLOUD_CERTS: Final = "speedscale-cloud-certs"
COLLECTOR_CERTS: Final = "speedscale-collector-certs"
OWN_CERTS: Final = "speedscale-own-certs"
"""What CERTS is in a target namespace, for our own: there CERTS holds the root's key, which nothing but the operator
mounts."""

OPERATOR: Final = "speedscale-operator"
OPERATOR_OVERRIDE: Final = "speedscale-operator-override"
OPERATOR_STATE: Final = "speedscale-operator-state"
REPLAY_WEBHOOKS: Final = "speedscale-operator-replay"
NETTAP: Final = "speedscale-nettap"
FORWARDER: Final = "speedscale-forwarder"

WEBHOOK_PORT: Final = 9443
HEALTH_PORT: Final = 8081

_UNPREFIXED = frozenset({"java-server", "java-client"})


def app_name(component: str) -> str:
    """Return a component's name in the cluster: `speedscale-<component>`, of the demo the name itself."""
    return component if component in _UNPREFIXED else f"{PART_OF}-{component}"


def api_key_secret(values: Values) -> str:
    """Return the Secret with SPEEDSCALE_API_KEY and SPEEDSCALE_APP_URL; it may be absent in the cluster."""
    return values.api_key_secret or API_KEY_SECRET


def dlp_key_secret(values: Values) -> str:
    """Return the Secret {key id: key} that tokens are made with."""
    return values.dlp.key_secret or DLP_KEY


def copied_secrets(values: Values) -> tuple[str, ...]:
    """Return the Secrets that the controller copies (or makes anew) where sidecars and replays run."""
    found = (CERTS, api_key_secret(values), JKS, dlp_key_secret(values), *values.image.pull_secrets)
    return tuple(dict.fromkeys(found))


def own_secrets(values: Values) -> tuple[str, ...]:
    """Return every Secret that the installation itself uses, by name."""
    kept = (WEBHOOK_CERTS, FORWARDER_CERTS, CLOUD_CERTS, COLLECTOR_CERTS, OWN_CERTS)
    return tuple(dict.fromkeys((*copied_secrets(values), *kept)))


def watched_namespaces(values: Values) -> tuple[str, ...]:
    """Return the namespaces that the operator works in by name, our own last; empty means every one."""
    if not values.namespace_selector:
        return ()
    return tuple(dict.fromkeys((*values.namespace_selector, values.namespace)))
