"""Admission in installations of a test's own: other settings, no operator, a sick operator, a second webhook."""

from __future__ import annotations

import base64
import concurrent.futures
import http.server
import json
import os
import signal
import ssl
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from harness.cluster import Cluster
from harness.operator import Installation
from harness.workloads import INJECT, SIDECAR, containers, create, deployment, replay

from speedscale_kube import Client, Ref
from speedscale_schemas import x509

pytestmark = pytest.mark.integration


@pytest.mark.fault("a workload larger than admission reads", end="goes through as it is, with a warning")
def test_a_huge_workload_goes_through_with_a_warning(
    install: Any, namespace: str, cluster: Cluster, kube: Client
) -> None:
    """The API server itself takes 3 MiB; the bound is lowered to be met from below."""
    installation = install()
    installation.start(ADMISSION_MAX_BYTES="65536")
    told = create(cluster, deployment("huge", namespace, **INJECT, **{"example.com/notes": "x" * 100_000}))
    assert told.status == 201
    assert containers(told.body) == ["app"]
    assert any("more than 65536 bytes" in text for text in told.warnings), told.warnings
    answer = create(cluster, replay("huge", namespace, buildTag="x" * 100_000))
    assert answer.status in (413, 422)


@pytest.mark.fault("a replay that nobody judged, being deleted", end="its finalizer comes off")
def test_a_finalizer_comes_off_whatever_the_spec_says(
    install: Any, namespace: str, kube: Client, cluster: Cluster
) -> None:
    """Let in while nobody judged; a webhook that refused the update would keep the namespace from being deleted."""
    installation = install()
    for kind in ("MutatingWebhookConfiguration", "ValidatingWebhookConfiguration"):
        kube.delete(Ref("admissionregistration.k8s.io/v1", kind, "", "speedscale-operator-replay"))
    broken = replay("broken", namespace, workloads=[{"ref": {"name": "a"}, "tests": ["k"]}])
    broken["metadata"]["finalizers"] = ["example.com/held"]
    made = kube.create(broken, "tests")
    for manifest in installation.objects():
        if manifest["kind"].endswith("WebhookConfiguration"):
            kube.apply(manifest, "installation", force=True)
    installation.start()
    which = kube.ref(made)
    kube.delete(which)
    kube.patch(which, {"metadata": {"finalizers": None}}, "tests")
    installation.until(lambda: kube.find(which) is None, "the replay is gone")


@pytest.mark.fault("webhook: nobody is there", end="workloads go through as they are")
def test_without_an_operator_workloads_go_through(install: Any, namespace: str, cluster: Cluster) -> None:
    """Nobody there: the CA bundle is not even written. Replays wait for an operator, deleting does not."""
    install()
    told = create(cluster, deployment("shop", namespace, **INJECT))
    assert (told.status, containers(told.body)) == (201, ["app"])
    assert create(cluster, replay("early", namespace)).status == 500


@pytest.mark.fault("webhook: hangs", end="workloads go through after its time-out; replays can be deleted")
def test_a_hanging_operator_holds_nobody_up(install: Any, namespace: str, kube: Client, cluster: Cluster) -> None:
    installation = install(operator={"webhookTimeoutSeconds": 1, "replayWebhookTimeoutSeconds": 1})
    replica = installation.start()
    kube.create(replay("before", namespace), "tests")
    pid = replica.child("admission")
    os.kill(pid, signal.SIGSTOP)
    try:
        told = create(cluster, deployment("shop", namespace, **INJECT))
        assert (told.status, containers(told.body)) == (201, ["app"])
        assert create(cluster, replay("during", namespace)).status == 500
        assert kube.delete(Ref("speedscale.com/v1", "TrafficReplay", namespace, "before"))
    finally:
        os.kill(pid, signal.SIGCONT)
    installation.until(
        lambda: SIDECAR in containers(create(cluster, deployment("a", namespace, **INJECT), dry_run=True).body),
        "it answers again",
    )


@pytest.mark.fault("webhook: certificate of another CA", end="workloads go through; not ready, told")
def test_who_shows_a_certificate_of_another_ca_is_not_believed(install: Any, namespace: str, cluster: Cluster) -> None:
    """Mode manual, where nobody mends the CA bundle: not ready, and workloads go through."""
    installation = install(certificates={"mode": "manual"})
    installation.certify()
    replica = installation.start()
    key = x509.new_key()
    installation.trust(installation.authority(key))
    installation.until(lambda: not replica.ready, "it sees that nobody believes it")
    assert "does not hold the CA of our certificate" in replica.get("/readyz")[1]
    told = create(cluster, deployment("shop", namespace, **INJECT))
    assert (told.status, containers(told.body)) == (201, ["app"])
    installation.certify()
    installation.wait_ready(replica)


@pytest.mark.fault("webhook: CA bundle overwritten", end="mended")
def test_an_overwritten_ca_bundle_is_mended(install: Any, namespace: str, cluster: Cluster) -> None:
    installation = install()
    installation.start()
    installation.trust(installation.authority(x509.new_key()))
    installation.until(
        lambda: SIDECAR in containers(create(cluster, deployment("a", namespace, **INJECT), dry_run=True).body),
        "the API server believes it again",
    )


class Load:
    """Requests that an API server refuses unless a webhook answers, one after the other in a few threads."""

    def __init__(self, cluster: Cluster, namespace: str, threads: int = 4) -> None:
        self._cluster, self._namespace = cluster, namespace
        self._end = threading.Event()
        self._pool = concurrent.futures.ThreadPoolExecutor(threads)
        self._count = threads
        self.asked = 0
        self.failures: list[str] = []

    def __enter__(self) -> Load:
        for number in range(self._count):
            self._pool.submit(self._run, number)
        return self

    def __exit__(self, *_: object) -> None:
        self._end.set()
        self._pool.shutdown()

    def _run(self, number: int) -> None:
        while not self._end.is_set():
            told = create(self._cluster, replay(f"load-{number}", self._namespace), dry_run=True)
            self.asked += 1
            if told.status != 201 or told.body["spec"].get("mode") != "full-replay":
                self.failures.append(f"{told.status}: {told.message}")

    def more(self, count: int) -> Callable[[], bool]:
        """Return a question: have so many more been asked since now?"""
        until = self.asked + count
        return lambda: self.asked >= until


@pytest.mark.fault("certificates and CA rotate under concurrent creates", end="no request fails")
def test_certificates_change_under_load(install: Any, namespace: str, cluster: Cluster) -> None:
    """New leaves, then a new CA beside the old one: no request meets a certificate that it does not believe."""
    installation = install(certificates={"mode": "manual"})
    installation.certify()
    replica = installation.start()
    loads = "speedscale_operator_admission_certificate_loads_total"
    with Load(cluster, namespace) as load:
        for number in range(1, 4):
            installation.until(load.more(20), "requests are answered")
            installation.certify(new_authority=number == 3)
            done = number + 1
            installation.until(lambda done=done: replica.metric(loads, result="good") >= done, "the new one is shown")
        installation.until(load.more(40), "requests are answered")
    assert load.failures == []


@pytest.mark.fault("a replica is ended under load", end="no request fails")
def test_a_replica_that_ends_leaves_no_request_behind(install: Any, namespace: str, cluster: Cluster) -> None:
    """SIGTERM under load: not ready at once, answering until no API server asks, then gone."""
    installation: Installation = install(operator={"replicas": 2})
    grace = {"SHUTDOWN_GRACE_S": "10"}  # as in a cluster: endpoints are slow to change on a slow machine
    first = installation.start("operator-0", **grace)
    second = installation.start("operator-1", **grace)
    answered = "speedscale_operator_admission_reviews_total"
    with Load(cluster, namespace) as load:
        installation.until(load.more(20), "requests are answered")
        first.stop(90.0)
        assert first.pid is None
        seen = second.metric(answered, endpoint="replay_validate")
        installation.until(load.more(40), "the other goes on")
        assert second.metric(answered, endpoint="replay_validate") > seen
    assert load.failures == []
    events = [event.get("event") for event in first.logs()]
    assert events.index("operator_ending") < events.index("admission_ended") < events.index("operator_ended")
    assert "process_killed" not in events


class _Adding(http.server.BaseHTTPRequestHandler):
    """A mutating webhook of somebody else's: adds a container to every pod template, once."""

    def do_POST(self) -> None:
        review = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        request = review["request"]
        there = containers(request["object"])
        self.server.seen.append(there)  # type: ignore[attr-defined]
        response: dict[str, Any] = {"uid": request["uid"], "allowed": True}
        if "other" not in there:
            value = {"name": "other", "image": "registry.example.com/other:1"}
            patch = [{"op": "add", "path": "/spec/template/spec/containers/-", "value": value}]
            response |= {"patchType": "JSONPatch", "patch": base64.b64encode(json.dumps(patch).encode()).decode()}
        body = json.dumps({**review, "response": response}).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        """Quiet."""


@pytest.fixture
def other_webhook(kube: Client, tmp_path: Path, namespace: str) -> Iterator[list[list[str]]]:
    """A second mutating webhook, by URL on loopback, called after ours; yields which containers it saw."""
    key = x509.new_key()
    ca = Installation.authority(key)
    leaf_key = x509.new_key()
    leaf = x509.Issuer(ca, key).leaf(("127.0.0.1",), leaf_key, Installation.validity(1), 7)
    (tmp_path / "pair.pem").write_bytes(leaf + leaf_key)
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), _Adding)
    server.seen = []  # type: ignore[attr-defined]
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(tmp_path / "pair.pem")
    server.socket = context.wrap_socket(server.socket, server_side=True)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    bundle = base64.b64encode(ca).decode()
    configuration = {
        "apiVersion": "admissionregistration.k8s.io/v1",
        "kind": "MutatingWebhookConfiguration",
        "metadata": {"name": "zz-other"},  # webhooks are called in the order of their configurations' names
        "webhooks": [
            {
                "name": "other.example.com",
                "admissionReviewVersions": ["v1"],
                "sideEffects": "None",
                "reinvocationPolicy": "IfNeeded",
                "failurePolicy": "Fail",
                "clientConfig": {"url": f"https://127.0.0.1:{server.server_address[1]}/", "caBundle": bundle},
                "namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": namespace}},
                "rules": [
                    {
                        "apiGroups": ["apps"],
                        "apiVersions": ["v1"],
                        "operations": ["CREATE", "UPDATE"],
                        "resources": ["deployments"],
                    }
                ],
            }
        ],
    }
    kube.apply(configuration, "tests")
    yield server.seen  # type: ignore[attr-defined]
    kube.delete(kube.ref(configuration))
    server.shutdown()
    server.server_close()


@pytest.mark.fault("a second mutating webhook, IfNeeded", end="one sidecar; comes out again whole")
def test_a_second_webhook_and_ours_come_to_one_object(
    install: Any, namespace: str, cluster: Cluster, kube: Client, other_webhook: list[list[str]]
) -> None:
    """The API server calls ours again after the other's change; nothing is added twice, and it all comes out again."""
    installation: Installation = install()
    installation.start()
    told = create(cluster, deployment("shop", namespace, **INJECT))
    assert told.status == 201, told.message
    names = containers(told.body)
    assert names.count(SIDECAR) == 1
    assert names.count("other") == 1
    assert any(SIDECAR in seen for seen in other_webhook)
    answered = "speedscale_operator_admission_duration_seconds_count"
    assert installation.replicas[0].metric(answered, endpoint="mutate") >= 2
    change = {"metadata": {"annotations": dict.fromkeys(INJECT)}}
    after = kube.patch(Ref("apps/v1", "Deployment", namespace, "shop"), change, "user")
    assert sorted(containers(after)) == ["app", "other"]
