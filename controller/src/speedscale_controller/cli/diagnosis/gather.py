"""The facts of `speedctl doctor`, read from a cluster once: reading, dry runs, and questions about rights.

Nothing is written. A source that may not be read, or whose kind the cluster does not know, is noted and the rest goes
on. Which check needs which source stands with the checks.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime
from typing import Any

from speedscale_controller.certificates import names
from speedscale_controller.cli import installed, workloads
from speedscale_controller.cli.capture import Captured, State, capture, sidecar_image
from speedscale_controller.injection import Inject, Remove, Skip, annotations_of, decide, labels_of, pod_template
from speedscale_controller.replay.status import moment
from speedscale_kube import Client, Object, Ref
from speedscale_kube.errors import ForbiddenError, NotFoundError
from speedscale_schemas import trafficreplay
from speedscale_schemas.annotations import is_ours
from speedscale_schemas.asking.workloads import owned
from speedscale_schemas.errors import PermanentError, TransientError

from . import rights
from .model import Canary, Facts, Right

CANARY = "speedscale-doctor-canary"
_ADMISSION = installed.ADMISSION
_AUTHORIZATION = "authorization.k8s.io/v1"
_OWN_SECRETS = (names.WEBHOOK, names.CERTS, names.OWN, names.FORWARDER, names.BACKEND)
_COPIES_MAX = 200
_MANAGER = "speedctl-doctor"
Clock = Callable[[], datetime]


def utc_now() -> datetime:
    """Return the time of day."""
    return datetime.now(UTC)


class Gathering:
    """One look at a cluster. `only` is the namespace whose workloads are looked at, empty for all."""

    def __init__(self, client: Client, *, namespace: str, only: str, canary: bool, clock: Clock = utc_now) -> None:
        self._client, self._only, self._try, self._clock = client, only, canary, clock
        self._objects: dict[str, list[Object]] = {}
        self._unread: dict[str, str] = {}
        self._named = namespace

    def after(self) -> Facts:
        """Return the facts of an installation; ConfigError when there are several and none is named."""
        there = installed.find(self._client, self._named)
        place = there.namespace if there else self._named or installed.NAMESPACE
        self._shared(place)
        self._components(place)
        captured = self._workloads(there)
        self._around(captured)
        self._secrets(place, captured)
        return Facts(
            now=self._clock(),
            namespace=place,
            installed=there,
            objects=self._objects,
            unread=self._unread,
            captured=captured,
            version=self._client.version(),
            server=self._client.access.server,
            canary=self._canary(there, captured) if self._try else None,
            rights=self._operator_rights(there),
        )

    def before(self) -> Facts:
        """Return the facts before an installation."""
        place = self._named or installed.NAMESPACE
        self._shared(place)
        self._read("storage_classes", lambda: self._client.list("storage.k8s.io/v1", "StorageClass"))
        self._read("admission_api", lambda: self._served(_ADMISSION, "MutatingWebhookConfiguration"))
        there = installed.find(self._client, self._named) if self._objects.get("operators") else None
        return Facts(
            now=self._clock(),
            namespace=place,
            installed=there,
            objects=self._objects,
            unread=self._unread,
            captured=self._workloads(there),
            version=self._client.version(),
            server=self._client.access.server,
            canary=self._clocks(place) if self._try else None,
            rights=[self._may(question) for question in rights.installing(place)],
        )

    def _read(self, source: str, read: Callable[[], Iterable[Object]]) -> None:
        """Read a source; a kind that is not served counts as none."""
        try:
            self._objects[source] = list(read())
        except NotFoundError:
            self._objects[source] = []
        except ForbiddenError as error:
            self._unread[source] = str(error)

    def _served(self, api_version: str, kind: str) -> list[Object]:
        found = self._client.resource(api_version, kind)
        return [{"metadata": {"name": found.plural}}]

    def _shared(self, place: str) -> None:
        client = self._client
        crd = Ref("apiextensions.k8s.io/v1", "CustomResourceDefinition", "", _CRD)
        self._read("operators", lambda: installed.operators(client))
        self._read("namespaces", lambda: client.list("v1", "Namespace"))
        self._read("crd", lambda: _some(client.find(crd)))
        self._read("replays", lambda: client.list(trafficreplay.API_VERSION, trafficreplay.KIND, self._only))
        self._read(
            "webhooks",
            lambda: [
                *client.list(_ADMISSION, "MutatingWebhookConfiguration"),
                *client.list(_ADMISSION, "ValidatingWebhookConfiguration"),
            ],
        )

    def _components(self, place: str) -> None:
        client = self._client
        slices = f"kubernetes.io/service-name={names.OPERATOR}"
        self._read("services", lambda: client.list("v1", "Service", place))
        self._read("endpoint_slices", lambda: client.list("discovery.k8s.io/v1", "EndpointSlice", place, labels=slices))
        self._read("leases", lambda: _some(client.find(Ref("coordination.k8s.io/v1", "Lease", place, names.OPERATOR))))
        self._read(
            "components",
            lambda: [
                *client.list("apps/v1", "Deployment", place),
                *client.list("apps/v1", "StatefulSet", place),
                *client.list("apps/v1", "DaemonSet", place),
            ],
        )
        self._read("config_maps", lambda: client.list("v1", "ConfigMap", place, labels=installed.PART_OF))
        self._read("claims", lambda: client.list("v1", "PersistentVolumeClaim", place))
        self._read("storage_classes", lambda: client.list("storage.k8s.io/v1", "StorageClass"))
        self._read("nodes", lambda: client.list("v1", "Node"))
        self._read("nettap_pods", lambda: client.list("v1", "Pod", place, labels=f"{installed.COMPONENT}=nettap"))
        self._read("metrics_api", lambda: self._served("metrics.k8s.io/v1beta1", "PodMetrics"))

    def _workloads(self, there: installed.Installed | None) -> list[Captured]:
        """Read workloads and have each judged; of what they make only Pods that were annotated by hand are kept."""
        found: list[Object] = []
        judged: list[Captured] = []
        hidden: dict[str, str] = {}
        around = workloads.Surroundings(self._client, there) if there else None
        for obj in workloads.each(self._client, self._only, hidden, also=_annotated_pod):
            if _mentions_us(obj):  # of ten thousand others nothing is kept: one is 60 KB as a dict
                found.append(obj)
                if not owned(obj):
                    judged.append(capture(obj, around.facts(obj) if around else None))
        if hidden:
            self._unread["workloads"] = "; ".join(hidden.values())
        self._objects["workloads"] = found
        return sorted(judged, key=lambda one: (one.namespace, one.kind, one.name))

    def _around(self, captured: Iterable[Captured]) -> None:
        places = {one.namespace for one in captured if one.state is not State.NONE}
        places |= {str(obj["metadata"].get("namespace")) for obj in self._objects.get("replays", ())}
        self._read(
            "network_policies",
            lambda: [
                policy
                for place in sorted(places)
                for policy in self._client.list("networking.k8s.io/v1", "NetworkPolicy", place)
            ],
        )

    def _secrets(self, place: str, captured: Iterable[Captured]) -> None:
        copies = sorted({one.namespace for one in captured if one.injected} - {place})[:_COPIES_MAX]
        wanted = [(place, name) for name in _OWN_SECRETS] + [(other, names.CERTS) for other in copies]
        self._read(
            "secrets",
            lambda: [
                _certificates_only(obj)
                for namespace, name in wanted
                if (obj := self._client.find(Ref("v1", "Secret", namespace, name))) is not None
            ],
        )

    # Trying

    def _canary(self, there: installed.Installed | None, captured: Iterable[Captured]) -> Canary | None:
        settings = there.settings if there else None
        chosen = self._only or next((o.namespace for o in captured if o.injected and o.namespace), "")
        place = chosen or (settings.namespace if settings else self._client.namespace)
        asked = self._clock()
        workload, error = self._dry_run(canary(place))
        took = (self._clock() - asked).total_seconds()
        replay, replay_error = self._dry_run(canary_replay(place))
        return Canary(
            namespace=place,
            workload=workload,
            workload_error=error,
            expected=self._expected(there, place),
            replay=replay,
            replay_error=replay_error,
            server_time=_created(workload),
            asked_at=asked,
            round_trip_s=took,
        )

    def _expected(self, there: installed.Installed | None, place: str) -> str:
        """Return why the operator would put no sidecar into the canary, empty when it would."""
        if there is None:
            return "there is no operator"
        facts = workloads.Surroundings(self._client, there).facts(canary(place))
        if facts is None:
            return "; ".join(there.settings_problems)
        verdict = decide(canary(place), facts, operation="CREATE")
        if isinstance(verdict, Inject):
            return ""
        return f"{verdict.reason}: {verdict.message}" if isinstance(verdict, Skip | Remove) else "nothing asks for one"

    def _clocks(self, place: str) -> Canary:
        """Return the server's time alone, by a dry run of a ConfigMap."""
        found = any(obj["metadata"]["name"] == place for obj in self._objects.get("namespaces", ()))
        where = place if found else self._client.namespace
        asked = self._clock()
        made, error = self._dry_run(
            {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": CANARY, "namespace": where}}
        )
        took = (self._clock() - asked).total_seconds()
        return Canary(
            namespace=where, workload_error=error, server_time=_created(made), asked_at=asked, round_trip_s=took
        )

    def _dry_run(self, obj: Object) -> tuple[Object | None, str]:
        try:
            return self._client.create(obj, _MANAGER, dry_run=True), ""
        except (PermanentError, TransientError) as error:
            return None, str(error)

    # Rights

    def _operator_rights(self, there: installed.Installed | None) -> list[Right]:
        if there is None or there.settings is None:
            return []
        user = rights.service_account(there.operator, there.namespace)
        policies = self._client.find(Ref("networking.k8s.io/v1", "NetworkPolicy", there.namespace, names.OPERATOR))
        asked = rights.questions(there.settings, policies=policies is not None)
        try:
            return [self._may(question, user) for question in asked]
        except ForbiddenError:
            return []

    def _may(self, question: rights.Question, user: str = "") -> Right:
        """Ask whether `user`, or who asks, has a right."""
        group, resource, verb, namespace, name, reason = question
        resource_, _, sub = resource.partition("/")
        spec: dict[str, Any] = {
            "resourceAttributes": {
                "group": group,
                "resource": resource_,
                "subresource": sub,
                "verb": verb,
                "namespace": namespace,
                "name": name,
            }
        }
        kind = "SelfSubjectAccessReview"
        if user:
            kind = "SubjectAccessReview"
            spec |= {"user": user, "groups": _groups(user)}
        answer = self._client.review({"apiVersion": _AUTHORIZATION, "kind": kind, "spec": spec})
        allowed = (answer.get("status") or {}).get("allowed") is True
        return Right(group, resource, verb, namespace, name, allowed, reason)


_CRD = f"{trafficreplay.PLURAL}.{trafficreplay.GROUP}"


def canary(namespace: str) -> Object:
    """Return a workload that asks for a sidecar and that nothing else speaks against."""
    labels = {"app": CANARY}
    container = {"name": "app", "image": "registry.k8s.io/pause:3.9"}
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {
            "name": CANARY,
            "namespace": namespace,
            "annotations": {"sidecar.speedscale.com/inject": "true"},
        },
        "spec": {
            "replicas": 0,
            "selector": {"matchLabels": labels},
            "template": {"metadata": {"labels": labels}, "spec": {"containers": [container]}},
        },
    }


def canary_replay(namespace: str) -> Object:
    """Return a TrafficReplay that is well-formed and leaves to the webhook what it fills in."""
    spec = {"snapshotID": CANARY, "testConfigID": "standard"}
    metadata = {"name": CANARY, "namespace": namespace}
    return {"apiVersion": trafficreplay.API_VERSION, "kind": trafficreplay.KIND, "metadata": metadata, "spec": spec}


def _annotated_pod(obj: Object) -> bool:
    """Say whether a Pod bears an annotation of ours, which nothing reads there."""
    return obj.get("kind") == "Pod" and any(map(is_ours, annotations_of(obj)))


def _mentions_us(obj: Object) -> bool:
    """Say whether a workload asks for anything of ours, or has something."""
    template = pod_template(obj)
    places = (annotations_of(obj), labels_of(obj), annotations_of(template), labels_of(template))
    return any(is_ours(name) for place in places for name in place) or bool(sidecar_image(template))


def _created(obj: Mapping[str, Any] | None) -> datetime | None:
    return moment(str(((obj or {}).get("metadata") or {}).get("creationTimestamp") or ""))


def _some(obj: Object | None) -> list[Object]:
    return [] if obj is None else [obj]


def _certificates_only(secret: Object) -> Object:
    """Return a Secret without what is no certificate: keys and tokens stay out of memory and of records."""
    kept = {key: value for key, value in (secret.get("data") or {}).items() if key in (names.CERTIFICATE, names.CA)}
    return {**secret, "data": kept}


def _groups(user: str) -> list[str]:
    namespace = user.split(":")[2]
    return ["system:serviceaccounts", f"system:serviceaccounts:{namespace}", "system:authenticated"]
