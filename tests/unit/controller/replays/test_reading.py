"""The generator's Job, reports, test configs and annotated workloads: read and made without a cluster."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from importlib import resources
from typing import Any

import jsonschema
import pytest

from speedscale_controller.bundle import Bundle
from speedscale_controller.injection import Facts, Inject, Installation, Namespace, ReplayPatch, decide
from speedscale_controller.replay import Replay
from speedscale_controller.replay.decision import Observed, WriteReport
from speedscale_controller.replay.readiness import Pods
from speedscale_controller.replays import annotated, configs, jobs, reports
from speedscale_kube import Ref
from speedscale_manifests.bundle import bundle
from speedscale_manifests.values import from_mapping
from speedscale_schemas import trafficreplay
from speedscale_schemas.errors import ConfigError, PermanentError
from speedscale_schemas.validation import check

NOW = datetime(2026, 1, 31, 12, 0, 0, tzinfo=UTC)
PASSED = {"version": 1, "state": "Passed", "requests": 3, "errors": 0}


def job(*conditions: dict[str, str], completions: int = 1) -> dict[str, Any]:
    told = [{"status": "True", **c} for c in conditions]
    meta = {"name": "generator", "namespace": "shop"}
    return {"kind": "Job", "metadata": meta, "spec": {"completions": completions}, "status": {"conditions": told}}


def pod(number: int = 0, message: str | None = None, phase: str = "Succeeded", code: int = 0) -> dict[str, Any]:
    marks = {"batch.kubernetes.io/job-completion-index": str(number)}
    state = {"terminated": {"exitCode": code, "reason": "Error" if code else "Completed", "message": message or ""}}
    container = {"name": jobs.CONTAINER, "state": state if message is not None else {"running": {}}}
    meta = {"name": f"pod-{number}", "annotations": marks, "creationTimestamp": "1"}
    return {"metadata": meta, "status": {"phase": phase, "containerStatuses": [container]}}


COMPLETE = {"type": "Complete"}
FAILED = {"type": "Failed", "reason": "BackoffLimitExceeded", "message": "Job has reached the specified backoff limit"}
LATE = {"type": "Failed", "reason": "DeadlineExceeded", "message": "Job was active longer than specified deadline"}


def test_a_job_that_runs() -> None:
    made = jobs.read(job(), Pods((pod(phase="Running"),)), 5.0)
    assert (made.started, made.ended, made.age_s) == (True, False, 5.0)
    made = jobs.read(job(), Pods(), 5.0)
    assert (made.started, made.cause) == (False, "no pod of it exists yet")


@pytest.mark.parametrize(
    ("condition", "pods", "completions", "state", "said"),
    [
        (COMPLETE, [pod(0, json.dumps(PASSED))], 1, "Passed", ""),
        (COMPLETE, [pod(0, json.dumps(PASSED)), pod(1, json.dumps({**PASSED, "state": "Missed Goals"}))], 2,
         "Missed Goals", ""),
        (COMPLETE, [pod(0, json.dumps(PASSED))], 2, "Error", "1 of 2 generator pods left no summary"),
        (COMPLETE, [], 1, "Error", "1 of 1 generator pods left no summary"),
        (COMPLETE, [pod(0, "")], 1, "Error", "pod-0 left no summary: ended with code 0 (Completed)"),
        (FAILED, [pod(0, "no such file", "Failed", 2)], 1, "Error", "pod-0 left no summary: no such file"),
        (FAILED, [], 1, "Error", "Job has reached the specified backoff limit"),
        (FAILED, [pod(0, json.dumps(PASSED))], 1, "Error", "the generator failed: BackoffLimitExceeded"),
        (LATE, [pod(0, json.dumps(PASSED))], 1, "Error", "did not end in time"),
    ],
)  # fmt: skip
def test_a_job_that_has_ended(
    condition: dict[str, str], pods: list[dict[str, Any]], completions: int, state: str, said: str
) -> None:
    made = jobs.read(job(condition, completions=completions), Pods(tuple(pods)), 5.0)
    assert made.ended
    assert made.summary is not None
    assert made.summary["state"] == state
    assert said in made.summary.get("reason", "")
    assert check("replay-summary", made.summary) == []


def test_a_report_is_whole_without_a_plan() -> None:
    replay = Replay.read({"metadata": {"name": "a.b", "namespace": "shop", "uid": "u"}, "spec": {"snapshotID": "s"}})
    given_up = {Ref("apps/v1", "Deployment", "own", "collector"): "forbidden"}
    report = WriteReport("Error", "why", PASSED)
    made = reports.config_map(replay, Observed(given_up=given_up), report, NOW)
    document = json.loads(made["data"]["report.json"])
    assert (document["state"], document["reason"], document["summary"]) == ("Error", "why", PASSED)
    assert document["notes"] == ["Deployment own/collector could not be made: forbidden"]
    assert "replay.speedscale.com/id" not in made["metadata"]["labels"], "it is no part of the inventory"


def test_the_entry_for_the_backend_is_what_its_api_takes() -> None:
    target = {"workloadRef": {"kind": "Deployment", "name": "shop"}}
    spec = {"snapshotID": "s", **target, "buildTag": "v1.2", "testConfigID": "standard"}
    replay = Replay.read({"metadata": {"name": "a.b", "namespace": "shop", "uid": "u"}, "spec": spec})
    made = reports.entry(replay, WriteReport("Error", "w" * 9999, {}), "prod-1", NOW)
    api = json.loads(resources.files("speedscale_schemas").joinpath("documents/backend.openapi.json").read_bytes())
    jsonschema.validate(made, api["components"]["schemas"]["Replay"])
    assert (made["state"], made["workload"], made["snapshot"]) == ("Error", "Deployment shop/shop", "s")


def test_what_the_backend_could_not_be_told_stands_in_the_report() -> None:
    replay = Replay.read({"metadata": {"name": "a.b", "namespace": "shop", "uid": "u"}, "spec": {"snapshotID": "s"}})
    made = reports.config_map(replay, Observed(), WriteReport("Error", "why", PASSED), NOW, ["it is away"])
    assert json.loads(made["data"]["report.json"])["notes"] == ["it is away"]


def test_the_oldest_reports_give_way() -> None:
    found = [
        {
            "metadata": {
                "name": f"r{n}",
                "namespace": "shop",
                "creationTimestamp": f"2026-01-01T00:00:{n % 60:02}.{n:03}Z",
            }
        }
        for n in range(reports.KEPT + 2)
    ]
    assert len(reports.superfluous(found)) == 2
    assert reports.superfluous(found[: reports.KEPT]) == []


def workload(**annotations: str) -> dict[str, Any]:
    marks = {f"replay.speedscale.com/{k.replace('_', '-')}": v for k, v in annotations.items()}
    containers = [{"name": "app", "image": "shop:1"}]
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": "checkout", "namespace": "shop", "uid": "u", "annotations": marks},
        "spec": {"replicas": 1, "template": {"spec": {"containers": containers}}},
    }


def digest(obj: dict[str, Any]) -> str:
    made = annotated.asked(obj)
    assert made is not None
    return made.hash


def test_what_is_a_new_replay_and_what_is_not() -> None:
    first = workload(snapshot_id="s")
    same = workload(snapshot_id="s", env_id="yucca", report_id="r")
    same["spec"]["replicas"] = 9
    same["spec"]["template"]["spec"]["containers"].append({"name": "speedscale-goproxy", "image": "x"})
    same["spec"]["template"]["spec"]["hostAliases"] = [{}]
    assert digest(first) == digest(same)
    image = workload(snapshot_id="s")
    image["spec"]["template"]["spec"]["containers"][0]["image"] = "shop:2"
    other = workload(snapshot_id="s")
    other["metadata"]["uid"] = "v"
    assert len({digest(o) for o in (first, image, other, workload(snapshot_id="s", build_tag="v2"))}) == 4


def test_what_a_replay_patches_is_no_new_replay() -> None:
    """Another image and a container more, for the time of a replay; what the user changes meanwhile counts."""
    obj = workload(snapshot_id="s")
    containers = [{"name": "app", "image": "shop:patched"}, {"name": "stub", "image": "stub:1"}]
    patch = {"spec": {"template": {"spec": {"containers": containers}}}}
    facts = Facts(
        template=Bundle.read(bundle(from_mapping({}))).sidecar,
        installation=Installation(namespace="speedscale", instance_id="me"),
        namespace=Namespace(name="shop"),
        replay=ReplayPatch(name="yucca", report_id="r", patch=patch),
    )
    made = decide(obj, facts, operation="UPDATE")
    assert isinstance(made, Inject)
    assert [one["image"] for one in made.object["spec"]["template"]["spec"]["containers"]] == ["shop:patched", "stub:1"]
    assert digest(made.object) == digest(obj)
    made.object["spec"]["template"]["spec"]["containers"][0]["image"] = "shop:2"
    assert digest(made.object) != digest(obj)


def test_who_asks_for_nothing() -> None:
    assert annotated.asked(workload()) is None
    assert digest(workload(env_id="yucca")) == ""
    ignored = workload(snapshot_id="s")
    ignored["metadata"]["annotations"]["operator.speedscale.com/ignore"] = "true"
    assert digest(ignored) == ""


@pytest.mark.parametrize("mode", ["full-replay", "responder-only", "generator-only"])
def test_the_replay_that_annotations_mean_is_a_good_one(mode: str) -> None:
    asked = annotated.asked(
        workload(snapshot_id="s", mode=mode, timeout="5m", secrets="login", sut_url="http://x", cleanup="all")
    )
    assert asked is not None
    made = annotated.trafficreplay(asked)
    assert trafficreplay.validate(made) == []
    assert made["metadata"]["name"].startswith("checkout-")
    spec = made["spec"]
    assert (spec["mode"], spec["cleanup"], spec["timeout"], spec["customURL"]) == (mode, "all", "5m", "http://x")
    assert ("tests" in spec["workloads"][0]) == (mode != "responder-only")
    assert ("mocks" in spec["workloads"][0]) == (mode != "generator-only")


def test_annotations_that_are_wrong_are_told() -> None:
    asked = annotated.asked(workload(snapshot_id="s", mode="half"))
    assert asked is not None
    with pytest.raises(PermanentError, match="mode"):
        annotated.trafficreplay(asked)


@pytest.mark.parametrize(
    ("data", "said"),
    [
        ({}, "has no key testconfig.json"),
        ({"testconfig.json": "{"}, "no JSON"),
        ({"testconfig.json": '{"id": "mine", "nope": 1}'}, "nope"),
    ],
)
def test_a_test_config_that_is_none_says_why(data: dict[str, str], said: str) -> None:
    with pytest.raises(ConfigError, match="ConfigMap shop/c") as caught:
        configs._read({"data": data}, "ConfigMap shop/c")
    assert said in str(caught.value)
