"""The certificate is renewed while the forwarder runs, and a broken pair never takes the place of a good one."""

from __future__ import annotations

import contextlib
import ssl
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from speedscale_runtime.forwarder.identity import ServerIdentity
from speedscale_schemas import x509
from speedscale_schemas.errors import ConfigError

NOW = datetime.now(UTC)
VALIDITY = x509.Validity(NOW - timedelta(hours=1), NOW + timedelta(hours=1))
CA_KEY = x509.new_key()
CA = x509.root("CA", CA_KEY, VALIDITY, 1)


class Pair:
    """Certificate and key on disk."""

    def __init__(self, folder: Path) -> None:
        self.cert, self.key = folder / "tls.crt", folder / "tls.key"

    def write(self, serial: int) -> None:
        key = x509.new_key()
        self.cert.write_bytes(x509.Issuer(CA, CA_KEY).leaf(["forwarder"], key, VALIDITY, serial))
        self.key.write_bytes(key)


@pytest.fixture
def pair(tmp_path: Path) -> Pair:
    made = Pair(tmp_path)
    made.write(7)
    return made


def serial(identity: ServerIdentity) -> int:
    """Return the serial number of what a client is shown."""
    assert identity.context is not None
    client_in, client_out, server_in, server_out = (ssl.MemoryBIO() for _ in range(4))
    context = ssl.create_default_context(cadata=CA.decode())
    client = context.wrap_bio(client_in, client_out, server_hostname="forwarder")
    server = identity.context.wrap_bio(server_in, server_out, server_side=True)
    for _ in range(4):
        for end in (client, server):
            with contextlib.suppress(ssl.SSLWantReadError):
                end.do_handshake()
            server_in.write(client_out.read())
            client_in.write(server_out.read())
    certificate = client.getpeercert()
    assert certificate is not None
    return int(str(certificate["serialNumber"]), 16)


def test_a_new_pair_is_shown_from_the_next_handshake_on(pair: Pair) -> None:
    identity = ServerIdentity(str(pair.cert), str(pair.key))
    assert serial(identity) == 7
    assert not identity.refresh()
    pair.write(8)
    assert identity.refresh()
    assert serial(identity) == 8
    assert not identity.refresh()


def test_half_a_renewal_leaves_the_last_good_pair_and_is_told_once(pair: Pair) -> None:
    identity = ServerIdentity(str(pair.cert), str(pair.key))
    pair.key.write_bytes(x509.new_key())
    with pytest.raises(ConfigError, match="FORWARDER_TLS_CERT_FILE"):
        identity.refresh()
    assert not identity.refresh()
    assert serial(identity) == 7
    pair.write(9)
    assert identity.refresh()
    assert serial(identity) == 9


def test_without_a_certificate_there_is_nothing_to_renew() -> None:
    identity = ServerIdentity("", "")
    assert identity.context is None
    assert not identity.refresh()


def test_a_broken_pair_at_the_start_is_refused(pair: Pair) -> None:
    pair.cert.write_bytes(b"no certificate")
    with pytest.raises(ConfigError, match=r"tls\.crt"):
        ServerIdentity(str(pair.cert), str(pair.key))
