"""Exporters through borders: logins, certificates that come late, certificates of our own, proxies."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

sys.path.insert(0, str(Path(__file__).parents[3] / "scripts"))
sys.path.insert(0, str(Path(__file__).parent))
import export_servers as servers
from destinations import NAME, arrived, self_signed, settings, uuids
from faults import Tunnel
from kafka_server import PASSWORD, TOPIC, USER, Kafka, Secure

pytestmark = pytest.mark.integration

Start = Callable[..., Any]


def tried_in_vain(forwarder: Any) -> None:
    """Wait until what is so now was tried, and did not do."""

    def errors() -> int:
        return int(forwarder.status()["exporters"]["x"]["errors"])

    wanted = errors() + 2  # one may have begun before
    forwarder.until(lambda: errors() >= wanted)


@pytest.mark.parametrize("mechanism", ["", "PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"])
def test_kafka_over_tls_with_a_login(
    forwarder: Start, batch: Callable[..., bytes], start: Start, tmp_path: Path, mechanism: str
) -> None:
    """Without a mechanism the broker wants a certificate of ours in the place of a login."""
    certificate, key = self_signed(tmp_path)
    own = tmp_path / "own"
    own.mkdir()
    mine, its_key = self_signed(tmp_path, "mine")

    def secured(server: Kafka) -> None:
        server.secure = Secure(certificate, key, mechanism, None if mechanism else mine)

    server = start("kafka", secured)
    ca = tmp_path / "ca.crt"
    ca.write_bytes(mine.read_bytes())  # another's: nothing goes there
    entry: dict[str, object] = {
        "type": "kafka",
        "brokers": [server.secure_broker],
        "topic": TOPIC,
        "tls": True,
        "ca_file": str(ca),
        "timeout_s": 5,
    }
    if mechanism:
        entry |= {"sasl_mechanism": mechanism, "sasl_path": str(own)}
        (own / "username").write_text(USER)
        (own / "password").write_text("not yet known")
    else:
        entry |= {"client_cert_path": str(own)}
    f = forwarder(**settings({"x": entry}))
    f.post(batch(*range(50)), 1)
    f.until(lambda: f.status()["exporters"]["x"]["errors"] > 0)
    ca.write_bytes(certificate.read_bytes())
    tried_in_vain(f)
    assert server.uuids() == []
    if mechanism:
        (own / "password").write_text(f"{PASSWORD}\n")
    else:
        (own / "tls.key").write_bytes(its_key.read_bytes())
        (own / "tls.crt").write_bytes(mine.read_bytes())
    f.until(lambda: arrived(f))
    assert sorted(set(server.uuids())) == uuids(*range(50))
    assert PASSWORD not in f.log.read_text()


@pytest.fixture
def tunnel() -> Iterator[Callable[[int], Tunnel]]:
    """Return a function that starts a proxy before a port."""
    open_: list[Tunnel] = []

    def begin(port: int) -> Tunnel:
        open_.append(Tunnel(port))
        return open_[-1]

    yield begin
    for one in open_:
        one.stop()


@pytest.mark.parametrize("variable", ["HTTPS_PROXY", "https_proxy"])
@pytest.mark.parametrize("protocol", ["http", "grpc"])
def test_otlp_goes_through_a_proxy_and_verifies_what_is_behind_it(
    forwarder: Start,
    batch: Callable[..., bytes],
    start: Start,
    tunnel: Callable[[int], Tunnel],
    tmp_path: Path,
    protocol: str,
    variable: str,
) -> None:
    certificate, key = self_signed(tmp_path)

    def secured(server: servers.Collector) -> None:
        server.tls = (certificate, key)

    server = start(protocol, secured)
    proxy = tunnel(server.grpc_port if protocol == "grpc" else server.port)
    ca = tmp_path / "ca.crt"
    ca.write_bytes(self_signed(tmp_path, "other")[0].read_bytes())
    entry = {"otel_endpoint": f"https://{NAME}:4999", "protocol": protocol, "ca_file": str(ca), "timeout_s": 5}
    f = forwarder(**settings({"x": entry}, **{variable: f"http://us:secret@127.0.0.1:{proxy.port}"}))
    f.post(batch(1), 1)
    f.until(lambda: f.status()["exporters"]["x"]["errors"] > 0 and proxy.asked)
    assert server.uuids() == []  # not by an authority that is another's
    ca.write_bytes(certificate.read_bytes())
    f.until(lambda: arrived(f))
    f.until(lambda: server.uuids() == uuids(1))
    assert set(proxy.asked) == {(f"CONNECT {NAME}:4999 HTTP/1.1", "basic dxm6c2vjcmv0")}
    assert "secret" not in f.log.read_text()


@pytest.mark.parametrize("protocol", ["http", "grpc"])
def test_no_proxy_is_heeded(
    forwarder: Start, batch: Callable[..., bytes], start: Start, tunnel: Callable[[int], Tunnel], protocol: str
) -> None:
    server = start(protocol)
    proxy = tunnel(server.port)
    entry = {"otel_endpoint": server.http if protocol == "http" else server.grpc, "protocol": protocol}
    proxies = {"HTTP_PROXY": f"http://127.0.0.1:{proxy.port}", "NO_PROXY": "127.0.0.1,.svc"}
    f = forwarder(**settings({"x": entry}, **proxies))
    f.post(batch(1), 1)
    f.until(lambda: arrived(f))
    f.until(lambda: server.uuids() == uuids(1))
    assert proxy.asked == []
