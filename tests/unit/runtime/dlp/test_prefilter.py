"""One database of all patterns: compiled once, kept for the next process, and never trusted beyond its own checks."""

from __future__ import annotations

import platform
from pathlib import Path

import pytest

from speedscale_runtime.dlp import prefilter
from speedscale_runtime.dlp.detectors import KeyRule
from speedscale_runtime.dlp.keynames import prefilter as key_patterns
from speedscale_runtime.dlp.memory import Memory
from speedscale_runtime.dlp.prefilter import FIRST, KEY, Pattern, Prefilter
from speedscale_runtime.dlp.store import Store
from speedscale_runtime.dlp.work import TooMuch
from speedscale_schemas.errors import ConfigError

PATTERNS = [Pattern(FIRST, "ab+c", False, "test"), Pattern(KEY, "name", True, "test")]
TEXT = b"abbc NAME abc"
HITS = [(FIRST, 4), (KEY, 9), (FIRST, 13)]


@pytest.fixture(autouse=True)
def compiled(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How many patterns were compiled, each time; every test begins with nothing in memory, as a new process does."""
    counts: list[int] = []
    compile_ = prefilter._compile

    def counted(patterns: tuple[Pattern, ...]) -> object:
        counts.append(len(patterns))
        return compile_(patterns)

    monkeypatch.setattr(prefilter, "TRIGGERS", ())  # what takes time, and matters to nothing here
    monkeypatch.setattr(prefilter, "_compile", counted)
    monkeypatch.setattr(prefilter, "_DATABASES", Memory(8))
    return counts


def anew(patterns: list[Pattern], folder: Path | None) -> Prefilter:
    """Return what the next process would have."""
    prefilter._DATABASES.clear()
    return Prefilter(patterns, folder)


def test_the_next_process_takes_what_is_kept_and_finds_the_same(tmp_path: Path, compiled: list[int]) -> None:
    assert [anew(PATTERNS, tmp_path / "kept").scan(TEXT) for _ in range(3)] == [HITS] * 3
    assert len(compiled) == 1


def test_without_a_folder_each_process_compiles(compiled: list[int]) -> None:
    assert [anew(PATTERNS, None).scan(TEXT) for _ in range(2)] == [HITS] * 2
    assert len(compiled) == 2


def test_one_process_compiles_once(compiled: list[int]) -> None:
    assert Prefilter(PATTERNS).scan(TEXT) == Prefilter(PATTERNS).scan(TEXT) == HITS
    assert len(compiled) == 1


@pytest.mark.parametrize(
    "other",
    [
        Pattern(FIRST + 1, "ab+c", False, "test"),
        Pattern(FIRST, "ab+d", False, "test"),
        Pattern(FIRST, "ab+c", True, "test"),
    ],
)
def test_another_pattern_flag_or_number_is_another_database(
    tmp_path: Path, compiled: list[int], other: Pattern
) -> None:
    anew(PATTERNS, tmp_path / "kept")
    anew([other, PATTERNS[1]], tmp_path / "kept")
    assert len(compiled) == 2


def test_what_came_with_the_program_is_not_compiled(
    tmp_path: Path, compiled: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    prefilter.ship(PATTERNS, tmp_path / "shipped", platform.machine())
    monkeypatch.setattr(prefilter, "_SHIPPED", tmp_path / "shipped")
    compiled.clear()
    assert anew(PATTERNS, None).scan(TEXT) == anew(PATTERNS, tmp_path / "kept").scan(TEXT) == HITS
    assert compiled == []
    assert not (tmp_path / "kept").exists()
    assert anew(PATTERNS[:1], tmp_path / "kept").scan(TEXT) == [HITS[0], HITS[2]]
    assert len(compiled) == 1, "a rule of the user's own is not among them"
    assert len(list((tmp_path / "shipped").iterdir())) == 1, "nothing is added there"


def test_what_is_shipped_is_the_same_each_time_and_for_each_processor_under_its_name(tmp_path: Path) -> None:
    for folder, machine in (("a", "x86_64"), ("b", "x86_64"), ("c", "aarch64")):
        prefilter.ship(PATTERNS, tmp_path / folder, machine)
    one, two, other = (next((tmp_path / folder).iterdir()) for folder in "abc")
    assert (one.name, one.read_bytes()) == (two.name, two.read_bytes())
    assert one.name != other.name
    loaded = [Store(path.parent).load(bytes.fromhex(path.stem)) for path in (one, other)]
    assert loaded[0] == loaded[1] is not None


def test_what_hyperscan_refuses_is_compiled_anew_and_replaced(tmp_path: Path, compiled: list[int]) -> None:
    folder = tmp_path / "kept"
    anew(PATTERNS, folder)
    (path,) = folder.iterdir()
    Store(folder).save(bytes.fromhex(path.stem), b"made by another version")
    assert anew(PATTERNS, folder).scan(TEXT) == anew(PATTERNS, folder).scan(TEXT) == HITS
    assert len(compiled) == 2


def test_a_database_from_disk_still_ends_at_a_million_hits(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    anew(PATTERNS, tmp_path / "kept")
    kept = anew(PATTERNS, tmp_path / "kept")
    monkeypatch.setattr(prefilter, "MAX_HITS", 2)
    with pytest.raises(TooMuch):
        kept.scan(TEXT)


def test_a_pattern_that_does_not_compile_is_named_and_nothing_is_kept(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"rule x: pattern 'a\(\?=b\)'"):
        anew([Pattern(FIRST, "a(?=b)", False, "rule x")], tmp_path / "kept")
    assert not (tmp_path / "kept").exists()


def test_a_name_that_ends_in_another_fires_by_it_where_it_always_did() -> None:
    def patterns(*names: str) -> set[str]:
        return set(key_patterns([KeyRule("test", "NAME", names, lambda value: "", (), ())]))

    longer, both = patterns("address", "home address", "lieferadresse", "adresse"), patterns("address", "adresse")
    assert longer == both
    alone = patterns("home address") | patterns("lieferadresse") | both
    text = b'{"homeAddress": 1, "home_address": 2, "Home Address": 3, "LieferAdresse": 4, "addresses": 5}'
    fewer, all_ = (anew([Pattern(KEY, p, True, "names") for p in sorted(s)], None) for s in (longer, alone))
    assert set(fewer.scan(text)) == set(all_.scan(text)) != set()
