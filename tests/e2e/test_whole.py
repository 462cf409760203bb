"""The whole story on a real node: installed by Argo CD, recorded, redacted, mocked, replayed, reported, put back."""

from __future__ import annotations

import copy
import json
import re
import urllib.parse
from pathlib import Path
from typing import Any

import duckdb
import pods
import pytest
import whole
from harness.argocd import health, sync_status
from whole import APP, NAMESPACE, SHOP, Whole, named

from speedscale_kube import Object, Ref

SERVER = Ref("apps/v1", "Deployment", NAMESPACE, "java-server")
REPLAY = "abstract-yucca"
PERSONAL = re.compile(r"[\w.+-]+@[\w-]+\.[\w.]+|\b\d{15,16}\b")
PAIRS = 120
PROBES = 3
PROBED = "(location%20CONTAINS%20%22/probe-%22)"


def condition(replay: Object, kind: str) -> dict[str, Any]:
    found = [one for one in replay.get("status", {}).get("conditions", ()) if one["type"] == kind]
    return dict(found[-1]) if found else {}


def replay(spec: dict[str, Any], name: str = REPLAY) -> Object:
    metadata = {"name": name, "namespace": NAMESPACE}
    return {"apiVersion": "speedscale.com/v1", "kind": "TrafficReplay", "metadata": metadata, "spec": spec}


def test_the_pods_are_those_of_the_documentation(installed: Whole) -> None:
    assert named(installed.pods()) == {
        "java-client": "1/1",
        "java-server": "2/2",
        "speedscale-cloud": "1/1",
        "speedscale-forwarder": "1/1",
        "speedscale-inspector": "1/1",
        "speedscale-operator": "1/1",
    }
    (server,) = installed.pods(labels="app=java-server")
    assert [one["name"] for one in server["spec"]["containers"]] == ["speedscale-goproxy", "java-server"]


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


@pytest.fixture(scope="module")
def snapshot(installed: Whole) -> str:
    """A snapshot of what the demo's server got and asked for while its client was at work."""

    def recorded() -> int:
        return len(installed.cloud(f"/v1/rrpairs?service=java-server&limit={PAIRS}")["items"])

    installed.until(lambda: recorded() >= PAIRS, f"{PAIRS} pairs are at the backend", 240.0)
    made = installed.cloud("/v1/snapshots", body={"name": "shop", "services": ["java-server"]})
    return str(made["id"])


def test_no_pair_is_lost(installed: Whole, snapshot: str) -> None:
    (server,) = installed.pods(labels="app=java-server")
    counts = installed.metrics(server["metadata"]["name"])
    seen, captured = (counts[f"speedscale_goproxy_pairs_{what}_total"] for what in ("seen", "captured"))
    assert captured == seen >= PAIRS
    dropped = {name: value for name, value in counts.items() if "dropped" in name and value}
    assert dropped == {}


def test_nothing_personal_is_anywhere_but_in_the_application(installed: Whole, snapshot: str, shell_image: str) -> None:
    originals = _originals(installed, shell_image)
    assert len(originals) == 2 * PROBES, f"the control: the application answers what is personal, not {originals}"

    def arrived() -> list[str]:
        page = installed.cloud(f"/v1/rrpairs?service=java-server&limit=1000&filter={PROBED}")
        return [urllib.parse.quote(one["uuid"], safe="") for one in page["items"]]

    installed.until(lambda: len(arrived()) >= PROBES, "what was asked is at the backend", 60.0)
    looked = 0
    for place, data in _kept(installed):
        looked += len(data)
        assert [value for value in originals if value.encode() in data] == [], f"{place} holds original values"
    assert looked > 100_000
    for uuid in arrived():
        stored = json.dumps(installed.cloud(f"/v1/rrpairs/{uuid}"))
        assert stored.count("REDACTED-") >= 2
        assert [value for value in originals if value in stored] == []


def test_a_replay_mocks_drives_reports_and_puts_back(installed: Whole, snapshot: str) -> None:
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
    assert report
    installed.until(lambda: installed.kube.get(SERVER)["spec"] == before, "the workload is as before")
    installed.until(
        lambda: not [1 for pod in installed.pods() if REPLAY in pod["metadata"]["name"]], "what it made is gone"
    )


def _originals(installed: Whole, image: str) -> set[str]:
    """Return personal values as the application answers them to a customer, whose calls are recorded."""
    script = ["set -e"]
    for number in range(PROBES):
        body = {
            "name": f"Ada Example{number}",
            "email": f"ada.lovelace{number}@mail-{number}.example.net",
            "phone": "+44 20 7946 0958",
            "address": {"street": "12 St James Square", "city": "London"},
            "card": {"number": ("4111111111111111", "5555555555554444", "378282246310005")[number], "expires": "12/30"},
        }
        url = f"http://java-server.{NAMESPACE}.svc:8080/api/customers/probe-{number}"
        sent = json.dumps(body).replace("'", "'\\''")
        script += [f"curl -sS -m 20 -X PUT -H 'Content-Type: application/json' -d '{sent}' {url}"]
    manifest = pods.pod(SHOP, "probe", image, "; ".join(script), restartPolicy="Never")
    installed.kube.apply(manifest, "tests")
    assert pods.until_over(installed.kube, SHOP, "probe") == "Succeeded", installed.node.logs(SHOP, "probe")
    return set(PERSONAL.findall(installed.node.logs(SHOP, "probe")))


def _kept(installed: Whole) -> list[tuple[str, bytes]]:
    """Return everything that outlives a request: logs of all our containers, and every file of every volume."""
    kept: list[tuple[str, bytes]] = []
    for pod in installed.pods():
        for container in pod["spec"]["containers"]:
            if container["name"] not in ("java-server", "java-client"):
                name = pod["metadata"]["name"]
                kept.append((f"log of {name}", installed.node.logs(NAMESPACE, name, container["name"]).encode()))
    for folder in ("volumes", "kubelet/pods", "logs"):
        for place in sorted((installed.node.folder / folder).rglob("*")):
            theirs = "java-" in str(place) or f"/{SHOP}_" in str(place)  # what the applications themselves write
            if place.is_file() and not place.is_symlink() and not theirs:
                kept += [(str(place), place.read_bytes() + _unpacked(place))]
    return kept


def _unpacked(file: Path) -> bytes:
    """Return what a Parquet file holds, as text: its columns are compressed."""
    if file.suffix != ".parquet":
        return b""
    with duckdb.connect() as database:
        return repr(database.execute("SELECT * FROM read_parquet(?)", [str(file)]).fetchall()).encode()


def test_the_demo_has_its_dependency(installed: Whole) -> None:
    assert whole.ready(installed.pods(SHOP)[0]) == "1/1"
