"""The whole story on a real node: installed by Argo CD, recorded, redacted, mocked, replayed, reported, put back."""

from __future__ import annotations

import copy
import json
from typing import Any

import story
from harness.argocd import health, sync_status
from story import Tell
from whole import APP, NAMESPACE, SHOP, Whole, named

from speedscale_kube import Object, Ref

SERVER = Ref("apps/v1", "Deployment", NAMESPACE, "java-server")
REPLAY = "abstract-yucca"
COUNTED = 200
PROBES = 3
RECORDED_CALLS = 10


def condition(replay: Object, kind: str) -> dict[str, Any]:
    found = [one for one in replay.get("status", {}).get("conditions", ()) if one["type"] == kind]
    return dict(found[-1]) if found else {}


def replay(spec: dict[str, Any], name: str = REPLAY) -> Object:
    metadata = {"name": name, "namespace": NAMESPACE}
    return {"apiVersion": "speedscale.com/v1", "kind": "TrafficReplay", "metadata": metadata, "spec": spec}


def test_the_pods_are_those_of_the_documentation(installed: Whole, tell: Tell) -> None:
    assert named(installed.pods()) == {
        "java-client": "1/1",
        "java-server": "2/2",
        "speedscale-cloud": "1/1",
        "speedscale-forwarder": "1/1",
        "speedscale-inspector": "1/1",
        "speedscale-operator": "1/1",
    }
    (server,) = installed.pods(labels="app=java-server")
    names = [one["name"] for one in server["spec"]["containers"]]
    assert names == ["speedscale-goproxy", "java-server"]
    tell("pods", ", ".join(f"{name} {ready}" for name, ready in named(installed.pods()).items()))
    tell("containers of java-server", " ".join(names))


def test_it_was_rolled_out_once_and_is_no_drift(installed: Whole) -> None:
    assert installed.kube.get(SERVER)["metadata"]["generation"] == 1
    app = installed.argo.refresh(APP)
    assert (sync_status(app), health(app)) == ("Synced", "Healthy")


def test_what_somebody_changes_by_hand_is_undone(installed: Whole) -> None:
    which = Ref("apps/v1", "Deployment", NAMESPACE, "speedscale-forwarder")
    change = [{"op": "replace", "path": "/spec/replicas", "value": 2}]
    installed.kube.patch(which, change, "somebody", kind="json")
    installed.until(lambda: installed.kube.get(which)["spec"]["replicas"] == 1, "Argo CD undoes it")


def test_the_inspector_answers_through_the_backend(installed: Whole) -> None:
    def connected() -> bool:
        return [one["name"] for one in installed.cloud("/v1/clusters")["items"] if one.get("connected", True)] == [
            "e2e"
        ]

    installed.until(connected, "the inspector is connected")
    command = {"command": "list-workloads", "arguments": {"namespace": NAMESPACE}}
    answer = installed.cloud("/v1/clusters/e2e/commands", body=command)
    assert "java-server" in json.dumps(answer)


def test_every_request_is_a_pair(installed: Whole, shell_image: str, tell: Tell) -> None:
    statuses = story.asked(installed, shell_image, "counted", story.requests("counted", COUNTED)).split()
    assert statuses == ["404"] * COUNTED, "nobody of that name; the application itself has answered each"
    installed.until(lambda: len(story.pairs(installed, "counted")) >= COUNTED, "each is a pair at the backend", 60.0)
    assert len({one["uuid"] for one in story.pairs(installed, "counted")}) == COUNTED
    tell("requests made, pairs recorded", f"{COUNTED}, {len(story.pairs(installed, 'counted'))}")


def test_no_pair_is_lost_on_the_way(installed: Whole, snapshot: str, tell: Tell) -> None:
    counts = sidecar(installed)
    dropped = {name: value for name, value in counts.items() if "dropped" in name and value}
    assert dropped == {}

    def arrived() -> bool:
        now = sidecar(installed)
        return captured(now) == now["speedscale_goproxy_pairs_seen_total"] >= COUNTED

    installed.until(arrived, "what the sidecar saw is on its way or at the forwarder", 30)
    tell("pairs the sidecar saw, sent on, dropped", f"{captured(sidecar(installed)):.0f}, all, 0")


def sidecar(installed: Whole) -> dict[str, float]:
    (server,) = installed.pods(labels="app=java-server")
    return installed.metrics(server["metadata"]["name"])


def captured(counts: dict[str, float]) -> float:
    return counts["speedscale_goproxy_pairs_captured_total"]


def test_nothing_personal_is_anywhere_but_in_the_application(installed: Whole, shell_image: str, tell: Tell) -> None:
    originals = story.customers(installed, shell_image, "probe", PROBES)
    assert len(originals) == 2 * PROBES, f"the control: the application answers what is personal, not {originals}"
    installed.until(lambda: len(story.pairs(installed, "probe")) >= PROBES, "they are at the backend", 60.0)
    looked = story.look(installed, originals)
    assert looked.found == {}
    assert looked.size > 100_000
    for one in story.pairs(installed, "probe"):
        stored = json.dumps(story.pair(installed, one))
        assert stored.count("REDACTED-") >= 2
        assert [value for value in originals if value in stored] == []
    tell("values redacted", f"{story.redacted(installed):.0f}")
    tell("originals found", f"0 of {len(originals)} in {looked.places} files, logs, metrics pages, reports, objects")


def test_a_replay_mocks_drives_reports_and_puts_back(installed: Whole, snapshot: str, tell: Tell) -> None:
    before = copy.deepcopy(installed.kube.get(SERVER)["spec"])
    workload = {"ref": {"kind": "Deployment", "name": "java-server"}, "tests": ["*"], "mocks": ["*"]}
    spec = {"snapshotID": snapshot, "testConfigID": "standard", "needsReport": True, "workloads": [workload]}
    which = installed.kube.ref(installed.kube.apply(replay(spec), "tests"))
    installed.until(
        lambda: condition(installed.kube.get(which), "MocksReady").get("status") == "True", "mocks are ready", 180.0
    )
    made = {pod["metadata"]["name"].partition(f"-{REPLAY}")[0] for pod in installed.pods()}
    assert made >= {"speedscale-collector", "speedscale-responder"}
    ended = ["wait", "--for=condition=Ready", "--timeout=1s", f"--namespace={NAMESPACE}", f"replay/{REPLAY}"]
    installed.until(
        lambda: condition(installed.kube.get(which), "Ready").get("status") == "True", "the replay ends", 300.0
    )
    installed.node.kubectl(*ended)  # as CI waits
    done = installed.kube.get(which)
    assert condition(done, "Ready").get("reason") == "TestSucceeded", json.dumps(done["status"], indent=1)
    assert done["status"]["conditions"][-1]["message"].startswith("Passed")

    report = installed.cloud(f"/v1/reports/{done['status']['reportID']}?format=json")
    assert report["status"] == "Passed"
    tell("replay, share of answers as recorded", f"{report['status']}, {report['successRate']} %")
    mocks, tests = report["mocks"], report["mocks"]["byTests"]
    others = {kind: mocks[kind] - tests[kind] for kind in ("total", "matched", "passthrough", "missed")}
    tell("calls to mocks that the tests caused", calls(tests))
    tell("calls to mocks by the demo's live customers", calls(others))
    assert tests["total"] >= RECORDED_CALLS
    assert tests["matched"] == tests["total"], "what the tests cause is answered as recorded"
    assert len(mocks["unused"]) <= 1, "each recorded answer was asked for, but that of a test which came too late"
    assert others["total"], "the control: the demo's customers, whom nobody recorded, go on meanwhile"
    assert others["matched"] == 0
    assert "that the tests caused matched" in installed.cloud_text(f"/v1/reports/{report['id']}?format=markdown")
    installed.until(lambda: installed.kube.get(SERVER)["spec"] == before, "the workload is as before")
    installed.until(
        lambda: not [1 for pod in installed.pods() if REPLAY in pod["metadata"]["name"]], "what it made is gone"
    )


def calls(of: dict[str, int]) -> str:
    """What became of calls, in words."""
    became = f"{of['matched']} matched, {of['passthrough']} passed through, {of['missed']} not found"
    return f"{of['total']}: {became}"


def test_the_demo_has_its_dependency(installed: Whole) -> None:
    assert named(installed.pods(SHOP, "app=payments")) == {"payments": "1/1"}
