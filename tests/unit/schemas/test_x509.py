"""Certificates: what they say, that they verify, and that the same input gives the same bytes."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from ipaddress import ip_address

import pytest
from cryptography import x509 as lib
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import ExtendedKeyUsageOID
from cryptography.x509.verification import PolicyBuilder, Store, VerificationError

from speedscale_schemas import truststore, x509

NOW = datetime(2026, 3, 1, tzinfo=UTC)
YEAR = x509.Validity(NOW - timedelta(days=1), NOW + timedelta(days=364))
HOUR = x509.Validity(NOW - timedelta(minutes=5), NOW + timedelta(hours=1))

ROOT_KEY = x509.new_key()
ROOT = x509.root("Test root", ROOT_KEY, YEAR, 7)
MIDDLE_KEY = x509.new_key()
MIDDLE = x509.Issuer(ROOT, ROOT_KEY).intermediate("Namespace shop", MIDDLE_KEY, YEAR, 8)
LEAF_KEY = x509.new_key()


def leaf(*names: str, client: bool = False) -> bytes:
    return x509.Issuer(MIDDLE, MIDDLE_KEY).leaf(names, LEAF_KEY, HOUR, 9, client=client)


def verify(pem: bytes, name: str, *, between: bytes = MIDDLE, now: datetime = NOW) -> None:
    """Verify as the Web PKI does, with a verifier that is not OpenSSL's."""
    try:
        subject: lib.GeneralName = lib.IPAddress(ip_address(name))
    except ValueError:
        subject = lib.DNSName(name)
    store = Store([lib.load_pem_x509_certificate(ROOT)])
    verifier = PolicyBuilder().store(store).time(now.replace(tzinfo=None)).build_server_verifier(subject)  # type: ignore[arg-type]
    verifier.verify(lib.load_pem_x509_certificate(pem), [lib.load_pem_x509_certificate(between)])


def test_chain_verifies_for_its_names_only() -> None:
    pem = leaf("shop.example", "*.api.example", "10.0.0.1", "2001:db8::1")
    for name in ("shop.example", "a.api.example", "10.0.0.1", "2001:db8::1"):
        verify(pem, name)
    with pytest.raises(VerificationError):
        verify(pem, "other.example")
    with pytest.raises(VerificationError):
        verify(pem, "shop.example", now=NOW + timedelta(hours=2))


def test_same_input_gives_the_same_bytes() -> None:
    assert x509.root("Test root", ROOT_KEY, YEAR, 7) == ROOT
    assert leaf("h") == leaf("h")
    assert x509.serial_from(b"a") == x509.serial_from(b"a") != x509.serial_from(b"b")
    assert 0 < x509.serial_from(b"\xff") < 2**159


def test_extensions() -> None:
    extensions = {e.oid._name: e for e in lib.load_pem_x509_certificate(leaf("h", client=True)).extensions}
    assert extensions["basicConstraints"].value == lib.BasicConstraints(ca=False, path_length=None)
    usage = extensions["keyUsage"]
    assert usage.critical
    assert usage.value.digital_signature
    assert not usage.value.key_cert_sign
    uses = list(extensions["extendedKeyUsage"].value)
    assert uses == [ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH]
    assert not extensions["subjectAltName"].critical
    for pem, depth in ((ROOT, 1), (MIDDLE, 0)):
        facts = {e.oid._name: e for e in lib.load_pem_x509_certificate(pem).extensions}
        assert facts["basicConstraints"].critical
        assert facts["basicConstraints"].value == lib.BasicConstraints(ca=True, path_length=depth)
        assert facts["keyUsage"].value.key_cert_sign
        assert not facts["keyUsage"].value.digital_signature


def test_name_too_long_for_a_common_name_makes_the_san_critical() -> None:
    name = "a" * 60 + ".example"
    loaded = lib.load_pem_x509_certificate(leaf(name))
    assert list(loaded.subject) == []
    assert loaded.extensions.get_extension_for_class(lib.SubjectAlternativeName).critical
    verify(leaf(name), name)


def test_name_constraints_limit_an_intermediate() -> None:
    key = x509.new_key()
    middle = x509.Issuer(ROOT, ROOT_KEY).intermediate(
        "Limited", key, YEAR, 10, permitted=["shop.example", ".svc", "10.0.0.0/8"]
    )
    issuer = x509.Issuer(middle, key)
    for name in ("a.shop.example", "pay.svc", "10.1.2.3"):
        verify(issuer.leaf([name], LEAF_KEY, HOUR, 1), name, between=middle)
    for name in ("evil.example", "192.168.0.1"):
        with pytest.raises(VerificationError):
            verify(issuer.leaf([name], LEAF_KEY, HOUR, 1), name, between=middle)


@pytest.mark.parametrize("name", ["", "a b", "ünï.example", "a..b", "-", "http://h", "h:80", "*", "*.*.x", "x" * 300])
def test_what_is_no_name_is_refused(name: str) -> None:
    with pytest.raises(ValueError, match="neither a DNS name"):
        leaf(name)


def test_leaf_needs_a_name() -> None:
    with pytest.raises(ValueError, match="at least one name"):
        leaf()


def test_intermediate_signs_leaves_only() -> None:
    with pytest.raises(ValueError, match="leaves only"):
        x509.Issuer(MIDDLE, MIDDLE_KEY).intermediate("x", LEAF_KEY, YEAR, 1)


@pytest.mark.parametrize(
    ("certificate", "key", "message"),
    [
        (ROOT, MIDDLE_KEY, "does not belong"),
        (b"nothing", ROOT_KEY, "no PEM certificate"),
        (ROOT, b"nothing", "private key: cannot be read"),
        (ROOT[:60] + b"!" + ROOT[61:], ROOT_KEY, "certificate: cannot be read"),
    ],
)
def test_issuer_says_why_it_cannot_be_used(certificate: bytes, key: bytes, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        x509.Issuer(certificate, key)
    with pytest.raises(ValueError, match="not a CA"):
        x509.Issuer(leaf("h"), LEAF_KEY)


def test_rsa_ca_that_a_user_brings() -> None:
    private = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    key = private.private_bytes(Encoding.PEM, PrivateFormat.TraditionalOpenSSL, NoEncryption())
    own = x509.root("Own", key, YEAR, 1)
    signed = x509.Issuer(own, key).leaf(["h"], LEAF_KEY, HOUR, 2)
    assert signed == x509.Issuer(own, key).leaf(["h"], LEAF_KEY, HOUR, 2)
    assert x509.check(signed, NOW, issuer=own, key=LEAF_KEY, names=["h"]) == []


def test_check_lists_every_problem() -> None:
    pem = leaf("*.example", "10.0.0.1")
    assert x509.check(pem, NOW, key=LEAF_KEY, issuer=MIDDLE, names=["a.EXAMPLE.", "10.0.0.1"]) == []
    late = NOW + timedelta(days=2)
    assert x509.check(pem, late, key=ROOT_KEY, issuer=ROOT, names=["a.b.example"], ca=True) == [
        "expired at 2026-03-01T01:00:00Z",
        "the private key does not belong to it",
        "not signed by the given issuer",
        "not a CA (basic constraints)",
        "not valid for a.b.example",
    ]
    assert x509.check(pem, NOW - timedelta(days=1)) == ["not valid before 2026-02-28T23:55:00Z"]


def test_summary_of_the_first_certificate() -> None:
    facts = x509.summary(leaf("h", "10.0.0.1") + MIDDLE)
    assert (facts.subject, facts.issuer, facts.serial) == ("CN=h", "CN=Namespace shop", 9)
    assert (facts.names, facts.is_ca, facts.not_after) == (("h", "10.0.0.1"), False, HOUR.not_after)
    assert len(facts.sha256) == 64


@pytest.mark.parametrize(
    ("start", "end"), [(NOW, NOW), (NOW, NOW - timedelta(1)), (NOW.replace(tzinfo=None), NOW + timedelta(1))]
)
def test_validity_must_make_sense(start: datetime, end: datetime) -> None:
    with pytest.raises(ValueError, match="validity"):
        x509.Validity(start, end)


def test_bundle_is_split_and_comments_are_left_out() -> None:
    bundle = b"# root\n" + ROOT + b"\n\nsome text\n" + MIDDLE.replace(b"\n", b"\r\n")
    split = truststore.split_pem(bundle)
    assert len(split) == 2
    assert [truststore.pem_to_der(pem) for pem in split] == [truststore.pem_to_der(p) for p in (ROOT, MIDDLE)]


def test_trust_store_is_the_same_each_time_whatever_the_order() -> None:
    ders = {"b": truststore.pem_to_der(ROOT), "A": truststore.pem_to_der(MIDDLE)}
    store = truststore.java_trust_store(ders, NOW)
    assert store == truststore.java_trust_store(dict(reversed(ders.items())), NOW)
    assert store[:12] == bytes.fromhex("feedfeed0000000200000002")
    assert truststore.java_trust_store(ders, NOW, "other")[-20:] != store[-20:]
    with pytest.raises(ValueError, match="ASCII"):
        truststore.java_trust_store({"ü": b""}, NOW)
