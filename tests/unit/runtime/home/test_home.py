"""SPEEDSCALE_HOME, and how a name becomes a document."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from speedscale_runtime import home
from speedscale_schemas import builtins
from speedscale_schemas.errors import ConfigError


@pytest.mark.parametrize("environ", [{}, {"SPEEDSCALE_HOME": ""}])
def test_the_default_is_below_the_users_home(environ: dict[str, str]) -> None:
    assert home.folder(environ) == Path.home() / ".speedscale"


def test_a_tilde_is_expanded() -> None:
    assert home.folder({"SPEEDSCALE_HOME": "~/traffic"}) == Path.home() / "traffic"


def stored(kind: str, name: str, folder: Path, text: str) -> Path:
    path = home.stored_path(kind, name, folder)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return path


@pytest.mark.parametrize("kind", ["filter-rule", "dlp-rule", "test-config"])
def test_built_in_documents_are_found_and_the_users_own_come_first(kind: str, tmp_path: Path) -> None:
    found = home.find(kind, "standard", tmp_path)
    assert found.document == builtins.document(kind, "standard")
    assert "'standard'" in found.source
    path = stored(kind, "standard", tmp_path, '{"id": "mine"}')
    assert home.find(kind, "standard", tmp_path) == ({"id": "mine"}, str(path))


def test_an_unknown_name_gets_the_nearest_one_and_the_place_for_an_own_one(tmp_path: Path) -> None:
    with pytest.raises(ConfigError) as error:
        home.find("dlp-rule", "standrad", tmp_path)
    (problem,) = error.value.problems
    assert "did you mean 'standard'?" in problem
    assert str(tmp_path / "data" / "dlp" / "standrad.json") in problem


@pytest.mark.parametrize("name", ["", "../keys", "a/b", ".hidden", "a b", "x" * 129])
def test_a_name_never_leaves_its_folder(name: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="expected a name of letters"):
        home.find("filter-rule", name, tmp_path)


def test_files_are_taken_only_where_a_user_types_them(tmp_path: Path) -> None:
    path = tmp_path / "rule.json"
    path.write_text(json.dumps({"id": "typed"}))
    assert home.find("filter-rule", str(path), tmp_path, files=True) == ({"id": "typed"}, str(path))
    with pytest.raises(ConfigError, match="expected a name"):
        home.find("filter-rule", str(path), tmp_path)
    with pytest.raises(ConfigError, match="no such file"):
        home.find("filter-rule", str(tmp_path / "none.json"), tmp_path, files=True)


@pytest.mark.parametrize(
    ("text", "problem"),
    [("{", "expected JSON"), ("[1]", "expected a JSON object, found list"), ("\xff", "expected JSON")],
)
def test_a_broken_own_document_is_named_and_never_passed_over(text: str, problem: str, tmp_path: Path) -> None:
    path = stored("dlp-rule", "standard", tmp_path, "")
    path.write_bytes(text.encode("latin-1"))
    with pytest.raises(ConfigError, match=problem) as error:
        home.find("dlp-rule", "standard", tmp_path)
    assert str(path) in str(error.value)


def test_a_kind_without_built_in_documents_says_so(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="there are none"):
        home.find("transform-set", "mine", tmp_path)
