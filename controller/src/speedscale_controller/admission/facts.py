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
from collections.abc import Callable, Mapping
from typing import Any

from speedscale_controller.certificates.names import INSTANCE_ID, STATE
from speedscale_controller.facts import Memory, namespaces
from speedscale_controller.injection import Facts
from speedscale_controller.reconciling import Scope, Watched
from speedscale_controller.reconciling.live import LiveBundle, LiveSettings
from speedscale_controller.reconciling.watches import Watches
from speedscale_kube import Client, Object
from speedscale_kube.stop import Stop

from .certificate import Pair, pair_of

SECRET = "speedscale-webhook-certs"


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
MUTATING: Watched[tuple[tuple[str, bytes], ...]] = Watched(
    "mutating_webhooks", _API, "MutatingWebhookConfiguration", _bundles, scope=Scope.CLUSTER, names=WEBHOOKS
)
VALIDATING: Watched[tuple[tuple[str, bytes], ...]] = Watched(
    "validating_webhooks", _API, "ValidatingWebhookConfiguration", _bundles, scope=Scope.CLUSTER, names=WEBHOOKS[1:]
)


class Known:
    """The facts, fed by watches. Threads: stores are written by reflectors and read by anyone."""

    def __init__(self, watches: Watches, settings: LiveSettings, bundle: LiveBundle) -> None:
        self._watches, self._bundle = watches, bundle
        self._namespaces_watched = namespaces(settings.current)
        self.certificates, self._mutating, self._validating = (
            watches.add(CERTIFICATES),
            watches.add(MUTATING),
            watches.add(VALIDATING),
        )
        self._memory = Memory(watches.add, settings.current, lambda: settings.current, lambda: bundle.current)

    def missing(self, namespace: str) -> str:
        """Return what is not known yet of what a decision in this namespace needs; empty when nothing is missing."""
        if self._bundle.current is None:
            told = "; ".join(self._bundle.problems)
            return (
                f"the bundle with the sidecar's template is not usable ({told})" if told else "no bundle was read yet"
            )
        if not self._memory.knows(namespace):
            if any(trouble.watch == self._namespaces_watched.name for trouble in self._watches.troubles()):
                return "namespaces cannot be read (is the right to watch them missing?)"
            return f"namespace {namespace} is not known yet"
        return self.nobody()

    def nobody(self) -> str:
        """Return why it is not known who we are, empty when it is.

        Without an id a workload that is ours would look like another operator's, and one that becomes ours would be
        marked as nobody's, and changed again a moment later.
        """
        return "" if self._memory.identity.id else f"ConfigMap {STATE} with our {INSTANCE_ID} was not read yet"

    def facts(self, namespace: str, kind: str, name: str) -> Facts:
        """Return the facts of one workload; ask `missing` first."""
        return self._memory.facts(namespace, kind, name)

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
        self._memory.observe(client)


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
