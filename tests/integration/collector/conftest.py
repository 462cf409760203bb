"""A collector, a backend, and who knows whom."""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))  # pytest's import mode adds nothing

from playing_collector import Backend, Identity, Process


@pytest.fixture
def backend() -> Iterator[Backend]:
    server = Backend()
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield server
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.fixture
def identity(tmp_path: Path) -> Identity:
    return Identity(tmp_path)


@pytest.fixture
def collector(tmp_path: Path, identity: Identity) -> Iterator[Callable[..., Process]]:
    made: list[Process] = []

    def start(**environ: str) -> Process:
        made.append(Process(tmp_path, identity, environ))
        return made[-1].start()

    yield start
    for one in made:
        one.end()
