"""nettap's builds in the cache: made once, whole or not at all, and what killed ones left is removed."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3]
sys.path.insert(0, str(ROOT / "scripts"))

import nettap_build  # noqa: E402
import tools  # noqa: E402


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A cache and sources of the test's own, whose Makefile notes each of its runs."""
    sources = tmp_path / "nettap"
    sources.mkdir()
    (sources / "Makefile").write_text(
        f"all:\n\techo $(OUT) >>{tmp_path}/runs\n\ttouch $(OUT)/part\n\ttest ! -e {tmp_path}/broken\n"
        f"\ttouch $(OUT)/{nettap_build.PROGRAM}\n"
    )
    monkeypatch.setattr(nettap_build, "SOURCES", sources)
    monkeypatch.setattr(tools, "missing", lambda programs: {})
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return nettap_build.cache()


def folders(cache: Path) -> list[str]:
    return sorted(one.name for one in cache.glob("*nettap*-*") if one.is_dir())


def test_it_is_built_once(cache: Path, tmp_path: Path) -> None:
    first, again = nettap_build.ensure(), nettap_build.ensure()
    assert first == again == nettap_build.folder()
    assert sorted(one.name for one in first.iterdir()) == ["part", nettap_build.PROGRAM]
    assert (tmp_path / "runs").read_text().count("\n") == 1
    assert folders(cache) == [first.name]


def test_a_failed_build_leaves_nothing_and_is_tried_again(cache: Path, tmp_path: Path) -> None:
    (tmp_path / "broken").touch()
    with pytest.raises(nettap_build.BuildError, match="failed"):
        nettap_build.ensure()
    assert folders(cache) == []
    (tmp_path / "broken").unlink()
    assert (nettap_build.ensure() / nettap_build.PROGRAM).exists()


def test_what_killed_builds_left_goes_and_other_builds_stay(cache: Path) -> None:
    for name in ("nettap-killed", nettap_build.folder().name):
        (cache / name).mkdir(parents=True)
        (cache / name / "part").touch()
    other = cache / "nettap-0123456789abcdef"
    other.mkdir()
    (other / nettap_build.PROGRAM).touch()
    assert folders(cache) != [other.name]
    built = nettap_build.ensure()
    assert folders(cache) == sorted([built.name, other.name])


def test_builds_for_another_architecture_are_apart(cache: Path, tmp_path: Path) -> None:
    own = nettap_build.ensure()
    settings = "$(MACHINE) $(SYSROOT) $(CC)"
    makefile = nettap_build.SOURCES / "Makefile"
    makefile.write_text(f"{makefile.read_text()}\techo '{settings}' >{tmp_path}/settings\n")
    foreign = nettap_build.Foreign("aarch64", tmp_path)
    built = nettap_build.ensure(foreign)
    assert built == nettap_build.folder(foreign)
    assert built.name.startswith("nettap.aarch64-")
    assert (tmp_path / "settings").read_text().strip() == (
        f"aarch64 {tmp_path} aarch64-linux-gnu-gcc --sysroot={tmp_path}"
    )
    assert folders(cache) == sorted([own.name, built.name])
