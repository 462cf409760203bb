"""TLS under test: a certificate, a remembering server, and what was captured of a connection's plaintext."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

HERE = str(Path(__file__).parent)
sys.path[:0] = [HERE]

import peers  # noqa: E402


@pytest.fixture(autouse=True)
def programs_find_their_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the Python programs that tests start import what stands beside the tests."""
    monkeypatch.setenv("PYTHONPATH", HERE)


@pytest.fixture(scope="session")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a file with a key and a certificate for localhost."""
    folder = tmp_path_factory.mktemp("certificate")
    command = "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj /CN=localhost"
    command += " -addext subjectAltName=DNS:localhost,IP:127.0.0.1 -keyout key.pem -out certificate.pem"
    subprocess.run(command.split(), check=True, capture_output=True, cwd=folder)
    both = folder / "both.pem"
    both.write_bytes((folder / "key.pem").read_bytes() + (folder / "certificate.pem").read_bytes())
    return both


@pytest.fixture
def server(certificate: Path) -> Iterator[peers.Server]:
    """Return an HTTPS server that is not captured and remembers what was said."""
    one = peers.Server(certificate)
    yield one
    one.close()
    assert not one.errors
