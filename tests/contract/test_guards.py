"""The table of guards fits the sources and the fault tests: what `scripts/guards.py` takes out is there."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "scripts"))

import guards  # noqa: E402


@pytest.mark.parametrize("guard", guards.guards(), ids=lambda guard: guard.test.partition("::")[2])
def test_each_guard_is_in_the_sources(guard: guards.Guard) -> None:
    assert guards.problems(guard) == [], "mend the row in guards.toml, and see the test fail with scripts/guards.py"


def test_what_does_not_fit_is_told(tmp_path: Path) -> None:
    edit = guards.Edit("there.py", "a", "b")
    (tmp_path / "there.py").write_text("a a")
    found = guards.problems(guards.Guard("x.py::test_x", "x", (edit,)), tmp_path)
    assert found == ["no such test: x.py::test_x", "x.py::test_x: there.py has 2 times, not once: 'a'"]
