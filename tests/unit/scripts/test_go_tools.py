"""Building programs from Go modules, with a `go` that writes what it was asked into the program."""

from __future__ import annotations

import fcntl
import os
import sys
import threading
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3]
sys.path.insert(0, str(ROOT / "scripts"))

import go_tools  # noqa: E402

GO = """#!/bin/sh
[ "$1" != env ] || { echo "${VERSION:-go1.26.0}"; exit 0; }
echo "$CGO_ENABLED $*" >> "$(dirname "$0")/calls"
[ -z "$REFUSE" ] || { echo "go: something is wrong" >&2; exit 3; }
while [ $# -gt 0 ]; do [ "$1" = -o ] && out=$2; shift; done
echo "go: downloading x v1" >&2
echo "some/package" >&2
echo changed >> go.mod
printf '#!/bin/sh\\n' > "$out"
chmod +x "$out"
"""


@pytest.fixture
def go(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Put a `go` of our own on PATH and the cache into a folder of the test; return the list of its calls."""
    folder = tmp_path / "bin"
    folder.mkdir()
    (folder / "go").write_text(GO, encoding="utf-8")
    (folder / "go").chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder}:/usr/bin:/bin")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.delenv("KUBEBUILDER_ASSETS", raising=False)
    return folder / "calls"


@pytest.fixture
def lines() -> list[str]:
    return []


def modules(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, **changed: str) -> None:
    """Work on copies of the modules' files, with the text of some go.sum changed."""
    for module in go_tools.TABLE:
        folder = tmp_path / "modules" / module.name
        folder.mkdir(parents=True, exist_ok=True)
        for file in (ROOT / "scripts" / "go" / module.name).iterdir():
            (folder / file.name).write_bytes(file.read_bytes())
        if module.name in changed:
            (folder / "go.sum").write_text(changed[module.name], encoding="utf-8")
    monkeypatch.setattr(go_tools, "MODULES", tmp_path / "modules")


def test_a_program_is_built_once_and_linked(go: Path, lines: list[str], tmp_path: Path) -> None:
    assert go_tools.find("kustomize") is None
    (path,) = go_tools.ensure("kustomize", say=lines.append)
    assert path == go_tools.find("kustomize")
    assert str(path).startswith(f"{tmp_path}/cache/speedscale/tools/kustomize-")
    link = tmp_path / "cache" / "speedscale" / "tools" / "bin" / "kustomize"
    assert link.resolve() == path
    assert go_tools.ensure("kustomize", say=lines.append) == (path,)
    (call,) = go.read_text(encoding="utf-8").splitlines()
    assert call.startswith("0 build -mod=mod -trimpath")
    assert "provenance.version=v5.8.1" in call
    assert call.endswith("sigs.k8s.io/kustomize/kustomize/v5")
    assert [line.split()[0] for line in lines] == ["building", "built"]
    assert sorted(p.name for p in path.parent.iterdir()) == ["kustomize"]


def test_building_leaves_the_pins_alone(go: Path, lines: list[str]) -> None:
    pins = ROOT / "scripts" / "go" / "kustomize" / "go.mod"
    before = pins.read_bytes()
    go_tools.ensure("kustomize", say=lines.append)
    assert pins.read_bytes() == before


def test_other_pins_are_another_build_and_going_back_is_none(
    go: Path, lines: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    modules(tmp_path, monkeypatch)
    link = go_tools.cache() / "tools" / "bin" / "helm"
    (first,) = go_tools.ensure("helm", say=lines.append)
    modules(tmp_path, monkeypatch, helm="other")
    (second,) = go_tools.ensure("helm", say=lines.append)
    assert first != second
    assert link.resolve() == second
    modules(tmp_path, monkeypatch)
    assert go_tools.ensure("helm", say=lines.append) == (first,)
    assert link.resolve() == first
    assert len(go.read_text(encoding="utf-8").splitlines()) == 2


def test_old_builds_go(go: Path, lines: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for number in range(go_tools.KEPT + 2):
        modules(tmp_path, monkeypatch, helm=str(number))
        (path,) = go_tools.ensure("helm", say=lines.append)
        os.utime(path.parent, (number, number))
    assert len(list((go_tools.cache() / "tools").glob("helm-*"))) == go_tools.KEPT
    assert path.exists()


def test_without_go_it_says_how_to_get_it(go: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nonexistent")
    with pytest.raises(go_tools.ToolMissing, match=r"kubectl k8s\.io/kubernetes v1\.34\.\d+ .*install Go"):
        go_tools.ensure("kubectl")


def test_a_go_that_is_too_old_is_named(go: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VERSION", "go1.19.8")
    with pytest.raises(go_tools.ToolMissing, match=r"is go1\.19\.8; these modules need Go 1\.21 or newer"):
        go_tools.ensure("etcd")


def test_a_build_that_fails_is_quoted_and_leaves_nothing(
    go: Path, lines: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("REFUSE", "1")
    with pytest.raises(go_tools.ToolMissing, match="failed with 3:\ngo: something is wrong"):
        go_tools.ensure("etcd", say=lines.append)
    (home,) = (go_tools.cache() / "tools").glob("etcd-*")
    assert list(home.iterdir()) == []
    monkeypatch.delenv("REFUSE")
    assert go_tools.ensure("etcd", say=lines.append)[0].exists()


def test_a_second_build_waits_and_takes_what_the_first_made(go: Path, lines: list[str]) -> None:
    told = threading.Event()

    def say(line: str) -> None:
        lines.append(line)
        told.set()

    tools = go_tools.cache() / "tools"
    tools.mkdir(parents=True)
    made: list[Path] = []
    with (tools / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        lock.write("42")
        lock.flush()
        thread = threading.Thread(target=lambda: made.extend(go_tools.ensure("etcd", say=say)))
        thread.start()
        assert told.wait(10)
        (home,) = tools.glob("etcd-*")
        (home / "etcd").write_text("the other's", encoding="utf-8")
        (home / "etcd").chmod(0o755)
    thread.join(10)
    assert lines == ["waiting for another build to end (process 42)"]
    assert made[0].read_text(encoding="utf-8") == "the other's"
    assert not go.exists()


def test_a_folder_of_assets_is_honoured(
    go: Path, lines: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assets = tmp_path / "assets"
    assets.mkdir()
    for name in ("etcd", "kube-apiserver"):
        (assets / name).write_text("", encoding="utf-8")
        (assets / name).chmod(0o755)
    monkeypatch.setenv("KUBEBUILDER_ASSETS", str(assets))
    assert go_tools.ensure("etcd", "kube-apiserver") == (assets / "etcd", assets / "kube-apiserver")
    with pytest.raises(go_tools.ToolMissing, match="kubectl is not there"):
        go_tools.ensure("kubectl")
    (manager,) = go_tools.ensure("kube-controller-manager", say=lines.append)
    assert assets not in manager.parents


def test_an_unknown_program_is_told_what_there_is(capsys: pytest.CaptureFixture[str]) -> None:
    assert go_tools.main(["kubelett"]) == 2
    assert "no program 'kubelett'; there are kube-apiserver" in capsys.readouterr().err


@pytest.mark.parametrize("module", go_tools.TABLE, ids=lambda module: module.name)
def test_each_module_pins_its_programs(module: go_tools.Module) -> None:
    text = (ROOT / "scripts" / "go" / module.name / "go.mod").read_text(encoding="utf-8")
    code = ROOT / "scripts" / "go" / module.name / "main.go"
    if not module.owner:
        assert "require" not in text, "what is our own and nothing else"
        assert code.exists()
        return
    sums = (ROOT / "scripts" / "go" / module.name / "go.sum").read_text(encoding="utf-8")
    pinned = go_tools.version(next(iter(module.programs)))
    assert f"{module.owner} {pinned} h1:" in sums
    assert all(package in text or (package == "." and code.exists()) for package in module.programs.values())


def test_code_of_ours_is_part_of_what_a_build_is_known_by(
    go: Path, lines: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    modules(tmp_path, monkeypatch)
    (first,) = go_tools.ensure("pause", say=lines.append)
    code = tmp_path / "modules" / "pause" / "main.go"
    code.write_text(code.read_text(encoding="utf-8") + "// changed\n", encoding="utf-8")
    assert go_tools.find("pause") is None
    (second,) = go_tools.ensure("pause", say=lines.append)
    assert first != second
    assert sorted(path.name for path in second.parent.iterdir()) == ["pause"]
