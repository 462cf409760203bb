"""A report as text, JSON and SARIF."""

from __future__ import annotations

import json

from speedscale_manifests.validate import Found, Report, State, Step
from speedscale_manifests.validate.render import data, sarif, text

PROBLEM = Found("kubernetes", "dist/a.yaml", 7, "Service n/a", "spec.prots", "unknown key")
WARNING = Found("values", "values.yaml:3:1", 0, "", "image.registry", "not meant", warning=True)
REPORT = Report(
    (
        Step.of("values", "values: values.yaml", [WARNING], 1, "file"),
        Step.of("kubernetes", "schemas of Kubernetes 1.25", [PROBLEM], 2),
        Step.skipped("server", "server-side dry run", "no cluster is named"),
    ),
    {"base": {"Service": 2}},
)


def test_text_has_a_line_a_step_the_problems_below_and_a_summary_at_the_end() -> None:
    assert (
        text(REPORT)
        == """\
ok      values      values: values.yaml: 1 file, 1 warning
    warning: values.yaml:3:1: image.registry: not meant
FAILED  kubernetes  schemas of Kubernetes 1.25: 2 objects, 1 problem
    dist/a.yaml:7: Service n/a: spec.prots: unknown key
not run server      server-side dry run: no cluster is named

2 objects: 1 problem; 1 of 3 steps passed, 1 failed, 1 not run"""
    )


def test_a_good_report_says_valid() -> None:
    report = Report((Step.of("files", "files", [], 1, "file"),), {"base": {"Service": 1}})
    assert text(report).splitlines()[-1] == "1 object: valid; 1 of 1 steps passed"


def test_json_has_all_of_it() -> None:
    found = json.loads(json.dumps(data(REPORT)))
    assert found["ok"] is False
    assert found["objects"] == {"base": {"Service": 2}}
    assert found["steps"][1]["problems"] == [
        {
            "step": "kubernetes",
            "file": "dist/a.yaml",
            "line": 7,
            "object": "Service n/a",
            "path": "spec.prots",
            "reason": "unknown key",
            "level": "error",
        }
    ]


def test_sarif_places_each_problem_and_names_each_step() -> None:
    run = sarif(REPORT, "1.2.3")["runs"][0]
    assert [rule["id"] for rule in run["tool"]["driver"]["rules"]] == ["values", "kubernetes", "server"]
    first, second = run["results"]
    assert first["level"] == "warning"
    assert second["message"]["text"] == "Service n/a: spec.prots: unknown key"
    place = second["locations"][0]["physicalLocation"]
    assert place == {"artifactLocation": {"uri": "dist/a.yaml"}, "region": {"startLine": 7}}


def test_a_warning_fails_nothing_and_a_required_step_that_did_not_run_does() -> None:
    assert Step.of("values", "", [WARNING], 1).state is State.PASSED
    assert Step.skipped("server", "", "why").required().state is State.FAILED
    assert Step.of("values", "", [], 1).required().state is State.PASSED
