"""Objects as they were committed: from a revision of a real repository, or from another folder."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from speedscale_manifests.upgrade import against, at
from speedscale_schemas.errors import ConfigError

NAMESPACE = "apiVersion: v1\nkind: Namespace\nmetadata:\n  name: {}\n"


def git(folder: Path, *arguments: str) -> None:
    identity = {f"GIT_{who}_{what}": "t@example.com" for who in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")}
    environment = {**os.environ, **identity, "GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_SYSTEM": os.devnull}
    subprocess.run(["git", "-C", str(folder), *arguments], check=True, capture_output=True, env=environment)


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    """Two commits: `first` has one namespace in deploy/dist, HEAD has two objects and other files beside them."""
    root = tmp_path / "repo"
    dist = root / "deploy" / "dist"
    (dist / "base").mkdir(parents=True)
    git(tmp_path, "init", "-q", "-b", "main", str(root))
    (dist / "base" / "namespace-a.yaml").write_text(NAMESPACE.format("a"))
    git(root, "add", ".")
    git(root, "commit", "-q", "-m", "1")
    git(root, "tag", "first")
    (dist / "base" / "namespace-ü b.yaml").write_text(NAMESPACE.format("b"))
    (dist / "kustomization.yaml").write_text("kind: Kustomization\nresources: []\n")
    (dist / ".speedscale-manifests").write_text("{}")
    (dist / "README.md").write_text("# no manifest\n")
    (root / "other.yaml").write_text(NAMESPACE.format("outside"))
    git(root, "add", ".")
    git(root, "commit", "-q", "-m", "2")
    return root


def names(repository: Path, ref: str, folder: str = "deploy/dist") -> list[str]:
    return [manifest["metadata"]["name"] for manifest in at(ref, repository / folder)[0]]


def test_the_folder_as_it_was_at_a_revision(repository: Path) -> None:
    assert names(repository, "first") == ["a"]
    assert names(repository, "HEAD") == ["a", "b"]
    assert names(repository, "main~1") == ["a"]


def test_what_lies_on_disk_now_does_not_matter(repository: Path) -> None:
    for path in sorted((repository / "deploy" / "dist").rglob("*.yaml")):
        path.unlink()
    (repository / "deploy" / "dist" / "base").rmdir()
    assert names(repository, "HEAD") == ["a", "b"]


def test_the_whole_repository_may_be_the_folder(repository: Path) -> None:
    assert names(repository, "HEAD", ".") == ["a", "b", "outside"]


def test_the_environment_of_a_git_hook_does_not_lead_astray(repository: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GIT_DIR", "/nonexistent")
    monkeypatch.setenv("GIT_INDEX_FILE", "/nonexistent/index")
    assert names(repository, "first") == ["a"]


def test_a_link_to_the_repository_is_followed(repository: Path, tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(repository)
    assert [m["metadata"]["name"] for m in at("first", tmp_path / "link" / "deploy" / "dist")[0]] == ["a"]


def test_the_name_tells_revision_and_commit(repository: Path) -> None:
    name = at("first", repository / "deploy/dist")[1]
    assert name.startswith("first (")
    assert len(name) == len("first (123456789)")


def test_a_folder_of_another_output_may_stand_for_a_revision(tmp_path: Path) -> None:
    (tmp_path / "old").mkdir()
    (tmp_path / "old" / "namespace.yaml").write_text(NAMESPACE.format("z"))
    manifests, name = at(str(tmp_path / "old"), tmp_path / "dist")
    assert manifests[0]["metadata"]["name"] == "z"
    assert name == str(tmp_path / "old")


def test_against_compares_with_the_revision(repository: Path) -> None:
    new = [{"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "a"}}]
    assert against("first", repository / "deploy/dist", new).empty
    assert len(against("HEAD", repository / "deploy/dist", new).objects) == 1


@pytest.mark.parametrize(
    ("ref", "folder", "words"),
    [
        ("nowhere", "deploy/dist", "no such revision"),
        ("nowhere", "deploy/dist", "git fetch --depth=1 origin nowhere"),
        ("HEAD", "elsewhere", "elsewhere holds no manifest there"),
        ("--output=x", "deploy/dist", "expected a git revision"),
        ("", "deploy/dist", "expected a git revision"),
    ],
)
def test_refusals_say_what_to_do(repository: Path, ref: str, folder: str, words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        at(ref, repository / folder)


def test_outside_of_a_repository(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="lies in no git repository"):
        at("HEAD", tmp_path / "dist")


def test_a_broken_file_is_named_with_its_revision(repository: Path) -> None:
    (repository / "deploy/dist/base/namespace-a.yaml").write_text("a: [")
    git(repository, "commit", "-q", "-a", "-m", "3")
    with pytest.raises(ConfigError, match=r"HEAD:deploy/dist/base/namespace-a\.yaml: no YAML"):
        at("HEAD", repository / "deploy/dist")


def test_without_git(repository: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(ConfigError, match="not on PATH"):
        at("HEAD", repository / "deploy/dist")


def test_a_malformed_object_of_a_revision_is_refused_with_what_to_do(repository: Path) -> None:
    text = "apiVersion: rbac.authorization.k8s.io/v1\nkind: ClusterRole\nmetadata: {name: a}\nrules: 3\n"
    binding = text.replace("ClusterRole", "ClusterRoleBinding").replace(
        "rules: 3", "roleRef: {kind: ClusterRole, name: a}"
    )
    (repository / "deploy/dist/base/namespace-a.yaml").write_text(f"{text}---\n{binding}subjects: [{{name: x}}]\n")
    git(repository, "commit", "-q", "-a", "-m", "3")
    with pytest.raises(ConfigError, match=r"an object there is malformed .* with speedctl validate"):
        against("HEAD", repository / "deploy/dist", [])
