"""Who mounts what of the namespace's identity."""

from __future__ import annotations

import pytest

from speedscale_manifests.components import senders
from speedscale_manifests.objects import Manifest
from speedscale_manifests.values import from_mapping
from speedscale_schemas.templates import fill, gaps, seal

TARGET = {"certs_secret": "speedscale-certs"}
PLAIN = from_mapping({})


def keys(volume: Manifest) -> list[str]:
    if "projected" in volume:
        return [i["key"] for s in fill(seal(volume), TARGET)["projected"]["sources"] for i in s["secret"]["items"]]
    return [item["key"] for item in volume["secret"]["items"]]


def test_ours_alone_have_a_fixed_secret() -> None:
    assert senders.identity_volume()["secret"]["secretName"] == "speedscale-own-certs"
    for volume in (senders.interception_volume(PLAIN), senders.authority_volume()):
        assert gaps(seal(volume)) == {"certs_secret"}
        assert fill(seal(volume), TARGET)["secret"]["secretName"] == "speedscale-certs"


def test_an_application_trusts_the_bundle_and_java_a_store_of_its_own_beside_it() -> None:
    volume = seal(senders.trust_volume())
    (source,) = fill(volume, TARGET)["projected"]["sources"]
    assert source["secret"]["name"] == "speedscale-certs"
    java = {"secret": {"name": "speedscale-jks", "items": [{"key": "cacerts.jks", "path": "jks/cacerts.jks"}]}}
    assert fill(volume, {**TARGET, "java_trust_source": java})["projected"]["sources"] == [source, java]


def test_keys_are_for_those_who_sign() -> None:
    signers = [senders.interception_volume(PLAIN), senders.authority_volume()]
    assert all("tls.key" in keys(volume) for volume in signers)
    assert "tls.key" not in keys(senders.identity_volume())
    assert "tls.key" not in keys(senders.trust_volume())


def test_a_sidecar_never_waits_and_who_needs_its_certificates_does() -> None:
    assert senders.interception_volume(PLAIN)["secret"]["optional"] is True
    (source,) = fill(seal(senders.trust_volume()), TARGET)["projected"]["sources"]
    assert "optional" not in source["secret"]
    assert "optional" not in senders.identity_volume()["secret"]
    assert "optional" not in senders.authority_volume()["secret"]


def test_items_are_read_only_for_a_user_who_does_not_own_them() -> None:
    for volume in (senders.identity_volume(), senders.interception_volume(PLAIN)):
        assert volume["secret"]["defaultMode"] == 0o444
    assert senders.trust_volume()["projected"]["defaultMode"] == 0o444
    assert senders.mount()["readOnly"] is True


@pytest.mark.parametrize("namespace", ["speedscale", "observability"])
def test_the_address_is_in_our_namespace_and_tls(namespace: str) -> None:
    found = {e["name"]: e["value"] for e in senders.sender_env(from_mapping({"namespace": namespace}))}
    assert found["FORWARDER_ADDR"] == f"https://speedscale-forwarder.{namespace}.svc:80"
    assert found["FORWARDER_TOKEN_FILE"] == "/etc/ssl/speedscale/token"


def test_upstream_roots_are_mounted_by_those_who_verify_servers_where_they_are_named() -> None:
    named = from_mapping({"sidecar": {"extraRoots": "company-roots"}})
    assert "upstream.crt" in keys(senders.interception_volume(named))
    assert "upstream.crt" in keys(senders.collector_volume(named))
    assert senders.upstream_env(named, "X") == [{"name": "X", "value": "/etc/ssl/speedscale/upstream.crt"}]
    assert "upstream.crt" not in keys(senders.interception_volume(PLAIN))
    assert "upstream.crt" not in keys(senders.collector_volume(PLAIN))
    assert senders.upstream_env(PLAIN, "X") == []
