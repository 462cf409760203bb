"""The certificate that is served: changed while it serves, never for a worse one, believed by whom."""

from __future__ import annotations

import asyncio
import base64
import ssl
from datetime import UTC, datetime, timedelta

import pytest

from speedscale_controller.admission.certificate import Pair, Serving, believed, pair_of
from speedscale_schemas import x509

NOW = datetime(2026, 1, 31, 12, tzinfo=UTC)
VALIDITY = x509.Validity(NOW - timedelta(days=1), NOW + timedelta(days=7))
NAME = "speedscale-operator.speedscale.svc"


class Authority:
    def __init__(self, name: str = "ca") -> None:
        self.key = x509.new_key()
        self.certificate = x509.root(name, self.key, VALIDITY, 1)
        self.issuer = x509.Issuer(self.certificate, self.key)

    def leaf(self, validity: x509.Validity = VALIDITY) -> tuple[bytes, bytes]:
        key = x509.new_key()
        return self.issuer.leaf([NAME], key, validity, x509.serial_from(key)), key


@pytest.fixture(scope="module")
def authority() -> Authority:
    return Authority()


async def shown(serving: Serving) -> bytes | None:
    """Return the certificate (DER) of a handshake, in the loop that serves."""
    server = await asyncio.start_server(lambda r, w: w.close(), "127.0.0.1", 0, ssl=serving.context)
    port = server.sockets[0].getsockname()[1]
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    _, writer = await asyncio.open_connection("127.0.0.1", port, ssl=context)
    found: bytes | None = writer.get_extra_info("ssl_object").getpeercert(binary_form=True)
    writer.close()
    server.close()
    return found


async def test_a_new_pair_is_shown_from_the_next_handshake_on(authority: Authority) -> None:
    serving = Serving()
    assert (serving.loaded, serving.not_after) == (False, None)
    for _ in range(2):
        leaf, key = authority.leaf()
        serving.load(leaf, key)
        assert await shown(serving) == ssl.PEM_cert_to_DER_cert(leaf.decode())
        assert serving.not_after == VALIDITY.not_after


async def test_a_bad_pair_leaves_the_good_one(authority: Authority) -> None:
    serving = Serving()
    leaf, key = authority.leaf()
    serving.load(leaf, key)
    other, other_key = authority.leaf()
    for bad in ((other, key), (b"", key), (leaf, b""), (b"no pem", other_key), (other[:100], other_key)):
        with pytest.raises(ValueError, match="cannot be used"):
            serving.load(*bad)
        assert await shown(serving) == ssl.PEM_cert_to_DER_cert(leaf.decode())


def test_old_protocols_are_refused() -> None:
    assert Serving().context.minimum_version is ssl.TLSVersion.TLSv1_2


def served(pair: tuple[bytes, bytes]) -> Serving:
    serving = Serving()
    serving.load(*pair)
    return serving


def test_who_believes_it(authority: Authority) -> None:
    leaf = authority.leaf()
    other = Authority("ca").certificate  # of the same name: names decide nothing
    certificates = served(leaf).chain
    assert believed(certificates, authority.certificate, NOW) == ""
    assert believed(certificates, other + authority.certificate, NOW) == ""
    assert believed(certificates, leaf[0], NOW) == ""
    assert "does not hold the CA" in believed(certificates, other, NOW)
    assert "is empty" in believed(certificates, b"", NOW)
    assert "no PEM" in believed(certificates, b"what?", NOW)
    assert "no certificate" in believed((), authority.certificate, NOW)


def test_not_before_and_not_after(authority: Authority) -> None:
    certificates = served(authority.leaf()).chain
    for moment in (NOW - timedelta(days=2), NOW + timedelta(days=8)):
        assert "holds from" in believed(certificates, authority.certificate, moment)


def test_a_chain_is_followed(authority: Authority) -> None:
    key = x509.new_key()
    middle = authority.issuer.intermediate("middle", key, VALIDITY, 5, permitted=("svc",))
    leaf_key = x509.new_key()
    leaf = x509.Issuer(middle, key).leaf([NAME], leaf_key, VALIDITY, 6)
    assert believed(served((leaf + middle, leaf_key)).chain, authority.certificate, NOW) == ""
    assert believed(served((leaf, leaf_key)).chain, authority.certificate, NOW) != ""


def test_a_secret_without_a_pair() -> None:
    assert pair_of({"metadata": {}}) is None
    assert pair_of({"metadata": {}, "data": {"tls.crt": "", "tls.key": "x"}}) is None
    text, secret = (base64.b64encode(word).decode() for word in (b"x", b"hidden word"))
    found = pair_of({"metadata": {}, "data": {"tls.crt": text, "tls.key": secret}})
    assert found == Pair(text, secret, "")
    assert secret not in repr(found)
