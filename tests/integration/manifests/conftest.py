"""A project as people clone it: the cdk8s command line from the lock file, our app, and nothing else."""

from __future__ import annotations

import importlib.util
import os
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).resolve().parents[3]


def _script() -> ModuleType:
    spec = importlib.util.spec_from_file_location("scripts_synth", ROOT / "scripts" / "synth.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="session")
def cdk8s() -> str:
    """The pinned command line; a machine without a registry is told, CI fails."""
    if _script().install() != 0:
        reason = "npm cannot install the cdk8s command line"
        if os.environ.get("CI") == "true":
            pytest.fail(reason)
        pytest.skip(reason)
    return str(ROOT / "node_modules" / ".bin" / "cdk8s")


@pytest.fixture(scope="session")
def environment() -> dict[str, str]:
    """As `make synth` runs it."""
    chosen: dict[str, str] = _script().environment()
    return chosen


@pytest.fixture
def clone(tmp_path: Path) -> Callable[[str], Path]:
    """Make a folder with what `cdk8s synth` needs of a clone."""

    def make(name: str) -> Path:
        folder = tmp_path / name
        (folder / "cdk8s").mkdir(parents=True)
        for file in ("cdk8s.yaml", "cdk8s/main.py", "cdk8s/values.yaml"):
            if (ROOT / file).is_file():
                (folder / file).write_bytes((ROOT / file).read_bytes())
        (folder / ".venv").symlink_to(ROOT / ".venv")
        return folder

    return make
