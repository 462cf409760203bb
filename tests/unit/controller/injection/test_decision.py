"""Every reason for keeping out, and every verdict, with the words that a workload's owner reads."""

from __future__ import annotations

import copy
import json
from typing import Any

import pytest

from speedscale_controller.injection import (
    Inject,
    Leave,
    Limits,
    Quota,
    Reason,
    Remove,
    ReplayPatch,
    Skip,
    decide,
)

MANAGED_BY = "operator.speedscale.com/managed-by"
IGNORE = "operator.speedscale.com/ignore"
REVERT = "operator.speedscale.com/revert"
KINDS = ("Deployment", "StatefulSet", "DaemonSet", "ReplicaSet", "Rollout", "Job", "CronJob", "Pod")
OWNER = {"apiVersion": "apps/v1", "kind": "Deployment", "name": "checkout", "uid": "1", "controller": True}


def spec_of(**pod: Any) -> dict[str, Any]:
    return {"containers": [{"name": "app", "image": "shop/checkout:v1"}], **pod}


@pytest.mark.parametrize("kind", KINDS)
def test_all_kinds_get_it_and_give_it_back(kind: str, shop: Any, facts: Any) -> None:
    obj = shop.workload(kind, inject="true")
    verdict = decide(obj, facts)
    assert isinstance(verdict, Inject)
    assert verdict.reason is None
    assert shop.container_of(verdict.object, "speedscale-goproxy")["restartPolicy"] == "Always"
    taken_out = decide(shop.without_inject(verdict.object), facts)
    assert isinstance(taken_out, Remove)
    assert taken_out.object == shop.without_inject(obj)
    wished_away = copy.deepcopy(verdict.object)
    wished_away["metadata"]["annotations"]["sidecar.speedscale.com/inject"] = "false"
    assert isinstance(decide(wished_away, facts), Remove)


@pytest.mark.parametrize("kind", KINDS)
def test_who_asks_for_nothing_is_left(kind: str, shop: Any, facts: Any) -> None:
    assert decide(shop.workload(kind), facts) == Leave()
    assert decide(shop.workload(kind, inject="false"), facts) == Leave()


def test_other_groups_have_kinds_of_the_same_name(shop: Any, facts: Any) -> None:
    obj = {**shop.workload(inject="true"), "apiVersion": "example.com/v1"}
    assert decide(obj, facts) == Leave()


REFUSED: dict[str, tuple[dict[str, Any], dict[str, Any], dict[str, str], Reason, str]] = {
    # facts, pod, annotations, reason, words
    "system namespace": ({"name": "kube-system"}, {}, {}, Reason.SYSTEM_NAMESPACE, "kube-system"),
    "not selected": ({"selected": False}, {}, {}, Reason.NAMESPACE_NOT_SELECTED, "namespaceSelector"),
    "being deleted": ({"deleting": True}, {}, {}, Reason.NAMESPACE_DELETING, "deleted"),
    "no bundle": ({"template": None}, {}, {}, Reason.NO_TEMPLATE, "speedscale-bundle-"),
    "host network": ({}, {"hostNetwork": True}, {}, Reason.HOST_NETWORK, "hostNetwork"),
    "windows selector": ({}, {"nodeSelector": {"kubernetes.io/os": "windows"}}, {}, Reason.WINDOWS, "Windows"),
    "windows os": ({}, {"os": {"name": "windows"}}, {}, Reason.WINDOWS, "Windows"),
    "windows affinity": (
        {},
        {
            "affinity": {
                "nodeAffinity": {
                    "requiredDuringSchedulingIgnoredDuringExecution": {
                        "nodeSelectorTerms": [
                            {"matchExpressions": [{"key": "kubernetes.io/os", "operator": "In", "values": ["windows"]}]}
                        ]
                    }
                }
            }
        },
        {},
        Reason.WINDOWS,
        "Windows",
    ),
    "virtual node": ({}, {"nodeSelector": {"type": "virtual-kubelet"}}, {}, Reason.VIRTUAL_NODE, "virtual nodes"),
    "fargate": ({}, {"schedulerName": "fargate-scheduler"}, {}, Reason.VIRTUAL_NODE, "proxy-type: dual"),
    "bad value": ({}, {}, {"proxy_type": "duel"}, Reason.BAD_ANNOTATION, "did you mean"),
    "bad wish": ({}, {}, {"inject": "yes"}, Reason.BAD_ANNOTATION, '"true"'),
    "baseline": (
        {"labels": {"pod-security.kubernetes.io/enforce": "baseline"}},
        {},
        {},
        Reason.POD_SECURITY,
        "speedscale-initproxy-iptables needs NET_ADMIN",
    ),
    "restricted": (
        {"labels": {"pod-security.kubernetes.io/enforce": "restricted"}},
        {},
        {},
        Reason.POD_SECURITY,
        "proxy-type: dual",
    ),
    "the cluster's level": ({"pod_security": "baseline"}, {}, {}, Reason.POD_SECURITY, "NET_ADMIN"),
    "no init containers": ({"preset": "gke-autopilot"}, {}, {}, Reason.NO_INIT_CONTAINER, "proxy-type: dual"),
    "linkerd of the namespace": (
        {"annotations": {"linkerd.io/inject": "enabled"}},
        {},
        {},
        Reason.PORTS_TAKEN,
        "port 4143 is taken by Linkerd's proxy; choose another with sidecar.speedscale.com/proxy-in-port",
    ),
    "port of the application": (
        {},
        spec_of(containers=[{"name": "app", "ports": [{"containerPort": 4144}]}]),
        {},
        Reason.PORTS_TAKEN,
        "port 4144 is taken by container app",
    ),
    "a volume of our name": ({}, {"volumes": [{"name": "speedscale-tmp"}]}, {}, Reason.NAME_TAKEN, "speedscale-tmp"),
    "limit above the range": (
        {"limits": (Limits(name="small", type="Container", max={"memory": "64Mi"}),)},
        {},
        {"memory_limit": "1Gi"},
        Reason.QUOTA,
        "memory-limit: 1Gi is more than the 64Mi that LimitRange small allows",
    ),
    "no room in the quota": (
        {"quotas": (Quota(name="team", hard={"requests.cpu": "105m"}, used={"requests.cpu": "100m"}),)},
        {},
        {},
        Reason.QUOTA,
        "ResourceQuota team: 1 × 10m of requests.cpu",
    ),
    "no room in the pod": (
        {},
        {"resources": {"requests": {"cpu": "5m"}}},
        {},
        Reason.QUOTA,
        "has no room for the sidecar's 10m",
    ),
}


@pytest.mark.parametrize("case", REFUSED)
def test_a_refusal_has_its_reason_and_says_what_to_do(case: str, shop: Any, facts_of: Any) -> None:
    changes, pod, annotations, reason, words = REFUSED[case]
    obj = shop.workload("Deployment", spec=pod, **{"inject": "true", **annotations})
    verdict = decide(obj, facts_of(**changes))
    assert isinstance(verdict, Skip)
    assert verdict.reason is reason
    assert words in verdict.message


@pytest.mark.parametrize("case", REFUSED)
def test_what_is_refused_is_taken_out_again_but_where_we_must_not_work(case: str, shop: Any, facts_of: Any) -> None:
    changes, pod, annotations, reason, _ = REFUSED[case]
    first = decide(shop.workload(inject="true"), facts_of())
    assert isinstance(first, Inject)
    obj = first.object
    template = obj["spec"]["template"]
    for key, value in pod.items():
        known = template["spec"].get(key)
        template["spec"][key] = [*known, *value] if isinstance(known, list) and key != "containers" else value
    for key, text in annotations.items():
        obj["metadata"]["annotations"][f"sidecar.speedscale.com/{key.replace('_', '-')}"] = text
    verdict = decide(obj, facts_of(**changes), operation="UPDATE")
    stays = {Reason.SYSTEM_NAMESPACE, Reason.NAMESPACE_NOT_SELECTED, Reason.NAMESPACE_DELETING, Reason.NO_TEMPLATE}
    if reason in stays:
        assert isinstance(verdict, Skip)
    elif case == "no room in the quota":
        assert isinstance(verdict, Leave)  # what is in has its share
    elif case == "a volume of our name":
        assert isinstance(verdict, Leave | Inject)  # by its name it is ours
    else:
        assert isinstance(verdict, Remove)
        assert verdict.reason is reason
        assert REVERT not in str(verdict.object)


def test_both_methods_are_refused(shop: Any, facts: Any) -> None:
    obj = shop.workload(inject="true")
    obj["metadata"]["annotations"]["capture.speedscale.com/enabled"] = "true"
    verdict = decide(obj, facts)
    assert isinstance(verdict, Skip)
    assert verdict.reason is Reason.BOTH_METHODS


def test_ignore_wins_over_all_and_stops_taking_out(shop: Any, facts: Any) -> None:
    obj = shop.workload(inject="true")
    injected = decide(obj, facts)
    assert isinstance(injected, Inject)
    for one in (obj, injected.object):
        one["metadata"]["annotations"][IGNORE] = "true"
        verdict = decide(one, facts)
        assert isinstance(verdict, Skip)
        assert verdict.reason is Reason.IGNORED
    assert decide(shop.without_inject(injected.object), facts) == Leave((), True)


def test_an_ignore_that_is_mistyped_is_not_acted_against(shop: Any, facts: Any) -> None:
    injected = decide(shop.workload(inject="true"), facts)
    assert isinstance(injected, Inject)
    obj = shop.without_inject(injected.object)
    obj["metadata"]["annotations"][IGNORE] = "yes"
    verdict = decide(obj, facts)
    assert isinstance(verdict, Skip)
    assert verdict.reason is Reason.BAD_ANNOTATION
    assert IGNORE in verdict.message


@pytest.mark.parametrize("kind", ["ReplicaSet", "Pod", "Job", "Deployment"])
def test_what_is_controlled_is_left(kind: str, shop: Any, facts: Any) -> None:
    obj = shop.workload(kind, inject="true")
    obj["metadata"]["ownerReferences"] = [OWNER]
    verdict = decide(obj, facts)
    if kind == "ReplicaSet":  # which has its Deployment's annotations: nobody made a mistake
        assert isinstance(verdict, Leave)
        return
    assert isinstance(verdict, Skip)
    assert verdict.reason is Reason.OWNED
    assert "Deployment checkout" in verdict.message
    del obj["metadata"]["annotations"]
    assert isinstance(decide(obj, facts), Leave)


def test_an_update_that_is_not_about_the_pods_keeps_an_older_sidecar(shop: Any, facts: Any, facts_of: Any) -> None:
    """Else the first change of replicas after an upgrade would restart the pods."""
    injected = decide(shop.workload(inject="true"), facts)
    assert isinstance(injected, Inject)
    stored = injected.object
    newer = facts_of(template=json.loads(json.dumps(facts.template).replace('"image": "', '"image": "next/')))
    scaled = copy.deepcopy(stored)
    scaled["spec"]["replicas"] = 7
    assert isinstance(decide(scaled, newer, operation="UPDATE"), Inject), "this bundle has another sidecar"
    assert decide(scaled, newer, operation="UPDATE", old=stored) == Leave(injected=True)
    restarted = copy.deepcopy(stored)
    restarted["spec"]["template"]["metadata"].setdefault("annotations", {})["example.com/restartedAt"] = "now"
    assert isinstance(decide(restarted, newer, operation="UPDATE", old=stored), Inject)
    asked = copy.deepcopy(stored)
    asked["metadata"]["annotations"]["sidecar.speedscale.com/proxy-in-port"] = "4999"
    assert isinstance(decide(asked, newer, operation="UPDATE", old=stored), Inject)


@pytest.mark.parametrize("kind", ["Job", "Pod"])
def test_pods_that_exist_cannot_change(kind: str, shop: Any, facts: Any) -> None:
    obj = shop.workload(kind, inject="true")
    late = decide(obj, facts, operation="UPDATE")
    assert isinstance(late, Skip)
    assert late.reason is (Reason.JOB_IMMUTABLE if kind == "Job" else Reason.POD_IMMUTABLE)
    injected = decide(obj, facts)
    assert isinstance(injected, Inject)
    assert isinstance(decide(injected.object, facts, operation="UPDATE"), Leave)
    assert isinstance(decide(shop.without_inject(injected.object), facts, operation="UPDATE"), Skip)


def test_another_operators_workload_is_left_until_it_is_adopted(shop: Any, facts: Any, facts_of: Any) -> None:
    obj = shop.workload(inject="true")
    obj["metadata"]["annotations"][MANAGED_BY] = "instance-0"
    verdict = decide(obj, facts)
    assert isinstance(verdict, Skip)
    assert verdict.reason is Reason.MANAGED_BY_OTHER
    assert "instance-0" in verdict.message
    for adopt in ({"instance-0"}, {"*"}):
        taken_over = decide(obj, facts_of(adopt=frozenset(adopt)))
        assert isinstance(taken_over, Inject)
        assert taken_over.object["metadata"]["annotations"][MANAGED_BY] == "instance-1"


def test_an_earlier_products_sidecar_is_replaced(shop: Any, facts_of: Any) -> None:
    clean = shop.workload(inject="true", tls_out="true")
    old = copy.deepcopy(clean)
    old["metadata"]["annotations"][MANAGED_BY] = "vendor"
    old["metadata"]["annotations"]["operator.speedscale.com/namespace"] = "speedscale"
    template = old["spec"]["template"]
    template["metadata"]["labels"]["sidecar.speedscale.com/injected"] = "true"
    spec = template["spec"]
    spec["containers"][0]["env"] = [
        {"name": "SSL_CERT_FILE", "value": "/etc/ssl/speedscale/tls.crt"},
        {"name": "JAVA_TOOL_OPTIONS", "value": "-Xmx1g -Djavax.net.ssl.trustStore=/etc/ssl/speedscale/jks/cacerts.jks"},
    ]
    spec["containers"][0]["volumeMounts"] = [{"name": "speedscale-tls-out", "mountPath": "/etc/ssl/speedscale"}]
    spec["containers"].append({"name": "speedscale-goproxy", "image": "gcr.io/speedscale/goproxy:v2"})
    spec["initContainers"] = [{"name": "speedscale-initproxy-iptables", "image": "gcr.io/speedscale/init:v2"}]
    spec["volumes"] = [{"name": "speedscale-tls-out", "secret": {"secretName": "speedscale-certs"}}]
    facts = facts_of(adopt=frozenset({"vendor"}))
    clean["spec"]["template"]["spec"]["containers"][0]["env"] = [{"name": "JAVA_TOOL_OPTIONS", "value": "-Xmx1g"}]
    replaced, fresh = decide(old, facts, operation="UPDATE"), decide(clean, facts)
    assert isinstance(replaced, Inject)
    assert isinstance(fresh, Inject)
    assert replaced.object == fresh.object


def test_a_rollout_that_refers_to_a_deployment_says_where_annotations_belong(shop: Any, facts: Any) -> None:
    obj = shop.workload("Rollout", inject="true")
    obj["spec"] = {"workloadRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": "checkout"}}
    verdict = decide(obj, facts)
    assert isinstance(verdict, Skip)
    assert verdict.reason is Reason.WORKLOAD_REF
    assert "Deployment checkout" in verdict.message


def test_annotations_on_the_pod_template_are_told_of(shop: Any, facts: Any) -> None:
    obj = shop.workload()
    obj["spec"]["template"]["metadata"]["annotations"] = {"sidecar.speedscale.com/inject": "true"}
    verdict = decide(obj, facts)
    assert isinstance(verdict, Leave)
    (warning,) = verdict.warnings
    assert "has no effect on the pod template" in warning


@pytest.mark.parametrize(
    ("kind", "pod", "version", "wish", "native"),
    [
        ("Deployment", {}, (1, 31), "auto", True),
        ("Deployment", {}, (1, 31), "jobs", False),
        ("Deployment", {}, (1, 31), None, False),
        ("Deployment", {}, (1, 28), "auto", False),
        ("Deployment", {}, (1, 28), "always", None),
        ("Job", {}, (1, 31), "jobs", True),
        ("Job", {}, (1, 28), "auto", None),
        ("CronJob", {}, (1, 28), "auto", None),
        ("Pod", {"restartPolicy": "Never"}, (1, 28), "auto", None),
        ("Pod", {}, (1, 28), "auto", False),
    ],
)
def test_restartable_init_containers(
    kind: str, pod: Any, version: Any, wish: str | None, native: bool | None, shop: Any, facts_of: Any
) -> None:
    facts = facts_of(version=version, sidecar_config={"nativeSidecars": wish} if wish else {})
    verdict = decide(shop.workload(kind, spec=pod, inject="true"), facts)
    if native is None:
        assert isinstance(verdict, Skip)
        assert verdict.reason is Reason.NATIVE_SIDECAR_UNSUPPORTED
        return
    assert isinstance(verdict, Inject)
    template = shop.template_of(verdict.object)
    place = template["spec"]["initContainers" if native else "containers"]
    assert place[0]["name"] == "speedscale-goproxy"
    default = template["metadata"]["annotations"].get("kubectl.kubernetes.io/default-container")
    assert default == (None if native else "app")


def test_a_sidecar_that_moves_leaves_nothing_where_it_was(shop: Any, facts_of: Any) -> None:
    old, new = facts_of(version=(1, 28)), facts_of(version=(1, 31))
    obj = shop.workload(inject="true")
    first = decide(obj, old)
    assert isinstance(first, Inject)
    moved, fresh = decide(first.object, new), decide(obj, new)
    assert isinstance(moved, Inject)
    assert isinstance(fresh, Inject)
    assert moved.object == fresh.object


@pytest.mark.parametrize("proxy_type", ["dual", "forward", "reverse"])
def test_without_redirection_a_restricted_namespace_takes_it(proxy_type: str, shop: Any, facts_of: Any) -> None:
    for changes in (
        {"labels": {"pod-security.kubernetes.io/enforce": "restricted"}},
        {"preset": "gke-autopilot"},
        {"preset": "eks-fargate"},
    ):
        verdict = decide(
            shop.workload(inject="true", proxy_type=proxy_type, proxy_protocol="http"), facts_of(**changes)
        )
        assert isinstance(verdict, Inject)
        assert "initproxy" not in str(verdict.object)


def test_linkerd_is_met_on_other_ports(shop: Any, facts_of: Any) -> None:
    facts = facts_of(annotations={"linkerd.io/inject": "enabled"})
    verdict = decide(shop.workload(inject="true", proxy_in_port="5143", proxy_out_port="5140"), facts)
    assert isinstance(verdict, Inject)
    assert any("Linkerd" in warning for warning in verdict.warnings)
    obj = shop.workload(inject="true")
    obj["spec"]["template"]["metadata"]["annotations"] = {"linkerd.io/inject": "disabled"}
    assert isinstance(decide(obj, facts), Inject)


@pytest.mark.parametrize(
    ("own", "expected"),
    [(None, "4144,4145"), ("8080", "8080,4144,4145"), ("*", "*"), ("4144", "4144,4145")],
)
def test_istio_leaves_health_and_metrics_alone(own: str | None, expected: str, shop: Any, facts_of: Any) -> None:
    name = "traffic.sidecar.istio.io/excludeInboundPorts"
    obj = shop.workload(inject="true")
    if own is not None:
        obj["spec"]["template"]["metadata"]["annotations"] = {name: own}
    verdict = decide(obj, facts_of(labels={"istio-injection": "enabled"}))
    assert isinstance(verdict, Inject)
    assert verdict.object["spec"]["template"]["metadata"]["annotations"][name] == expected
    elsewhere = decide(shop.workload(inject="true"), facts_of())
    assert isinstance(elsewhere, Inject)
    assert name not in str(elsewhere.object)


@pytest.mark.parametrize(
    ("namespace", "mesh"),
    [
        ({}, "none"),
        ({"labels": {"istio-injection": "enabled"}}, "istio"),
        ({"labels": {"istio.io/dataplane-mode": "ambient"}}, "istio-ambient"),
        ({"annotations": {"linkerd.io/inject": "enabled"}}, "linkerd"),
    ],
)
def test_the_program_that_redirects_knows_of_the_mesh(
    namespace: dict[str, Any], mesh: str, shop: Any, facts_of: Any
) -> None:
    wish = shop.workload(inject="true", **{"proxy-in-port": "5143", "proxy-out-port": "5140"})
    verdict = decide(wish, facts_of(**namespace))
    assert isinstance(verdict, Inject), verdict
    env = shop.container_of(verdict.object, "speedscale-initproxy-iptables")["env"]
    assert {"name": "MESH", "value": mesh} in env


def test_ambient_is_told_of(shop: Any, facts_of: Any) -> None:
    verdict = decide(shop.workload(inject="true"), facts_of(labels={"istio.io/dataplane-mode": "ambient"}))
    assert any("ambient" in warning for warning in verdict.warnings)


def test_the_same_wish_keeps_what_others_made_of_our_container(shop: Any, facts: Any, facts_of: Any) -> None:
    verdict = decide(shop.workload(inject="true"), facts)
    assert isinstance(verdict, Inject)
    live = verdict.object
    proxy = shop.container_of(live, "speedscale-goproxy")
    proxy["image"] = "mirror.example.com/goproxy@sha256:1"
    proxy["terminationMessagePath"] = "/dev/termination-log"
    assert isinstance(decide(live, facts, operation="UPDATE"), Leave)
    changed = decide(live, facts_of(log_level="debug"), operation="UPDATE")
    assert isinstance(changed, Inject)
    assert "mirror" not in str(changed.object)


def test_a_replay_holds_beside_a_sidecar_that_is_refused(shop: Any, facts_of: Any) -> None:
    replay = ReplayPatch(name="abstract-yucca", report_id="r1", host_aliases={"pay": "10.0.0.9"}, trust=True)
    obj = shop.workload(inject="true")
    verdict = decide(obj, facts_of(replay=replay, labels={"pod-security.kubernetes.io/enforce": "restricted"}))
    assert isinstance(verdict, Inject)
    assert verdict.reason is Reason.POD_SECURITY
    spec = verdict.object["spec"]["template"]["spec"]
    assert spec["hostAliases"] == [{"ip": "10.0.0.9", "hostnames": ["pay"]}]
    assert [c["name"] for c in spec["containers"]] == ["app"]
    assert shop.env_of(spec["containers"][0])["PGSSLROOTCERT"] == "/etc/ssl/speedscale/ca-bundle.crt"
    for meta in (verdict.object["metadata"], verdict.object["spec"]["template"]["metadata"]):
        assert meta["labels"]["replay.speedscale.com/env-id"] == "abstract-yucca"
        assert meta["annotations"]["replay.speedscale.com/report-id"] == "r1"
    assert "sidecar.speedscale.com/injected" not in verdict.object["metadata"]["labels"]
    ended = decide(verdict.object, facts_of(labels={"pod-security.kubernetes.io/enforce": "restricted"}))
    assert isinstance(ended, Remove)
    assert ended.object == obj


def test_a_replay_needs_no_annotation_and_one_after_another_leaves_no_trace(shop: Any, facts_of: Any) -> None:
    obj = shop.workload()
    first = ReplayPatch(name="a", report_id="1", routes={"db:5432": "10.0.0.1:5432"}, env={"X": "1"})
    second = ReplayPatch(name="b", report_id="2", host_aliases={"db": "10.0.0.1"})
    one = decide(obj, facts_of(replay=first))
    assert isinstance(one, Inject)
    assert shop.container_of(one.object, "speedscale-initproxy-responder")
    assert shop.env_of(shop.container_of(one.object, "app")) == {"X": "1"}
    two, fresh = decide(one.object, facts_of(replay=second)), decide(obj, facts_of(replay=second))
    assert isinstance(two, Inject)
    assert isinstance(fresh, Inject)
    assert two.object == fresh.object


def test_too_many_containers_are_refused_rather_than_changed_for_ever(shop: Any, facts: Any) -> None:
    many = [{"name": f"worker-{number:04}", "image": "shop/worker:v1"} for number in range(200)]
    verdict = decide(shop.workload(spec={"containers": many}, inject="true", tls_out="true"), facts)
    assert isinstance(verdict, Skip)
    assert verdict.reason is Reason.TOO_LARGE


def test_a_deleted_object_is_left(shop: Any, facts: Any) -> None:
    obj = shop.workload(inject="true")
    obj["metadata"]["deletionTimestamp"] = "2026-01-01T00:00:00Z"
    assert decide(obj, facts, operation="UPDATE") == Leave()


def test_hints(shop: Any, facts_of: Any) -> None:
    resources = {"limits": {"cpu": "1", "memory": "1Gi"}}
    spec = {
        "containers": [{"name": "app", "resources": resources}],
        "initContainers": [{"name": "migrate", "resources": resources}],
        "securityContext": {"runAsUser": 2102},
    }
    obj = shop.workload(spec=spec, inject="true", insert_init_first="true", kube_api_support="true", tls_out="true")
    told = "\n".join(decide(obj, facts_of(version=(1, 28))).warnings)
    for words in ("user 2102", "insert-init-first", "ca.crt", "Burstable"):
        assert words in told
