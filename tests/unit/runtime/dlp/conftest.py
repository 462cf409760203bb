"""What the redaction tests share: the compiled rule, the key, and the seeded traffic."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from types import ModuleType

import pytest

from speedscale_runtime.dlp import KeyRing, Redactor, builtin, compile_rule

KEY = b"a key for tests, 32 bytes long.."


@pytest.fixture(scope="session")
def keys() -> KeyRing:
    return KeyRing({"k1": KEY})


@pytest.fixture(scope="session")
def standard(keys: KeyRing) -> Redactor:
    return compile_rule(builtin("standard"), keys)


@pytest.fixture(scope="session")
def traffic() -> ModuleType:
    path = Path(__file__).parents[3] / "corpus" / "traffic.py"
    spec = importlib.util.spec_from_file_location("corpus_traffic", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module
