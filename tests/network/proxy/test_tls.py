"""TLS through the transparent sidecar: taken off where everybody agrees, passed on untouched where not."""

from __future__ import annotations

import hashlib
import ssl
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from speedscale_schemas import x509

pytestmark = pytest.mark.network


class Pki:
    """A certificate authority of the test's own, in files."""

    def __init__(self, folder: Path, name: str) -> None:
        now = datetime.now(UTC)
        self.folder, self.validity = folder, x509.Validity(now - timedelta(hours=1), now + timedelta(hours=1))
        folder.mkdir(exist_ok=True)
        key = x509.new_key()
        self.certificate = x509.root(name, key, self.validity, 1)
        self.issuer = x509.Issuer(self.certificate, key)
        self.ca = folder / f"{name}.crt"
        self.ca.write_bytes(self.certificate)

    def pair(self, host: str) -> Path:
        """One file with certificate and key, also for clients."""
        key, path = x509.new_key(), self.folder / f"{host}.pem"
        path.write_bytes(self.issuer.leaf([host], key, self.validity, 7, client=True) + key)
        return path

    def give_intermediate(self, folder: Path) -> None:
        """Fill a namespace's Secret."""
        key = x509.new_key()
        signer = self.issuer.intermediate("our-namespace", key, self.validity, 2)
        folder.mkdir()
        for name, pem in (("ca.crt", self.certificate), ("tls.key", key), ("tls.crt", signer)):
            (folder / name).write_bytes(pem)
            (folder / name).chmod(0o444)


def shown(pair: Path) -> str:
    der = ssl.PEM_cert_to_DER_cert(pair.read_text().partition("-----BEGIN PRIVATE")[0])
    return hashlib.sha256(der).hexdigest()


def test_in_out_and_mutual(pod: Any, outside: Any, program: Any, client: Any, recorded: Any, tmp_path: Path) -> None:
    theirs, ours = Pki(tmp_path / "theirs", "their-root"), Pki(tmp_path / "ours", "our-root")
    server, workload, visitor = (theirs.pair(name) for name in ("accounts.example", "shop.example", "shop-client"))
    for name in (workload.name, visitor.name):
        (pod.folder / name).write_bytes((theirs.folder / name).read_bytes())
        (pod.folder / name).chmod(0o444)
    (pod.folder / "theirs.crt").write_bytes(theirs.certificate)
    inside = program(pod.host, "http", "0.0.0.0", str(workload))
    plain, mutual = (
        program(outside, "http", "::", str(server)),
        program(outside, "http", "::", str(server), str(theirs.ca)),
    )
    process = pod.start(
        f"{outside.v4}:{recorded.port}",
        TLS_OUT_UNWRAP="true",
        TLS_CERT_DIR="/mnt/certs",
        TLS_OUT_CA_FILE="/mnt/theirs.crt",
        TLS_IN_UNWRAP="true",
        TLS_IN_PUBLIC_KEY=f"/mnt/{workload.name}",
        TLS_IN_PRIVATE_KEY=f"/mnt/{workload.name}",
        TLS_MUTUAL_PUBLIC_KEY=f"/mnt/{visitor.name}",
        TLS_MUTUAL_PRIVATE_KEY=f"/mnt/{visitor.name}",
    )
    # Before the namespace's authority is there: untouched, as if there were no sidecar.
    found = client(pod.host, outside.v4, str(plain), "https", "accounts.example", "100000", str(theirs.ca))
    assert found == {"issuer": "their-root", "sha256": shown(server)}
    ours.give_intermediate(pod.folder / "certs")

    def taken() -> bool:
        found = client(pod.host, outside.v6, str(plain), "https", "accounts.example", "100000", str(both))
        return bool(found["issuer"] == "our-namespace")

    both = tmp_path / "both.crt"
    both.write_bytes(theirs.certificate + ours.certificate)
    pod.until(taken)
    found = client(pod.host, outside.v4, str(mutual), "https", "accounts.example", "100000", str(ours.ca))
    assert found["issuer"] == "our-namespace", "the application has no certificate; the sidecar showed its own"
    found = client(outside, pod.host.v4, str(inside), "https", "shop.example", "100000", str(theirs.ca))
    assert found == {"issuer": "their-root", "sha256": shown(workload)}, "the workload's own certificate"
    left = pod.stop(process)
    assert left["opaque"]["authority_missing"] >= 1
    assert sum(left["opaque"].values()) == left["opaque"]["authority_missing"]
    pairs = [p.doc for p in recorded.pairs() if p.doc["l7protocol"] == "https"]
    assert {(d["direction"], d["network_address"]) for d in pairs} == {
        ("OUT", f"accounts.example:{plain}"),
        ("OUT", f"accounts.example:{mutual}"),
        ("IN", f"shop.example:{inside}"),
    }
    assert left["captured"] == len(recorded.pairs())


def test_what_the_application_would_not_trust_is_passed_on(
    pod: Any, outside: Any, program: Any, client: Any, tmp_path: Path
) -> None:
    theirs, ours = Pki(tmp_path / "theirs", "their-root"), Pki(tmp_path / "ours", "our-root")
    ours.give_intermediate(pod.folder / "certs")
    server = theirs.pair("accounts.example")
    port = program(outside, "http", "0.0.0.0", str(server))
    process = pod.start(TLS_OUT_UNWRAP="true", TLS_CERT_DIR="/mnt/certs", FLUSH_TIMEOUT_S="0")
    for _ in range(2):
        found = client(pod.host, outside.v4, str(port), "https", "accounts.example", "100000", str(theirs.ca))
        assert found["sha256"] == shown(server)
    left = pod.stop(process)
    assert left["opaque"]["upstream_unverified"] == 2
    assert left["dropped"]["shutdown"] == 2, "nobody took them, and that is counted"
