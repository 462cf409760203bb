"""The identity part with exactly the rights that the installation grants, and with each of them taken away in turn."""

from __future__ import annotations

import copy
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from harness.cluster import Cluster

sys.path.insert(0, str(Path(__file__).parent))

from identity_bench import Bench
from test_certificates import GROUP, NAMES, configuration
from test_secrets import workload

from speedscale_controller.certificates.names import CERTS, FORWARDER, WEBHOOK
from speedscale_kube import Client, Object, Ref, ref
from speedscale_kube.errors import ForbiddenError
from speedscale_kube.worker import Outcome
from speedscale_manifests.components.rbac import rights
from speedscale_manifests.values import from_mapping

pytestmark = pytest.mark.integration


def granted(namespace: str, user: str, without: tuple[str, str, str] | None = None) -> list[Object]:
    """Return the operator's Roles and bindings, bound to `user`.

    `without` is (resource, verb, name of the Role's namespace): that verb is taken out of every rule on the resource.
    """
    found = []
    for manifest in copy.deepcopy(
        rights(from_mapping({"namespace": namespace, "namespaceSelector": [f"{namespace}-shop"]}))
    ):
        if manifest["metadata"]["name"].startswith("speedscale-operator"):
            found.append(manifest)
            if manifest["kind"].endswith("Binding"):
                manifest["subjects"] = [{"kind": "User", "name": user, "apiGroup": "rbac.authorization.k8s.io"}]
            elif without is not None:
                resource, verb, _ = without
                for rule in manifest["rules"]:
                    if resource in rule.get("resources", ()):
                        rule["verbs"] = [one for one in rule["verbs"] if one != verb] or ["deletecollection"]
    return found


class Rights:
    """What the user may."""

    def __init__(self, kube: Client, namespace: str, user: str) -> None:
        self.kube, self.namespace, self.user = kube, namespace, user
        self._made: list[Object] = []

    def grant(self, without: tuple[str, str, str] | None = None) -> None:
        """Grant all, but for one verb on one resource."""
        self._made = granted(self.namespace, self.user, without)
        for manifest in self._made:
            self.kube.apply(manifest, "git", force=True)

    def revoke(self) -> None:
        """Take all away."""
        for manifest in self._made:
            self.kube.delete(ref(manifest))


@pytest.fixture
def place(kube: Client, cluster: Cluster, namespace: str) -> Iterator[tuple[Rights, Client]]:
    """An installation's namespace and a target, webhook configurations, and a client whose rights are to be granted."""
    shop = f"{namespace}-shop"
    kube.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": shop}}, "tests")
    for kind, name, entries in NAMES:
        kube.apply(configuration(kind, name, entries, namespace), "git", force=True)
    user, path = cluster.restricted(3)
    mine = Rights(kube, namespace, user)
    with cluster.client(path) as client:
        yield mine, client
    mine.revoke()
    for kind, name, _ in NAMES:
        kube.delete(Ref(GROUP, kind, "", name))
    kube.delete(Ref("v1", "Namespace", "", shop))


def until_known(cluster: Cluster, client: Client, namespaces: tuple[str, ...]) -> None:
    """Wait until the server's authorizer knows the Roles of these namespaces."""

    def known() -> bool:
        try:
            for namespace in namespaces:
                client.list("v1", "Pod", namespace)
        except ForbiddenError:
            return False
        return True

    cluster.until(known, "the rights are known")


def test_the_installations_rights_are_enough(
    kube: Client, cluster: Cluster, namespace: str, place: tuple[Rights, Client]
) -> None:
    mine, client = place
    mine.grant()
    shop = f"{namespace}-shop"
    until_known(cluster, client, (namespace, shop))
    deployment = workload(kube, shop, **{"sidecar.speedscale.com/tls-java-tool-options": "true"})
    bench = Bench(client, namespace)
    bench.settle()
    bench.later(minutes=10)
    kube.delete(deployment)
    bench.settle()
    bench.later(minutes=11)
    assert [told for told in bench.recorder.told if told.reason == "RightMissing"] == []
    assert {outcome for _, outcome in bench.outcomes} == {Outcome.DONE}
    assert kube.find(Ref("v1", "Secret", shop, CERTS)) is None
    webhook = kube.get(Ref(GROUP, "MutatingWebhookConfiguration", "", "speedscale-operator"))
    assert webhook["webhooks"][0]["clientConfig"]["caBundle"]
    assert kube.find(Ref("v1", "ConfigMap", namespace, "speedscale-operator-override"))


@pytest.mark.fault(
    "rights of the identity part are taken away, one by one",
    end="told, the rest goes on; made up for later",
)
@pytest.mark.parametrize(
    ("resource", "verb"),
    [
        ("secrets", "get"),
        ("secrets", "create"),
        ("secrets", "patch"),
        ("configmaps", "get"),
        ("configmaps", "create"),
        ("mutatingwebhookconfigurations", "get"),
        ("mutatingwebhookconfigurations", "patch"),
        ("validatingwebhookconfigurations", "patch"),
    ],
)
def test_a_missing_right_is_told_and_made_up_for_later(
    kube: Client, cluster: Cluster, namespace: str, place: tuple[Rights, Client], resource: str, verb: str
) -> None:
    mine, client = place
    mine.grant((resource, verb, namespace))
    until_known(cluster, client, (namespace, f"{namespace}-shop"))
    workload(kube, f"{namespace}-shop")
    bench = Bench(client, namespace)
    bench.settle()
    told = [event for event in bench.recorder.told if event.reason == "RightMissing"]
    assert any(f'cannot {verb} resource "{resource}"' in event.message for event in told)
    assert {outcome for _, outcome in bench.outcomes} <= {Outcome.DONE}
    forbidden = [
        sample.value
        for family in bench.metrics.registry.collect()
        if family.name == "speedscale_operator_identity_forbidden_state"
        for sample in family.samples
    ]
    assert sum(forbidden) >= 1
    if resource.endswith("configurations"):  # the certificate is there all the same
        assert bench.data(WEBHOOK)["tls.crt"]
        assert bench.data(FORWARDER)["tls.crt"]
    mine.grant()
    cluster.until(lambda: _recovered(bench), "what was missing is made up for", 30)


def _recovered(bench: Bench) -> bool:
    before = len(bench.recorder.told)
    bench.recorder.told = [told for told in bench.recorder.told if told.reason != "RightMissing"]
    bench.outcomes.clear()
    bench.later(seconds=61)
    bench.later(seconds=61)
    forbidden = bench.identity._desk.gauges.forbidden
    return before >= 0 and not any(sample.value for family in forbidden.collect() for sample in family.samples)
