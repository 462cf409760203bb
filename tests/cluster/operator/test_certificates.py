"""The webhooks' certificates on a real API server: made, published, mended, left alone where they are not ours."""

from __future__ import annotations

import base64
import ssl
import subprocess
import sys
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from identity_bench import Bench, versions

from speedscale_controller.certificates import issuing
from speedscale_controller.certificates.names import WEBHOOK, service_names
from speedscale_controller.certificates.policies import renewal, signer
from speedscale_kube import Client, Ref
from speedscale_schemas import truststore, x509

pytestmark = pytest.mark.integration
GROUP = "admissionregistration.k8s.io/v1"
NAMES = (
    ("MutatingWebhookConfiguration", "speedscale-operator", ("sidecar.speedscale.com",)),
    ("MutatingWebhookConfiguration", "speedscale-operator-replay", ("replay.speedscale.com",)),
    ("ValidatingWebhookConfiguration", "speedscale-operator-replay", ("replay.speedscale.com",)),
)


@pytest.fixture
def webhooks(kube: Client, namespace: str) -> Iterator[list[Ref]]:
    """The three configurations as git has them, without a bundle; they see no namespace at all."""
    refs = []
    for kind, name, entries in NAMES:
        kube.apply(configuration(kind, name, entries, namespace), "git", force=True)
        refs.append(Ref(GROUP, kind, "", name))
    yield refs
    for ref in refs:
        kube.delete(ref)


def configuration(kind: str, name: str, entries: tuple[str, ...], namespace: str, **notes: str) -> dict[str, Any]:
    service = {"name": "speedscale-operator", "namespace": namespace, "path": "/mutate", "port": 443}
    return {
        "apiVersion": GROUP,
        "kind": kind,
        "metadata": {"name": name, **({"annotations": notes} if notes else {})},
        "webhooks": [
            {
                "name": entry,
                "admissionReviewVersions": ["v1"],
                "sideEffects": "None",
                "failurePolicy": "Ignore",
                "clientConfig": {"service": service},
                "namespaceSelector": {"matchLabels": {"nobody": "has-this"}},
            }
            for entry in entries
        ],
    }


def bundle(kube: Client, ref: Ref) -> bytes:
    return base64.b64decode(kube.get(ref)["webhooks"][0]["clientConfig"].get("caBundle", ""))


def test_made_published_and_then_at_rest(kube: Client, namespace: str, webhooks: list[Ref], tmp_path: Path) -> None:
    bench = Bench(kube, namespace)
    bench.settle()
    data = bench.data(WEBHOOK)
    assert [bundle(kube, ref) for ref in webhooks] == [data["ca.crt"]] * 3
    for name in service_names("speedscale-operator", namespace):
        assert not x509.check(data["tls.crt"], bench.time, key=data["tls.key"], issuer=data["ca.crt"], names=[name])
    (tmp_path / "ca.crt").write_bytes(data["ca.crt"])
    (tmp_path / "tls.crt").write_bytes(data["tls.crt"])
    verify = ["openssl", "verify", "-x509_strict", "-purpose", "sslserver", "-CAfile", "ca.crt", "tls.crt"]
    assert subprocess.run(verify, cwd=tmp_path, capture_output=True, text=True).stdout == "tls.crt: OK\n"
    before = versions(kube, [namespace])
    bench.later(minutes=10)
    bench.later(hours=1)
    assert versions(kube, [namespace]) == before


def test_the_bundle_is_the_only_field_that_is_ours(kube: Client, namespace: str, webhooks: list[Ref]) -> None:
    Bench(kube, namespace).settle()
    fields = [
        entry
        for entry in kube.get(webhooks[0])["metadata"]["managedFields"]
        if entry["manager"] == "speedscale-operator/certificates"
    ]
    assert len(fields) == 1
    own = fields[0]["fieldsV1"]["f:webhooks"]['k:{"name":"sidecar.speedscale.com"}']
    assert own == {".": {}, "f:clientConfig": {"f:caBundle": {}}, "f:name": {}}
    kind, name, entries = NAMES[0]
    before = bundle(kube, webhooks[0])
    kube.apply(configuration(kind, name, entries, namespace), "git", force=True)  # the next sync
    assert before
    assert bundle(kube, webhooks[0]) == before


@pytest.mark.fault("a CA bundle is emptied or overwritten", end="mended, no other field touched")
def test_an_overwritten_or_emptied_bundle_is_mended(kube: Client, namespace: str, webhooks: list[Ref]) -> None:
    bench = Bench(kube, namespace)
    bench.settle()
    good = bundle(kube, webhooks[0])
    other = base64.b64encode(issuing.authority("Else", bench.time, bench.identity._entropy).certificate).decode()
    for ref, value in ((webhooks[0], other), (webhooks[2], "")):
        kube.patch(ref, [{"op": "add", "path": "/webhooks/0/clientConfig/caBundle", "value": value}], "x", kind="json")
    bench.settle()
    assert [bundle(kube, ref) for ref in webhooks] == [good] * 3


@pytest.mark.fault("the webhook's Secret is harmed", end="mended by its policy")
@pytest.mark.parametrize("what", ["deleted", "emptied", "garbage", "other_key", "leaf_gone"])
def test_a_secret_that_was_harmed_is_mended(kube: Client, namespace: str, webhooks: list[Ref], what: str) -> None:
    bench = Bench(kube, namespace)
    bench.settle()
    before = bench.data(WEBHOOK)
    which = Ref("v1", "Secret", namespace, WEBHOOK)
    if what == "deleted":
        kube.delete(which)
    else:
        values = {
            "emptied": dict.fromkeys(before),
            "garbage": {"tls.crt": base64.b64encode(b"garbage").decode()},
            "other_key": {"tls.key": base64.b64encode(x509.new_key()).decode()},
            "leaf_gone": {"tls.crt": None, "tls.key": None},
        }[what]
        kube.patch(which, {"data": values}, "somebody")
    bench.settle()
    bench.later(seconds=31)
    after = bench.data(WEBHOOK)
    assert not x509.check(
        after["tls.crt"], bench.time, key=after["tls.key"], names=service_names("speedscale-operator", namespace)[:1]
    )
    for ref in webhooks:
        assert signer(after["tls.crt"], truststore.split_pem(bundle(kube, ref))) is not None
    if what in ("deleted", "emptied"):
        assert before["ca.crt"] in bundle(kube, webhooks[0])  # who still shows the old certificate is believed
    before_versions = versions(kube, [namespace])
    bench.later(minutes=10)
    assert versions(kube, [namespace]) == before_versions


@pytest.mark.fault("the CA is renewed", end="both are trusted before the new one signs")
def test_a_new_authority_comes_in_steps(kube: Client, namespace: str, webhooks: list[Ref]) -> None:
    shown: list[tuple[bytes, ...]] = [()]
    bench = Bench(kube, namespace, ask=lambda: shown[0])
    bench.settle()
    old = bench.data(WEBHOOK)
    shown[0] = (old["tls.crt"],)
    bench.time = renewal(old["ca.crt"]) - timedelta(seconds=1)
    bench.later()
    leaf = bench.data(WEBHOOK)["tls.crt"]
    shown[0] = (leaf,)
    bench.later(seconds=1)
    assert len(truststore.split_pem(bundle(kube, webhooks[0]))) == 2
    assert bench.data(WEBHOOK)["tls.crt"] == leaf
    bench.later(seconds=31)
    new = bench.data(WEBHOOK)["tls.crt"]
    assert new != leaf
    assert all(signer(pem, truststore.split_pem(bundle(kube, webhooks[1]))) is not None for pem in (leaf, new))
    bench.later(seconds=31)
    assert len(truststore.split_pem(bundle(kube, webhooks[0]))) == 2  # a replica still shows the old one
    shown[0] = (new,)
    bench.later(seconds=31)
    assert [len(truststore.split_pem(bundle(kube, ref))) for ref in webhooks] == [1, 1, 1]
    assert signer(new, [bundle(kube, webhooks[0])]) is not None


def test_what_somebody_else_injects_is_left_alone(kube: Client, namespace: str, webhooks: list[Ref]) -> None:
    kind, name, entries = NAMES[0]
    note = {"cert-manager.io/inject-ca-from": f"{namespace}/x"}
    kube.apply(configuration(kind, name, entries, namespace, **note), "git", force=True)
    bench = Bench(kube, namespace)
    bench.settle()
    assert bundle(kube, webhooks[0]) == b""
    assert bundle(kube, webhooks[1]) == bench.data(WEBHOOK)["ca.crt"]


@pytest.mark.parametrize("mode", ["cert-manager", "manual"])
def test_own_certificates_are_watched_and_never_written(
    kube: Client, namespace: str, webhooks: list[Ref], mode: str
) -> None:
    bench = Bench(kube, namespace, CERTIFICATES_MODE=mode)
    bench.settle()
    assert bench.secret(WEBHOOK) is None
    assert [bundle(kube, ref) for ref in webhooks] == [b""] * 3
    ca = issuing.authority("Corporate", bench.time, bench.identity._entropy)
    pair = issuing.leaf(ca, service_names("speedscale-operator", namespace), bench.time, bench.identity._entropy)
    text = {"tls.crt": pair.certificate, "tls.key": pair.key, "ca.crt": ca.certificate}
    data = {key: base64.b64encode(value).decode() for key, value in text.items()}
    secret = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": WEBHOOK, "namespace": namespace}, "data": data}
    kube.apply(secret, "user")
    before = versions(kube, [namespace])
    bench.settle()
    ends = x509.summary(pair.certificate).not_after
    gauge = bench.metrics.registry.get_sample_value(
        "speedscale_operator_identity_certificate_expiry_timestamp_seconds", {"certificate": "webhook"}
    )
    assert gauge == ends.timestamp()
    assert "CertificateNotTrusted" in bench.reasons()
    bench.later(days=8)
    assert any(told.reason == "CertificateNotGood" and "expired" in told.message for told in bench.recorder.told)
    assert versions(kube, [namespace])[f"Secret {namespace}/{WEBHOOK}"] == before[f"Secret {namespace}/{WEBHOOK}"]


@pytest.mark.fault("webhooks of another installation", end="left alone, told")
def test_webhooks_of_another_installation_are_left_alone(kube: Client, namespace: str, webhooks: list[Ref]) -> None:
    kube.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": f"{namespace}-b"}}, "tests")
    first, second = Bench(kube, namespace), Bench(kube, f"{namespace}-b")
    first.settle()
    good = bundle(kube, webhooks[0])
    before = versions(kube, [namespace])
    second.settle()
    first.settle()
    second.settle()
    assert bundle(kube, webhooks[0]) == good
    assert versions(kube, [namespace]) == before
    assert any(told.reason == "LeftAlone" and namespace in told.message for told in second.recorder.told)
    kube.delete(Ref("v1", "Namespace", "", f"{namespace}-b"))


def test_a_served_leaf_is_accepted_by_tls(kube: Client, namespace: str, webhooks: list[Ref], tmp_path: Path) -> None:
    bench = Bench(kube, namespace)
    bench.settle()
    data = bench.data(WEBHOOK)
    for key in ("tls.crt", "tls.key"):
        (tmp_path / key).write_bytes(data[key])
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.load_cert_chain(tmp_path / "tls.crt", tmp_path / "tls.key")
    client = ssl.create_default_context(cadata=bundle(kube, webhooks[0]).decode())
    client.verify_flags |= ssl.VERIFY_X509_STRICT
    assert handshake(client, server, f"speedscale-operator.{namespace}.svc")


def handshake(client: ssl.SSLContext, server: ssl.SSLContext, name: str) -> bool:
    """Have both talk over memory; SSLError when the client refuses."""
    to_server, to_client = ssl.MemoryBIO(), ssl.MemoryBIO()
    one = client.wrap_bio(to_client, to_server, server_hostname=name)
    two = server.wrap_bio(to_server, to_client, server_side=True)
    waiting = [one, two]
    for _ in range(10):
        for end in list(waiting):
            try:
                end.do_handshake()
                waiting.remove(end)
            except ssl.SSLWantReadError:
                continue
        if not waiting:
            return True
    return False
