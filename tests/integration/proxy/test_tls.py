"""TLS interception of outbound connections: what is verified is read, everything else passes untouched."""

from __future__ import annotations

import asyncio
import datetime
import ipaddress
import ssl
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from speedscale_runtime.recording.causes import Side
from speedscale_runtime.tls.authority import Authority

pytestmark = pytest.mark.integration

Start = Callable[..., Awaitable[Any]]
Origin = Callable[..., Awaitable[int]]
Reader, Writer = asyncio.StreamReader, asyncio.StreamWriter


class Pki:
    """A CA of the test's own, and a certificate for localhost."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir()
        self.ca = folder / "ca.pem"
        self.chain = folder / "leaf.pem"
        ca_key, leaf_key = ec.generate_private_key(ec.SECP256R1()), ec.generate_private_key(ec.SECP256R1())
        ca_name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "test CA")])
        leaf_name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
        authority = _builder(ca_name, ca_name, ca_key.public_key())
        authority = authority.add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        identifier = x509.SubjectKeyIdentifier.from_public_key(ca_key.public_key())
        authority = authority.add_extension(identifier, critical=False)
        leaf = _builder(leaf_name, ca_name, leaf_key.public_key()).add_extension(
            x509.SubjectAlternativeName([x509.DNSName("localhost"), x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]),
            critical=False,
        )
        leaf = leaf.add_extension(
            x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(identifier), critical=False
        )
        pem = serialization.Encoding.PEM
        self.ca.write_bytes(authority.sign(ca_key, hashes.SHA256()).public_bytes(pem))
        key = leaf_key.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
        self.chain.write_bytes(leaf.sign(ca_key, hashes.SHA256()).public_bytes(pem) + key)

    def server_context(self) -> ssl.SSLContext:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self.chain)
        return context


def _builder(subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePublicKey) -> x509.CertificateBuilder:
    now = datetime.datetime.now(datetime.UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
    )


@pytest.fixture
def pki(tmp_path: Path) -> Pki:
    return Pki(tmp_path / "pki")


def client_trusts(*files: Path, alpn: tuple[str, ...] = ()) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    for file in files:
        context.load_verify_locations(file)
    if alpn:
        context.set_alpn_protocols(list(alpn))
    return context


async def serve(reader: Reader, writer: Writer) -> None:
    while True:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nsecret")
        await writer.drain()


async def tunnel(rig: Any, port: int) -> tuple[Reader, Writer]:
    reader, writer = await rig.connect(Side.OUT)
    writer.write(b"CONNECT localhost:%d HTTP/1.1\r\n\r\n" % port)
    await reader.readuntil(b"\r\n\r\n")
    return reader, writer


async def get(reader: Reader, writer: Writer, context: ssl.SSLContext) -> bytes:
    await writer.start_tls(context, server_hostname="localhost")
    writer.write(b"GET /s HTTP/1.1\r\nHost: localhost\r\n\r\n")
    await reader.readuntil(b"\r\n\r\n")
    return await reader.readexactly(6)


def ours(tmp_path: Path) -> Path:
    return Authority.load_or_create(tmp_path / "home").certificate_path


@pytest.mark.parametrize("alpn", [(), ("http/1.1",), ("h2", "http/1.1")])
async def test_verified_server_is_read(
    start: Start, origin: Origin, pki: Pki, tmp_path: Path, alpn: tuple[str, ...]
) -> None:
    port = await origin(serve, ssl=pki.server_context())
    rig = await start(TLS_OUT_UNWRAP="true", TLS_OUT_CA_FILE=str(pki.ca))
    reader, writer = await tunnel(rig, port)
    context = client_trusts(ours(tmp_path), alpn=alpn)
    assert await get(reader, writer, context) == b"secret"
    (pair,) = await rig.finish()
    assert (pair.doc["l7protocol"], pair.doc["isTls"], pair.doc["command"]) == ("https", True, "GET")
    assert pair.response_body == b"secret"
    rig.check_books()


async def test_unverifiable_server_is_passed_on_untouched(
    start: Start, origin: Origin, pki: Pki, tmp_path: Path
) -> None:
    port = await origin(serve, ssl=pki.server_context())
    rig = await start(TLS_OUT_UNWRAP="true")  # does not know the origin's CA; the client does
    for _ in range(2):
        reader, writer = await tunnel(rig, port)
        assert await get(reader, writer, client_trusts(pki.ca)) == b"secret"
        writer.close()
    pairs = await rig.finish()
    assert [p.doc["l7protocol"] for p in pairs] == ["tcp", "tcp"]
    assert pairs[0].tags["tlsSni"] == "localhost"
    assert rig.count("opaque.upstream_unverified") == 2
    rig.check_books()


async def test_client_that_refuses_our_certificate_is_left_alone_next_time(
    start: Start, origin: Origin, pki: Pki
) -> None:
    port = await origin(serve, ssl=pki.server_context())
    rig = await start(TLS_OUT_UNWRAP="true", TLS_OUT_CA_FILE=str(pki.ca))
    reader, writer = await tunnel(rig, port)
    with pytest.raises((ssl.SSLError, ConnectionError)):
        await get(reader, writer, client_trusts(pki.ca))  # knows the origin's CA, not ours
    writer.transport.abort()
    reader, writer = await tunnel(rig, port)
    assert await get(reader, writer, client_trusts(pki.ca)) == b"secret"
    await rig.finish()
    assert rig.count("certificate_rejected") == 1
    assert rig.count("opaque.client_rejects") == 1
    rig.check_books()


async def test_client_that_offers_http2_only_is_left_alone(start: Start, origin: Origin, pki: Pki) -> None:
    context = pki.server_context()
    context.set_alpn_protocols(["h2"])
    port = await origin(serve, ssl=context)
    rig = await start(TLS_OUT_UNWRAP="true", TLS_OUT_CA_FILE=str(pki.ca))
    reader, writer = await tunnel(rig, port)
    assert await get(reader, writer, client_trusts(pki.ca, alpn=("h2",))) == b"secret"
    await rig.finish()
    assert rig.count("opaque.no_http1_alpn") == 1


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
async def test_server_that_wants_a_client_certificate(
    start: Start, origin: Origin, pki: Pki, tmp_path: Path, version: ssl.TLSVersion
) -> None:
    context = pki.server_context()
    context.verify_mode = ssl.CERT_REQUIRED
    context.load_verify_locations(pki.ca)
    context.minimum_version = context.maximum_version = version
    port = await origin(serve, ssl=context)
    rig = await start(TLS_OUT_UNWRAP="true", TLS_OUT_CA_FILE=str(pki.ca))
    with_certificate = client_trusts(pki.ca, ours(tmp_path))
    with_certificate.load_cert_chain(pki.chain)
    for _ in range(2):
        reader, writer = await tunnel(rig, port)
        assert await get(reader, writer, with_certificate) == b"secret", "not even the first connection is lost"
        writer.transport.abort()
    await rig.finish()
    assert rig.count("opaque.client_certificate") == 2


async def test_big_body_through_tls(start: Start, origin: Origin, pki: Pki, tmp_path: Path) -> None:
    body = bytes(range(256)) * 20_000

    async def big(reader: Reader, writer: Writer) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(body) + body)
        await writer.drain()

    port = await origin(big, ssl=pki.server_context())
    rig = await start(TLS_OUT_UNWRAP="true", TLS_OUT_CA_FILE=str(pki.ca), MAX_BODY_BYTES="10000000")
    reader, writer = await tunnel(rig, port)
    await writer.start_tls(client_trusts(ours(tmp_path)), server_hostname="localhost")
    writer.write(b"GET /s HTTP/1.1\r\nHost: localhost\r\n\r\n")
    await reader.readuntil(b"\r\n\r\n")
    assert await reader.readexactly(len(body)) == body
    (pair,) = await rig.finish()
    assert pair.response_body == body


async def test_without_interception_only_the_name_is_recorded(start: Start, origin: Origin, pki: Pki) -> None:
    port = await origin(serve, ssl=pki.server_context())
    rig = await start()
    reader, writer = await tunnel(rig, port)
    assert await get(reader, writer, client_trusts(pki.ca)) == b"secret"
    (pair,) = await rig.finish()
    assert (pair.doc["l7protocol"], pair.tags["tlsSni"]) == ("tcp", "localhost")
    assert rig.count("opaque.tls_not_intercepted") == 1


async def test_tls_look_alike_is_passed_on(start: Start, origin: Origin) -> None:
    async def echo(reader: Reader, writer: Writer) -> None:
        while data := await reader.read(1000):
            writer.write(data)

    port = await origin(echo)
    rig = await start(TLS_OUT_UNWRAP="true")
    reader, writer = await tunnel(rig, port)
    writer.write(b"\x16\x03\x01\x00\x05abcde")
    assert await reader.readexactly(10) == b"\x16\x03\x01\x00\x05abcde"
    await rig.finish()
    assert rig.count("opaque.bad_client_hello") == 1


async def test_server_that_speaks_first_inside_tls(start: Start, origin: Origin, pki: Pki, tmp_path: Path) -> None:
    async def mail(reader: Reader, writer: Writer) -> None:
        writer.write(b"220 ready\r\n")
        assert await reader.readline() == b"QUIT\r\n"
        writer.write(b"221 bye\r\n")

    port = await origin(mail, ssl=pki.server_context())
    rig = await start(TLS_OUT_UNWRAP="true", TLS_OUT_CA_FILE=str(pki.ca))
    reader, writer = await tunnel(rig, port)
    await writer.start_tls(client_trusts(ours(tmp_path)), server_hostname="localhost")
    assert await reader.readline() == b"220 ready\r\n"
    writer.write(b"QUIT\r\n")
    assert await reader.readline() == b"221 bye\r\n"
    (pair,) = await rig.finish()
    assert (pair.doc["l7protocol"], pair.doc["isTls"]) == ("tcp", True)
    assert rig.count("opaque.not_http") == 1
    rig.check_books()


# -- files that come late, inbound TLS, client certificates


def given(folder: Path, pki: Pki) -> dict[str, str]:
    """The environment of a sidecar whose workload has this key pair (one file holds both)."""
    folder.mkdir(exist_ok=True)
    return {
        "TLS_IN_UNWRAP": "true",
        "TLS_IN_PUBLIC_KEY": str(folder / "tls.crt"),
        "TLS_IN_PRIVATE_KEY": str(folder / "tls.key"),
    }


def mount(folder: Path, pki: Pki) -> None:
    folder.mkdir(exist_ok=True)
    pem = pki.chain.read_bytes()
    cut = pem.index(b"-----BEGIN PRIVATE KEY-----")
    (folder / "tls.key").write_bytes(pem[cut:])
    (folder / "tls.crt").write_bytes(pem[:cut])


def look_again(watched: Any) -> None:
    """A second has passed."""
    watched._look_at = 0.0


async def into(rig: Any) -> tuple[Reader, Writer]:
    found: tuple[Reader, Writer] = await rig.connect(Side.IN)
    return found


async def test_inbound_tls_is_taken_off_with_the_workloads_own_pair(
    start: Start, origin: Origin, pki: Pki, tmp_path: Path
) -> None:
    port = await origin(serve, ssl=pki.server_context())
    mount(tmp_path / "in", pki)
    rig = await start(port, **given(tmp_path / "in", pki))
    for alpn in ((), ("h2", "http/1.1")):
        reader, writer = await into(rig)
        assert await get(reader, writer, client_trusts(pki.ca, alpn=alpn)) == b"secret"
        shown = writer.get_extra_info("ssl_object")
        assert shown.selected_alpn_protocol() == ("http/1.1" if alpn else None)
        writer.close()
    pairs = await rig.finish()
    assert [(p.doc["direction"], p.doc["l7protocol"], p.doc["location"]) for p in pairs] == [("IN", "https", "/s")] * 2
    rig.check_books()


async def test_inbound_plain_text_and_http2_only_still_arrive(
    start: Start, origin: Origin, pki: Pki, tmp_path: Path
) -> None:
    context = pki.server_context()
    context.set_alpn_protocols(["h2"])
    mount(tmp_path / "in", pki)
    rig = await start(await origin(serve, ssl=context), **given(tmp_path / "in", pki))
    reader, writer = await into(rig)
    assert await get(reader, writer, client_trusts(pki.ca, alpn=("h2",))) == b"secret"
    plain = await start(await origin(serve), **given(tmp_path / "in", pki))
    reader, writer = await into(plain)
    writer.write(b"GET /s HTTP/1.1\r\nHost: localhost\r\n\r\n")
    assert (await reader.readuntil(b"secret")).startswith(b"HTTP/1.1 200")
    assert rig.count("opaque.no_http1_alpn") == 1


async def test_a_key_pair_that_comes_late_and_changes(start: Start, origin: Origin, pki: Pki, tmp_path: Path) -> None:
    port = await origin(serve, ssl=pki.server_context())
    rig = await start(port, **given(tmp_path / "in", pki))
    reader, writer = await into(rig)
    assert await get(reader, writer, client_trusts(pki.ca)) == b"secret"
    assert rig.count("opaque.key_missing") == 1
    watched = rig.server.hub.interceptor(Side.IN).contexts._pair
    newer = Pki(tmp_path / "newer")
    for shown in (pki, newer):
        mount(tmp_path / "in", shown)
        look_again(watched)
        reader, writer = await into(rig)
        assert await get(reader, writer, client_trusts(shown.ca)) == b"secret"
        writer.close()
    (tmp_path / "in" / "tls.key").write_bytes(b"half writ")
    look_again(watched)
    reader, writer = await into(rig)
    assert await get(reader, writer, client_trusts(newer.ca)) == b"secret", "the last good pair stays"
    pairs = await rig.finish()
    assert sorted(p.doc["l7protocol"] for p in pairs) == ["https", "https", "https", "tcp"]


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
async def test_an_application_that_wants_its_clients_certificates_is_left_alone(
    start: Start, origin: Origin, pki: Pki, tmp_path: Path, version: ssl.TLSVersion
) -> None:
    context = pki.server_context()
    context.verify_mode = ssl.CERT_REQUIRED
    context.load_verify_locations(pki.ca)
    context.minimum_version = context.maximum_version = version
    mount(tmp_path / "in", pki)
    rig = await start(await origin(serve, ssl=context), **given(tmp_path / "in", pki))
    client = client_trusts(pki.ca)
    client.load_cert_chain(pki.chain)
    reader, writer = await into(rig)
    assert await get(reader, writer, client) == b"secret", "not even the first connection is lost"
    await rig.finish()
    assert rig.count("opaque.client_certificate") == 1


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
async def test_client_certificate_of_our_own_towards_servers_that_ask(
    start: Start, origin: Origin, pki: Pki, tmp_path: Path, version: ssl.TLSVersion
) -> None:
    context = pki.server_context()
    context.verify_mode = ssl.CERT_REQUIRED
    context.load_verify_locations(pki.ca)
    context.minimum_version = context.maximum_version = version
    shown: list[Any] = []

    async def note(reader: Reader, writer: Writer) -> None:
        shown.append(writer.get_extra_info("peercert"))
        await serve(reader, writer)

    port = await origin(note, ssl=context)
    mount(tmp_path / "mutual", pki)
    rig = await start(
        TLS_OUT_UNWRAP="true",
        TLS_OUT_CA_FILE=str(pki.ca),
        TLS_MUTUAL_PUBLIC_KEY=str(tmp_path / "mutual/tls.crt"),
        TLS_MUTUAL_PRIVATE_KEY=str(tmp_path / "mutual/tls.key"),
    )
    reader, writer = await tunnel(rig, port)
    assert await get(reader, writer, client_trusts(ours(tmp_path))) == b"secret"
    (pair,) = await rig.finish()
    assert pair.doc["l7protocol"] == "https"
    assert shown[0]["subject"] == ((("commonName", "localhost"),),)
    rig.check_books()


async def test_the_namespaces_authority_may_come_late_and_be_renewed(
    start: Start, origin: Origin, pki: Pki, tmp_path: Path
) -> None:
    port = await origin(serve, ssl=pki.server_context())
    folder = tmp_path / "certs"
    rig = await start(TLS_OUT_UNWRAP="true", TLS_OUT_CA_FILE=str(pki.ca), TLS_CERT_DIR=str(folder))
    reader, writer = await tunnel(rig, port)
    assert await get(reader, writer, client_trusts(pki.ca)) == b"secret"
    assert rig.count("opaque.authority_missing") == 1
    for name in ("first", "second"):
        made = Authority.load_or_create(tmp_path / name).certificate_path
        folder.mkdir(exist_ok=True)
        for file in ("tls.crt", "tls.key"):
            (folder / file).write_bytes((tmp_path / name / "certs" / file).read_bytes())
        (folder / "ca.crt").write_bytes(made.read_bytes())
        contexts = rig.server.hub.interceptor(Side.OUT).contexts
        look_again(contexts._authority)
        reader, writer = await tunnel(rig, port)
        assert await get(reader, writer, client_trusts(made)) == b"secret", name
        writer.close()
    pairs = await rig.finish()
    assert [p.doc["l7protocol"] for p in pairs].count("https") == 2


async def test_the_kubernetes_api_is_left_alone_unless_asked_for(
    start: Start, origin: Origin, pki: Pki, tmp_path: Path
) -> None:
    port = await origin(serve, ssl=pki.server_context())
    api = {"KUBERNETES_SERVICE_HOST": "localhost", "KUBERNETES_SERVICE_PORT": str(port)}
    common = {"TLS_OUT_UNWRAP": "true", "TLS_OUT_CA_FILE": str(pki.ca), **api}
    rig = await start(**common)
    reader, writer = await tunnel(rig, port)
    assert await get(reader, writer, client_trusts(pki.ca)) == b"secret"
    assert rig.count("opaque.kubernetes_api") == 1
    asked = await start(KUBE_API_SUPPORT="true", **common)
    reader, writer = await tunnel(asked, port)
    assert await get(reader, writer, client_trusts(ours(tmp_path))) == b"secret"
    assert asked.count("opaque.kubernetes_api") == 0
