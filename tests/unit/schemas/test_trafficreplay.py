"""The CRD's schema is structural and complete; the judgement without a cluster agrees with it."""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator
from typing import Any

import pytest

from speedscale_schemas import trafficreplay, validation
from speedscale_schemas.trafficreplay import FROZEN, crd_schema, validate

# The vendor's fields; [] stands for items.
FIELDS = """
spec spec.buildTag spec.cleanup spec.collectLogs spec.configChecksum spec.customURL spec.generatorLowData spec.mode
spec.needsReport spec.proxyMode spec.responderLowData spec.secretRefs spec.secretRefs[].name spec.sidecar
spec.sidecar.inject spec.sidecar.patch spec.sidecar.tls spec.sidecar.tls.in spec.sidecar.tls.in.private
spec.sidecar.tls.in.public spec.sidecar.tls.in.secret spec.sidecar.tls.mutual spec.sidecar.tls.mutual.private
spec.sidecar.tls.mutual.public spec.sidecar.tls.mutual.secret spec.sidecar.tls.out spec.snapshotID spec.testConfigID
spec.timeout spec.ttlAfterReady spec.workloadRef spec.workloadRef.apiVersion spec.workloadRef.kind
spec.workloadRef.name spec.workloadRef.namespace spec.workloads spec.workloads[].customURI
spec.workloads[].inTrafficKey spec.workloads[].inTrafficKeys spec.workloads[].mocks spec.workloads[].outTrafficKeys
spec.workloads[].ref spec.workloads[].ref.apiVersion spec.workloads[].ref.kind spec.workloads[].ref.name
spec.workloads[].ref.namespace spec.workloads[].routing spec.workloads[].sidecar spec.workloads[].sidecar.inject
spec.workloads[].sidecar.patch spec.workloads[].sidecar.tls spec.workloads[].sidecar.tls.in
spec.workloads[].sidecar.tls.in.private spec.workloads[].sidecar.tls.in.public spec.workloads[].sidecar.tls.in.secret
spec.workloads[].sidecar.tls.mutual spec.workloads[].sidecar.tls.mutual.private
spec.workloads[].sidecar.tls.mutual.public spec.workloads[].sidecar.tls.mutual.secret
spec.workloads[].sidecar.tls.out spec.workloads[].tests status status.active status.conditions
status.conditions[].lastTransitionTime status.conditions[].message status.conditions[].observedGeneration
status.conditions[].reason status.conditions[].status status.conditions[].type status.finishedTime
status.initializedTime status.lastHeartbeatTime status.observedGeneration status.reconcileFailures status.reportID
status.reportURL status.startedTime
"""
REQUIRED = {
    "spec.secretRefs[].name",
    "spec.snapshotID",
    "spec.testConfigID",
    "spec.workloadRef.name",
    "spec.workloads[].ref.name",
    *(f"status.conditions[].{name}" for name in ("lastTransitionTime", "message", "reason", "status", "type")),
}


def walk(node: dict[str, Any], path: str = "") -> Iterator[tuple[str, dict[str, Any], bool]]:
    """Yield every property: path, schema, whether it is required."""
    for name, inner in node.get("properties", {}).items():
        here = f"{path}.{name}".lstrip(".")
        yield here, inner, name in node.get("required", ())
        yield from walk(inner, here)
    if "items" in node:
        yield from walk(node["items"], f"{path}[]")


def nodes(node: Any) -> Iterator[dict[str, Any]]:
    yield node
    for inner in node.get("properties", {}).values():
        yield from nodes(inner)
    if "items" in node:
        yield from nodes(node["items"])


def replay(**spec: Any) -> dict[str, Any]:
    return {
        "apiVersion": "speedscale.com/v1",
        "kind": "TrafficReplay",
        "metadata": {"name": "x"},
        "spec": {"snapshotID": "s", "testConfigID": "standard", **spec},
    }


def test_every_field_of_the_vendors_crd_and_no_other() -> None:
    found = {path for path, _, _ in walk(crd_schema()) if path.split(".")[0] in ("spec", "status")}
    assert found == set(FIELDS.split())
    assert {path for path, _, required in walk(crd_schema()) if required} == REQUIRED


def test_it_is_structural() -> None:
    allowed = {
        "type", "description", "properties", "required", "items", "enum", "format", "pattern", "default",
        "minLength", "maxLength", "minItems", "maxItems", "minimum", "maximum",
        "x-kubernetes-validations", "x-kubernetes-list-type", "x-kubernetes-list-map-keys",
    }  # fmt: skip
    for node in nodes(crd_schema()):
        assert set(node) <= allowed
        assert isinstance(node["type"], str)
    text = json.dumps(crd_schema())
    assert "$ref" not in text
    assert len(text) < 30_000
    assert crd_schema()["properties"]["metadata"] == {"type": "object"}


def test_every_field_is_described_and_every_text_and_list_is_bounded() -> None:
    for path, node, _ in walk(crd_schema()):
        if path != "metadata":
            assert node["description"].endswith("."), path
        if node["type"] == "array":
            assert node["maxItems"], path
            assert node["items"]["type"] != "string" or node["items"]["maxLength"], path
        if node["type"] == "string" and path.startswith("spec"):
            assert node.get("maxLength") or node.get("enum"), path


def test_the_server_fills_in_three_defaults_only() -> None:
    found = {path: node["default"] for path, node, _ in walk(crd_schema()) if "default" in node}
    assert found == {
        "spec.cleanup": "inventory",
        "status": {"observedGeneration": -1},
        "status.observedGeneration": -1,
    }


def test_enums_formats_and_patterns_are_the_vendors() -> None:
    found = {path: node for path, node, _ in walk(crd_schema())}
    assert found["spec.cleanup"]["enum"] == ["inventory", "all", "none"]
    assert found["spec.mode"]["enum"] == ["full-replay", "responder-only", "generator-only"]
    assert found["spec.workloads[].routing"]["enum"] == ["hostalias", "nat"]
    assert found["spec.sidecar.patch"]["format"] == "byte"
    assert found["status.conditions[].message"]["maxLength"] == 32768
    assert found["status.conditions[].type"]["maxLength"] == 316
    assert found["status.conditions"]["x-kubernetes-list-map-keys"] == ["type"]
    assert {p for p, n in found.items() if n.get("format") == "date-time"} == {
        "status.conditions[].lastTransitionTime",
        *(f"status.{name}Time" for name in ("finished", "initialized", "lastHeartbeat", "started")),
    }


def test_names_and_columns_are_the_vendors() -> None:
    (version,) = trafficreplay.crd_versions()
    assert (version["name"], version["served"], version["storage"]) == ("v1", True, True)
    assert version["subresources"] == {"status": {}}
    assert [(c["name"], c["jsonPath"], c["type"]) for c in version["additionalPrinterColumns"]] == [
        ("Active", ".status.active", "boolean"),
        ("Mode", ".spec.mode", "string"),
        ("Status", ".status.conditions[-1:].message", "string"),
        ("Age", ".metadata.creationTimestamp", "date"),
    ]
    assert trafficreplay.crd_names()["shortNames"] == ["replay"]


def test_callers_may_change_what_they_get() -> None:
    before = copy.deepcopy(crd_schema())
    crd_schema()["properties"]["spec"]["properties"].clear()
    assert crd_schema() == before
    assert validation.schema("trafficreplay")["properties"]["spec"]["properties"]


def test_an_object_without_spec_passes() -> None:
    assert validate({"apiVersion": "speedscale.com/v1", "kind": "TrafficReplay", "metadata": {"name": "x"}}) == []


@pytest.mark.parametrize("example", validation.schema("trafficreplay")["examples"])
def test_examples_pass(example: dict[str, Any]) -> None:
    assert validate(example) == []


GOOD = [
    {"mode": "generator-only", "customURL": "https://a"},
    {"mode": "generator-only", "workloadRef": {"name": "a"}},
    {"mode": "generator-only", "workloads": [{"customURI": "https://a"}]},
    {"mode": "responder-only"},
    {"workloads": [{"ref": {"name": "a"}, "tests": ["x"]}, {"ref": {"name": "b"}, "tests": ["y"], "mocks": ["*"]}]},
    {"timeout": "0", "ttlAfterReady": "1h30m1.5s"},
    {"sidecar": {"patch": "e30="}},
    {"workloads": [{"ref": {"name": "a"}, "customURI": ""}]},
]
BAD: list[tuple[dict[str, Any], str, str]] = [
    ({"mode": "full"}, "spec.mode", "expected one of"),
    ({"snapshotId": "x"}, "spec.snapshotId", "did you mean 'snapshotID'?"),
    ({"snapshotID": "$SNAPSHOT"}, "spec.snapshotID", "expected text that matches"),
    ({"timeout": "10"}, "spec.timeout", "expected text that matches"),
    ({"timeout": "-1m"}, "spec.timeout", "expected text that matches"),
    ({"cleanup": "None"}, "spec.cleanup", "did you mean 'none'?"),
    ({"sidecar": {"patch": "%%"}}, "spec.sidecar.patch", "expected base64"),
    ({"workloads": [{"ref": {"name": "a"}, "tests": ["x"] * 40}]}, "spec.workloads[0].tests", "at most 32"),
    ({"workloads": [{}]}, "spec.workloads[0]", trafficreplay.MESSAGE_TARGET),
    ({"workloads": [{"ref": {"name": "a"}, "customURI": "x"}]}, "spec.workloads[0]", trafficreplay.MESSAGE_TARGET),
    ({"mode": "generator-only"}, "spec.mode", trafficreplay.MESSAGE_GENERATOR),
    ({"mode": "generator-only", "customURL": ""}, "spec.mode", trafficreplay.MESSAGE_GENERATOR),
    (
        {"workloads": [{"ref": {"name": "a"}, "tests": ["*"]}, {"ref": {"name": "b"}, "tests": ["x", "*"]}]},
        "spec.workloads[1].tests[1]",
        trafficreplay.MESSAGE_TESTS,
    ),
]


@pytest.mark.parametrize("spec", GOOD)
def test_accepted(spec: dict[str, Any]) -> None:
    assert validate(replay(**spec)) == []


@pytest.mark.parametrize(("spec", "path", "said"), BAD)
def test_refused_with_path_and_reason(spec: dict[str, Any], path: str, said: str) -> None:
    (problem,) = validate(replay(**spec), source="replay.yaml")
    assert problem.path == path
    assert said in str(problem)
    assert str(problem).startswith("replay.yaml: ")


@pytest.mark.parametrize("name", ["Nightly", "a_b", "-a", "a..b", "a" * 254])
def test_names_are_those_of_kubernetes(name: str) -> None:
    (problem,) = validate({**replay(), "metadata": {"name": name}})
    assert problem.path == "metadata.name"


def test_everything_that_is_wrong_is_told_at_once() -> None:
    wrong = replay(mode="generator-only", timeout="x", workloads=[])
    del wrong["spec"]["snapshotID"]
    assert [p.path for p in validate(wrong)] == ["spec", "spec.timeout", "spec.mode"]


CHANGES: dict[str, Any] = {
    "snapshotID": "other",
    "testConfigID": "other",
    "mode": "responder-only",
    "customURL": "https://b",
    "workloads": [{"ref": {"name": "b"}}],
    "workloadRef": {"name": "b"},
}


@pytest.mark.parametrize("field", FROZEN)
def test_a_started_replay_keeps_what_it_replays(field: str) -> None:
    old, new = replay(), replay(**{field: CHANGES[field]})
    assert validate(new, old=old) == []
    old["status"] = {"startedTime": "2026-01-15T18:45:59Z"}
    (problem,) = validate(new, old=old)
    assert (problem.path, problem.expected) == (f"spec.{field}", trafficreplay.frozen_message(field))


def test_a_started_replay_may_be_told_to_stay_longer_or_name_its_default_mode() -> None:
    old = {**replay(), "status": {"startedTime": "2026-01-15T18:45:59Z"}}
    assert validate(replay(mode="full-replay", ttlAfterReady="1h", timeout="1h", cleanup="none"), old=old) == []


def test_each_rule_of_the_crd_is_said_here_too() -> None:
    told = {message for _, message in trafficreplay.cel_rules()}
    here = {trafficreplay.MESSAGE_TARGET, trafficreplay.MESSAGE_GENERATOR, trafficreplay.MESSAGE_TESTS}
    assert told == here | {trafficreplay.frozen_message(field) for field in FROZEN}
    assert set(CHANGES) == set(FROZEN)


@pytest.mark.parametrize(
    "document", [None, 1, "x", [], {"spec": 1}, {"spec": {"workloads": 1}}, {"spec": {"workloads": [1]}}]
)
def test_what_is_no_replay_at_all_is_refused(document: object) -> None:
    assert validate(document, old=document)
