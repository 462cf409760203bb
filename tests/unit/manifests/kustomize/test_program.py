"""Which kustomize is taken, and what is told when a folder does not build. The programs are small scripts."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from speedscale_manifests.kustomize import Kustomize, KustomizeError, KustomizeMissing, find, program
from speedscale_manifests.kustomize.reading import documents

KUBECTL_NEW = '{"clientVersion": {"gitVersion": "v1.34.1"}, "kustomizeVersion": "v5.7.1"}'
KUBECTL_OLD = '{"clientVersion": {"gitVersion": "v1.20.2"}}'


def _script(path: Path, body: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!{sys.executable}\nimport sys, time\n{body}\n")
    path.chmod(0o755)
    return path


def _prints(text: str) -> str:
    return f"print({text!r})"


def _environment(tmp_path: Path) -> dict[str, str]:
    return {"PATH": str(tmp_path / "bin"), "HOME": str(tmp_path / "home")}


def test_kustomize_comes_first(tmp_path: Path) -> None:
    ours = _script(tmp_path / "bin" / "kustomize", _prints("v5.8.1"))
    _script(tmp_path / "bin" / "kubectl", _prints(KUBECTL_NEW))
    assert find(_environment(tmp_path)) == Kustomize((str(ours), "build"), "v5.8.1")


@pytest.mark.parametrize("old", ["v4.5.7", "{Version:kustomize/v4.5.7 GitCommit:56d82a8}", "unknown"])
def test_an_old_one_is_passed_over(tmp_path: Path, old: str) -> None:
    _script(tmp_path / "bin" / "kustomize", _prints(old))
    kubectl = _script(tmp_path / "bin" / "kubectl", _prints(KUBECTL_NEW))
    assert find(_environment(tmp_path)) == Kustomize((str(kubectl), "kustomize"), "v5.7.1")


@pytest.mark.parametrize("base", ["home/.cache", "cache"])
def test_the_copy_of_our_set_up_comes_last(tmp_path: Path, base: str) -> None:
    _script(tmp_path / "bin" / "kubectl", _prints(KUBECTL_OLD))
    built = _script(tmp_path / base / "speedscale/tools/bin/kustomize", _prints("v5.8.1"))
    environment = _environment(tmp_path)
    if base == "cache":
        environment["XDG_CACHE_HOME"] = str(tmp_path / "cache")
    assert find(environment) == Kustomize((str(built), "build"), "v5.8.1")


def test_a_relative_cache_is_none(tmp_path: Path) -> None:
    environment = {**_environment(tmp_path), "XDG_CACHE_HOME": "cache"}
    assert program.tool(environment) == tmp_path / "home/.cache/speedscale/tools/bin/kustomize"


def test_without_any_every_candidate_is_named_with_its_fault_and_what_to_do(tmp_path: Path) -> None:
    _script(tmp_path / "bin" / "kubectl", _prints(KUBECTL_OLD))
    (tmp_path / "bin" / "kustomize").write_text("no program")
    (tmp_path / "bin" / "kustomize").chmod(0o755)
    with pytest.raises(KustomizeMissing) as missing:
        find(_environment(tmp_path))
    told = str(missing.value)
    assert f"{tmp_path}/bin/kustomize: {tmp_path}/bin/kustomize cannot be run" in told
    assert f"{tmp_path}/bin/kubectl: its kustomize is older than 4.5" in told
    assert f"{tmp_path}/home/.cache/speedscale/tools/bin/kustomize is not built" in told
    assert "make cluster-tools" in told


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "dist").mkdir()
    (tmp_path / "dist" / "kustomization.yaml").write_text("resources: []\n")
    return tmp_path / "dist"


def _kustomize(tmp_path: Path, body: str) -> Kustomize:
    return Kustomize((str(_script(tmp_path / "kustomize", body)), "build"), "v5.8.1")


def test_what_was_built_and_by_which_version(tmp_path: Path, folder: Path) -> None:
    body = "assert sys.argv[1:2] == ['build']; print('kind: A\\n---\\n---\\nkind: B\\nwhere: ' + sys.argv[2])"
    built = _kustomize(tmp_path, body).run(folder)
    assert built.manifests == [{"kind": "A"}, {"kind": "B", "where": str(folder)}]
    assert (built.program, built.version) == (str(tmp_path / "kustomize"), "v5.8.1")
    assert _kustomize(tmp_path, body).build(folder) == built.manifests


def test_what_it_says_is_quoted_with_our_file(tmp_path: Path, folder: Path) -> None:
    with pytest.raises(KustomizeError) as refused:
        _kustomize(tmp_path, "sys.exit('Error: no such file')").build(folder)
    assert str(refused.value) == (f"{folder}/kustomization.yaml: {tmp_path}/kustomize v5.8.1 refuses it: no such file")


def test_of_a_long_word_both_ends_are_kept(tmp_path: Path, folder: Path) -> None:
    with pytest.raises(KustomizeError) as refused:
        _kustomize(tmp_path, "sys.exit('begin ' + 'x' * 99999 + ' end')").build(folder)
    assert "begin x" in str(refused.value)
    assert str(refused.value).endswith("x end")
    assert len(str(refused.value)) < 3000


def test_silence_is_told_too(tmp_path: Path, folder: Path) -> None:
    with pytest.raises(KustomizeError, match="ended with 3 and said nothing"):
        _kustomize(tmp_path, "sys.exit(3)").build(folder)


def test_it_has_a_time_limit(tmp_path: Path, folder: Path) -> None:
    with pytest.raises(KustomizeError, match=r"took longer than 0.2 s and was ended"):
        _kustomize(tmp_path, "time.sleep(60)").run(folder, limit_s=0.2)


@pytest.mark.parametrize("printed", ["- a list", "a: b: c", "text"])
def test_what_is_no_manifest_is_refused(tmp_path: Path, folder: Path, printed: str) -> None:
    with pytest.raises(KustomizeError, match="printed no YAML"):
        _kustomize(tmp_path, _prints(printed)).build(folder)


def test_a_folder_without_a_kustomization_is_named(tmp_path: Path) -> None:
    with pytest.raises(KustomizeError, match=r"has no kustomization.yaml"):
        Kustomize(("kustomize", "build"), "v5.8.1").build(tmp_path)


def test_text_that_go_prints_bare_stays_text() -> None:
    text = "a: 2026-01-01\nb: =\nc: <<\nd: 0.5\ne: true\nf: null\ng: 1\n"
    assert documents(text) == [{"a": "2026-01-01", "b": "=", "c": "<<", "d": 0.5, "e": True, "f": None, "g": 1}]
