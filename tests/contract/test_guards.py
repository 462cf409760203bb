"""The table of guards fits the sources and the fault tests: what `scripts/guards.py` takes out is there."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).resolve().parents[2]


def _script() -> ModuleType:
    spec = importlib.util.spec_from_file_location("guards", ROOT / "scripts" / "guards.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # dataclasses look their module up
    spec.loader.exec_module(module)
    return module


SCRIPT = _script()


@pytest.mark.parametrize("guard", SCRIPT.guards(), ids=lambda guard: guard.test.partition("::")[2])
def test_each_guard_is_in_the_sources(guard: object) -> None:
    assert SCRIPT.problems(guard) == [], "mend the row in guards.toml, and see the test fail with scripts/guards.py"


def test_what_does_not_fit_is_told(tmp_path: Path) -> None:
    edit = SCRIPT.Edit("there.py", "a", "b")
    (tmp_path / "there.py").write_text("a a")
    found = SCRIPT.problems(SCRIPT.Guard("x.py::test_x", "x", (edit,)), tmp_path)
    assert found == ["no such test: x.py::test_x", "x.py::test_x: there.py has 2 times, not once: 'a'"]
