"""What is made of kustomize's verdict: equal objects pass; lost, added and changed ones are told."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from speedscale_manifests.kustomize import Kustomize, KustomizeError, KustomizeMissing
from speedscale_manifests.validate import Found, State, Step
from speedscale_manifests.validate.building import kustomize_step
from speedscale_manifests.validate.files import Document, load
from speedscale_manifests.validate.overlays import Kustomization, kustomization

Manifest = dict[str, Any]


def config(name: str, **data: str) -> Manifest:
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name, "namespace": "n"}, "data": data}


PLAIN = Kustomization(Path("dist/kustomization.yaml"), True, frozenset({"base"}))
OVERLAY = Kustomization(Path("prod/kustomization.yaml"), False, frozenset({"dist"}))


class Fake(Kustomize):
    """Builds what it was told to."""

    built: list[Manifest]

    def build(self, folder: Path | str) -> list[Manifest]:
        return self.built


@pytest.fixture
def step() -> Callable[..., Step]:
    def run(built: list[Manifest]) -> Step:
        documents = [Document("dist/base/a.yaml", config("a", x="1")), Document("other/b.yaml", config("b"))]
        tool = Fake(("/bin/kustomize", "build"), "v5.0.0")
        object.__setattr__(tool, "built", built)
        return kustomize_step([PLAIN], documents, tool=lambda: tool)

    return run


def test_the_same_objects_pass_and_the_program_is_named(step: Callable[..., Step]) -> None:
    done = step([config("a", x="1")])
    assert done.state is State.PASSED
    assert done.notes == ("/bin/kustomize v5.0.0",)


def test_null_and_absent_are_the_same(step: Callable[..., Step]) -> None:
    built = config("a", x="1")
    built["metadata"]["creationTimestamp"] = None
    assert step([built]).state is State.PASSED


@pytest.mark.parametrize(
    ("built", "file", "words"),
    [
        ([], "dist/base/a.yaml", "list it under resources"),
        ([config("a", x="2")], "dist/base/a.yaml", "kustomize changes it"),
        ([config("a", x="1"), config("z")], "dist/kustomization.yaml", "no file holds it"),
    ],
)
def test_what_differs_is_told(step: Callable[..., Step], built: list[Manifest], file: str, words: str) -> None:
    (problem,) = step(built).errors
    assert problem.file == file
    assert words in problem.reason


def test_a_kustomization_that_does_not_build_is_a_problem_of_its_folder() -> None:
    class Refusing(Kustomize):
        def build(self, folder: Path | str) -> list[Manifest]:
            raise KustomizeError(["dist/kustomization.yaml: refused"])

    done = kustomize_step([PLAIN], [], tool=lambda: Refusing(("kustomize",), "v5.0.0"))
    assert [problem.reason for problem in done.errors] == ["dist/kustomization.yaml: refused"]


def test_without_kustomize_the_step_says_how_to_get_it() -> None:
    def missing() -> Kustomize:
        raise KustomizeMissing(["no kustomize: install it"])

    done = kustomize_step([PLAIN], [], tool=missing)
    assert (done.state, done.notes) == (State.NOT_RUN, ("no kustomize: install it",))
    assert kustomize_step([], [], tool=missing).state is State.NOT_RUN


def test_what_an_overlay_gives_is_judged_and_not_compared() -> None:
    tool = Fake(("/bin/kustomize", "build"), "v5.0.0")
    object.__setattr__(tool, "built", [config("changed")])
    asked: list[Manifest] = []

    def judge(manifests: Sequence[Manifest]) -> list[Found]:
        asked.extend(manifests)
        return [Found("kubernetes", "", 0, "ConfigMap n/changed", "data", "no good")]

    done = kustomize_step([OVERLAY], [Document("prod/dist/a.yaml", config("a"))], judge, lambda: tool)
    assert asked == [config("changed")]
    assert [str(problem) for problem in done.errors] == ["prod/kustomization.yaml: ConfigMap n/changed: data: no good"]


@pytest.mark.parametrize(
    ("text", "plain"),
    [
        ("kind: Kustomization\nresources: [a.yaml, b/]\n", True),
        ("resources: [../base]\n", False),
        ("resources: [https://example.com/x]\n", False),
        ("resources: [a.yaml]\npatches: []\n", False),
        ("namespace: x\n", False),
        ("- 1\n", True),
    ],
)
def test_what_changes_or_fetches_is_an_overlay(tmp_path: Path, text: str, plain: bool) -> None:
    (tmp_path / "kustomization.yaml").write_text(text)
    found = kustomization(tmp_path)
    assert found is not None
    assert found.plain is plain
    assert kustomization(tmp_path / "none") is None


def test_patches_and_values_beside_an_overlay_are_no_objects(tmp_path: Path) -> None:
    (tmp_path / "dist").mkdir()
    text = "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: {}\n"
    (tmp_path / "dist" / "a.yaml").write_text(text.format("a"))
    (tmp_path / "extra.yaml").write_text(text.format("b"))
    (tmp_path / "values.yaml").write_text("operator: {}\n")
    (tmp_path / "patch.yaml").write_text("metadata: {}\n")
    (tmp_path / "kustomization.yaml").write_text("resources: [dist, ./extra.yaml]\npatches: [{path: patch.yaml}]\n")
    loaded = load([tmp_path])
    assert loaded.step.errors == ()
    assert [document.manifest["metadata"]["name"] for document in loaded.documents] == ["b", "a"]
