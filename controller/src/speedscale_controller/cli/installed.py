"""Where an operator is installed, and what it is told: found from the cluster, as nobody told speedctl.

Used by every verb here that has to know of the installation. Reading only. An installation that is half gone is found
as well: by its webhook configurations, which outlive their namespace.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from speedscale_controller.bundle import Bundle, BundleError
from speedscale_controller.certificates.names import OPERATOR, OVERRIDE, REPLAY_WEBHOOKS, STATE
from speedscale_controller.facts import Identity
from speedscale_controller.settings import Settings, compose
from speedscale_kube import Client, Object, Ref
from speedscale_kube.errors import ForbiddenError
from speedscale_schemas.errors import ConfigError

NAMESPACE: Final = "speedscale"
"""Where it is by default; looked into where nothing else is found."""
PART_OF: Final = "app.kubernetes.io/part-of=speedscale"
COMPONENT: Final = "controlplane.speedscale.com/component"
INSTANCE_ID: Final = "INSTANCE_ID"
ADMISSION: Final = "admissionregistration.k8s.io/v1"
CONFIGURATIONS: Final = (
    ("MutatingWebhookConfiguration", OPERATOR),
    ("MutatingWebhookConfiguration", REPLAY_WEBHOOKS),
    ("ValidatingWebhookConfiguration", REPLAY_WEBHOOKS),
)
_BUNDLES = "controlplane.speedscale.com/bundle"


@dataclass(frozen=True)
class Installed:
    """An installation as it is. `settings` and `bundle` are None where they cannot be used; `problems` says why.

    `operator` is its Deployment, None when that is gone. `unknown` are settings that nobody knows.
    """

    namespace: str
    operator: Object | None = None
    settings: Settings | None = None
    bundle: Bundle | None = None
    identity: Identity = field(default_factory=Identity)
    settings_problems: tuple[str, ...] = ()
    bundle_problems: tuple[str, ...] = ()
    unknown: tuple[str, ...] = ()
    config_maps: Mapping[str, Object] = field(default_factory=dict)

    @property
    def instance_id(self) -> str:
        """Our id, empty until the operator made it."""
        return self.identity.id

    def owns(self, mark: str) -> bool:
        """Say whether a workload that bears this `managed-by` is this installation's."""
        others = self.identity.taken_over(self.settings) if self.settings else self.identity.adopted
        return bool(mark) and (mark == self.identity.id or mark in others)


def namespaces(client: Client) -> tuple[str, ...]:
    """Return the namespaces that have, or had, an operator, sorted; where nobody may look, the default one."""
    found: set[str] = set()
    try:
        found |= {str(o["metadata"]["namespace"]) for o in operators(client)}
        found |= set(webhook_namespaces(configurations(client)))
    except ForbiddenError:
        found |= {NAMESPACE} if client.find(Ref("v1", "ConfigMap", NAMESPACE, OPERATOR)) else set()
    return tuple(sorted(found))


def operators(client: Client) -> list[Object]:
    """Return the Deployments of operators in all namespaces, the vendor's as well."""
    return client.list("apps/v1", "Deployment", fields=f"metadata.name={OPERATOR}")


def configurations(client: Client) -> list[Object]:
    """Return our three webhook configurations, as many as there are."""
    found = (client.find(Ref(ADMISSION, kind, "", name)) for kind, name in CONFIGURATIONS)
    return [obj for obj in found if obj is not None]


def webhook_namespaces(found: Iterable[Object]) -> tuple[str, ...]:
    """Return the namespaces whose Services webhook configurations point at, sorted."""
    hooks = (hook for obj in found for hook in obj.get("webhooks") or ())
    services = ((hook.get("clientConfig") or {}).get("service") or {} for hook in hooks)
    return tuple(sorted({str(service["namespace"]) for service in services if service.get("namespace")}))


def find(client: Client, namespace: str = "") -> Installed | None:
    """Return the installation in `namespace`, or the only one; None when there is none.

    ConfigError when there are several and none is named.
    """
    if not namespace:
        there = namespaces(client)
        if len(there) > 1:
            raise ConfigError([f"operators are in {', '.join(there)}; say which is meant with --operator-namespace"])
        if not there:
            return None
        namespace = there[0]
    return read(client, namespace)


def read(client: Client, namespace: str) -> Installed:
    """Return what is in `namespace` of an installation."""
    names = (OPERATOR, OVERRIDE, STATE)
    maps = {name: obj for name in names if (obj := client.find(Ref("v1", "ConfigMap", namespace, name)))}
    bundles = client.list("v1", "ConfigMap", namespace, labels=_BUNDLES)
    operator = client.find(Ref("apps/v1", "Deployment", namespace, OPERATOR))
    return assemble(namespace, operator, maps, bundles)


def assemble(
    namespace: str, operator: Object | None, maps: Mapping[str, Object], bundles: Iterable[Mapping[str, Any]]
) -> Installed:
    """Return the installation that these objects make up: pure."""
    settings: Settings | None = None
    told: tuple[str, ...] = (f"there is no ConfigMap {namespace}/{OPERATOR}",)
    unknown: tuple[str, ...] = ()
    if OPERATOR in maps:
        environ = {"POD_NAMESPACE": namespace, "POD_NAME": "speedctl"}
        try:
            composed = compose(environ, _data(maps, OPERATOR), _data(maps, OVERRIDE) if OVERRIDE in maps else None)
            settings, told, unknown = composed.settings, tuple(text for _, text in composed.problems), composed.unknown
        except ConfigError as error:
            told = tuple(error.problems)
    bundle: Bundle | None = None
    wrong: tuple[str, ...] = ()
    try:
        bundle = Bundle.read(bundles)
    except BundleError as error:
        wrong = tuple(error.problems)
    identity = Identity.of(maps.get(STATE))
    return Installed(namespace, operator, settings, bundle, identity, told, wrong, unknown, maps)


def alive(operator: Mapping[str, Any] | None) -> bool:
    """Say whether an operator's Deployment has a pod that is ready."""
    return int(((operator or {}).get("status") or {}).get("availableReplicas") or 0) > 0


def _data(maps: Mapping[str, Object], name: str) -> dict[str, str]:
    return {str(k): str(v) for k, v in ((maps.get(name) or {}).get("data") or {}).items()}
