"""The CA on disk and its leaves: made once, refreshed in time, bounded, refused with a reason."""

from __future__ import annotations

import os
import ssl
import stat
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from speedscale_runtime.tls import authority as module
from speedscale_runtime.tls import roots
from speedscale_runtime.tls.authority import Authority, client_context
from speedscale_schemas import truststore, x509
from speedscale_schemas.errors import ConfigError, PeerError

START = 1_780_000_000.0


class Clock:
    def __init__(self) -> None:
        self.now = START

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def authority(tmp_path: Path, clock: Clock) -> Authority:
    return Authority.load_or_create(tmp_path, clock=clock)


def handshake(server: ssl.SSLContext, trusted: bytes, name: str) -> tuple[bytes, str | None]:
    """Shake hands in memory; return the server's leaf (DER) and the protocol chosen. Time is not checked."""
    client = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    client.load_verify_locations(cadata=trusted.decode())
    client.verify_flags |= 0x200000  # X509_V_FLAG_NO_CHECK_TIME: the clock of these tests is fake
    client.set_alpn_protocols(["h2", "http/1.1"])
    to_server, to_client = ssl.MemoryBIO(), ssl.MemoryBIO()
    a = client.wrap_bio(to_client, to_server, server_hostname=name)
    b = server.wrap_bio(to_server, to_client, server_side=True)
    for _ in range(4):
        for side in (a, b):
            try:
                side.do_handshake()
            except ssl.SSLWantReadError:
                continue
    leaf = a.getpeercert(binary_form=True)
    assert leaf is not None
    return leaf, a.selected_alpn_protocol()


def expiry(leaf: bytes) -> datetime:
    return x509.summary(ssl.DER_cert_to_PEM_cert(leaf).encode()).not_after


def test_made_once_with_a_private_key_file(tmp_path: Path, authority: Authority) -> None:
    key = tmp_path / "certs" / "tls.key"
    assert stat.S_IMODE(key.stat().st_mode) == 0o600
    again = Authority.load_or_create(tmp_path)
    assert again.summary == authority.summary
    assert authority.certificate_path == tmp_path / "certs" / "tls.crt"
    assert sorted(p.name for p in (tmp_path / "certs").iterdir()) == [".lock", "tls.crt", "tls.key"]


def test_new_one_on_demand(tmp_path: Path, authority: Authority) -> None:
    assert Authority.create(tmp_path).summary.sha256 != authority.summary.sha256


@pytest.mark.parametrize("name", ["shop.example", "10.0.0.1", "::1", "a_b.example"])
def test_leaf_is_valid_for_its_name_and_speaks_http1(authority: Authority, name: str) -> None:
    leaf, alpn = handshake(authority.context_for(name), authority.certificate_path.read_bytes(), name)
    assert alpn == "http/1.1"
    assert expiry(leaf) == datetime.fromtimestamp(START, UTC) + timedelta(hours=1)


def test_contexts_are_kept_and_refreshed_before_the_leaf_expires(authority: Authority, clock: Clock) -> None:
    first = authority.context_for("Shop.Example.")
    clock.now += 3600 - module.REFRESH_BEFORE_S - 1
    assert authority.context_for("shop.example") is first
    clock.now += 1
    second = authority.context_for("shop.example")
    assert second is not first
    assert authority.minted == 2
    leaf, _ = handshake(second, authority.certificate_path.read_bytes(), "shop.example")
    assert expiry(leaf).timestamp() == clock.now + 3600


def test_cache_is_bounded_and_counts_what_it_drops(tmp_path: Path, authority: Authority) -> None:
    pair = (tmp_path / "certs" / "tls.crt").read_bytes(), (tmp_path / "certs" / "tls.key").read_bytes()
    small = Authority(*pair, directory=tmp_path / "certs", work=tmp_path, contexts_max=2, clock=lambda: START)
    kept = small.context_for("a")
    small.context_for("b")
    small.context_for("a")
    small.context_for("c")
    assert (small.evicted, small.minted) == (1, 3)
    assert small.context_for("a") is kept


@pytest.mark.parametrize("name", ["", "a b", "x" * 400, "ünï", "a\n", "*"])
def test_names_that_are_none_are_refused(authority: Authority, name: str) -> None:
    with pytest.raises(PeerError, match="bad_server_name"):
        authority.context_for(name)


def test_leaf_never_outlives_the_ca(tmp_path: Path, authority: Authority, clock: Clock) -> None:
    end = authority.summary.not_after
    clock.now = end.timestamp() - 60
    leaf, _ = handshake(authority.context_for("h"), authority.certificate_path.read_bytes(), "h")
    assert expiry(leaf) == end
    clock.now = end.timestamp()
    with pytest.raises(ConfigError, match=r"expired at .*speedctl certs --force"):
        Authority.load_or_create(tmp_path, clock=clock)


def test_intermediate_from_a_mounted_secret(tmp_path: Path, clock: Clock) -> None:
    now = datetime.fromtimestamp(START, UTC)
    year = x509.Validity(now - timedelta(days=1), now + timedelta(days=365))
    root_key, key = x509.new_key(), x509.new_key()
    root = x509.root("Cluster root", root_key, year, 1)
    middle = x509.Issuer(root, root_key).intermediate("Namespace shop", key, year, 2)
    secret, work = tmp_path / "secret", tmp_path / "work"
    secret.mkdir()
    (secret / "tls.crt").write_bytes(middle)
    (secret / "tls.key").write_bytes(key)
    (secret / "ca.crt").write_bytes(root)
    authority = Authority.load(secret, work, clock=clock)
    assert authority.certificate_path.read_bytes() == root
    assert root in authority.bundle_path.read_bytes()
    handshake(authority.context_for("shop.example"), root, "shop.example")
    assert {p.name for p in secret.iterdir()} == {"tls.crt", "tls.key", "ca.crt"}


def test_key_without_certificate_is_completed(tmp_path: Path) -> None:
    key = x509.new_key()
    (tmp_path / "certs").mkdir()
    (tmp_path / "certs" / "tls.key").write_bytes(key)
    Authority.load_or_create(tmp_path)
    assert (tmp_path / "certs" / "tls.key").read_bytes() == key


@pytest.mark.parametrize(
    ("certificate", "key", "message"),
    [
        ("own", "other", "does not belong to the certificate"),
        ("own", None, "without its key"),
        ("junk", "other", "no PEM certificate"),
    ],
)
def test_files_that_cannot_be_used_are_named_and_left_alone(
    tmp_path: Path, certificate: str, key: str | None, message: str
) -> None:
    now = datetime.now(UTC)
    own = x509.root("x", x509.new_key(), x509.Validity(now - timedelta(1), now + timedelta(1)), 1)
    folder = tmp_path / "certs"
    folder.mkdir()
    (folder / "tls.crt").write_bytes(own if certificate == "own" else b"junk")
    if key:
        (folder / "tls.key").write_bytes(x509.new_key())
    before = (folder / "tls.crt").read_bytes()
    with pytest.raises(ConfigError, match=message) as caught:
        Authority.load_or_create(tmp_path)
    assert "tls.crt" in str(caught.value)
    assert "speedctl certs --force" in str(caught.value)
    assert (folder / "tls.crt").read_bytes() == before


def test_home_that_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(ConfigError, match=r"file/certs/tls\.crt: cannot be read"):
        Authority.load_or_create(tmp_path / "file")
    with pytest.raises(ConfigError, match=r"cannot be written .*SPEEDSCALE_HOME"):
        Authority.create(tmp_path / "file")
    with pytest.raises(ConfigError, match="cannot be read"):
        Authority.load(tmp_path / "missing", tmp_path)


def test_processes_that_start_at_once_share_one_ca(tmp_path: Path) -> None:
    program = (
        "import sys, pathlib; from speedscale_runtime.tls.authority import Authority;"
        "print(flush=True); sys.stdin.readline();"
        "print(Authority.load_or_create(pathlib.Path(sys.argv[1])).summary.sha256)"
    )
    starts = [
        subprocess.Popen(
            [sys.executable, "-c", program, str(tmp_path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        for _ in range(3)
    ]
    for process in starts:
        assert process.stdout is not None
        process.stdout.readline()  # imported and ready
    for process in starts:
        assert process.stdin is not None
        process.stdin.write("\n")
        process.stdin.flush()
    answers = {process.communicate(timeout=60)[0] for process in starts}
    assert len(answers) == 1
    assert len(answers.pop().strip()) == 64


def test_bundle_holds_the_public_roots_and_ours(
    tmp_path: Path, authority: Authority, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = datetime.now(UTC)
    validity = x509.Validity(now - timedelta(1), now + timedelta(1))
    public, corporate = (x509.root(n, x509.new_key(), validity, 1) for n in ("public", "corporate"))
    (tmp_path / "public.pem").write_bytes(b"# roots\n" + public + public)
    (tmp_path / "corporate.pem").write_bytes(corporate)
    for name in roots.REPLACED:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "public.pem"))
    monkeypatch.setenv("NODE_EXTRA_CA_CERTS", str(tmp_path / "corporate.pem"))
    bundle = authority.bundle_path
    ours = authority.certificate_path.read_bytes()
    assert truststore.split_pem(bundle.read_bytes()) == [ours, public, corporate]
    assert b"PRIVATE" not in bundle.read_bytes()

    written = bundle.stat().st_mtime_ns
    os.utime(bundle, ns=(1, 1))
    assert authority.bundle_path.stat().st_mtime_ns == 1 != written, "an unchanged bundle is not written again"

    # An application that already runs with our bundle: the system's roots are taken, not our own file.
    monkeypatch.setattr("speedscale_runtime.tls.roots.SYSTEM_BUNDLES", (tmp_path / "public.pem",))
    monkeypatch.setenv("SSL_CERT_FILE", str(bundle))
    monkeypatch.setenv("NODE_EXTRA_CA_CERTS", str(authority.certificate_path))
    assert truststore.split_pem(authority.bundle_path.read_bytes()) == [ours, public]


def test_java_trust_store_holds_the_same(authority: Authority, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    now = datetime.now(UTC)
    public = x509.root("public", x509.new_key(), x509.Validity(now - timedelta(1), now + timedelta(1)), 1)
    (tmp_path / "public.pem").write_bytes(public)
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "public.pem"))
    store = authority.java_trust_store().read_bytes()
    assert truststore.pem_to_der(public) in store
    assert truststore.pem_to_der(authority.certificate_path.read_bytes()) in store


def test_upstream_is_verified_with_the_roots_of_ssl_cert_file(authority: Authority, tmp_path: Path) -> None:
    context = client_context(alpn=("http/1.1",), environ={"SSL_CERT_FILE": str(authority.bundle_path)})
    assert (context.verify_mode, context.check_hostname) == (ssl.CERT_REQUIRED, True)
    ours = truststore.pem_to_der(authority.certificate_path.read_bytes())
    assert ours in context.get_ca_certs(binary_form=True)
    assert ours not in client_context(environ={}).get_ca_certs(binary_form=True)
    for name in roots.REPLACED:  # what an application trusts by any of them, its upstream is verified with
        given = client_context(environ={name: str(authority.certificate_path)})
        assert ours in given.get_ca_certs(binary_form=True), name
        client_context(environ={name: str(tmp_path / "missing.pem")})
    assert ours in client_context(extra=authority.certificate_path, environ={}).get_ca_certs(binary_form=True)
    assert ours not in client_context(extra=tmp_path / "late.pem", environ={}).get_ca_certs(binary_form=True)
    (tmp_path / "late.pem").write_text("no certificate")
    with pytest.raises(ConfigError, match=r"late\.pem: cannot be read"):
        client_context(extra=tmp_path / "late.pem", environ={})
    with pytest.raises(ConfigError, match="SSL_CERT_FILE"):
        client_context(environ={"SSL_CERT_FILE": str(tmp_path / "missing.pem")})
    with pytest.raises(ConfigError, match="client certificate"):
        client_context(certificate=tmp_path / "missing.pem", environ={})
