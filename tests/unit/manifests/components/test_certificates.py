"""Certificates by cert-manager."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from speedscale_manifests.components import certificates
from speedscale_manifests.values import from_mapping
from speedscale_schemas.errors import ConfigError

MANAGED = {"mode": "cert-manager", "issuerRef": {"name": "internal", "kind": "Issuer"}}


@pytest.mark.parametrize("mode", ["controller", "manual"])
def test_without_cert_manager_git_has_no_certificates(mode: str) -> None:
    assert certificates.enabled(from_mapping({"certificates": {"mode": mode}})) is False


def test_the_webhooks_certificate_is_for_the_service(build: Callable[..., Any]) -> None:
    spec = build(certificates.COMPONENT, namespace="obs", certificates=MANAGED).one(
        "Certificate", "speedscale-webhook-certs"
    )["spec"]
    assert spec["secretName"] == "speedscale-webhook-certs"
    assert spec["dnsNames"] == [
        "speedscale-operator.obs",
        "speedscale-operator.obs.svc",
        "speedscale-operator.obs.svc.cluster.local",
    ]
    assert "server auth" in spec["usages"]
    assert spec["issuerRef"] == {"name": "internal", "kind": "Issuer", "group": "cert-manager.io"}
    assert "isCA" not in spec


def test_interception_has_a_ca_of_its_own(build: Callable[..., Any]) -> None:
    spec = build(certificates.COMPONENT, certificates=MANAGED).one("Certificate", "speedscale-certs")["spec"]
    assert spec["isCA"] is True
    assert spec["usages"] == ["digital signature", "cert sign", "crl sign"]


def test_keys_are_new_with_each_certificate_and_renewed_in_time(build: Callable[..., Any]) -> None:
    for item in build(certificates.COMPONENT, certificates=MANAGED).all:
        spec = item["spec"]
        assert spec["privateKey"]["rotationPolicy"] == "Always"
        hours = [int(spec[key].partition("h")[0]) for key in ("renewBefore", "duration")]
        assert hours[0] * 3 == hours[1]


def test_an_issuer_is_needed() -> None:
    """Values refuse this as well; the component must not write a Certificate that never gets ready."""
    values = from_mapping({"certificates": MANAGED})
    nameless = replace(values.certificates, issuer_ref=replace(values.certificates.issuer_ref, name=""))
    with pytest.raises(ConfigError, match=r"certificates\.issuerRef\.name"):
        certificates.certificates(replace(values, certificates=nameless))
