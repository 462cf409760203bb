"""A replay's patch of a workload: put in with the sidecar or without, and taken out to the byte."""

from __future__ import annotations

import copy
import json
from typing import Any

import pytest

from speedscale_controller.injection import Inject, Leave, Reason, Remove, ReplayPatch, decide

SPEC = {
    "containers": [
        {
            "name": "app",
            "image": "shop/checkout:v1",
            "env": [{"name": "A", "value": "1"}, {"name": "B", "value": "2"}, {"name": "C", "value": "3"}],
            "resources": {},
            "ports": [{"containerPort": 8080, "protocol": "TCP"}],
        },
        {"name": "log", "image": "log:1"},
    ],
    "volumes": [{"name": "data", "emptyDir": {}}],
    "serviceAccountName": "checkout",
    "serviceAccount": "checkout",
}


def of_pod(**spec: Any) -> dict[str, Any]:
    return {"spec": {"template": {"spec": spec}}}


def app(**fields: Any) -> dict[str, Any]:
    return of_pod(containers=[{"name": "app", **fields}])


PATCHES: dict[str, dict[str, Any]] = {
    "image": app(image="shop/checkout:v2"),
    "variables": app(env=[{"name": "B", "value": "9"}, {"name": "D", "value": "4"}]),
    "fewer variables": app(env=[{"name": "A", "$patch": "delete"}, {"name": "C", "$patch": "delete"}]),
    "other variables": app(env=[{"$patch": "replace"}, {"name": "Z", "value": "1"}]),
    "resources": app(resources={"limits": {"cpu": "0.5"}}),
    "a probe": app(readinessProbe={"tcpSocket": {"port": 8080}}),
    "ports": app(ports=[{"containerPort": 9090}]),
    "a container": of_pod(containers=[{"name": "stub", "image": "stub:1", "env": [{"name": "X", "value": "1"}]}]),
    "no container": of_pod(containers=[{"name": "log", "$patch": "delete"}]),
    "volumes": of_pod(volumes=[{"name": "data", "emptyDir": None, "configMap": {"name": "c"}}, {"name": "x"}]),
    "account": of_pod(serviceAccountName="other"),
    "nodes": of_pod(nodeSelector={"pool": "tests"}, tolerations=[{"key": "tests"}]),
    "marks": {
        "metadata": {"labels": {"team": "tests"}, "annotations": {"note": "x"}},
        "spec": {"template": {"metadata": {"labels": {"tier": "test"}, "annotations": {"note": "y"}}}},
    },
    "nothing of ours": {"metadata": {"annotations": {"sidecar.speedscale.com/inject": "false"}}},
}


def defaulted(obj: dict[str, Any]) -> dict[str, Any]:
    """Return what an API server makes of it: defaults inside of what is new, quantities in their own way."""
    made = copy.deepcopy(obj)
    for container in made["spec"]["template"]["spec"]["containers"]:
        container.setdefault("terminationMessagePath", "/dev/termination-log")
        container.setdefault("resources", {})
        for port in container.get("ports") or ():
            port.setdefault("protocol", "TCP")
        if probe := container.get("readinessProbe"):
            probe.setdefault("periodSeconds", 10)
        limits = container["resources"].get("limits") or {}
        if limits.get("cpu") == "0.5":
            container["resources"] = {"limits": {"cpu": "500m"}, "requests": {"cpu": "500m"}}
    for volume in made["spec"]["template"]["spec"].get("volumes") or ():
        if "configMap" in volume:
            volume["configMap"].setdefault("defaultMode", 420)
        if set(volume) == {"name"}:
            volume["emptyDir"] = {}
    return made


@pytest.fixture(params=["with a sidecar", "without"])
def obj(request: pytest.FixtureRequest, shop: Any) -> Any:
    made = shop.workload(spec=copy.deepcopy(SPEC), **({"inject": "true"} if request.param != "without" else {}))
    return defaulted(made)


def held(patch: dict[str, Any], **more: Any) -> ReplayPatch:
    return ReplayPatch(name="abstract-yucca", report_id="r1", patch=patch, trust=True, **more)


@pytest.mark.parametrize("patch", PATCHES.values(), ids=PATCHES)
def test_it_goes_in_stays_and_comes_out(patch: dict[str, Any], obj: Any, facts: Any, facts_of: Any) -> None:
    """With the defaults that an API server adds; with and without a sidecar beside it."""
    replayed = facts_of(replay=held(patch))
    before = decide(obj, facts)  # the sidecar that was there before the replay
    start = before.object if isinstance(before, Inject) else obj
    made = decide(start, replayed, operation="UPDATE")
    assert isinstance(made, Inject)
    live = defaulted(made.object)
    again = decide(live, replayed, operation="UPDATE")
    assert isinstance(again, Leave), again
    assert again.injected
    out = decide(live, facts, operation="UPDATE")
    assert isinstance(out, Remove | Inject)
    assert defaulted(out.object) == defaulted(start)
    if isinstance(out, Remove):
        assert out.object == obj


def test_what_is_patched_is_what_the_application_gets(shop: Any, facts_of: Any) -> None:
    patch = {**app(image="shop/checkout:v2", env=[{"name": "B", "value": "9"}]), "metadata": {"labels": {"x": "y"}}}
    made = decide(shop.workload(spec=copy.deepcopy(SPEC)), facts_of(replay=held(patch)))
    assert isinstance(made, Inject)
    container = shop.container_of(made.object, "app")
    assert container["image"] == "shop/checkout:v2"
    assert shop.env_of(container)["B"] == "9"
    assert shop.env_of(container)["SSL_CERT_FILE"].endswith("ca-bundle.crt"), "trust goes into what was patched"
    assert made.object["metadata"]["labels"]["x"] == "y"


def test_a_container_of_the_patch_is_part_of_the_application(shop: Any, facts_of: Any) -> None:
    made = decide(shop.workload(spec=copy.deepcopy(SPEC)), facts_of(replay=held(PATCHES["a container"])))
    assert isinstance(made, Inject)
    assert "SSL_CERT_FILE" in shop.env_of(shop.container_of(made.object, "stub"))


def test_what_a_user_changed_meanwhile_stays(shop: Any, facts: Any, facts_of: Any) -> None:
    obj = shop.workload(spec=copy.deepcopy(SPEC))
    patch = app(image="shop/checkout:v2", env=[{"name": "B", "value": "9"}, {"name": "A", "$patch": "delete"}])
    made = decide(obj, facts_of(replay=held(patch)))
    assert isinstance(made, Inject)
    container = shop.container_of(made.object, "app")
    container["image"] = "shop/checkout:v3"
    container["env"].append({"name": "NEW", "value": "user"})
    out = decide(made.object, facts)
    assert isinstance(out, Remove)
    after = shop.container_of(out.object, "app")
    assert after["image"] == "shop/checkout:v3"
    assert shop.env_of(after) == {"A": "1", "B": "2", "C": "3", "NEW": "user"}
    assert [one["name"] for one in after["env"]][:3] == ["A", "B", "C"]


def test_another_patch_begins_where_there_was_none(shop: Any, facts_of: Any) -> None:
    obj = shop.workload(spec=copy.deepcopy(SPEC))
    first = decide(obj, facts_of(replay=held(PATCHES["other variables"])))
    assert isinstance(first, Inject)
    second, direct = (decide(one, facts_of(replay=held(PATCHES["image"]))) for one in (first.object, obj))
    assert isinstance(second, Inject)
    assert isinstance(direct, Inject)
    assert second.object == direct.object


def test_a_patch_that_leaves_no_workload_is_refused(shop: Any, facts_of: Any) -> None:
    patch = of_pod(containers=[{"$patch": "replace"}])
    verdict = decide(shop.workload(), facts_of(replay=held(patch)))
    assert getattr(verdict, "reason", None) is Reason.REPLAY_PATCH
    assert "containers is empty" in verdict.message


@pytest.mark.parametrize(
    "part", [1, {}, {"w": {}}, {"w": {}, "t": {"/a": ["+"]}}, {"w": {}, "t": {"/a": ["-", 1, "x"]}}]
)
def test_a_record_written_by_hand_is_none(part: Any, shop: Any, facts: Any, facts_of: Any) -> None:
    made = decide(shop.workload(spec=copy.deepcopy(SPEC)), facts_of(replay=held(PATCHES["image"])))
    assert isinstance(made, Inject)
    marks = made.object["spec"]["template"]["metadata"]["annotations"]
    key = "operator.speedscale.com/revert"
    marks[key] = json.dumps({**json.loads(marks[key]), "p": part})
    out = decide(made.object, facts)
    assert isinstance(out, Remove)
    assert shop.container_of(out.object, "app")["image"] == "shop/checkout:v2", "what nobody remembers stays"
