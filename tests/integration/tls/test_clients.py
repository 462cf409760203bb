"""Real clients trust what the local CA mints: OpenSSL, curl and Java, each with its own reading of the files."""

from __future__ import annotations

import os
import shutil
import socket
import ssl
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

import pytest

from speedscale_runtime.tls.authority import Authority, client_context
from speedscale_runtime.tls.trust import trust_environment
from speedscale_schemas import truststore

pytestmark = pytest.mark.integration

ANSWER = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nConnection: close\r\n\r\nhello"

JAVA = """
import java.net.*; import java.io.*;
public class Get {
    public static void main(String[] a) throws Exception {
        HttpURLConnection c = (HttpURLConnection) new URL(a[0]).openConnection(Proxy.NO_PROXY);
        BufferedReader in = new BufferedReader(new InputStreamReader(c.getInputStream()));
        System.out.println(c.getResponseCode() + " " + in.readLine());
    }
}
"""


def tool(name: str) -> str:
    path = shutil.which(name)
    if path is None:
        pytest.skip(f"{name} is not installed")
    return path


def run(*command: str, env: dict[str, str] | None = None) -> str:
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, env=env, check=False)
    assert done.returncode == 0, f"{command[0]}: {done.stdout}{done.stderr}"
    return done.stdout


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return Authority.load_or_create(tmp_path)


@contextmanager
def serving(authority: Authority) -> Iterator[int]:
    """Answer every request on a free loopback port, with the leaf that the client's SNI asks for."""
    context = authority.context_for("127.0.0.1")

    def choose(connection: ssl.SSLObject, name: str | None, _: ssl.SSLContext) -> None:
        if name is not None:
            connection.context = authority.context_for(name)

    context.sni_callback = choose  # type: ignore[assignment]
    with socket.create_server(("127.0.0.1", 0)) as listener:
        stop = threading.Event()

        def serve() -> None:
            while True:
                plain, _ = listener.accept()
                with plain:
                    if stop.is_set():
                        return
                    plain.settimeout(30)
                    try:
                        with context.wrap_socket(plain, server_side=True) as secure:
                            if secure.recv(4096):
                                secure.sendall(ANSWER)
                    except OSError:
                        continue

        thread = threading.Thread(target=serve)
        thread.start()
        port = listener.getsockname()[1]
        try:
            yield port
        finally:
            stop.set()
            socket.create_connection(("127.0.0.1", port)).close()
            thread.join(60)


def environment(authority: Authority) -> dict[str, str]:
    clean = {k: v for k, v in os.environ.items() if "proxy" not in k.lower()}
    return clean | trust_environment(authority)


@pytest.mark.parametrize("host", ["shop.example", "127.0.0.1"])
def test_curl_trusts_by_environment(authority: Authority, host: str) -> None:
    with serving(authority) as port:
        command = [tool("curl"), "-sS", "--fail", "--resolve", f"shop.example:{port}:127.0.0.1"]
        assert run(*command, f"https://{host}:{port}/", env=environment(authority)) == "hello"
        strange = dict(environment(authority), CURL_CA_BUNDLE="/etc/ssl/certs/ca-certificates.crt")
        refused = subprocess.run(
            [*command, f"https://{host}:{port}/"], capture_output=True, env=strange, timeout=60, check=False
        )
        assert refused.returncode == 60  # peer certificate cannot be authenticated


def test_python_upstream_context_trusts_by_environment(authority: Authority) -> None:
    with serving(authority) as port:
        trusting = client_context(environ={"SSL_CERT_FILE": str(authority.bundle_path)})
        with (
            socket.create_connection(("127.0.0.1", port), 30) as plain,
            trusting.wrap_socket(plain, server_hostname="shop.example") as secure,
        ):
            assert secure.version() == "TLSv1.3"
        with (
            socket.create_connection(("127.0.0.1", port), 30) as plain,
            pytest.raises(ssl.SSLCertVerificationError),
        ):
            client_context(environ={}).wrap_socket(plain, server_hostname="shop.example")


def test_java_trusts_by_environment(authority: Authority, tmp_path: Path) -> None:
    java = tool("java")
    tool("javac")
    (tmp_path / "Get.java").write_text(JAVA)
    with serving(authority) as port:
        url = f"https://127.0.0.1:{port}/"
        assert run(java, str(tmp_path / "Get.java"), url, env=environment(authority)).strip() == "200 hello"


def test_openssl_verifies_strictly(authority: Authority, tmp_path: Path) -> None:
    openssl = tool("openssl")
    with serving(authority) as port, socket.create_connection(("127.0.0.1", port), 30) as plain:
        trusting = client_context(environ={"SSL_CERT_FILE": str(authority.bundle_path)})
        with trusting.wrap_socket(plain, server_hostname="shop.example") as secure:
            leaf = ssl.DER_cert_to_PEM_cert(secure.getpeercert(binary_form=True) or b"")
    (tmp_path / "leaf.pem").write_text(leaf)
    for purpose, name in (("sslserver", "shop.example"),):
        run(
            openssl, "verify", "-x509_strict", "-purpose", purpose, "-verify_hostname", name,
            "-CAfile", str(authority.certificate_path), str(tmp_path / "leaf.pem"),
        )  # fmt: skip


def test_keytool_lists_the_trust_store(authority: Authority, tmp_path: Path) -> None:
    keytool = tool("keytool")
    store = authority.java_trust_store()
    shown = run(keytool, "-list", "-keystore", str(store), "-storepass", "changeit")
    fingerprint = authority.summary.sha256.upper()
    colons = ":".join(fingerprint[i : i + 2] for i in range(0, 64, 2))
    assert "speedscale" in shown
    assert colons in shown
    assert "trustedCertEntry" in shown

    small = tmp_path / "small.jks"
    der = truststore.pem_to_der(authority.certificate_path.read_bytes())
    small.write_bytes(truststore.java_trust_store({"ours": der}, datetime(2026, 1, 1, tzinfo=UTC)))
    assert "contains 1 entry" in run(keytool, "-list", "-keystore", str(small), "-storepass", "changeit")
    damaged = bytearray(small.read_bytes())
    damaged[-30] ^= 1
    small.write_bytes(damaged)
    bad = subprocess.run(
        [keytool, "-list", "-keystore", str(small), "-storepass", "changeit"],
        capture_output=True,
        timeout=60,
        check=False,
    )
    assert bad.returncode != 0, "the seal is checked, so it is right in the store above"
