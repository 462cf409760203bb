"""All steps on a whole output: what is good passes, and each kind of damage fails its own step at its own line."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from speedscale_manifests import synth, validate
from speedscale_manifests.validate import Report, State, Step
from speedscale_manifests.validate.rules import parts
from speedscale_manifests.values import from_mapping
from speedscale_schemas.errors import ConfigError

Check = Callable[..., Report]
NO_PROGRAM = {"kustomize"}


def step(report: Report, name: str) -> Step:
    return next(one for one in report.steps if one.name == name)


def failed(report: Report) -> set[str]:
    return {one.name for one in report.steps if one.state is State.FAILED}


def edit(path: Path, old: str, new: str) -> int:
    """Replace the first occurrence and return its line."""
    text = path.read_text()
    assert old in text, (path, old)
    path.write_text(text.replace(old, new, 1))
    return text[: text.index(old)].count("\n") + 1


OPERATOR = "operator/deployment-speedscale-operator.yaml"


@pytest.fixture(autouse=True)
def _no_programs(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """kustomize has its own tests; here it is absent, whatever the machine has."""
    monkeypatch.setenv("PATH", str(tmp_path / "nothing"))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


def test_the_default_output_is_valid(dist: Path, check: Check) -> None:
    report = check(dist, values=(), versions=validate.chosen())
    assert failed(report) == set()
    assert report.ok
    assert [one.name for one in report.steps] == list(validate.STEPS)
    assert {one.name for one in report.steps if one.state is State.NOT_RUN} == {"kustomize", "server"}
    assert step(report, "kubernetes").checked == step(report, "files").checked == sum_of(report)


def sum_of(report: Report) -> int:
    return sum(number for kinds in report.table.values() for number in kinds.values())


def test_the_profile_of_the_operator_is_valid(tmp_path: Path, check: Check) -> None:
    from speedscale_manifests.output import Writer, render

    values = from_mapping({"profile": "operator"})
    Writer(tmp_path / "dist").write(render(synth.placed(values), values.namespace))
    assert check(tmp_path / "dist", values=(), profile="operator").ok


DAMAGE: list[tuple[str, str, str, str, str]] = [
    (OPERATOR, "replicas: 1", 'replicas: "1"', "kubernetes", "spec.replicas"),
    (OPERATOR, "containers:", "contaners:", "kubernetes", "spec.template.spec"),
    (OPERATOR, "apps/v1", "apps/v1beta1", "kubernetes", "apiVersion"),
    (OPERATOR, "readOnlyRootFilesystem: true", "readOnlyRootFilesystem: false", "policies", "readOnlyRootFilesystem"),
    (OPERATOR, "  name: speedscale-operator", "  name: yes", "files", "metadata.name"),
    (OPERATOR, "kind: Deployment", "kind: Deployment\nkind: Deployment", "files", "kind"),
    (
        "base/customresourcedefinition-trafficreplays.speedscale.com.yaml",
        "scope: Namespaced",
        "scope: Global",
        "crd",
        "",
    ),
    ("operator/configmap-speedscale-bundle-forwarder.yaml", "replicas: 1", "replicas: 2", "bundle", "content-hash"),
]


@pytest.mark.parametrize(
    ("file", "old", "new", "name", "path"), DAMAGE, ids=[f"{d[3]}-{n}" for n, d in enumerate(DAMAGE)]
)
def test_damage_fails_its_step_at_its_line(
    dist: Path, check: Check, file: str, old: str, new: str, name: str, path: str
) -> None:
    line = edit(dist / file, old, new)
    report = check(dist)
    assert name in failed(report)
    problem = step(report, name).errors[0]
    assert problem.file == str(dist / file)
    assert path in problem.path
    if (name, path) not in (("bundle", "content-hash"), ("kubernetes", "spec.template.spec")):
        assert abs(problem.line - line) <= 1
    assert not report.ok


def test_problems_inside_of_a_bundle_have_the_line_in_its_file(dist: Path, check: Check) -> None:
    file = dist / "operator/configmap-speedscale-bundle-sidecar.yaml"
    line = edit(file, "kind: PodTemplate", "kind: PodTemplte")
    problems = step(check(dist), "bundle").errors
    assert [p for p in problems if p.path == "kind" and p.line == line], [str(p) for p in problems]


def test_an_unknown_gap_in_a_template_is_told(dist: Path, check: Check) -> None:
    edit(dist / "operator/configmap-speedscale-bundle-sidecar.yaml", "@app_label@", "@app_labl@")
    reasons = [problem.reason for problem in step(check(dist), "bundle").errors]
    assert any("unknown gap 'app_labl'; did you mean 'app_label'?" in reason for reason in reasons)


def test_a_malformed_object_stops_no_other_step(dist: Path, check: Check) -> None:
    edit(dist / OPERATOR, "  labels:", "  labels: []\n  x:")
    report = check(dist)
    assert failed(report) == {"kubernetes"}
    assert step(report, "policies").state is State.NOT_RUN


def test_two_documents_and_a_list_are_refused_in_a_folder_and_fine_in_a_named_file(dist: Path, check: Check) -> None:
    both = "---\n".join((dist / name).read_text() for name in (OPERATOR, "base/namespace-speedscale.yaml"))
    (dist / "two.yaml").write_text(both)
    assert "2 documents; a file holds one object" in [p.reason for p in step(check(dist), "files").errors]
    shutil.copy(dist / "two.yaml", dist.parent / "two.yaml")
    assert step(check(dist.parent / "two.yaml"), "files").state is State.PASSED
    items = synth.objects(from_mapping({}))
    (dist.parent / "list.json").write_text(json.dumps({"apiVersion": "v1", "kind": "List", "items": items}, indent=1))
    report = check(dist.parent / "list.json")
    assert failed(report) == set()
    assert step(report, "kubernetes").checked == len(items)


def test_the_same_object_twice_is_refused(dist: Path, check: Check) -> None:
    shutil.copy(dist / OPERATOR, dist / "operator" / "again.yaml")
    reasons = [problem.reason for problem in step(check(dist), "files").errors]
    assert any("the same object stands in" in reason for reason in reasons)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("a: 1\n", "apiVersion is missing"),
        ("- 1\n", "expected a mapping"),
        ("apiVersion: v1\nkind: ConfigMap\n", "metadata is missing"),
        ("apiVersion: v1\nkind: ConfigMap\nmetadata: {}\n", "has no name"),
        ("apiVersion: v1\nkind: 3\nmetadata: {}\n", "kind is no text"),
        ("apiVersion: v1\nkind: ConfigMap\nmetadata: {name: 12}\n", "name is no text; quote it"),
    ],
)
def test_what_is_no_object_is_refused(dist: Path, check: Check, text: str, words: str) -> None:
    (dist / "base" / "odd.yaml").write_text(text)
    assert any(words in problem.reason for problem in step(check(dist), "files").errors)


def test_stale_missing_and_edited_files(dist: Path, check: Check) -> None:
    edit(dist / OPERATOR, "app.kubernetes.io/part-of: speedscale", "app.kubernetes.io/part-of: other")
    (dist / "operator" / "extra.yaml").write_text("")
    (dist / "base" / "namespace-speedscale.yaml").unlink()
    problems = {Path(p.file).relative_to(dist).as_posix(): p for p in step(check(dist, values=()), "output").errors}
    assert set(problems) == {OPERATOR, "operator/extra.yaml", "base/namespace-speedscale.yaml"}
    assert problems[OPERATOR].line > 1
    assert "missing" in problems["base/namespace-speedscale.yaml"].reason
    assert "no such file" in problems["operator/extra.yaml"].reason


def test_refused_values_are_told_and_the_output_is_not_judged_by_them(dist: Path, check: Check) -> None:
    file = dist.parent / "values.yaml"
    file.write_text("operator:\n  replicaz: 2\n")
    report = check(dist, values=(file,))
    (problem,) = step(report, "values").errors
    assert (problem.file, problem.line, problem.path) == (str(file), 2, "operator.replicaz")
    assert step(report, "output").state is State.NOT_RUN


def test_without_values_their_steps_say_why_they_did_not_run(dist: Path, check: Check) -> None:
    report = check(dist)
    assert step(report, "values").state is step(report, "output").state is State.NOT_RUN
    assert "--values" in step(report, "values").notes[0]


def test_a_step_that_is_required_fails_when_it_cannot_run(dist: Path, check: Check) -> None:
    report = check(dist, require=frozenset({"kustomize"}))
    assert failed(report) == {"kustomize"}
    assert "not on PATH" in step(report, "kustomize").errors[0].reason
    assert failed(check(dist, server="always")) == {"server"}


def test_an_unknown_step_is_refused(dist: Path, check: Check) -> None:
    with pytest.raises(ConfigError, match="--require kustomise: no such step; there are values, files"):
        check(dist, require=frozenset({"kustomise"}))


def test_a_folder_that_is_not_there_says_how_to_make_it(tmp_path: Path, check: Check) -> None:
    with pytest.raises(ConfigError, match="no such file or folder; write it first: speedctl synth --out"):
        check(tmp_path / "dist")


def test_an_empty_folder_is_no_success(tmp_path: Path, check: Check) -> None:
    assert failed(check(tmp_path)) == {"files"}


def test_other_peoples_kinds_are_named_as_not_checked(dist: Path, check: Check) -> None:
    text = "apiVersion: cert-manager.io/v1\nkind: Certificate\nmetadata:\n  name: a\n  namespace: speedscale\n"
    (dist.parent / "certificate.yaml").write_text(text)
    assert "Certificate (cert-manager.io/v1)" in step(check(dist.parent / "certificate.yaml"), "crd").notes[0]


def test_custom_resources_are_checked_by_a_definition_beside_them(tmp_path: Path, check: Check) -> None:
    schema = {"type": "object", "properties": {"spec": {"type": "object", "properties": {"a": {"type": "string"}}}}}
    version = {"name": "v1", "served": True, "storage": True, "schema": {"openAPIV3Schema": schema}}
    definition = {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": "things.example.com"},
        "spec": {
            "group": "example.com",
            "names": {"kind": "Thing", "plural": "things"},
            "scope": "Namespaced",
            "versions": [version],
        },
    }
    thing = {"apiVersion": "example.com/v1", "kind": "Thing", "metadata": {"name": "a"}, "spec": {"aa": "x"}}
    (tmp_path / "d.json").write_text(json.dumps(definition))
    (tmp_path / "t.json").write_text(json.dumps(thing, indent=1))
    (problem,) = step(check(tmp_path), "crd").errors
    assert problem.path == "spec.aa"
    assert problem.line == json.dumps(thing, indent=1).split("\n").index('  "aa": "x"') + 1


def test_a_traffic_replay_is_checked_without_its_definition(tmp_path: Path, check: Check) -> None:
    replay: dict[str, Any] = {
        "apiVersion": "speedscale.com/v1",
        "kind": "TrafficReplay",
        "metadata": {"name": "a", "namespace": "shop"},
        "spec": {"snapshotId": "x"},
    }
    (tmp_path / "r.json").write_text(json.dumps(replay))
    assert any("snapshotID" in problem.reason for problem in step(check(tmp_path), "crd").errors)


def test_a_wrong_annotation_is_found(dist: Path, check: Check) -> None:
    file = dist / "demo/deployment-java-server.yaml"
    line = edit(file, "  annotations:", "  annotations:\n    sidecar.speedscale.com/injekt: 'true'")
    problems = [p for p in step(check(dist), "annotations").problems if p.line == line + 1]
    assert problems
    assert problems[0].object == "Deployment speedscale/java-server"


def test_plain_objects_are_checked_without_files() -> None:
    manifests = synth.objects(from_mapping({}))
    assert validate.objects(manifests, validate.chosen()) == []
    broken = [
        {**one, "spec": {**one["spec"], "replicas": "x"}} if one["kind"] == "Deployment" else one for one in manifests
    ]
    assert {found.path for found in validate.objects(broken, ("1.30",))} == {"spec.replicas"}


def test_the_table_counts_objects_by_chart_and_kind(dist: Path, check: Check) -> None:
    report = check(dist)
    table = validate.table((item.chart, item.manifest) for item in synth.placed(from_mapping({})))
    assert report.table == table
    text = validate.summary(table)
    assert text.splitlines()[0].split() == ["kind", *table, "all"]
    assert text.splitlines()[-1].split()[-1] == str(sum_of(report))


@pytest.mark.parametrize(
    ("text", "path"),
    [
        ("spec.a[0].b", ("spec", "a", 0, "b")),
        ("metadata.annotations[x.io/y]", ("metadata", "annotations", "x.io/y")),
        ("data", ("data",)),
        ("", ()),
    ],
)
def test_written_paths_are_read_back(text: str, path: tuple[str | int, ...]) -> None:
    assert parts(text) == path
