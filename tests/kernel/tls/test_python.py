"""Python's ssl, over sockets and over memory (asyncio): plaintext is whole, and on the right socket."""

from __future__ import annotations

import sys
from pathlib import Path

import peers
import pytest
from plaintext import BY_MEMORY, SURE, check, wait_attached
from tap import DEADLINE_S, Tap

from speedscale_runtime.nettap import wire

pytestmark = pytest.mark.kernel
PROGRAMS = Path(__file__).parent / "programs"
SIZES = ["0", "1", "5000", "16384", "16385", "1000000"]


def run_client(tap: Tap, how: str, port: int, connections: int) -> None:
    command = [sys.executable, PROGRAMS / "client.py", how, str(port), str(connections), *SIZES]
    with tap.start(command) as process:
        wait_attached(tap, process, wire.Source.OPENSSL)
        out, _ = process.communicate("go\n", timeout=DEADLINE_S)
        assert process.returncode == 0, out


def test_sockets(tap: Tap, server: peers.Server) -> None:
    run_client(tap, "sockets", server.port, 3)
    assert len(server.talks) == 3
    for port, talk in server.talks.items():
        check(tap, port, server.port, talk, SURE)


def test_asyncio(tap: Tap, server: peers.Server) -> None:
    run_client(tap, "asyncio", server.port, 5)
    assert len(server.talks) == 5
    for port, talk in server.talks.items():
        check(tap, port, server.port, talk, BY_MEMORY)
