"""An ingest process of the test's own, and a real forwarder; the capture is played by hand (`playing_capture`)."""

from __future__ import annotations

import importlib.util
import json
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType

import pytest

sys.path.insert(0, str(Path(__file__).parent))
from playing_capture import Program

_CHUNKS = Path(__file__).resolve().parents[2] / "generators" / "chunks.py"


@pytest.fixture(scope="session")
def chunks() -> ModuleType:
    """Return `tests/generators/chunks.py`."""
    spec = importlib.util.spec_from_file_location("generators_chunks", _CHUNKS)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def programs() -> Iterator[list[Program]]:
    """Ends what a test started."""
    started: list[Program] = []
    yield started
    for program in started:
        if program.process.poll() is None:
            program.process.kill()
        program.process.wait()


@pytest.fixture(scope="module")
def forwarder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Program]:
    """Return a real forwarder that writes a recording, into `recording` of its folder."""
    root = tmp_path_factory.mktemp("forwarder")
    environ = {
        "FORWARDER_PORT": "0",
        "METRICS_HTTP_PORT": "0",
        "SPEEDSCALE_HOME": str(root / "home"),
        "SPOOL_DIR": str(root / "spool"),
        "EXPORTERS": json.dumps({"files": {"type": "files", "path": str(root / "recording"), "format": "jsonl"}}),
    }
    program = Program("speedscale_runtime.forwarder", root, environ)
    yield program
    program.end()


@pytest.fixture
def start(tmp_path: Path, programs: list[Program], forwarder: Program) -> Callable[..., Program]:
    """Return what starts an ingest that sends to the forwarder."""

    def begin(**environ: str) -> Program:
        settings = {
            "NETTAP_SOCKET_PATH": str(tmp_path / "nettap.sock"),
            "FORWARDER_ADDR": f"127.0.0.1:{forwarder.ports['port']}",
            "API_HOST": "127.0.0.1",
            "API_PORT": "0",
            "METRICS_HTTP_PORT": "0",
            "NETTAP_CGROUP_TARGETS": json.dumps([{"path": "/cart", "service": "cart", "namespace": "shop"}]),
            "BATCH_LINGER_MS": "10",
        }
        program = Program("speedscale_runtime.nettap", tmp_path / f"ingest{len(programs)}", settings | environ)
        programs.append(program)
        return program

    return begin
