"""The generated reference: complete, the same every time, and drift is named."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from types import ModuleType

import pytest

from speedscale_schemas import validation
from speedscale_schemas.verbs import Verb

SCRIPT = Path(__file__).resolve().parents[2] / "scripts" / "gen.py"
FILES = Verb("files", "runtime", "speedscale_runtime.cli.files", "validate recordings", "Files")


@pytest.fixture
def gen(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    spec = importlib.util.spec_from_file_location("gen", SCRIPT)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    monkeypatch.setattr(module.root, "verbs", lambda: {"files": FILES})
    return module


def test_every_kind_has_a_page_with_every_property(gen: ModuleType, tmp_path: Path) -> None:
    assert gen.main(["--target", str(tmp_path)]) == 0
    for kind in validation.kinds():
        text = (tmp_path / f"{kind}.md").read_text()
        for name in validation.schema(kind).get("properties", {}):
            assert f"| `{name}` |" in text
        assert f"({kind}.md)" in (tmp_path / "README.md").read_text()


def test_nested_objects_have_tables(gen: ModuleType, tmp_path: Path) -> None:
    gen.main(["--target", str(tmp_path)])
    text = (tmp_path / "rrpair.md").read_text()
    assert "## http.req\n" in text
    assert "## netinfo.upstream\n" in text
    assert "| `bytesSent` | string or integer |" in text


def test_verbs_are_listed_with_arguments_and_exit_codes(gen: ModuleType, tmp_path: Path) -> None:
    gen.main(["--target", str(tmp_path)])
    text = (tmp_path / "speedctl.md").read_text()
    assert "### speedctl files convert" in text
    assert "| `--out-format` | `markdown`, `json`, `jsonl` | `markdown` |" in text
    assert "| `--in` | `SOURCE` | required |" in text
    assert "Exit codes: 0 good" in text


def test_a_second_run_changes_nothing_and_check_passes(gen: ModuleType, tmp_path: Path) -> None:
    gen.main(["--target", str(tmp_path)])
    before = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*.md")}
    assert gen.main(["--target", str(tmp_path)]) == 0
    assert gen.main(["--check", "--target", str(tmp_path)]) == 0
    assert {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*.md")} == before


def test_check_names_stale_missing_and_orphaned_pages(
    gen: ModuleType, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    gen.main(["--target", str(tmp_path)])
    (tmp_path / "rrpair.md").write_text("old")
    (tmp_path / "speedctl.md").unlink()
    (tmp_path / "gone.md").write_text("x")
    capsys.readouterr()
    assert gen.main(["--check", "--target", str(tmp_path)]) == 1
    told = capsys.readouterr().err
    assert "rrpair.md is stale" in told
    assert "speedctl.md is stale" in told
    assert "gone.md has no source" in told
    assert told.count("\n") == 3
    assert (tmp_path / "rrpair.md").read_text() == "old"
    assert gen.main(["--target", str(tmp_path)]) == 0
    assert not (tmp_path / "gone.md").exists()
    assert gen.main(["--check", "--target", str(tmp_path)]) == 0


def test_a_verb_without_a_module_is_told(
    gen: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    lost = Verb("lost", "runtime", "speedscale_runtime.cli.no_such_module", "nothing")
    monkeypatch.setattr(gen.root, "verbs", lambda: {"lost": lost})
    assert gen.main(["--target", str(tmp_path)]) == 2
    assert "verb 'lost': module speedscale_runtime.cli.no_such_module cannot be imported" in capsys.readouterr().err
    assert not list(tmp_path.iterdir())
