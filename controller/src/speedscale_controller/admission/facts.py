"""What admission knows by heart: the collections it watches, and the facts of one review out of them.

No call to the API server is made for a review. What is not known yet is waited for by the server for a moment
(`missing` says what), then the workload goes through as it is and is looked at again by healing. A collection
that may not be read (RBAC) is as if it were empty, but for namespaces: without their labels nobody can say whether a
pod with a sidecar would be let in.
"""

from __future__ import annotations

import base64
import binascii
import threading
from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import structlog

from speedscale_controller.injection import Cluster, Facts, Installation, Limits, Namespace, Quota, ReplayPatch
from speedscale_controller.reconciling import Scope, Watched
from speedscale_controller.reconciling.live import LiveBundle, LiveSettings
from speedscale_controller.reconciling.watches import Watches
from speedscale_controller.replay import Hold, WorkloadPatch, hold, in_force
from speedscale_controller.settings import Settings
from speedscale_kube import Client, Object, Ref
from speedscale_kube.errors import ForbiddenError
from speedscale_kube.stop import Stop
from speedscale_schemas import trafficreplay
from speedscale_schemas.errors import PeerError, PermanentError, TransientError

from .certificate import Pair, pair_of

STATE = "speedscale-operator-state"
SECRET = "speedscale-webhook-certs"
INSTANCE_ID, ADOPTED = "INSTANCE_ID", "ADOPTED_INSTANCE_IDS"
NATIVE_SIDECARS = (1, 29)
_log = structlog.get_logger("speedscale_controller")
_Place = tuple[str, str, str]


@dataclass(frozen=True, slots=True)
class Labelled:
    """A Namespace as far as it decides."""

    labels: tuple[tuple[str, str], ...]
    annotations: tuple[tuple[str, str], ...]
    deleting: bool


def _labelled(obj: Object) -> Labelled:
    metadata = obj["metadata"]
    labels, annotations = (tuple(sorted((metadata.get(key) or {}).items())) for key in ("labels", "annotations"))
    return Labelled(labels, annotations, "deletionTimestamp" in metadata)


@dataclass(frozen=True, slots=True)
class _InNamespace:
    """Quotas or limits of one object, with where it is."""

    namespace: str
    found: tuple[Any, ...]


def _quota(obj: Object) -> _InNamespace:
    return _InNamespace(obj["metadata"].get("namespace", ""), (Quota.of(obj),))


def _limits(obj: Object) -> _InNamespace:
    return _InNamespace(obj["metadata"].get("namespace", ""), Limits.all_of(obj))


def _by_namespace(kept: _InNamespace) -> Sequence[Hashable]:
    return (kept.namespace,)


@dataclass(frozen=True, slots=True)
class Identity:
    """Who we are: our id, and those of installations that were taken over."""

    id: str = ""
    adopted: frozenset[str] = frozenset()


def _identity(obj: Object) -> Identity:
    data = obj.get("data") or {}
    return Identity(str(data.get(INSTANCE_ID, "")).strip(), frozenset(str(data.get(ADOPTED, "")).split()))


def _bundles(obj: Object) -> tuple[tuple[str, bytes], ...]:
    """Return the CA bundle of each webhook of a configuration."""
    return tuple((str(hook.get("name", "")), _decoded(hook)) for hook in obj.get("webhooks") or ())


def _decoded(hook: Mapping[str, Any]) -> bytes:
    try:
        return base64.b64decode((hook.get("clientConfig") or {}).get("caBundle") or "", validate=True)
    except (binascii.Error, ValueError):
        return b""


WEBHOOKS = ("speedscale-operator", "speedscale-operator-replay")
_API = "admissionregistration.k8s.io/v1"
CERTIFICATES: Watched[Pair] = Watched("webhook_certs", "v1", "Secret", pair_of, scope=Scope.OWN, names=(SECRET,))
IDENTITY: Watched[Identity] = Watched("identity", "v1", "ConfigMap", _identity, scope=Scope.OWN, names=(STATE,))
MUTATING: Watched[tuple[tuple[str, bytes], ...]] = Watched(
    "mutating_webhooks", _API, "MutatingWebhookConfiguration", _bundles, scope=Scope.CLUSTER, names=WEBHOOKS
)
VALIDATING: Watched[tuple[tuple[str, bytes], ...]] = Watched(
    "validating_webhooks", _API, "ValidatingWebhookConfiguration", _bundles, scope=Scope.CLUSTER, names=WEBHOOKS[1:]
)
_INDEX = (("namespace", _by_namespace),)
QUOTAS: Watched[_InNamespace] = Watched("quotas", "v1", "ResourceQuota", _quota, indexes=_INDEX)
LIMITS: Watched[_InNamespace] = Watched("limits", "v1", "LimitRange", _limits, indexes=_INDEX)
REPLAYS: Watched[Hold] = Watched("holds", trafficreplay.API_VERSION, trafficreplay.KIND, hold)


def namespaces(settings: Settings) -> Watched[Labelled]:
    """Return the collection of namespaces: each by name where only some may be read."""
    return Watched("namespaces", "v1", "Namespace", _labelled, scope=Scope.CLUSTER, names=settings.namespaces)


class Known:
    """The facts, fed by watches. Threads: stores are written by reflectors and read by anyone."""

    def __init__(self, watches: Watches, settings: LiveSettings, bundle: LiveBundle) -> None:
        self._watches, self._settings, self._bundle = watches, settings, bundle
        self._namespaces_watched = namespaces(settings.current)
        self._namespaces = watches.add(self._namespaces_watched)
        self._quotas, self._limits = watches.add(QUOTAS), watches.add(LIMITS)
        self._identity, self._holds = watches.add(IDENTITY), watches.add(REPLAYS)
        self.certificates, self._mutating, self._validating = (
            watches.add(CERTIFICATES),
            watches.add(MUTATING),
            watches.add(VALIDATING),
        )
        self._cluster = Cluster()
        self._in_force: Mapping[_Place, WorkloadPatch] = {}
        self._holds.add_handler(lambda key, old, new: self._replays_changed())

    def missing(self, namespace: str) -> str:
        """Return what is not known yet of what a decision in this namespace needs; empty when nothing is missing."""
        if self._bundle.current is None:
            told = "; ".join(self._bundle.problems)
            return (
                f"the bundle with the sidecar's template is not usable ({told})" if told else "no bundle was read yet"
            )
        if ("", namespace) not in self._namespaces:
            if any(trouble.watch == self._namespaces_watched.name for trouble in self._watches.troubles()):
                return "namespaces cannot be read (is the right to watch them missing?)"
            return f"namespace {namespace} is not known yet"
        return ""

    def facts(self, namespace: str, kind: str, name: str) -> Facts:
        """Return the facts of one workload; ask `missing` first."""
        settings, bundle = self._settings.current, self._bundle.current
        return Facts(
            template=None if bundle is None else bundle.sidecar,
            installation=self._installation(settings),
            namespace=self._namespace(namespace, settings),
            cluster=self._cluster,
            replay=self._replay(namespace, kind, name),
        )

    def ca_bundles(self) -> tuple[tuple[str, bytes | None], ...]:
        """Return each webhook's CA bundle by `configuration/webhook`; None for a configuration that is not there.

        A configuration that may not be read is left out: nobody can say.
        """
        found: list[tuple[str, bytes | None]] = []
        hidden = {trouble.watch for trouble in self._watches.troubles()}
        for watched, store in ((MUTATING, self._mutating), (VALIDATING, self._validating)):
            if watched.name in hidden:
                continue
            for name in watched.names:
                hooks = store.get(("", name))
                if hooks is None:
                    found.append((f"{watched.kind} {name}", None))
                else:
                    found += [(f"{watched.kind} {name}, webhook {hook}", bundle) for hook, bundle in hooks]
        return tuple(found)

    def observe_cluster(self, client: Client) -> None:
        """Read the server's version and the nodes' kubelets anew; what cannot be read stays as it was."""
        try:
            version = _version(client.version())
            native = _native(version, _kubelets(client))
        except (TransientError, PermanentError, PeerError) as error:
            _log.warning("cluster_not_observed", error=str(error))
            return
        now = Cluster(version=version, native_sidecars=native)
        if now != self._cluster:
            _log.info("cluster_observed", version=".".join(map(str, version)), native_sidecars=now.has_native_sidecars)
        self._cluster = now

    def _installation(self, settings: Settings) -> Installation:
        identity = self._identity.get((settings.namespace, STATE)) or Identity()
        return Installation(
            namespace=settings.namespace,
            instance_id=identity.id,
            adopt=identity.adopted - {identity.id},
            sidecar_config=settings.sidecar_config,
            disable_smartdns=settings.disable_smartdns,
            log_level=settings.log_level,
            pull_secrets=settings.image_pull_secrets,
        )

    def _namespace(self, name: str, settings: Settings) -> Namespace:
        known = self._namespaces.get(("", name))
        return Namespace(
            name=name,
            labels=dict(known.labels) if known else {},
            annotations=dict(known.annotations) if known else {},
            deleting=bool(known and known.deleting),
            selected=settings.watches(name),
            quotas=tuple(found for kept in self._quotas.by("namespace", name) for found in kept.found),
            limits=tuple(found for kept in self._limits.by("namespace", name) for found in kept.found),
        )

    def _replay(self, namespace: str, kind: str, name: str) -> ReplayPatch | None:
        patch = self._in_force.get((namespace, kind, name))
        return None if patch is None else ReplayPatch(**patch.arguments())

    def _replays_changed(self) -> None:
        there = in_force(self._holds.values())
        self._in_force = {_place(ref): patch for ref, patch in there.items()}


def _place(ref: Ref) -> _Place:
    return (ref.namespace, ref.kind, ref.name)


def _version(text: str) -> tuple[int, int]:
    """Return major and minor of `v1.34.4` or `v1.29.3-gke.100`; of anything else, what needs nothing new."""
    parts = text.removeprefix("v").split(".")
    try:
        return int(parts[0]), int("".join(c for c in parts[1] if c.isdigit()))
    except (IndexError, ValueError):
        return (1, 25)


def _kubelets(client: Client) -> tuple[tuple[int, int], ...]:
    """Return the versions of the nodes' kubelets, as far as nodes tell; none where nodes may not be read."""
    try:
        nodes = [node for page in client.pages("v1", "Node") for node in page.items if not _virtual(node)]
    except ForbiddenError:
        return ()
    told = (((node.get("status") or {}).get("nodeInfo") or {}).get("kubeletVersion") for node in nodes)
    return tuple(_version(str(version)) for version in told if version)


def _virtual(node: Object) -> bool:
    """Say whether no kubelet of its own runs pods there: it gets none of our sidecars."""
    return ((node["metadata"].get("labels") or {}).get("type")) == "virtual-kubelet"


def _native(version: tuple[int, int], kubelets: Iterable[tuple[int, int]]) -> bool | None:
    """Return whether restartable init containers work on every node; None where only the server's version is known."""
    oldest = min(kubelets, default=None)
    return None if oldest is None else min(oldest, version) >= NATIVE_SIDECARS


def start_observing(
    known: Known, client: Client, stop: Stop, every_s: Callable[[], float], jitter: Callable[[], float]
) -> threading.Thread:
    """Observe the cluster now and then, in a thread, until `stop` is set."""

    def run() -> None:
        known.observe_cluster(client)
        while not stop.wait(every_s() * (0.8 + 0.4 * jitter())):
            known.observe_cluster(client)

    thread = threading.Thread(target=run, name="observe-cluster", daemon=True)
    thread.start()
    return thread


def trust(chain_believed: Callable[[bytes], str], known: Known) -> str:
    """Return which webhooks the API server could not call because of their CA bundle; empty when it can call all."""
    problems = []
    for name, bundle in known.ca_bundles():
        why = "is not there" if bundle is None else chain_believed(bundle)
        if why:
            problems.append(f"{name}: {why}")
    return "; ".join(problems)
