"""Checks of operator, webhooks, certificates, forwarder and cluster over recorded facts, each broken one way."""

from __future__ import annotations

import base64
import copy
import json
from datetime import timedelta
from typing import Any

import pytest
from recorded_facts import (
    NOW,
    Object,
    Recorded,
    ago,
    assembled,
    bundles,
    manifest,
    manifests,
    named,
    operator,
    webhooks,
)

from speedscale_controller.cli import installed
from speedscale_controller.cli.diagnosis import checks, report
from speedscale_controller.cli.diagnosis.model import Backend, Canary, Check, Facts, Result, Right, Verdict, examine
from speedscale_schemas import trafficreplay, x509
from speedscale_schemas.errors import ConfigError

BY_ID = {check.id: check for check in checks.CHECKS}


def examined(id_: str, facts: Facts) -> Result:
    return examine(BY_ID[id_], facts)


def test_ids_are_unique_and_every_check_asks_something() -> None:
    assert len(BY_ID) == len(checks.CHECKS)
    assert all(check.title and (check.pre or check.post) for check in checks.CHECKS)


def test_a_source_that_may_not_be_read_is_no_verdict(recorded: Recorded) -> None:
    facts = recorded(unread={"webhooks": "Forbidden: no"})
    for check in checks.CHECKS:
        if "webhooks" in check.needs:
            result = examine(check, facts)
            assert (result.verdict, "Forbidden: no" in result.cause) == (Verdict.SKIPPED, True)


def test_what_is_wrong_has_a_remedy() -> None:
    with pytest.raises(ConfigError, match=r"webhook-canry: no such check; did you mean 'webhook-canary'"):
        checks.chosen(["webhook-canry"], pre=False)
    assert [c.id for c in checks.chosen(["bundle", "bundle"], pre=False)] == ["bundle"]
    assert all(c.pre for c in checks.chosen([], pre=True))


# The operator


def test_the_operator_runs_or_not(recorded: Recorded) -> None:
    assert examined("operator-running", recorded()).verdict is Verdict.OK
    assert examined("operator-running", recorded(installed=None)).verdict is Verdict.FAIL
    down = operator(availableReplicas=0)
    down["status"]["conditions"] = [{"type": "ReplicaFailure", "status": "True", "message": "quota exceeded"}]
    there = installed.assemble("speedscale", down, {}, [])
    result = examined("operator-running", recorded(installed=there))
    assert (result.verdict, "quota exceeded" in result.cause) == (Verdict.FAIL, True)
    down["spec"]["replicas"] = 0
    assert "scaled to 0" in examined("operator-running", recorded(installed=there)).cause


def test_two_operators_and_the_vendors(recorded: Recorded) -> None:
    twin = operator()
    twin["metadata"]["namespace"] = "other"
    assert examined("operator-once", recorded({"operators": [operator(), twin]})).verdict is Verdict.WARN
    twin["metadata"]["labels"] = {"app": "speedscale-operator"}
    result = examined("operator-once", recorded({"operators": [operator(), twin]}))
    assert (result.verdict, result.about) == (Verdict.FAIL, ("Deployment other/speedscale-operator",))
    assert examined("existing", recorded({"operators": [twin], "crd": []})).verdict is Verdict.FAIL
    assert "upgrade" in examined("existing", recorded({"operators": [operator()], "crd": []})).cause


@pytest.mark.parametrize(
    ("spec", "verdict"),
    [
        (None, Verdict.FAIL),
        ({"holderIdentity": "a", "renewTime": ago(seconds=3)}, Verdict.OK),
        ({"holderIdentity": "a", "renewTime": ago(seconds=90)}, Verdict.FAIL),
        ({"holderIdentity": "", "renewTime": ago(seconds=3)}, Verdict.WARN),
    ],
)
def test_the_lease(recorded: Recorded, spec: Any, verdict: Verdict) -> None:
    leases = [] if spec is None else [named("Lease", "speedscale-operator", "speedscale", spec=spec)]
    assert examined("operator-lease", recorded({"leases": leases})).verdict is verdict


def test_rights_that_are_missing_are_named_with_what_stops(recorded: Recorded) -> None:
    given = Right("apps", "deployments", "patch", "", "", True, "workloads are not changed")
    missing = Right("", "secrets", "get", "shop", "speedscale-certs", False, "sidecars lack their certificates")
    result = examined("operator-rights", recorded(rights=[given, missing]))
    assert result.about == ("get secrets speedscale-certs in namespace shop: sidecars lack their certificates",)
    assert examined("operator-rights", recorded(rights=[given])).verdict is Verdict.OK
    assert examined("operator-rights", recorded()).verdict is Verdict.SKIPPED


def crd(**changes: Any) -> Object:
    found = manifest("CustomResourceDefinition", "trafficreplays.speedscale.com")
    found["status"] = {"conditions": [{"type": "Established", "status": "True"}]}
    return {**found, **changes}


def test_the_definition(recorded: Recorded) -> None:
    assert examined("definition", recorded({"crd": [crd()]})).verdict is Verdict.OK
    assert examined("definition", recorded({"crd": []})).verdict is Verdict.FAIL
    old = copy.deepcopy(crd())
    spec = old["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"]["spec"]["properties"]
    del spec["ttlAfterReady"], spec["workloads"]["items"]["properties"]["routing"]
    result = examined("definition", recorded({"crd": [old]}))
    assert result.about == ("spec.ttlAfterReady", "spec.workloads[].routing")
    clash = {"conditions": [{"type": "NamesAccepted", "status": "False", "message": '"replay" is taken'}]}
    assert "is taken" in examined("definition", recorded({"crd": [crd(status=clash)]})).cause


def test_the_bundle_is_whole_edited_or_of_another_version(recorded: Recorded) -> None:
    assert examined("bundle", recorded()).verdict is Verdict.OK
    edited = bundles()
    edited[0]["data"] = {key: text + "#" for key, text in edited[0]["data"].items()}
    base = {"speedscale-operator": manifest("ConfigMap", "speedscale-operator")}
    there = installed.assemble("speedscale", operator(), base, edited)
    assert "edited by hand" in examined("bundle", recorded(installed=there)).about[0]
    newer = operator()
    newer["metadata"]["labels"]["app.kubernetes.io/version"] = "9.9.9"
    there = installed.assemble("speedscale", newer, base, bundles())
    assert examined("bundle", recorded(installed=there)).verdict is Verdict.WARN


def test_settings_that_are_not_in_force(recorded: Recorded) -> None:
    assert examined("settings", recorded()).verdict is Verdict.OK
    refused = recorded(installed=assembled(override={"FORWARDER_CONFIG": "{}"}))
    assert "in profile gitops" in examined("settings", refused).about[0]
    assert examined("settings", recorded(installed=assembled(base={"LOG_LEVEL": "loud"}))).verdict is Verdict.FAIL
    unknown = recorded(installed=assembled(override={"LOGLEVEL": "debug"}))
    assert examined("settings", unknown).about == ("LOGLEVEL",)


def test_images_on_localhost_matter_when_pods_are_missing(recorded: Recorded) -> None:
    ours = manifests("Deployment")
    result = examined("images", recorded({"components": ours}))
    assert result.verdict is Verdict.FAIL
    assert "localhost/speedscale" in result.about[0]
    for obj in ours:
        obj["status"] = {"readyReplicas": 1}
    assert examined("images", recorded({"components": ours})).verdict is Verdict.OK
    assert examined("components", recorded({"components": ours})).verdict is Verdict.OK


# Webhooks


def test_webhooks_missing_elsewhere_and_dangling(recorded: Recorded) -> None:
    assert examined("webhook-configuration", recorded()).verdict is Verdict.OK
    assert examined("webhook-dangling", recorded()).verdict is Verdict.OK
    result = examined("webhook-configuration", recorded({"webhooks": webhooks()[:1]}))
    assert len(result.about) == 2
    astray = recorded({"webhooks": webhooks("gone")})
    assert examined("webhook-configuration", astray).verdict is Verdict.WARN
    result = examined("webhook-dangling", astray)
    assert (result.verdict, len(result.about)) == (Verdict.FAIL, 3)
    others = named("MutatingWebhookConfiguration", "theirs", webhooks=[{"name": "x.example.com"}])
    assert examined("webhook-dangling", recorded({"webhooks": [others]})).verdict is Verdict.OK


def slices(**conditions: bool) -> list[Object]:
    labels = {"kubernetes.io/service-name": "speedscale-operator"}
    endpoint = {"addresses": ["10.0.0.1"], "conditions": conditions}
    return [named("EndpointSlice", "a", "speedscale", labels=labels, endpoints=[endpoint])]


def test_nobody_behind_the_service(recorded: Recorded) -> None:
    services = [named("Service", "speedscale-operator", "speedscale")]
    there = {"services": services, "endpoint_slices": slices(ready=True)}
    assert examined("webhook-endpoints", recorded(there)).verdict is Verdict.OK
    assert examined("webhook-endpoints", recorded({**there, "endpoint_slices": slices(ready=False)})).verdict is (
        Verdict.FAIL
    )
    assert "no Service" in examined("webhook-endpoints", recorded({"endpoint_slices": slices()})).cause


def authority(days: int = 30, start: int = -1) -> tuple[bytes, bytes]:
    key = x509.new_key()
    validity = x509.Validity(NOW + timedelta(days=start), NOW + timedelta(days=days))
    return x509.root("test", key, validity, x509.serial_from(key)), key


def secret(name: str, namespace: str = "speedscale", **data: bytes) -> Object:
    encoded = {key.replace("_", "."): base64.b64encode(text).decode() for key, text in data.items()}
    return named("Secret", name, namespace, data=encoded)


def served(days: int = 7, start: int = -1) -> tuple[bytes, Object]:
    ca, key = authority()
    validity = x509.Validity(NOW + timedelta(days=start), NOW + timedelta(days=days))
    own = x509.new_key()
    leaf = x509.Issuer(ca, key).leaf(("speedscale-operator.speedscale.svc",), own, validity, x509.serial_from(own))
    return ca, secret("speedscale-webhook-certs", tls_crt=leaf)


def test_the_api_server_believes_the_certificate(recorded: Recorded) -> None:
    ca, kept = served()
    hooks = webhooks()
    for obj in hooks:
        obj["webhooks"][0]["clientConfig"]["caBundle"] = base64.b64encode(ca).decode()
    there = {"webhooks": hooks, "secrets": [kept]}
    assert examined("webhook-trust", recorded(there)).verdict is Verdict.OK
    hooks[1]["webhooks"][0]["clientConfig"]["caBundle"] = base64.b64encode(authority()[0]).decode()
    result = examined("webhook-trust", recorded(there))
    assert (result.verdict, len(result.about)) == (Verdict.FAIL, 1)
    assert "does not hold the CA" in result.about[0]
    assert examined("webhook-trust", recorded({"secrets": []})).verdict is Verdict.FAIL


def tried(**fields: Any) -> Canary:
    return Canary(**{"namespace": "shop", **fields})


def workload(*names: str) -> Object:
    spec = {"containers": [{"name": name, "image": "i"} for name in names]}
    return {"kind": "Deployment", "metadata": {}, "spec": {"template": {"spec": spec}}}


def test_the_whole_way_tried(recorded: Recorded) -> None:
    with_sidecar, without = workload("app", "speedscale-goproxy"), workload("app")
    assert examined("webhook-canary", recorded(canary=tried(workload=with_sidecar))).verdict is Verdict.OK
    lost = tried(workload=without, replay_error='failed calling webhook "replay.speedscale.com": timeout')
    result = examined("webhook-canary", recorded(canary=lost))
    assert (result.verdict, "9443" in result.remedy, result.about) == (Verdict.FAIL, True, (lost.replay_error,))
    assert examined("webhook-replay", recorded(canary=lost)).verdict is Verdict.FAIL
    expected = tried(workload=without, expected="pod_security: restricted")
    assert examined("webhook-canary", recorded(canary=expected)).verdict is Verdict.WARN
    assert examined("webhook-canary", recorded(canary=tried(workload_error="Forbidden"))).verdict is Verdict.SKIPPED
    seen = tried(replay={"spec": {"mode": "full-replay"}})
    assert examined("webhook-replay", recorded(canary=seen)).verdict is Verdict.OK
    assert examined("webhook-replay", recorded(canary=tried(replay={"spec": {}}))).verdict is Verdict.WARN


# Certificates


def test_certificates_end(recorded: Recorded) -> None:
    assert examined("certificates", recorded({"secrets": [served()[1]]})).verdict is Verdict.OK
    late = examined("certificates", recorded({"secrets": [served(days=1, start=-9)[1]]}))
    assert late.verdict is Verdict.WARN
    over = examined("certificates", recorded({"secrets": [served(days=-1, start=-9)[1]]}))
    assert (over.verdict, "tls.crt: ends 2029-12-31" in over.about[0]) == (Verdict.FAIL, True)


def test_copies_of_an_earlier_authority(recorded: Recorded) -> None:
    root, key = authority(300)
    validity = x509.Validity(NOW, NOW + timedelta(days=30))
    inner_key = x509.new_key()
    inner = x509.Issuer(root, key).intermediate("shop", inner_key, validity, x509.serial_from(inner_key))
    own = secret("speedscale-certs", tls_crt=root)
    good = secret("speedscale-certs", "shop", tls_crt=inner, ca_crt=root)
    assert examined("certificates-copies", recorded({"secrets": [own, good]})).verdict is Verdict.OK
    distrusts = secret("speedscale-certs", "shop", tls_crt=inner, ca_crt=authority()[0])
    result = examined("certificates-copies", recorded({"secrets": [own, distrusts]}))
    assert "does not trust the current root" in result.about[0]
    empty = secret("speedscale-certs", "shop")
    assert "made by nobody" in examined("certificates-copies", recorded({"secrets": [own, empty]})).about[0]


# The forwarder


def forwarder(**data: str) -> list[Object]:
    found = manifest("ConfigMap", "speedscale-forwarder")
    found["data"] |= data
    return [found, *(manifest("ConfigMap", f"speedscale-forwarder-{kind}") for kind in ("filters", "dlp"))]


@pytest.mark.parametrize(
    ("endpoint", "protocol", "said"),
    [
        ("http://otel:4318", "auto", ""),
        ("http://otel:4317", "auto", ""),
        ("otel:4318", "auto", "has no scheme; write http://otel:4318"),
        ("http://otel:4318", "grpc", "4318 is OTLP over HTTP"),
        ("http://otel:port", "auto", "Port could not be cast"),
    ],
)
def test_exporters(recorded: Recorded, endpoint: str, protocol: str, said: str) -> None:
    text = json.dumps({"otel": {"type": "otlp", "otel_endpoint": endpoint, "protocol": protocol}})
    result = examined("exporters", recorded({"config_maps": forwarder(EXPORTERS=text)}))
    assert (result.verdict is Verdict.OK) is (not said)
    assert said in "".join(result.about)
    assert examined("exporters", recorded({"config_maps": forwarder(EXPORTERS="[")})).verdict is Verdict.FAIL
    assert examined("exporters", recorded({"config_maps": []})).verdict is Verdict.SKIPPED


def test_rules_that_do_not_exist(recorded: Recorded) -> None:
    assert examined("rules", recorded({"config_maps": forwarder()})).verdict is Verdict.OK
    exporter = json.dumps({"otel": {"filter_rule": "own", "dlp_config_id": "strct"}})
    there = forwarder(SPEEDSCALE_FILTER_RULE="standrd", EXPORTERS=exporter)
    result = examined("rules", recorded({"config_maps": there}))
    assert "SPEEDSCALE_FILTER_RULE: filter rule 'standrd' does not exist; did you mean 'standard'?" in result.about
    assert len(result.about) == 3
    there[1]["data"] = {"own.json": "{}", "standrd.json": "{}"}
    there[2]["data"] = {"strct.json": "{}"}
    assert examined("rules", recorded({"config_maps": there})).verdict is Verdict.OK


# The cluster


@pytest.mark.parametrize(
    ("apart_s", "verdict"), [(0, Verdict.OK), (1, Verdict.OK), (-60, Verdict.WARN), (900, Verdict.FAIL)]
)
def test_clocks(recorded: Recorded, apart_s: int, verdict: Verdict) -> None:
    canary = tried(server_time=NOW, asked_at=NOW + timedelta(seconds=apart_s), round_trip_s=0.2)
    assert examined("clock", recorded(canary=canary)).verdict is verdict
    assert examined("clock", recorded()).verdict is Verdict.SKIPPED


def test_storage(recorded: Recorded) -> None:
    claim = named("PersistentVolumeClaim", "c", "speedscale", spec={}, status={"phase": "Pending"})
    default = named("StorageClass", "std", annotations={"storageclass.kubernetes.io/is-default-class": "true"})
    assert examined("storage", recorded({"claims": [claim], "storage_classes": []})).verdict is Verdict.FAIL
    assert examined("storage", recorded({"claims": [claim], "storage_classes": [default]})).verdict is Verdict.OK
    claim["spec"]["storageClassName"] = "fast"
    result = examined("storage", recorded({"claims": [claim], "storage_classes": [default]}))
    assert "no StorageClass 'fast'" in result.about[0]
    claim["status"]["phase"] = "Bound"
    assert examined("storage", recorded({"claims": [claim], "storage_classes": []})).verdict is Verdict.OK
    assert examined("storage-class", recorded({"storage_classes": [default]})).verdict is Verdict.OK
    assert examined("storage-class", recorded({"storage_classes": []})).verdict is Verdict.WARN


def test_nodes_without_nettap(recorded: Recorded) -> None:
    pod = named("Pod", "p", "speedscale", spec={"nodeName": "a"})
    pod["status"] = {"conditions": [{"type": "Ready", "status": "True"}]}
    tainted = named("Node", "b", spec={"taints": [{"key": "gpu", "effect": "NoSchedule"}]})
    windows = named("Node", "w", labels={"kubernetes.io/os": "windows"})
    nodes = [named("Node", "a"), tainted, windows]
    there = {"components": [named("DaemonSet", "nettap", "speedscale")], "nettap_pods": [pod], "nodes": nodes}
    result = examined("nettap", recorded(there))
    assert result.about == ("b: tainted gpu:NoSchedule", "w: Windows, for which there is no nettap")
    assert examined("nettap", recorded({**there, "components": []})).verdict is Verdict.OK


def test_what_our_finalizer_holds(recorded: Recorded) -> None:
    held = named(
        "TrafficReplay",
        "r",
        "shop",
        finalizers=["replay.speedscale.com/cleanup"],
        deletionTimestamp=ago(minutes=1),
    )
    going = named("Namespace", "shop", deletionTimestamp=ago(minutes=1))
    there = {"replays": [held], "namespaces": [going]}
    assert examined("stuck", recorded(there)).verdict is Verdict.OK  # an operator is at it
    result = examined("stuck", recorded(there, installed=None))
    assert result.verdict is Verdict.FAIL
    assert [line.split(":")[0] for line in result.about] == ["TrafficReplay shop/r", "Namespace shop"]
    held["metadata"]["deletionTimestamp"] = ago(minutes=30)
    assert examined("stuck", recorded(there)).verdict is Verdict.FAIL


# Before an installation


@pytest.mark.parametrize(
    ("version", "verdict"),
    [("v1.24.9", Verdict.FAIL), ("v1.27.3-gke.1", Verdict.WARN), ("v1.30.0", Verdict.OK), ("", Verdict.SKIPPED)],
)
def test_the_servers_version(recorded: Recorded, version: str, verdict: Verdict) -> None:
    assert examined("version", recorded(version=version)).verdict is verdict


def test_the_backend(recorded: Recorded) -> None:
    assert examined("backend", recorded()).verdict is Verdict.SKIPPED
    assert examined("backend", recorded(backend=Backend(url="https://x", attempts=1))).verdict is Verdict.OK
    result = examined("backend", recorded(backend=Backend(url="https://x", problem="no such host", attempts=3)))
    assert (result.verdict, "3 times" in result.cause) == (Verdict.FAIL, True)
    assert examined("backend", recorded(backend=Backend(url="https://x", no_key=True))).verdict is Verdict.WARN


def test_pod_security_of_the_namespace(recorded: Recorded) -> None:
    for level, verdict in (("restricted", Verdict.WARN), ("privileged", Verdict.OK), ("", Verdict.OK)):
        labels = {"pod-security.kubernetes.io/enforce": level} if level else {}
        there = recorded({"namespaces": [named("Namespace", "speedscale", labels=labels)]})
        assert examined("pod-security", there).verdict is verdict


# The report


def test_the_report_is_stable_and_says_what_to_do(recorded: Recorded) -> None:
    results = [
        (Check("b", "second", lambda facts: facts), Result(Verdict.WARN, "so", "do that", tuple("abc" * 10))),  # type: ignore[arg-type,return-value]
        (Check("a", "first", lambda facts: facts), Result(Verdict.FAIL, "broken", "mend it")),  # type: ignore[arg-type,return-value]
    ]
    text = report.text(results)
    assert text.index("FAIL a: broken\n  → mend it") < text.index("WARN b: so")
    assert "and 10 more" in text
    assert text.endswith("1 failed, 1 warnings, 0 good, 0 skipped")
    data = report.data(results, namespace="n", server="s")
    assert (data["passed"], len(data["results"][0]["about"])) == (False, 30)
    assert trafficreplay.KIND not in json.dumps(data)
