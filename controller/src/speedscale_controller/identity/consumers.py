"""The webhook configurations that trust our CA: read, and their `caBundle` written, nothing else of them.

Three objects, by name. A webhook whose Service is not ours belongs to another installation, and one that somebody else
injects (an annotation of cert-manager or OpenShift) is theirs: both are left alone. Server-side apply states the
bundle alone, so git keeps all other fields and never sees ours as drift.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from speedscale_controller.certificates.names import MANAGER, OPERATOR, REPLAY_WEBHOOKS
from speedscale_controller.certificates.policies import injector
from speedscale_controller.certificates.rotation import Consumer
from speedscale_controller.reconciling import Scope, Watched
from speedscale_kube import Client, Object, Ref
from speedscale_kube.errors import ForbiddenError

_GROUP = "admissionregistration.k8s.io/v1"
_MUTATING, _VALIDATING = "MutatingWebhookConfiguration", "ValidatingWebhookConfiguration"
CONFIGURATIONS = (
    Ref(_GROUP, _MUTATING, "", OPERATOR),
    Ref(_GROUP, _MUTATING, "", REPLAY_WEBHOOKS),
    Ref(_GROUP, _VALIDATING, "", REPLAY_WEBHOOKS),
)


def _version(obj: Object) -> str:
    return str((obj.get("metadata") or {}).get("resourceVersion", ""))


WATCHED: tuple[Watched[str], ...] = (
    Watched("ca_mutating", _GROUP, _MUTATING, _version, scope=Scope.CLUSTER, names=(OPERATOR, REPLAY_WEBHOOKS)),
    Watched("ca_validating", _GROUP, _VALIDATING, _version, scope=Scope.CLUSTER, names=(REPLAY_WEBHOOKS,)),
)


@dataclass(frozen=True, slots=True)
class Configuration:
    """One webhook configuration: our webhooks in it with the bundle each has; `why_not` it is not ours to write."""

    which: Ref
    bundles: Mapping[str, bytes]
    why_not: str = ""
    elsewhere: str = ""

    def consumers(self, writable: bool) -> Iterator[Consumer]:
        """Yield what rotation looks at, one a webhook."""
        for bundle in self.bundles.values():
            yield Consumer(bundle, writable and not self.why_not)


def look(client: Client, namespace: str, refused: dict[str, ForbiddenError]) -> list[Configuration]:
    """Return the configurations that are there; of one that may not be read all that can be said is: not ours to write.

    `refused` is told which those are, by name.
    """
    found = []
    for which in CONFIGURATIONS:
        try:
            live = client.find(which)
        except ForbiddenError as error:
            refused[str(which)] = error
            found.append(Configuration(which, {"": b""}, "it may not be read"))
            continue
        if live is not None:
            found.append(read(which, live, namespace))
    return found


def read(which: Ref, live: Mapping[str, Any], namespace: str) -> Configuration:
    """Return what a configuration says; `namespace` is the installation's."""
    mark = injector(live.get("metadata") or {})
    why_not = f"its annotation {mark} has somebody else write the CA bundle" if mark else ""
    mine: dict[str, bytes] = {}
    elsewhere = ""
    for webhook in live.get("webhooks") or ():
        config = webhook.get("clientConfig") or {}
        service = config.get("service") or {}
        if service and service.get("namespace") != namespace:
            elsewhere = str(service.get("namespace"))
            continue
        mine[str(webhook.get("name"))] = _decoded(config.get("caBundle"))
    return Configuration(which, mine, why_not, elsewhere)


def publish(client: Client, configuration: Configuration, bundle: bytes) -> bool:
    """Write the bundle where it is another; False when it is everywhere. Other fields are not touched."""
    if all(there == bundle for there in configuration.bundles.values()):
        return False
    text = base64.b64encode(bundle).decode("ascii")
    which = configuration.which
    body = {
        "apiVersion": which.api_version,
        "kind": which.kind,
        "metadata": {"name": which.name},
        "webhooks": [{"name": name, "clientConfig": {"caBundle": text}} for name in configuration.bundles],
    }
    client.apply(body, MANAGER, force=True)
    return True


def _decoded(text: object) -> bytes:
    try:
        return base64.b64decode(str(text or ""), validate=True)
    except binascii.Error:
        return b""
