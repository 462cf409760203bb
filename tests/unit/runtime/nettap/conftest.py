"""The hand-made captures of `tests/generators/chunks.py`, for tests of the ingest."""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

_PATH = Path(__file__).resolve().parents[3] / "generators" / "chunks.py"


@pytest.fixture(scope="session")
def chunks() -> ModuleType:
    """Return `tests/generators/chunks.py`."""
    spec = importlib.util.spec_from_file_location("generators_chunks", _PATH)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def tap(chunks: ModuleType) -> Any:
    """Return what makes ends of connections."""
    return chunks.Tap


@pytest.fixture
def node(chunks: ModuleType) -> Iterator[Any]:
    """Return an ingest."""
    made = chunks.Node()
    yield made
    made.close()
