"""Secrets of namespaces, tokens, the redaction key and INSTANCE_ID on a real API server."""

from __future__ import annotations

import base64
import hashlib
import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from identity_bench import Bench, versions

from speedscale_controller.certificates import Entropy, issuing, roots
from speedscale_controller.certificates.names import CERTS, FORWARDER, JKS, OWN
from speedscale_controller.certificates.policies import renewal, signer
from speedscale_controller.identity import adopt
from speedscale_kube import Client, Ref
from speedscale_schemas import truststore, x509

pytestmark = pytest.mark.integration
NOW = datetime.now(UTC).replace(microsecond=0)


@pytest.fixture
def shop(kube: Client, namespace: str) -> Iterator[str]:
    """A target namespace with nothing in it."""
    name = f"{namespace}-shop"
    kube.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}}, "tests")
    yield name
    kube.delete(Ref("v1", "Namespace", "", name))


def pod_template(**notes: str) -> dict[str, Any]:
    volume = {"name": "certs", "secret": {"secretName": CERTS, "optional": True}}
    container = {"name": "app", "image": "registry.example.com/app"}
    return {
        "metadata": {"labels": {"app": "a", "sidecar.speedscale.com/injected": "true"}, "annotations": notes},
        "spec": {"containers": [container], "volumes": [volume]},
    }


def workload(kube: Client, namespace: str, name: str = "checkout", **notes: str) -> Ref:
    """Make a Deployment with a sidecar; without replicas, so that no pod comes of it."""
    labels = {"sidecar.speedscale.com/injected": "true"}
    kube.apply(
        {
            "apiVersion": "apps/v1",
            "kind": "Deployment",
            "metadata": {"name": name, "namespace": namespace, "labels": labels, "annotations": notes},
            "spec": {"replicas": 0, "selector": {"matchLabels": {"app": "a"}}, "template": pod_template(**notes)},
        },
        "tests",
        force=True,
    )
    return Ref("apps/v1", "Deployment", namespace, name)


def pod(kube: Client, namespace: str, name: str) -> Ref:
    template = pod_template()
    kube.apply(
        {
            "apiVersion": "v1",
            "kind": "Pod",
            "metadata": {"name": name, "namespace": namespace, **template["metadata"]},
            "spec": {**template["spec"], "automountServiceAccountToken": False},
        },
        "tests",
    )
    return Ref("v1", "Pod", namespace, name)


def encoded(**data: bytes) -> dict[str, str]:
    return {key.replace("__", "."): base64.b64encode(value).decode() for key, value in data.items()}


def put(kube: Client, namespace: str, name: str, data: dict[str, str], **metadata: Any) -> None:
    body = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": name, "namespace": namespace, **metadata}}
    kube.apply({**body, "data": data}, "somebody", force=True)


def test_what_namespaces_get(kube: Client, namespace: str, shop: str, tmp_path: Path) -> None:
    workload(kube, shop)
    bench = Bench(kube, namespace)
    bench.settle()
    root, target, own = bench.data(CERTS), bench.data(CERTS, shop), bench.data(OWN)
    assert set(target) == set(own) == {"ca.crt", "ca-bundle.crt", "token", "tls.crt", "tls.key"}
    assert target["ca.crt"] == root["ca.crt"]
    assert root["tls.key"] not in target.values()
    assert target["tls.key"] != own["tls.key"]
    for name, content in (("root", target["ca.crt"]), ("middle", target["tls.crt"])):
        (tmp_path / name).write_bytes(content)
    leaf = issuing.leaf(
        issuing.Pair(target["tls.crt"], target["tls.key"]), ["api.example.com"], bench.time, bench.identity._entropy
    )
    (tmp_path / "leaf").write_bytes(leaf.certificate)
    verify = ["openssl", "verify", "-x509_strict", "-CAfile", "root", "-untrusted", "middle", "leaf"]
    assert subprocess.run(verify, cwd=tmp_path, capture_output=True, text=True).stdout == "leaf: OK\n"
    public = truststore.split_pem(target["ca-bundle.crt"])
    assert public[0] in truststore.split_pem(root["ca.crt"])
    assert len(public) > 50
    forwarder = bench.data(FORWARDER)
    tokens = forwarder["tokens"].decode().split()
    assert sorted(tokens) == sorted([target["token"].decode(), own["token"].decode()])
    assert all(len(token) == 43 for token in tokens)
    owners = {hashlib.sha256(one["token"]).hexdigest(): name for one, name in ((target, shop), (own, namespace))}
    collector = bench.data("speedscale-collector-certs")
    assert json.loads(collector["tokens.json"]) == owners
    names = [f"speedscale-collector-any.{namespace}.svc"]
    assert not x509.check(
        collector["tls.crt"], bench.time, key=collector["tls.key"], issuer=root["ca.crt"], names=names
    )
    for which, service in ((FORWARDER, "speedscale-forwarder"), ("speedscale-cloud-certs", "speedscale-cloud")):
        data = bench.data(which)
        names = [f"{service}.{namespace}.svc", *(["localhost"] if service == "speedscale-cloud" else [])]
        assert not x509.check(data["tls.crt"], bench.time, key=data["tls.key"], issuer=root["ca.crt"], names=names)


def test_a_second_look_writes_nothing(kube: Client, namespace: str, shop: str) -> None:
    workload(kube, shop, **{"sidecar.speedscale.com/tls-java-tool-options": "true"})
    bench = Bench(kube, namespace)
    bench.settle()
    before = versions(kube, [namespace, shop])
    bench.later(minutes=10)
    Bench(kube, namespace).settle()  # another process
    assert versions(kube, [namespace, shop]) == before


def test_namespaces_come_and_go(kube: Client, namespace: str, shop: str) -> None:
    bench = Bench(kube, namespace)
    bench.settle()
    assert bench.secret(CERTS, shop) is None
    ref = workload(kube, shop, **{"sidecar.speedscale.com/tls-java-tool-options": "true"})
    bench.settle()
    token = bench.data(CERTS, shop)["token"]
    assert token in bench.data(FORWARDER)["tokens"]
    assert bench.secret(JKS, shop)
    kube.delete(ref)
    bench.settle()
    bench.later(seconds=599)
    assert bench.secret(CERTS, shop)
    bench.later(seconds=2)
    assert bench.secret(CERTS, shop) is None
    assert bench.secret(JKS, shop) is None
    assert token not in bench.data(FORWARDER)["tokens"]


def test_a_restart_clears_what_the_ledger_knows(kube: Client, namespace: str, shop: str) -> None:
    ref = workload(kube, shop)
    Bench(kube, namespace).settle()
    kube.delete(ref)
    bench = Bench(kube, namespace)
    bench.settle()
    bench.later(minutes=11)
    assert bench.secret(CERTS, shop) is None


@pytest.mark.fault("a namespace's Secrets are harmed", end="mended")
@pytest.mark.parametrize("harm", ["deleted", "token", "key", "bundle", "mark"])
def test_what_a_namespace_has_is_mended(kube: Client, namespace: str, shop: str, harm: str) -> None:
    workload(kube, shop)
    bench = Bench(kube, namespace)
    bench.settle()
    before = bench.data(CERTS, shop)
    which = Ref("v1", "Secret", shop, CERTS)
    changes: dict[str, Any] = {
        "token": {"data": encoded(token=b"x" * 43)},
        "key": {"data": {"tls.key": base64.b64encode(x509.new_key()).decode()}},
        "bundle": {"data": {"ca-bundle.crt": None}},
        "mark": {"metadata": {"annotations": {"operator.speedscale.com/managed-by": None}}},
    }
    if harm == "deleted":
        kube.delete(which)
    else:
        kube.patch(which, changes[harm], "somebody")
    bench.later(minutes=10)
    after = bench.data(CERTS, shop)
    assert after["token"] == before["token"]
    assert after["ca-bundle.crt"] == before["ca-bundle.crt"]
    assert not x509.check(after["tls.crt"], bench.time, key=after["tls.key"], issuer=after["ca.crt"], ca=True)
    if harm in ("token", "bundle", "mark"):
        assert after == before


@pytest.mark.fault("own Secrets are deleted", end="made again")
@pytest.mark.parametrize(
    "name", [FORWARDER, CERTS, OWN, "speedscale-cloud-certs", "speedscale-collector-certs", "speedscale-dlp-key"]
)
def test_own_secrets_that_are_deleted_are_made_again(kube: Client, namespace: str, shop: str, name: str) -> None:
    workload(kube, shop)
    bench = Bench(kube, namespace)
    bench.settle()
    before, tokens = bench.data(name), bench.data(FORWARDER)["tokens"]
    kube.delete(Ref("v1", "Secret", namespace, name))
    bench.settle()
    after = bench.data(name)
    assert set(after) == set(before)
    assert bench.data(FORWARDER)["tokens"] == tokens  # no sender lost its access
    if name == CERTS:  # a new root; who holds the old one still finds it in the bundles
        assert after["tls.crt"] != before["tls.crt"]
        assert before["ca.crt"] in bench.data(CERTS, shop)["ca.crt"]
        assert before["ca.crt"] in bench.data(CERTS, shop)["ca-bundle.crt"]
    if name == "speedscale-dlp-key":
        assert "RedactionKeyMadeAnew" in bench.reasons()


def test_a_new_root_waits_for_the_pods(kube: Client, namespace: str, shop: str) -> None:
    workload(kube, shop)
    bench = Bench(kube, namespace)
    bench.settle()
    old = pod(kube, shop, "old")
    first = bench.data(CERTS)["tls.crt"]
    middle, leaf = bench.data(CERTS, shop)["tls.crt"], bench.data(FORWARDER)["tls.crt"]
    bench.time = renewal(first)
    bench.later()
    second = bench.data(CERTS)["tls.crt"]
    assert second != first
    target = bench.data(CERTS, shop)
    assert target["tls.crt"] == middle
    assert truststore.split_pem(target["ca.crt"]) == [first, second]  # the namespace's own first
    assert set(truststore.split_pem(target["ca-bundle.crt"])[:2]) == {first, second}
    assert signer(bench.data(FORWARDER)["tls.crt"], [first]) is not None  # renewed, by the root that all trust
    assert bench.data(FORWARDER)["tls.crt"] != leaf
    told = [event for event in bench.recorder.told if event.reason == "OldRootInUse"]
    assert [event.about.namespace for event in told] == [shop]
    assert "old" in told[0].message
    gauge = bench.metrics.registry.get_sample_value("speedscale_operator_identity_stale_pods")
    assert gauge == 1
    bench.later(days=2)
    assert bench.data(CERTS, shop)["tls.crt"] == middle
    kube.patch(old, {"metadata": {"finalizers": None}}, "tests")
    kube.delete(old)
    bench.later(days=1)
    after = bench.data(CERTS, shop)
    assert signer(after["tls.crt"], [second]) is not None
    bench.later(minutes=10)
    assert signer(bench.data(FORWARDER)["tls.crt"], [second]) is not None
    bench.later(minutes=10)
    assert bench.data(CERTS, shop)["ca.crt"] == second
    assert set(bench.data(CERTS)) >= {"ca.crt", "tls.crt", "tls.key"}
    assert "previous.key" not in bench.data(CERTS)
    before = versions(kube, [namespace, shop])
    bench.later(minutes=10)
    assert versions(kube, [namespace, shop]) == before


def test_nobody_is_waited_for_when_the_root_ends(kube: Client, namespace: str, shop: str) -> None:
    workload(kube, shop)
    bench = Bench(kube, namespace)
    bench.settle()
    pod(kube, shop, "straggler")
    first = bench.data(CERTS)["tls.crt"]
    bench.time = renewal(first)
    bench.later()
    bench.time = x509.summary(first).not_after - roots.SWITCH - timedelta(seconds=1)
    bench.later()
    assert signer(bench.data(CERTS, shop)["tls.crt"], [first]) is not None
    bench.later(seconds=2)
    assert signer(bench.data(CERTS, shop)["tls.crt"], [first]) is None
    assert first in bench.data(CERTS, shop)["ca.crt"]


@pytest.mark.fault("two installations, one namespace", end="one owns its Secrets; no fight")
def test_two_operators_do_not_fight(kube: Client, namespace: str, shop: str) -> None:
    other = f"{namespace}-two"
    kube.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": other}}, "tests")
    workload(kube, shop)
    one, two = Bench(kube, namespace), Bench(kube, other, NAMESPACE_SELECTOR=f"{other},{shop}")
    one.settle()
    before = versions(kube, [shop, namespace])
    for _ in range(3):
        two.later(minutes=10)
        one.later(minutes=10)
    assert versions(kube, [shop, namespace]) == before
    assert any(told.reason == "LeftAlone" and told.about.namespace == shop for told in two.recorder.told)
    mine = kube.get(Ref("v1", "ConfigMap", namespace, "speedscale-operator-state"))["data"]["INSTANCE_ID"]
    adopt(kube, other, mine)
    two.later(minutes=10)
    assert two.data(CERTS, shop)["ca.crt"] == two.data(CERTS)["ca.crt"]
    kube.delete(Ref("v1", "Namespace", "", other))


def test_leftovers_of_an_earlier_installation_are_mended(kube: Client, namespace: str, shop: str) -> None:
    ended = issuing.authority("Speedscale", NOW - timedelta(days=800), issuing.Entropy())
    for where in (namespace, shop):
        helm = {"meta.helm.sh/release-name": "speedscale-operator"}
        data = {"tls.crt": ended.certificate, "tls.key": ended.key, "ca.crt": ended.certificate}
        put(kube, where, CERTS, {k: base64.b64encode(v).decode() for k, v in data.items()}, annotations=helm)
    workload(kube, shop)
    bench = Bench(kube, namespace)
    bench.settle()
    target = bench.data(CERTS, shop)
    assert ended.certificate not in target["ca.crt"]
    assert not x509.check(target["tls.crt"], bench.time, key=target["tls.key"], issuer=target["ca.crt"], ca=True)


def test_a_root_of_the_users_own(kube: Client, namespace: str, shop: str) -> None:
    """An intermediate of a corporate CA, made by cert-manager, signs for namespaces; its Secret is never written."""
    workload(kube, shop)
    entropy = issuing.Entropy()
    top = issuing.authority("Corporate", NOW, entropy)
    key = entropy.key()
    validity = x509.Validity(NOW - timedelta(hours=1), NOW + timedelta(days=90))
    ca = unlimited(top, key, validity)
    data = {"tls.crt": ca, "tls.key": key, "ca.crt": top.certificate}
    put(kube, namespace, CERTS, {k: base64.b64encode(v).decode() for k, v in data.items()})
    before = versions(kube, [namespace])[f"Secret {namespace}/{CERTS}"]
    bench = Bench(kube, namespace, CERTIFICATES_MODE="cert-manager")
    bench.settle()
    target = bench.data(CERTS, shop)
    chain = truststore.split_pem(target["tls.crt"])
    assert [signer(chain[0], [chain[1]]), signer(chain[1], [top.certificate])] == [chain[1], top.certificate]
    assert target["ca.crt"] == top.certificate
    assert versions(kube, [namespace])[f"Secret {namespace}/{CERTS}"] == before
    assert len(truststore.split_pem(bench.data(FORWARDER)["tls.crt"])) == 2


def unlimited(top: issuing.Pair, key: bytes, validity: x509.Validity) -> bytes:
    """Return a CA without a path length, as cert-manager issues them."""
    from cryptography import x509 as lib
    from cryptography.hazmat.primitives import hashes, serialization

    issuer = lib.load_pem_x509_certificate(top.certificate)
    signing = serialization.load_pem_private_key(top.key, None)
    public = serialization.load_pem_private_key(key, None).public_key()
    builder = (
        lib.CertificateBuilder()
        .subject_name(lib.Name([lib.NameAttribute(lib.oid.NameOID.COMMON_NAME, "Corporate 2")]))
        .issuer_name(issuer.subject)
        .public_key(public)  # type: ignore[arg-type]
        .serial_number(7)
        .not_valid_before(validity.not_before)
        .not_valid_after(validity.not_after)
        .add_extension(lib.BasicConstraints(ca=True, path_length=None), critical=True)
        .add_extension(lib.SubjectKeyIdentifier.from_public_key(public), critical=False)  # type: ignore[arg-type]
    )
    return builder.sign(signing, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)  # type: ignore[arg-type]


def test_without_a_root_of_the_users_own_it_is_told(kube: Client, namespace: str, shop: str) -> None:
    workload(kube, shop)
    bench = Bench(kube, namespace, CERTIFICATES_MODE="manual")
    bench.settle()
    assert bench.secret(CERTS) is None
    assert bench.secret(CERTS, shop) is None
    assert {"CertificateNotGood", "NoRoot"} <= set(bench.reasons())


@pytest.mark.fault("a redaction key of the user's, or a bad one", end="never overwritten, told")
@pytest.mark.parametrize("content", [{"k9": base64.b64encode(b"q" * 32)}, {"k1": b"no base64!"}, {"k1": b"c2hvcnQ="}])
def test_a_redaction_key_is_never_overwritten(kube: Client, namespace: str, content: dict[str, bytes]) -> None:
    put(kube, namespace, "speedscale-dlp-key", encoded(**content))
    before = versions(kube, [namespace])
    bench = Bench(kube, namespace)
    bench.settle()
    bench.later(days=400)
    name = f"Secret {namespace}/speedscale-dlp-key"
    assert versions(kube, [namespace])[name] == before[name]
    assert ("RedactionKeyNotGood" in bench.reasons()) is ("k9" not in content)


def test_redaction_key_and_pull_secrets_go_where_they_are_needed(kube: Client, namespace: str, shop: str) -> None:
    login = {".dockerconfigjson": base64.b64encode(b'{"auths":{}}').decode()}
    body = {"apiVersion": "v1", "kind": "Secret", "type": "kubernetes.io/dockerconfigjson", "data": login}
    for name in ("ours", "theirs"):
        kube.apply({**body, "metadata": {"name": name, "namespace": namespace}}, "user")
    put(kube, shop, "theirs", encoded(x=b"y"))
    replay = {
        "apiVersion": "speedscale.com/v1",
        "kind": "TrafficReplay",
        "metadata": {"name": "r", "namespace": namespace},
        "spec": {"snapshotID": "s", "testConfigID": "t", "workloads": [{"ref": {"name": "a", "namespace": shop}}]},
    }
    bench = Bench(kube, namespace, IMAGE_PULL_SECRETS="ours,theirs,missing")
    store = bench._stores["replay_namespaces"]
    projected = store[0].project(replay)
    bench.look()
    bench._list = with_replay(bench._list, replay)  # type: ignore[method-assign]
    assert projected is not None
    bench.settle()
    assert bench.data("speedscale-dlp-key", shop) == bench.data("speedscale-dlp-key")
    copied = bench.secret("ours", shop)
    assert copied is not None
    assert copied["type"] == "kubernetes.io/dockerconfigjson"
    assert bench.data("theirs", shop) == {"x": b"y"}
    assert bench.secret("missing", shop) is None
    kube.patch(
        Ref("v1", "Secret", namespace, "speedscale-dlp-key"), {"data": encoded(k2=base64.b64encode(b"z" * 32))}, "user"
    )
    bench.later(minutes=10)
    assert set(bench.data("speedscale-dlp-key", shop)) == {"k1", "k2"}


def with_replay(listed: Callable[[Any], Any], replay: dict[str, Any]) -> Callable[[Any], Any]:
    """Return a listing that has a TrafficReplay, whether or not the definition is installed."""
    return lambda watched: [replay] if watched.kind == "TrafficReplay" else listed(watched)


def test_the_trust_store_is_read_by_java(kube: Client, namespace: str, shop: str, tmp_path: Path) -> None:
    workload(kube, shop, **{"sidecar.speedscale.com/tls-java-tool-options": "true"})
    bench = Bench(kube, namespace)
    bench.settle()
    (tmp_path / "cacerts.jks").write_bytes(bench.data(JKS, shop)["cacerts.jks"])
    try:
        listed = subprocess.run(
            ["keytool", "-list", "-keystore", "cacerts.jks", "-storepass", "changeit", "-rfc", "-alias", "speedscale"],
            cwd=tmp_path,
            capture_output=True,
            text=True,
        )
    except FileNotFoundError:
        pytest.skip("keytool is not installed")
    shown = truststore.split_pem(listed.stdout.encode())
    assert x509.summary(shown[0]).sha256 == x509.summary(bench.data(CERTS)["ca.crt"]).sha256


def test_no_trust_store_where_it_is_switched_off(kube: Client, namespace: str, shop: str) -> None:
    workload(kube, shop, **{"sidecar.speedscale.com/tls-java-tool-options": "true"})
    bench = Bench(kube, namespace, CREATE_JKS="false")
    bench.settle()
    assert bench.secret(JKS, shop) is None


def state(kube: Client, namespace: str) -> dict[str, str]:
    return dict(kube.get(Ref("v1", "ConfigMap", namespace, "speedscale-operator-state"))["data"])


def test_instance_id_is_made_once_and_found_again(kube: Client, namespace: str) -> None:
    Bench(kube, namespace).settle()
    first = state(kube, namespace)
    Bench(kube, namespace).settle()
    assert state(kube, namespace) == first
    kube.delete(Ref("v1", "ConfigMap", namespace, "speedscale-operator-state"))
    Bench(kube, namespace).settle()  # a process that never saw it: our Secrets bear it
    assert state(kube, namespace) == first


def test_the_vendors_instance_id_becomes_ours(kube: Client, namespace: str) -> None:
    Bench(kube, namespace, INSTANCE_ID="my-cluster-0b8e").settle()
    assert state(kube, namespace)["INSTANCE_ID"] == "my-cluster-0b8e"
    Bench(kube, namespace, INSTANCE_ID="another").settle()
    assert state(kube, namespace)["INSTANCE_ID"] == "my-cluster-0b8e"


def test_adopting_asks_for_an_id_and_an_operator(kube: Client, namespace: str) -> None:
    with pytest.raises(ValueError, match="has not run yet"):
        adopt(kube, namespace, "old")
    Bench(kube, namespace).settle()
    with pytest.raises(ValueError, match="one word"):
        adopt(kube, namespace, "two words")
    assert adopt(kube, namespace, "old").owns("old")
    assert adopt(kube, namespace, "older").owns("old")
    assert state(kube, namespace)["ADOPTED_INSTANCE_IDS"].split() == ["old", "older"]


def test_the_override_is_there_for_the_inspector(kube: Client, namespace: str) -> None:
    which = Ref("v1", "ConfigMap", namespace, "speedscale-operator-override")
    Bench(kube, namespace, WITH_INSPECTOR="false").settle()
    assert kube.find(which) is None
    bench = Bench(kube, namespace)
    bench.settle()
    kube.patch(which, {"data": {"LOG_LEVEL": "debug"}}, "inspector")
    bench.settle()
    assert kube.get(which)["data"] == {"LOG_LEVEL": "debug"}


def test_tokens_are_replaced_and_old_ones_stay_a_while(kube: Client, namespace: str, shop: str) -> None:
    workload(kube, shop)
    bench = Bench(kube, namespace)
    bench.settle()
    old = bench.data(CERTS, shop)["token"]
    bench.later(days=61)
    new = bench.data(CERTS, shop)["token"]
    assert new != old
    assert old in bench.data(FORWARDER)["tokens"]
    bench.later(hours=2)
    tokens = bench.data(FORWARDER)["tokens"]
    assert new in tokens
    assert old not in tokens


@pytest.mark.fault("a namespace goes while Secrets are written", end="no failure, nothing left")
def test_a_namespace_that_is_gone_or_going_troubles_nobody(kube: Client, namespace: str, shop: str) -> None:
    bench = Bench(kube, namespace)
    workload(kube, shop)
    bench.settle()
    kube.delete(Ref("v1", "Secret", shop, CERTS))
    gone = bench._stores["injected_deployments"][1]
    bench.look()
    assert len(gone) == 1
    bench._list = with_workloads(bench._list, shop)  # type: ignore[method-assign]
    kube.patch(Ref("v1", "Namespace", "", shop), {"metadata": {"finalizers": ["example.com/hold"]}}, "tests")
    kube.delete(Ref("v1", "Namespace", "", shop))
    bench.later(minutes=10)
    assert bench.secret(CERTS, shop) is None
    assert "RightMissing" not in bench.reasons()
    kube.patch(Ref("v1", "Namespace", "", shop), {"metadata": {"finalizers": None}}, "tests")


def with_workloads(listed: Callable[[Any], Any], namespace: str) -> Callable[[Any], Any]:
    """Return a listing that still has a Deployment in a namespace, as a watch that is behind does."""
    late = {"kind": "Deployment", "metadata": {"name": "late", "namespace": namespace}}
    return lambda watched: [late] if watched.kind == "Deployment" else listed(watched)


def test_the_users_own_authorities_are_trusted_as_long_as_they_are_named(
    kube: Client, namespace: str, shop: str
) -> None:
    company = issuing.authority("Company", NOW, Entropy()).certificate
    workload(kube, shop, **{"sidecar.speedscale.com/tls-java-tool-options": "true"})
    bench = Bench(kube, namespace, SIDECAR_CONFIG='{"extraRoots": "company-roots"}')
    bench.settle()
    assert "upstream.crt" not in bench.data(CERTS, shop)
    assert {one.about.name for one in bench.recorder.told if one.reason == "ExtraRootsMissing"} == {"company-roots"}

    metadata = {"name": "company-roots", "namespace": namespace}
    config_map = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata}
    kube.apply({**config_map, "data": {"ca.pem": company.decode(), "note": "ours"}}, "somebody")
    bench.settle()  # the ConfigMap is watched: nobody waits for the periodic look
    target = bench.data(CERTS, shop)
    assert target["upstream.crt"] == company
    assert truststore.split_pem(target["ca-bundle.crt"])[1] == company
    assert truststore.pem_to_der(company) in bench.data(JKS, shop)["cacerts.jks"]
    assert {one.message for one in bench.recorder.told if one.reason == "ExtraRootsNotGood"} == {
        "key note has no PEM certificate"
    }

    kube.delete(Ref("v1", "ConfigMap", namespace, "company-roots"))
    bench.settle()
    assert bench.data(CERTS, shop) == target, "what was trusted stays"

    unnamed = Bench(kube, namespace)
    unnamed.settle()
    left = unnamed.data(CERTS, shop)
    assert "upstream.crt" not in left
    assert company not in left["ca-bundle.crt"]
