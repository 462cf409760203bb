"""What is made of a server's verdicts in dry runs: refusals are told, what cannot be judged yet is counted."""

from __future__ import annotations

from typing import Any

from speedscale_kube.errors import ApplyConflictError, ForbiddenError, InvalidError, NotFoundError, UnreachableError
from speedscale_manifests.validate import State
from speedscale_manifests.validate.files import Document
from speedscale_manifests.validate.server import server_step

Manifest = dict[str, Any]


def named(kind: str, name: str, namespace: str = "", api: str = "v1", **fields: Any) -> Document:
    metadata = {"name": name, **({"namespace": namespace} if namespace else {})}
    return Document(f"{name}.yaml", {"apiVersion": api, "kind": kind, "metadata": metadata, **fields})


class Cluster:
    """Answers by the object's name, and remembers how it was asked."""

    def __init__(self, **answers: Exception) -> None:
        self.answers = answers
        self.asked: list[tuple[str, bool, bool]] = []

    def version(self) -> str:
        if "version" in self.answers:
            raise self.answers["version"]
        return "v1.34.4"

    def apply(
        self, obj: Manifest, manager: str, *, force: bool = False, dry_run: bool = False, strict: bool = False
    ) -> Manifest:
        name = obj["metadata"]["name"]
        self.asked.append((name, dry_run, strict))
        if obj["metadata"].get("namespace") == "default":
            name = f"{name}_in_default"
        if name in self.answers:
            raise self.answers[name]
        return obj


def test_every_object_is_asked_for_dry_and_strict() -> None:
    cluster = Cluster()
    step = server_step([named("ConfigMap", "a", "n"), named("ConfigMap", "b", "n")], cluster, "here")
    assert (step.state, step.checked) == (State.PASSED, 2)
    assert cluster.asked == [("a", True, True), ("b", True, True)]
    assert step.notes == ("Kubernetes v1.34.4",)
    assert "here" in step.title


def test_refusals_are_told_in_the_servers_words() -> None:
    cluster = Cluster(
        a=InvalidError("Invalid", "spec.replicas: must be an integer"),
        b=ForbiddenError("Forbidden", "cannot patch"),
        c=ApplyConflictError("Conflict", "another manager", ("spec",)),
    )
    step = server_step([named("ConfigMap", name, "n") for name in "abcd"], cluster, "here")
    assert [problem.file for problem in step.errors] == ["a.yaml", "b.yaml", "c.yaml"]
    assert "must be an integer" in step.errors[0].reason


NO_SPACE = NotFoundError("NotFound", 'namespaces "n" not found')


def test_objects_of_a_namespace_that_comes_with_them_are_judged_in_another() -> None:
    documents = [named("Namespace", "n"), named("ConfigMap", "a", "n"), named("ConfigMap", "b", "n")]
    wrong = InvalidError("Invalid", "data.x: too long")
    step = server_step(documents, Cluster(a=NO_SPACE, b=NO_SPACE, b_in_default=wrong), "here")
    assert [problem.file for problem in step.errors] == ["b.yaml"]
    assert step.notes[1] == "judged in namespace default, since theirs comes with this output: 1"


def test_what_has_to_wait_is_named() -> None:
    documents = [
        named("Namespace", "n"),
        named("CustomResourceDefinition", "things", spec={"names": {"kind": "Thing"}}),
        named("ConfigMap", "a", "n"),
        named("Thing", "t", "elsewhere", "example.com/v1"),
    ]
    kind = NotFoundError("NotFound", "the server has no kind Thing")
    closed = ForbiddenError("Forbidden", "violates PodSecurity")
    step = server_step(documents, Cluster(a=NO_SPACE, a_in_default=closed, t=kind), "here")
    assert (step.state, step.checked) == (State.PASSED, 2)
    assert step.notes[1].startswith("not judged: ConfigMap n/a, Thing elsewhere/t: what they need comes with")


def test_a_namespace_that_nobody_brings_is_a_problem() -> None:
    cluster = Cluster(a=NO_SPACE)
    (problem,) = server_step([named("ConfigMap", "a", "n")], cluster, "here").errors
    assert "kubectl create namespace n" in problem.reason


def test_no_answer_is_no_verdict() -> None:
    step = server_step([named("ConfigMap", "a", "n")], Cluster(version=UnreachableError("refused")), "here")
    assert step.state is State.NOT_RUN
    assert "no answer" in step.notes[0]


def test_a_server_that_goes_away_ends_the_step() -> None:
    cluster = Cluster(a=UnreachableError("gone"))
    step = server_step([named("ConfigMap", "a", "n"), named("ConfigMap", "b", "n")], cluster, "here")
    assert [name for name, _, _ in cluster.asked] == ["a"]
    assert "gave no verdict" in step.errors[0].reason
