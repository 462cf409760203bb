"""The runner of the tiers: what fails in one with real processes is tried again, alone, and told."""

from __future__ import annotations

import sys
import time
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3]
sys.path.insert(0, str(ROOT / "scripts"))

import tiers  # noqa: E402

TESTS = """
from pathlib import Path
import pytest

class TestIt:
    @pytest.mark.parametrize("which", ["a b"])
    def test_once(self, which):
        seen = Path(__file__).with_name("seen")
        first = not seen.exists()
        seen.touch()
        assert not first, "the machine was busy"

def test_never():
    assert False, "it is broken"

def test_always():
    pass
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A repository with three tests."""
    monkeypatch.setattr(tiers, "ROOT", tmp_path)
    monkeypatch.setattr(tiers, "RESULTS", tmp_path / "results")
    monkeypatch.delenv("PYTEST_ADDOPTS", raising=False)
    (tmp_path / "results").mkdir()
    (tmp_path / "pytest.ini").write_text("[pytest]\njunit_family = xunit1\n")
    (tmp_path / "tests").mkdir()
    (tmp_path / "tests" / "test_it.py").write_text(TESTS)
    return tmp_path


def test_what_passes_alone_is_named_and_what_fails_again_fails(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    row = tiers._run(tiers.Tier("some", "tests", workers="0"))
    assert (row.passed, row.failed, row.skipped) == (2, 1, 0)
    assert [one.name for one in row.failures] == ["tests/test_it.py::test_never"]
    assert [one.name for one in row.unsteady] == ["tests/test_it.py::TestIt::test_once[a b]"]
    capsys.readouterr()
    tiers._table([row])
    told = capsys.readouterr().out
    assert "FAILED tests/test_it.py::test_never: " in told
    assert "it is broken" in told
    assert "unsteady tests/test_it.py::TestIt::test_once[a b]: " in told
    assert "the machine was busy" in told


def test_tests_of_code_alone_get_no_second_try(folder: Path) -> None:
    row = tiers._run(tiers.Tier("some", "tests", workers="0", real=False))
    assert (row.passed, row.failed, row.unsteady) == (1, 2, ())


def test_many_failures_are_no_bad_luck(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tiers, "AGAIN", 1)
    row = tiers._run(tiers.Tier("some", "tests", workers="0"))
    assert (row.failed, row.unsteady) == (2, ())


def test_in_ci_a_long_tier_is_left_out_and_told_where_the_time_for_it_is_over(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tiers, "CI", True)
    monkeypatch.setattr("tools.install", lambda programs: None)
    long = tiers.Tier("some", "tests", workers="0", takes_s=600.0)
    monkeypatch.setattr(tiers, "BEGAN", time.monotonic() - tiers.CI_S + 300.0)
    row = tiers._consider(long, ["default"])
    assert row is not None
    assert (row.passed, row.failed) == (0, 0)
    assert "5 minutes of CI are left, and it may take 10; make test TIERS=some" in row.note
    monkeypatch.setattr(tiers, "BEGAN", time.monotonic())
    ran = tiers._consider(long, ["default"])
    assert ran is not None
    assert ran.passed > 0


def test_in_ci_a_long_tier_begins_no_test_once_its_time_is_over(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tiers, "CI", True)
    monkeypatch.setattr(tiers, "BEGAN", time.monotonic() - tiers.CI_S + tiers.LAST_S - 1)
    tests = Path(__file__).relative_to(ROOT).parent / "test_named_tests.py"
    monkeypatch.setattr(tiers, "ROOT", ROOT)
    row = tiers._run(tiers.Tier("some", str(tests), workers="0", takes_s=600.0))
    assert (row.passed, row.failed) == (0, 0)
    assert row.skipped > 0
    assert "no time is left in CI" in row.note
