"""TrafficReplays on a real API server: modes, cleanup, cancel, concurrency. Pods are played, nothing else."""

from __future__ import annotations

import base64
import itertools
import json
from collections.abc import Iterator
from typing import Any

import pytest
from harness.cluster import Cluster
from harness.definitions import defined
from harness.replaying import (
    ERROR,
    MISSED,
    NAME,
    PASSED,
    SNAPSHOT,
    Cut,
    Shop,
    Stage,
    ended,
    run,
    snapshot,
    spec_of,
    until,
)

from speedscale_controller.snapshots import config_map
from speedscale_kube import Client, Ref
from speedscale_manifests.components import crd
from speedscale_manifests.values import from_mapping
from speedscale_schemas import builtins

pytestmark = pytest.mark.integration
_numbers = itertools.count(1)


@pytest.fixture(scope="module", autouse=True)
def definition(kube: Client) -> Iterator[None]:
    """TrafficReplays are served."""
    (manifest,) = crd.definition(from_mapping({}))
    with defined(kube, manifest):
        yield


@pytest.fixture
def own(kube: Client) -> Iterator[str]:
    """The operator's namespace."""
    name = f"speedscale-{next(_numbers)}"
    kube.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}}, "tests")
    yield name
    kube.delete(Ref("v1", "Namespace", "", name))


@pytest.fixture
def shop(kube: Client, namespace: str, own: str) -> Iterator[Shop]:
    """A furnished namespace."""
    made = Shop(kube, namespace, own).furnish()
    yield made
    for obj in kube.list("speedscale.com/v1", "TrafficReplay", namespace):
        kube.patch(kube.ref(obj), {"metadata": {"finalizers": None}}, "tests")


@pytest.fixture
def stage(kube: Client, own: str) -> Stage:
    """The reconciler."""
    return Stage(kube, own)


def template(shop: Shop, name: str = "checkout") -> dict[str, Any]:
    """Return a workload's pod template."""
    found = shop.get("Deployment", name)
    assert found is not None
    made: dict[str, Any] = found["spec"]["template"]
    return made


def last(shop: Shop, name: str = NAME) -> tuple[str, str, str, str]:
    """Return type, status, reason and message of the last condition, which is what CI reads."""
    found = shop.status(name)["conditions"][-1]
    return found["type"], found["status"], found["reason"], found["message"]


def report(shop: Shop, name: str = NAME) -> dict[str, Any]:
    """Return a replay's report."""
    found = shop.get("ConfigMap", f"speedscale-report-{shop.status(name)['reportID']}")
    assert found is not None
    made: dict[str, Any] = json.loads(found["data"]["report.json"])
    return made


def reason(shop: Shop, name: str = NAME) -> str:
    """Return the state a replay is in."""
    return str(shop.condition("Running", name).get("reason", ""))


PATCH = """
metadata: {labels: {team: tests}}
spec:
  template:
    metadata: {annotations: {example.com/note: replayed}}
    spec:
      serviceAccountName: tests
      nodeSelector: {pool: tests}
      volumes:
      - {name: seed, configMap: {name: seed}}
      containers:
      - name: app
        image: shop:2
        env: [{name: MODE, value: replay}]
        resources: {limits: {cpu: "0.5"}}
        livenessProbe: {tcpSocket: {port: 8080}}
        volumeMounts: [{name: seed, mountPath: /seed}]
      - {name: stub, image: "stub:1", ports: [{containerPort: 9090}]}
"""


def patched(text: str = PATCH) -> dict[str, Any]:
    """Return the fields of a replay that patches its workload."""
    target = {"ref": {"name": "checkout"}, "tests": ["*"], "mocks": ["*"]}
    return {"workloads": [{**target, "sidecar": {"patch": base64.b64encode(text.encode()).decode()}}]}


def test_the_workload_bears_the_replays_patch_and_is_given_back(stage: Stage, shop: Shop) -> None:
    """With all that a real API server puts into what it is given: defaults, quantities in its own way."""
    account = {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "tests", "namespace": shop.namespace}}
    shop.kube.create(account, "tests")
    before = spec_of(shop)
    shop.replay(**patched())
    until(stage, shop, lambda: reason(shop) == "GeneratorRunning", None)
    pods = template(shop)
    app, stub = pods["spec"]["containers"]
    assert (app["image"], stub["name"]) == ("shop:2", "stub")
    assert {"name": "MODE", "value": "replay"} in app["env"]
    assert app["resources"]["limits"] == {"cpu": "500m"}, "the API server puts it in its own way"
    assert any(one["name"] == "SSL_CERT_FILE" for one in stub["env"]), "the mocks are trusted by what the patch brings"
    live = shop.get("Deployment", "checkout")
    assert live is not None
    assert live["metadata"]["labels"]["team"] == "tests"
    generation = live["metadata"]["generation"]
    for _ in range(3):
        stage.step(NAME, shop.namespace)
    assert (shop.get("Deployment", "checkout") or {})["metadata"]["generation"] == generation, "nothing left to do"
    run(stage, shop)
    assert last(shop)[2] == "TestSucceeded"
    assert spec_of(shop) == before


def test_a_patch_that_cannot_be_applied_ends_the_replay_and_says_why(stage: Stage, shop: Shop) -> None:
    before = spec_of(shop)
    shop.replay(**patched("spec: {replicas: 5}"))
    run(stage, shop)
    assert last(shop)[2] == "TestFailed"
    assert "spec.workloads[0].sidecar.patch: spec.replicas: only spec.template" in last(shop)[3]
    assert spec_of(shop) == before


@pytest.mark.fault("a replay names a workload of another namespace", end="refused until that namespace consents")
def test_another_namespace_has_to_consent(stage: Stage, shop: Shop, kube: Client) -> None:
    """Neither by its spec, nor by a note of the operator's that its author wrote."""
    other = f"{shop.namespace[:50]}-other"
    kube.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": other}}, "tests")
    try:
        there = Shop(kube, other, shop.own).furnish()
        before = spec_of(there)
        target = {"ref": {"name": "checkout", "namespace": other}, "tests": ["*"], "mocks": ["*"]}
        shop.replay(workloads=[target])
        run(stage, shop)
        assert last(shop)[2] == "TestFailed"
        assert f"namespace {other} does not allow replays from {shop.namespace}" in last(shop)[3]
        assert (spec_of(there), there.inventory()) == (before, [])
        kube.patch(
            Ref("v1", "Namespace", "", other),
            {"metadata": {"annotations": {"replay.speedscale.com/allow-from": shop.namespace}}},
            "its owner",
        )
        shop.replay("allowed", workloads=[target])
        changed: list[bool] = []

        def round_() -> bool:
            stage.step("allowed", shop.namespace)
            changed.append(spec_of(there) != before)
            shop.play()
            there.play()
            return ended(shop, "allowed")()

        Cluster.until(round_, "the one that is allowed ends", 60.0)
        assert any(changed)
        assert last(shop, "allowed")[2] == "TestSucceeded"
        assert spec_of(there) == before
    finally:
        kube.delete(Ref("v1", "Namespace", "", other))


# Modes


def test_a_full_replay_from_creation_to_clean_up(stage: Stage, shop: Shop) -> None:
    before = spec_of(shop)
    shop.replay()
    until(stage, shop, lambda: reason(shop) == "GeneratorRunning", None)
    status = shop.status()
    assert status["active"]
    assert status["initializedTime"] >= status["startedTime"]
    assert shop.condition("MocksReady")["status"] == "True"
    pods = template(shop)
    aliases = {name: alias["ip"] for alias in pods["spec"]["hostAliases"] for name in alias["hostnames"]}
    services = {
        name: (shop.get("Service", name) or {})["spec"]["clusterIP"] for name in ("responder-http", "responder-https")
    }
    assert aliases == {
        "payments.example.com": services["responder-https"],
        "stock.shop.svc": services["responder-http"],
    }
    live = shop.get("Deployment", "checkout")
    assert live is not None
    assert live["metadata"]["labels"]["replay.speedscale.com/env-id"] == NAME
    assert live["metadata"]["annotations"]["replay.speedscale.com/report-id"] == status["reportID"]
    job = shop.get("Job", f"speedscale-generator-{NAME}")
    assert job is not None
    given = {e["name"]: e.get("value", "") for e in job["spec"]["template"]["spec"]["containers"][0]["env"]}
    assert given["CUSTOM_URL"] == f"http://checkout.{shop.namespace}.svc:80"
    assert given["TESTS"] == ""
    assert job["metadata"]["ownerReferences"][0]["name"] == NAME
    run(stage, shop)
    assert last(shop) == ("Ready", "True", "TestSucceeded", "Passed")
    assert not shop.status()["active"]
    assert shop.inventory() == []
    assert spec_of(shop) == before
    made = report(shop)
    assert (made["state"], made["tests"]) == ("Passed", 1)


def test_without_its_collector_s_word_the_generators_own_counts(stage: Stage, shop: Shop, kube: Client) -> None:
    shop.replay()
    until(stage, shop, lambda: reason(shop) == "GeneratorRunning", None)
    own = stage.settings.namespace
    live = shop.get("TrafficReplay", NAME)
    assert live is not None
    selector = f"replay.speedscale.com/id={live['metadata']['uid']}"
    (service,) = kube.list("v1", "Service", own, labels=selector)
    job = shop.get("Job", f"speedscale-generator-{NAME}")
    assert job is not None
    given = {e["name"]: e.get("value", "") for e in job["spec"]["template"]["spec"]["containers"][0]["env"]}
    assert given["COLLECTOR_URL"] == f"https://{service['metadata']['name']}.{own}.svc"
    assert service["spec"]["ports"][0]["targetPort"] == "https"
    run(stage, shop)
    made = report(shop)
    assert (made["state"], made["summary"]["requests"], made["url"]) == ("Passed", 10, "")
    assert any("the collector made no report in time" in note for note in made["notes"])
    assert "reportURL" not in shop.status()


def test_missed_goals_are_what_ci_reads(stage: Stage, shop: Shop) -> None:
    shop.replay()
    run(stage, shop, MISSED)
    assert last(shop) == ("Ready", "True", "TestFailed", "Failed: Missed Goals")
    assert "passAssertPct is 25 %" in shop.condition("Running")["message"]


def test_responder_only_serves_until_it_is_deleted(stage: Stage, shop: Shop, kube: Client) -> None:
    before = spec_of(shop)
    made = shop.replay(mode="responder-only", needsReport=True)
    until(stage, shop, lambda: shop.condition("MocksReady").get("status") == "True")
    stage.later(100_000)
    stage.step(NAME, shop.namespace)
    stage.later(-100_000)
    assert shop.condition("Ready") == {}
    assert shop.get("Job", f"speedscale-generator-{NAME}") is None
    assert shop.status()["active"]
    report_id = shop.status()["reportID"]
    kube.delete(kube.ref(made))
    until(stage, shop, lambda: shop.get("TrafficReplay", NAME) is None)
    assert spec_of(shop) == before
    assert shop.inventory() == []
    assert shop.get("ConfigMap", f"speedscale-report-{report_id}") is not None


def test_generator_only_changes_no_workload(stage: Stage, shop: Shop) -> None:
    before = shop.get("Deployment", "checkout")
    shop.replay(mode="generator-only")
    run(stage, shop)
    after = shop.get("Deployment", "checkout")
    assert last(shop)[2] == "TestSucceeded"
    assert before is not None
    assert after is not None
    assert after["metadata"]["generation"] == before["metadata"]["generation"]
    assert shop.condition("MocksReady") == {}


def test_no_inbound_traffic_skips_the_generator(stage: Stage, shop: Shop) -> None:
    shop.furnish(tests=False)
    shop.replay()
    run(stage, shop)
    assert last(shop) == (
        "Ready",
        "True",
        "TestSucceeded",
        "Passed: no tests were sent: the snapshot has no inbound traffic",
    )


def test_routing_by_address_translation(stage: Stage, shop: Shop) -> None:
    target = {"ref": {"name": "checkout"}, "tests": ["*"], "mocks": ["payments"], "routing": "nat"}
    shop.replay(workloads=[target])
    until(stage, shop, lambda: reason(shop) == "GeneratorRunning", None)
    pods = template(shop)
    assert "hostAliases" not in pods["spec"]
    routes = next(
        e["value"]
        for c in (*pods["spec"]["containers"], *pods["spec"].get("initContainers", ()))
        for e in c.get("env", ())
        if "payments.example.com:443" in str(e.get("value", ""))
    )
    service = shop.get("Service", "responder-https")
    assert service is not None
    assert f"{service['spec']['clusterIP']}:443" in routes
    assert shop.get("Service", "responder-http") is None


def test_a_snapshot_in_the_operator_s_namespace_is_copied(stage: Stage, shop: Shop, kube: Client) -> None:
    found = shop.get("ConfigMap", f"speedscale-snapshot-{SNAPSHOT}")
    assert found is not None
    kube.delete(kube.ref(found))
    kube.apply(config_map(snapshot(), namespace=shop.own), "tests")
    shop.replay(snapshotID="latest")
    until(stage, shop, lambda: reason(shop) == "GeneratorRunning", None)
    assert shop.get("ConfigMap", f"speedscale-snapshot-{NAME}") is not None
    run(stage, shop)
    assert last(shop)[2] == "TestSucceeded"
    assert report(shop)["snapshot"] == SNAPSHOT
    assert shop.get("ConfigMap", f"speedscale-snapshot-{NAME}") is None


# What goes wrong


@pytest.mark.parametrize(
    ("spec", "said"),
    [
        ({"snapshotID": "none-such"}, "snapshot none-such: no ConfigMap"),
        ({"testConfigID": "standart"}, "did you mean 'standard'?"),
        ({"workloads": [{"ref": {"name": "checkout"}, "tests": ["x"]}]}, "there is checkout:checkout.shop.svc:80"),
        ({"workloads": [{"ref": {"name": "checkout"}, "tests": ["*"], "mocks": ["svc"]}]}, ""),
        ({"workloads": [{"ref": {"name": "checkout", "kind": "Job"}, "tests": ["*"]}]}, "a Job cannot be under test"),
        ({"workloads": [{"ref": {"name": "checkout"}}]}, "no workload has tests"),
    ],
    ids=["snapshot", "config", "tests", "mocks", "kind", "nothing"],
)
def test_what_cannot_be_ends_with_the_candidates(stage: Stage, shop: Shop, spec: dict[str, Any], said: str) -> None:
    shop.replay(**spec)
    run(stage, shop)
    if said:
        assert last(shop)[2] == "TestFailed"
        assert said in last(shop)[3]
    else:
        assert last(shop)[2] == "TestSucceeded"


@pytest.mark.fault("the generator fails", end="the replay fails once, with its words")
def test_a_generator_that_fails_is_not_made_again(stage: Stage, shop: Shop) -> None:
    shop.replay()
    until(stage, shop, lambda: reason(shop) == "GeneratorRunning", None)
    run(stage, shop, "cannot read /snapshots: Permission denied")
    assert last(shop)[2] == "TestFailed"
    assert "Permission denied" in last(shop)[3]
    assert report(shop)["state"] == "Error"


@pytest.mark.fault("the generator's Job is deleted", end="the replay fails; no second load")
def test_a_generator_s_job_that_is_deleted_is_not_made_again(stage: Stage, shop: Shop, kube: Client) -> None:
    shop.replay(cleanup="none")
    until(stage, shop, lambda: reason(shop) == "GeneratorRunning", None)
    kube.delete(Ref("batch/v1", "Job", shop.namespace, f"speedscale-generator-{NAME}"))
    run(stage, shop)
    assert last(shop)[3] == "Failed: the generator's Job was deleted before it ended"
    assert shop.get("Job", f"speedscale-generator-{NAME}") is None


@pytest.mark.fault("the workload under test does not come up", end="fails after its time-out, cause named")
def test_a_workload_that_does_not_come_up_is_named_with_its_cause(stage: Stage, shop: Shop, kube: Client) -> None:
    shop.replay()
    until(stage, shop, lambda: reason(shop) == "WorkloadMutated", None)
    for pod in kube.list("v1", "Pod", shop.namespace, labels="app=checkout"):
        waiting = {"reason": "ImagePullBackOff", "message": "no such image"}
        container = {"name": "app", "image": "shop:1", "imageID": "", "ready": False, "restartCount": 0}
        status = {"phase": "Pending", "containerStatuses": [{**container, "state": {"waiting": waiting}}]}
        kube.patch(kube.ref(pod), {"status": status}, "kubelet", subresource="status")
    stage.step(NAME, shop.namespace)
    assert "Deployment" in shop.condition("Running")["message"]
    assert "image shop:1: ImagePullBackOff: no such image" in shop.condition("Running")["message"]
    stage.later(601)
    stage.step(NAME, shop.namespace)
    assert last(shop)[2] == "TestFailed"
    assert "not ready after 10m (TEST_PREP_TIMEOUT)" in last(shop)[3]
    assert "no such image" in last(shop)[3]
    assert "no such image" in report(shop)["reason"]


@pytest.mark.fault("a Secret that a replay needs is missing", end="waited for, named")
def test_a_missing_secret_is_waited_for_and_named(stage: Stage, shop: Shop, kube: Client) -> None:
    kube.delete(Ref("v1", "Secret", shop.namespace, "speedscale-dlp-key"))
    shop.replay()
    stage.step(NAME, shop.namespace)
    assert "speedscale-dlp-key is not there" in shop.condition("Running")["message"]
    shop.furnish()
    run(stage, shop)
    assert last(shop)[2] == "TestSucceeded"


CUSTOMER = "${{secret:shop-login/customer}}"


def named(kube: Client, shop: Shop) -> None:
    """Make a test config whose requests name a customer that only a Secret knows."""
    step = {"type": "constant", "config": {"new": CUSTOMER}}
    chain = {"extractor": {"type": "http_req_header", "config": {"name": "X-Customer"}}, "transforms": [step]}
    config = {**builtins.document("test-config", "standard"), "id": "named", "transforms": {"generator": [chain]}}
    meta = {"name": "speedscale-testconfig-named", "namespace": shop.namespace}
    data = {"testconfig.json": json.dumps(config)}
    kube.apply({"apiVersion": "v1", "kind": "ConfigMap", "metadata": meta, "data": data}, "tests")


def test_a_secret_that_a_test_config_asks_for_has_to_be_on_the_list(stage: Stage, shop: Shop, kube: Client) -> None:
    named(kube, shop)
    shop.replay(testConfigID="named")
    run(stage, shop)
    assert last(shop)[2] == "TestFailed"
    assert "asks for Secret shop-login (customer), which is not in secretAccessList" in last(shop)[3]


def test_a_secret_that_a_test_config_asks_for_is_mounted_by_its_key(kube: Client, own: str, shop: Shop) -> None:
    named(kube, shop)
    meta = {"name": "shop-login", "namespace": shop.namespace}
    kube.apply({"apiVersion": "v1", "kind": "Secret", "metadata": meta, "data": {"customer": "YQ=="}}, "tests")
    stage = Stage(kube, own, SECRET_ACCESS_LIST="shop-login")
    shop.replay(testConfigID="named")
    until(stage, shop, lambda: reason(shop) == "GeneratorRunning", None)
    job = shop.get("Job", f"speedscale-generator-{NAME}")
    assert job is not None
    mounted = [v["secret"] for v in job["spec"]["template"]["spec"]["volumes"] if "secret" in v]
    (wanted,) = (one for one in mounted if one["secretName"] == "shop-login")
    assert wanted["items"] == [{"key": "customer", "path": "customer"}]


@pytest.mark.fault("the collector cannot be made", end="the replay goes on, told")
def test_a_collector_that_cannot_be_made_blocks_nothing(stage: Stage, shop: Shop, kube: Client) -> None:
    quota = {"apiVersion": "v1", "kind": "ResourceQuota", "metadata": {"name": "none", "namespace": shop.own}}
    kube.apply({**quota, "spec": {"hard": {"count/deployments.apps": "0"}}}, "tests")

    def counted() -> bool:
        found = kube.find(Ref("v1", "ResourceQuota", shop.own, "none")) or {}
        return bool((found.get("status") or {}).get("hard"))

    Cluster.until(counted, "the quota counts")
    shop.replay()
    run(stage, shop)
    assert last(shop)[2] == "TestSucceeded"
    assert any(reason_ == "CollectorFailed" for _, reason_, _ in stage.recorder.told)
    assert any("exceeded quota" in note for note in report(shop)["notes"])


@pytest.mark.fault("the API server refuses an object", end="told, tried again later, then goes on")
def test_what_the_api_server_refuses_is_told_and_tried_again(stage: Stage, shop: Shop, kube: Client) -> None:
    quota = Ref("v1", "ResourceQuota", shop.namespace, "none")
    hard = {"spec": {"hard": {"count/services": "1"}}}
    made = {"apiVersion": "v1", "kind": "ResourceQuota", "metadata": {"name": "none", "namespace": shop.namespace}}
    kube.apply({**made, **hard}, "tests")
    Cluster.until(lambda: bool((kube.get(quota).get("status") or {}).get("hard")), "the quota counts")
    shop.replay()
    until(stage, shop, lambda: "exceeded quota" in shop.condition("Running").get("message", ""))
    waits = [stage.step(NAME, shop.namespace) for _ in range(3)]
    assert waits == sorted(waits, key=lambda s: s or 0.0)
    assert waits[-1] is not None
    assert waits[-1] > 1.0
    assert shop.status()["reconcileFailures"] >= 3
    assert [r for _, r, _ in stage.recorder.told].count("Refused") == 1
    kube.delete(quota)
    run(stage, shop)
    assert last(shop)[2] == "TestSucceeded"
    assert shop.status()["reconcileFailures"] == 0


@pytest.mark.fault("the workload under test is deleted", end="the replay ends, nothing is left")
def test_a_workload_deleted_under_test_ends_the_replay(stage: Stage, shop: Shop, kube: Client) -> None:
    shop.replay()
    until(stage, shop, lambda: reason(shop) == "WorkloadMutated", None)
    kube.delete(Ref("apps/v1", "Deployment", shop.namespace, "checkout"))
    stage.later(601)
    run(stage, shop)
    assert last(shop)[2] == "TestFailed"
    assert shop.inventory() == []


def test_the_time_out_of_the_tests(stage: Stage, shop: Shop) -> None:
    shop.replay(timeout="1m")
    until(stage, shop, lambda: reason(shop) == "GeneratorRunning", None)
    stage.later(60 + 120 + 31)
    stage.step(NAME, shop.namespace)
    assert last(shop)[2] == "TestFailed"
    assert "spec.timeout" in last(shop)[3]


# Clean-up


@pytest.mark.fault("cleanup modes by outcomes", end="what the mode says is left, nothing else")
@pytest.mark.parametrize("cleanup", ["inventory", "all", "none"])
@pytest.mark.parametrize("outcome", ["passed", "missed", "error", "refused"])
def test_clean_up_by_outcome(stage: Stage, shop: Shop, kube: Client, cleanup: str, outcome: str) -> None:
    before = spec_of(shop)
    more: dict[str, Any] = {"snapshotID": "none-such"} if outcome == "refused" else {}
    made = shop.replay(cleanup=cleanup, **more)
    run(stage, shop, {"passed": PASSED, "missed": MISSED}.get(outcome, ERROR))
    assert last(shop)[2] == ("TestSucceeded" if outcome == "passed" else "TestFailed")
    if cleanup == "all":
        assert shop.get("Deployment", "checkout") is None
    elif cleanup == "inventory" or outcome == "refused":
        assert spec_of(shop) == before
    if cleanup == "none" and outcome != "refused":
        assert template(shop)["spec"]["hostAliases"]
        assert f"Job speedscale-generator-{NAME}" in shop.inventory()
    else:
        assert shop.inventory() == []
    kube.delete(kube.ref(made))
    until(stage, shop, lambda: shop.get("TrafficReplay", NAME) is None)
    assert shop.inventory() == []
    if cleanup != "all":
        assert spec_of(shop) == before


def test_a_concluded_replay_expires(stage: Stage, shop: Shop) -> None:
    shop.replay(ttlAfterReady="1h")
    run(stage, shop)
    after_s = stage.step(NAME, shop.namespace)
    assert after_s is not None
    assert 3500 < after_s <= 3600
    assert shop.get("TrafficReplay", NAME) is not None
    stage.later(3601)
    stage.step(NAME, shop.namespace)
    until(stage, shop, lambda: shop.get("TrafficReplay", NAME) is None)


PHASES = ("", "Created", "SnapshotFetched", "CollectorUp", "WorkloadMutated", "GeneratorRunning", "CleanedUp")


@pytest.mark.fault("the replay is deleted, in each phase", end="nothing left, the workload as before")
@pytest.mark.parametrize("phase", PHASES)
def test_deleted_in_any_phase(stage: Stage, shop: Shop, kube: Client, phase: str) -> None:
    before = spec_of(shop)
    if phase in ("SnapshotFetched", "Created"):
        kube.delete(Ref("v1", "Secret", shop.namespace, "speedscale-dlp-key"))
    made = shop.replay(workload="none-such" if phase == "Created" else "checkout")
    if phase == "Created":
        stage.step(NAME, shop.namespace)
    elif phase:
        until(stage, shop, lambda: reason(shop) == phase, PASSED if phase == "CleanedUp" else None)
    kube.delete(kube.ref(made))
    until(stage, shop, lambda: shop.get("TrafficReplay", NAME) is None)
    assert shop.inventory() == []
    assert spec_of(shop) == before


@pytest.mark.fault("a deletion that cannot clean up", end="ends all the same, told")
def test_a_deletion_never_hangs(stage: Stage, shop: Shop, kube: Client) -> None:
    made = shop.replay()
    until(stage, shop, lambda: reason(shop) == "GeneratorRunning", None)
    job = Ref("batch/v1", "Job", shop.namespace, f"speedscale-generator-{NAME}")
    kube.patch(job, {"metadata": {"finalizers": ["example.com/stuck"]}}, "tests")
    kube.delete(kube.ref(made))
    stage.step(NAME, shop.namespace)
    stage.step(NAME, shop.namespace)
    assert shop.get("TrafficReplay", NAME) is not None
    stage.later(301)
    stage.step(NAME, shop.namespace)
    kube.patch(job, {"metadata": {"finalizers": None}}, "tests")
    assert shop.get("TrafficReplay", NAME) is None
    assert any(r == "CleanupIncomplete" and f"generator-{NAME}" in m for _, r, m in stage.recorder.told)


@pytest.mark.fault("the operator was away while a replay ended", end="it clears away first")
def test_an_operator_that_was_away_clears_away_first(stage: Stage, shop: Shop, kube: Client) -> None:
    before = spec_of(shop)
    made = shop.replay()
    until(stage, shop, lambda: reason(shop) == "GeneratorRunning", None)
    kube.delete(kube.ref(made))
    stage.later(10_000)
    until(stage.reborn(kube), shop, lambda: shop.get("TrafficReplay", NAME) is None)
    assert spec_of(shop) == before


@pytest.mark.fault("somebody takes the finalizer off", end="what is left is found by label and cleared away")
def test_what_nobody_owns_is_cleared_away(stage: Stage, shop: Shop, kube: Client) -> None:
    before = spec_of(shop)
    made = shop.replay()
    until(stage, shop, lambda: reason(shop) == "GeneratorRunning", None)
    shop.workload("billing")
    shop.replay("other", "billing", mode="responder-only")
    until(stage, shop, lambda: shop.condition("MocksReady", "other").get("status") == "True", None, "other")
    theirs = spec_of(shop, "billing")
    kube.patch(kube.ref(made), {"metadata": {"finalizers": None}}, "user")
    kube.delete(kube.ref(made))
    assert stage.reconciler._orphans.sweep() > 0
    assert spec_of(shop) == before
    assert spec_of(shop, "billing") == theirs, "those of others stay"
    left = shop.inventory()
    assert left
    assert not [name for name in left if NAME in name]
    assert stage.reconciler._orphans.sweep() == 0


# Several at once


@pytest.mark.fault("two replays, one workload", end="one after the other, workload as before")
def test_a_workload_goes_from_replay_to_replay(stage: Stage, shop: Shop) -> None:
    before = spec_of(shop)
    shop.replay("first")
    until(stage, shop, lambda: reason(shop, "first") == "GeneratorRunning", None, "first")
    shop.replay("second")
    stage.step("second", shop.namespace)
    assert reason(shop, "second") == "Waiting"
    assert "first" in shop.condition("Running", "second")["message"]
    assert "startedTime" not in shop.status("second")
    stage.later(10_000)
    stage.step("second", shop.namespace)
    stage.later(-10_000)
    assert reason(shop, "second") == "Waiting"
    run(stage, shop, PASSED, "first")
    run(stage, shop, MISSED, "second")
    assert (last(shop, "first")[2], last(shop, "second")[2]) == ("TestSucceeded", "TestFailed")
    assert spec_of(shop) == before


def test_what_is_kept_gives_way_to_the_next_replay(stage: Stage, shop: Shop, kube: Client) -> None:
    before = spec_of(shop)
    first = shop.replay("first", cleanup="none")
    run(stage, shop, PASSED, "first")
    shop.replay("second")
    until(stage, shop, lambda: reason(shop, "second") == "GeneratorRunning", None, "first", "second")
    live = shop.get("Deployment", "checkout")
    assert live is not None
    assert live["metadata"]["labels"]["replay.speedscale.com/env-id"] == "second"
    assert shop.get("Service", "responder-http-second") is not None
    kube.delete(kube.ref(first))
    until(stage, shop, lambda: shop.get("TrafficReplay", "first") is None, None, "first")
    live = shop.get("Deployment", "checkout")
    assert live is not None
    assert live["metadata"]["labels"]["replay.speedscale.com/env-id"] == "second"
    run(stage, shop, PASSED, "second")
    assert spec_of(shop) == before


@pytest.mark.fault("two replays at once", end="both end right")
def test_two_workloads_are_replayed_at_once(stage: Stage, shop: Shop) -> None:
    shop.workload("billing")
    shop.replay("first")
    shop.replay("second", "billing")
    both = lambda: all(reason(shop, n) == "GeneratorRunning" for n in ("first", "second"))  # noqa: E731
    until(stage, shop, both, None, "first", "second")
    run(stage, shop, PASSED, "first")
    run(stage, shop, PASSED, "second")
    assert shop.inventory() == []


@pytest.mark.fault("the workload is edited during its replay", end="the edit survives the replay")
def test_an_edit_during_a_replay_keeps_the_patch_and_survives_it(stage: Stage, shop: Shop, kube: Client) -> None:
    shop.replay()
    until(stage, shop, lambda: reason(shop) == "GeneratorRunning", None)
    ref = Ref("apps/v1", "Deployment", shop.namespace, "checkout")
    kube.patch(ref, {"spec": {"replicas": 3, "template": {"spec": {"hostAliases": None}}}}, "user")
    names_ = [one["name"] for one in template(shop)["spec"]["containers"][0]["env"]]
    ours = f"/spec/template/spec/containers/0/env/{names_.index('SSL_CERT_FILE')}/value"
    kube.patch(ref, [{"op": "replace", "path": ours, "value": "/own/roots.pem"}], "user", kind="json")
    stage.step(NAME, shop.namespace)
    assert template(shop)["spec"]["hostAliases"]
    run(stage, shop)
    live = kube.get(ref)
    assert live["spec"]["replicas"] == 3
    pods = live["spec"]["template"]["spec"]
    assert "hostAliases" not in pods
    assert pods["containers"][0]["env"] == [{"name": "SSL_CERT_FILE", "value": "/own/roots.pem"}]


def test_a_verdict_is_never_taken_back(stage: Stage, shop: Shop, kube: Client) -> None:
    shop.replay(cleanup="none")
    run(stage, shop, MISSED)
    kube.delete(Ref("batch/v1", "Job", shop.namespace, f"speedscale-generator-{NAME}"))
    kube.delete(Ref("v1", "ConfigMap", shop.namespace, f"speedscale-snapshot-{SNAPSHOT}"))
    stage.later(100_000)
    stage.step(NAME, shop.namespace)
    assert last(shop)[:3] == ("Ready", "True", "TestFailed")
    assert last(shop)[3] == "Failed: Missed Goals"


@pytest.mark.fault("a replay at rest is looked at again", end="nothing is written")
def test_at_rest_nothing_is_written(stage: Stage, shop: Shop, kube: Client) -> None:
    shop.replay(mode="responder-only")
    until(stage, shop, lambda: shop.condition("MocksReady").get("status") == "True")
    cut = Cut(kube)
    other = stage.reborn(cut)
    for _ in range(3):
        other.step(NAME, shop.namespace)
    assert cut.writes == []
