"""Which objects a folder wants, and how much of an installation it is."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import pytest
import yaml

from speedscale_manifests.drift import read
from speedscale_schemas.errors import ConfigError


def config_map(name: str) -> dict[str, Any]:
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name, "namespace": "shop"}}


def save(path: Path, *documents: Any) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(yaml.safe_dump_all(documents), encoding="utf-8")
    return path


def names(path: Path | None, **keywords: Any) -> list[str]:
    return [one.ref.name for one in read(path, **keywords).objects]


@pytest.fixture
def dist(tmp_path: Path) -> Path:
    """Two charts below a folder that gathers them."""
    for chart in ("one", "two"):
        save(tmp_path / "dist" / chart / f"{chart}.yaml", config_map(chart))
        save(tmp_path / "dist" / chart / "kustomization.yaml", {"resources": [f"{chart}.yaml"]})
    save(tmp_path / "dist" / "kustomization.yaml", {"resources": ["one", "two"]})
    return tmp_path / "dist"


def test_every_file_below_counts_but_kustomizations_and_hidden_ones(dist: Path) -> None:
    save(dist / "one" / "more.yml", config_map("b"), None, config_map("a"))
    (dist / "one" / "list.json").write_text(
        '{"kind": "List", "items": [{"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "c"}}]}',
        encoding="utf-8",
    )
    save(dist / ".hidden.yaml", config_map("no"))
    save(dist / ".git" / "x.yaml", config_map("no"))
    assert sorted(names(dist)) == ["a", "b", "c", "one", "two"]


def test_a_whole_installation_knows_all(dist: Path) -> None:
    source = read(dist)
    assert (source.scope, source.elsewhere) == ("all", ())


def test_a_chart_knows_what_the_others_have(dist: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(dist.parent)
    source = read(Path("dist/one"))
    assert source.scope == "components"
    assert {one.name for one in source.elsewhere} == {"one", "two"}


def test_an_overlay_above_is_not_read(dist: Path) -> None:
    (dist / ".speedscale-manifests").write_text("")
    (dist.parent / "kustomization.yaml").write_text(f"resources: [{dist.name}]\n")
    (dist.parent / "values.yaml").write_text("clusterName: production\n")
    assert read(dist).scope == "all"


def test_a_chart_that_nothing_gathers_knows_nothing(dist: Path) -> None:
    save(dist / "kustomization.yaml", {"resources": ["two"]})
    assert read(dist / "one").scope == "none"


def test_a_folder_without_kustomization_is_whole_and_a_file_is_not(dist: Path) -> None:
    (dist / "one" / "kustomization.yaml").unlink()
    (dist / "kustomization.yaml").unlink()
    assert read(dist / "one").scope == "all"
    assert read(dist / "one" / "one.yaml").scope == "none"
    assert read(dist / "one", part=True).scope == "none"


def test_standard_input_is_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO(yaml.safe_dump_all([config_map("b"), config_map("a")])))
    source = read(None)
    assert ([one.ref.name for one in source.objects], source.scope) == (["a", "b"], "all")


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        ("a: [", "x.yaml: "),
        ("- a", "expected a mapping"),
        ("kind: A", "apiVersion is missing"),
        ("apiVersion: v1\nkind: A\nmetadata: {name: 5}", "metadata.name is missing"),
    ],
)
def test_what_is_no_manifest_is_named_with_its_file(content: str, expected: str, tmp_path: Path) -> None:
    (tmp_path / "x.yaml").write_text(content, encoding="utf-8")
    with pytest.raises(ConfigError) as caught:
        read(tmp_path)
    assert str(tmp_path / "x.yaml") in str(caught.value)
    assert expected in str(caught.value)


def test_all_problems_are_told_at_once(dist: Path) -> None:
    save(dist / "two" / "again.yaml", config_map("one"))
    (dist / "two" / "broken.yaml").write_text("{", encoding="utf-8")
    with pytest.raises(ConfigError) as caught:
        read(dist)
    assert len(caught.value.problems) == 2
    assert f"ConfigMap shop/one stands in {dist}/one/one.yaml already" in str(caught.value)


def test_nothing_there_says_how_to_make_it(tmp_path: Path) -> None:
    for path in (tmp_path, tmp_path / "absent"):
        with pytest.raises(ConfigError, match="run speedctl synth"):
            read(path)
