"""The reconciler: which key is looked at when, and what a failure means.

Keys are concerns, and one a namespace; one worker takes them, so parts never meet. Own Secrets and the webhook
configurations are watched, so what somebody deletes or overwrites there is mended at once; Secrets in users' namespaces
can only be asked for by name, so they are looked at each `LOOK_S`. A missing right is told and tried again each minute.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from speedscale_controller.certificates import Certificate, Entropy
from speedscale_controller.certificates.names import (
    BACKEND,
    CERTS,
    COLLECTOR,
    DLP_KEY,
    FORWARDER,
    JKS,
    MANAGER,
    OVERRIDE,
    OWN,
    STATE,
    WEBHOOK,
)
from speedscale_controller.certificates.roots import Root
from speedscale_controller.facts import namespaces
from speedscale_controller.reconciling import Context, Scope, Watched
from speedscale_controller.settings import Settings
from speedscale_kube import Object, Ref
from speedscale_kube.errors import ExistsError, ForbiddenError, NotFoundError
from speedscale_kube.queue import Queue
from speedscale_kube.worker import Result
from speedscale_schemas.errors import PermanentError

from . import consumers, instance, needs, upstream
from .authority import Authority
from .collector import Collector
from .desk import Desk, which
from .forwarder import Forwarder
from .instance import Instance
from .namespaces import GRACE_S, Namespaces
from .needs import Need, Needs
from .redaction import Redaction
from .replicas import Shown, shown
from .telling import Concern
from .webhooks import Webhooks

LOOK_S = 600.0
FORBIDDEN_S = 60.0
_OWN = Need(java=False)


class Key(NamedTuple):
    """What is looked at."""

    concern: Concern
    namespace: str = ""

    def __str__(self) -> str:
        return f"{self.concern} {self.namespace}".strip()


def _version(obj: Object) -> str:
    return str((obj.get("metadata") or {}).get("resourceVersion", ""))


_CONCERNS = {
    WEBHOOK: Key(Concern.WEBHOOK),
    CERTS: Key(Concern.ROOT),
    FORWARDER: Key(Concern.SENDERS),
    BACKEND: Key(Concern.BACKEND),
    COLLECTOR: Key(Concern.COLLECTOR),
    DLP_KEY: Key(Concern.DLP),
}
SECRETS: Watched[str] = Watched(
    "own_secrets", "v1", "Secret", _version, scope=Scope.OWN, names=(*sorted(_CONCERNS), JKS, OWN)
)
CONFIG_MAPS: Watched[str] = Watched(
    "identity_state", "v1", "ConfigMap", _version, scope=Scope.OWN, names=(STATE, OVERRIDE)
)


def _extra_roots(settings: Settings) -> tuple[Watched[str], ...]:
    """Return the watch for the user's authorities; of another name, given later, the periodic look learns."""
    ref = upstream.named(settings.namespace, settings.sidecar_config)
    if ref is None:
        return ()
    return (Watched("extra_roots", "v1", "ConfigMap", _version, scope=Scope.OWN, names=(ref.name,)),)


class Identity:
    """Certificates, secrets and INSTANCE_ID. `entropy` and `ask_replicas` are a test's to replace."""

    name = "identity"

    def __init__(self, entropy: Entropy | None = None, ask_replicas: Callable[[], Shown] | None = None) -> None:
        self._entropy, self._ask = entropy or Entropy(), ask_replicas
        self._known: Instance | None = None
        self._unneeded: dict[str, float] = {}

    def watches(self, settings: Settings) -> Sequence[Watched[Any]]:
        """Return own Secrets and ConfigMaps, the webhook configurations, and what says that a namespace is needed."""
        own = (SECRETS, CONFIG_MAPS, *_extra_roots(settings))
        return (*own, *consumers.WATCHED, *needs.WATCHED, namespaces(settings))

    def start(self, context: Context) -> None:
        """Take stores, and begin with every concern."""
        self._context = context
        self._desk = desk = Desk(context, self._entropy)
        desk.instance = self._instance
        self._queue: Queue[Key] = context.work("identity", self.reconcile, on_permanent=self.report)
        self._needs = Needs.start(context, self._ours, lambda name: self._add(Key(Concern.NAMESPACE, name)))
        self._redaction = Redaction(desk)
        self._authority = Authority(desk, self._released, self.look_at_all)
        self._forwarder = Forwarder(desk, self._authority, self._wanted)
        self._collector = Collector(desk, self._authority, self._forwarder)
        self._namespaces = Namespaces(desk, self._authority, self._forwarder, self._redaction)
        self._webhooks = Webhooks(desk, self._ask or self._shown)
        context.store(SECRETS).add_handler(lambda key, old, new: self._own_secret(key.name))
        for watched in consumers.WATCHED:
            context.store(watched).add_handler(lambda key, old, new: self._add(Key(Concern.WEBHOOK)))
        context.store(CONFIG_MAPS).add_handler(lambda key, old, new: self._config_map(key.name))
        for watched in _extra_roots(context.settings):
            context.store(watched).add_handler(lambda key, old, new: self.look_at_all())
        context.on_bundle(self.look_at_all)
        self.look_at_all()
        context.every(LOOK_S, "identity", self.look_at_all)

    def look_at_all(self) -> None:
        """Want a look at everything: settings changed, the root did, or time went by."""
        for concern in Concern:
            if concern is not Concern.NAMESPACE:
                self._add(Key(concern))
        for namespace in sorted(self._needs.namespaces() | {self._desk.own}):
            self._add(Key(Concern.NAMESPACE, namespace))

    def reconcile(self, key: Key) -> Result:
        """Look at one key."""
        try:
            after = self._look(key)
        except ForbiddenError as error:
            if _ending(error):
                return Result()
            self._desk.gauges.forbidden.labels(key.concern.value).set(1)
            self._desk.teller.tell(self._about(key), "RightMissing", f"{key}: {error}")
            return Result(FORBIDDEN_S)
        self._desk.gauges.forbidden.labels(key.concern.value).set(0)
        return Result(after)

    def report(self, key: Key, error: PermanentError) -> None:
        """Tell of a failure that trying again cannot mend; the periodic look comes back to it."""
        self._desk.teller.tell(self._about(key), error.reason, f"{key}: {error}")

    def _look(self, key: Key) -> float | None:
        self._instance()
        match key.concern:
            case Concern.INSTANCE:
                before, self._known = self._known, self._ensure_instance()
                if before not in (None, self._known):
                    self.look_at_all()
                return None
            case Concern.OVERRIDE:
                return self._override()
            case Concern.WEBHOOK:
                return self._webhooks.reconcile()
            case Concern.ROOT:
                self._authority.reconcile()
                return None
            case Concern.SENDERS:
                self._senders()
                return None
            case Concern.BACKEND:
                self._authority.backend(self._namespaces.switched(self._wanted()))
                return None
            case Concern.COLLECTOR:
                self._collector.reconcile(switched=self._namespaces.switched(self._wanted()))
                return None
            case Concern.DLP:
                self._redaction.reconcile()
                return None
            case Concern.NAMESPACE:
                return self._namespace(key.namespace)

    def _senders(self) -> None:
        changed = self._forwarder.reconcile(switched=self._namespaces.switched(self._wanted()))
        if changed:
            self._add(Key(Concern.COLLECTOR))
        for namespace in sorted(changed | self._forwarder.ledger().keys()):
            if namespace in changed or self._need(namespace) is None:
                self._add(Key(Concern.NAMESPACE, namespace))

    def _namespace(self, namespace: str) -> float | None:
        need = self._need(namespace)
        if need is None:
            return self._unwanted(namespace)
        self._unneeded.pop(namespace, None)
        before = self._namespaces.standing.get(namespace)
        try:
            self._namespaces.reconcile(namespace, need)
        except NotFoundError:
            self._namespaces.forget(namespace)
            return None
        if namespace in self._namespaces.foreign and namespace in self._forwarder.ledger():
            self._disown(namespace)
        if self._namespaces.standing.get(namespace) != before:
            self._measure()
            for concern in (Concern.ROOT, Concern.SENDERS, Concern.BACKEND, Concern.COLLECTOR):
                self._add(Key(concern))
        return None

    def _unwanted(self, namespace: str) -> float | None:
        """Clear a namespace that has needed nothing for a while."""
        if namespace not in self._forwarder.ledger():
            return None
        now = self._context.clock()
        left = self._unneeded.setdefault(namespace, now) + GRACE_S - now
        if left > 0:
            return left
        try:
            self._namespaces.clear(namespace)
        except NotFoundError:
            self._namespaces.forget(namespace)
        except ForbiddenError as error:
            if self._desk.settings.watches(namespace):
                raise
            message = f"namespace {namespace} is no longer among the watched ones; what we made there stays: {error}"
            self._desk.teller.tell(which(self._desk.own, FORWARDER), "NotCleared", message)
        self._disown(namespace)
        self._unneeded.pop(namespace, None)
        self._measure()
        return None

    def _disown(self, namespace: str) -> None:
        """Accept no token of a namespace any more."""
        switched = self._namespaces.switched(self._wanted())
        self._forwarder.reconcile(switched=switched, without=frozenset({namespace}))
        self._add(Key(Concern.COLLECTOR))

    def _measure(self) -> None:
        standing = self._namespaces.standing.values()
        self._desk.gauges.namespaces.set(len(standing))
        self._desk.gauges.stale_pods.set(sum(one.stale for one in standing))
        self._desk.teller.expiry(Certificate.NAMESPACE, min((one.ends for one in standing if one.ends), default=None))

    def _need(self, namespace: str) -> Need | None:
        if namespace == self._desk.own:
            return self._needs.of(namespace) or _OWN
        if not self._desk.settings.watches(namespace):
            return None
        return self._needs.of(namespace, held=namespace in self._forwarder.ledger())

    def _wanted(self) -> frozenset[str]:
        watches = self._desk.settings.watches
        asking = self._needs.namespaces() - self._namespaces.foreign
        return frozenset(name for name in asking if watches(name)) | {self._desk.own}

    def _released(self, root: Root) -> bool:
        return len(root.roots) > 1 and self._namespaces.released(self._wanted())

    def _ours(self, mark: str) -> bool:
        """Say whose it is, from memory: handlers ask too. Before the first look everything may be ours."""
        return self._known is None or self._known.owns(mark)

    def _instance(self) -> Instance:
        if self._known is None:
            self._known = self._ensure_instance()
        return self._known

    def _ensure_instance(self) -> Instance:
        desk = self._desk
        vendors = desk.settings.instance_id
        return instance.ensure(desk.client, desk.own, vendors, desk.entropy.random, self._known)

    def _override(self) -> float | None:
        """Make the empty override that the inspector may change but not create."""
        desk = self._desk
        ref = Ref("v1", "ConfigMap", desk.own, OVERRIDE)
        if desk.settings.with_inspector and desk.client.find(ref) is None:
            body = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": OVERRIDE, "namespace": desk.own}}
            try:
                desk.client.create(body, MANAGER)
            except ExistsError:
                return 1.0
        return None

    def _shown(self) -> Shown:
        return shown(self._desk.client, self._desk.own, self._desk.settings.webhook_port)

    def _own_secret(self, name: str) -> None:
        self._add(_CONCERNS.get(name, Key(Concern.NAMESPACE, self._desk.own)))

    def _config_map(self, name: str) -> None:
        self._add(Key(Concern.INSTANCE if name == STATE else Concern.OVERRIDE))

    def _add(self, key: Key) -> None:
        self._queue.add(key)

    def _about(self, key: Key) -> Ref:
        if key.concern is Concern.NAMESPACE:
            return which(key.namespace, OWN if key.namespace == self._desk.own else CERTS)
        if key.concern in (Concern.INSTANCE, Concern.OVERRIDE):
            return Ref("v1", "ConfigMap", self._desk.own, STATE if key.concern is Concern.INSTANCE else OVERRIDE)
        return which(self._desk.own, next(name for name, found in _CONCERNS.items() if found == key))


def _ending(error: ForbiddenError) -> bool:
    """Say whether the namespace is being deleted, which takes no new objects; nothing is wrong then."""
    return "being terminated" in str(error)
