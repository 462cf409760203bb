"""TLS under test: a certificate, a remembering server, and what was captured of a connection's plaintext."""

from __future__ import annotations

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


@pytest.fixture
def server(certificate: Path) -> Iterator[peers.Server]:
    """Return an HTTPS server that is not captured and remembers what was said."""
    one = peers.Server(certificate)
    yield one
    one.close()
    assert not one.errors
