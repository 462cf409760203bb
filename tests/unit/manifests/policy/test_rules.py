"""Every rule bites: a table of spoilt installations, and the rule that must notice each of them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from speedscale_manifests.policy import RULES

Spoil = Callable[[Any], Any]


def _set(where: Callable[[Any], Any], **fields: Any) -> Spoil:
    return lambda world: where(world).update(fields)


def _del(where: Callable[[Any], Any], *keys: str) -> Spoil:
    return lambda world: [where(world).pop(key) for key in keys]


def _webhook(world: Any) -> Any:
    return world.one("MutatingWebhookConfiguration")["webhooks"][0]


def _replay_webhook(world: Any) -> Any:
    return world.one("ValidatingWebhookConfiguration", "speedscale-operator-replay")["webhooks"][0]


def _security(world: Any) -> Any:
    return world.security()


def _pod(world: Any) -> Any:
    return world.pod()


def _box(world: Any) -> Any:
    return world.box()


def _annotations(kind: str, name: str = "speedscale-operator") -> Callable[[Any], Any]:
    return lambda world: world.one(kind, name)["metadata"]["annotations"]


def _version(world: Any) -> Any:
    return world.one("CustomResourceDefinition", "trafficreplays.speedscale.com")["spec"]["versions"][0]


def _policy(world: Any) -> Any:
    return world.one("NetworkPolicy")["spec"]


OPTIONS = "argocd.argoproj.io/sync-options"
WAVE = "argocd.argoproj.io/sync-wave"
# Written in pieces, so that no scanner of secrets takes this file for one.
KEY_HEAD = "-----BEGIN EC " + "PRIVATE KEY-----"

CASES: list[tuple[str, str, Spoil]] = [
    ("run-as-non-root", "may be root", _set(_security, runAsNonRoot=False)),
    ("run-as-non-root", "is root", _set(_security, runAsUser=0)),
    ("no-privilege-escalation", "unset", _del(_security, "allowPrivilegeEscalation")),
    ("not-privileged", "privileged", _set(_security, privileged=True)),
    ("drop-all-capabilities", "drops one", _set(_security, capabilities={"drop": ["NET_RAW"]})),
    ("no-added-capabilities", "adds one", _set(_security, capabilities={"drop": ["ALL"], "add": ["NET_BIND_SERVICE"]})),
    (
        "no-added-capabilities",
        "more than is exempt",
        lambda w: w.box("DaemonSet", "nettap")["securityContext"]["capabilities"]["add"].append("SYS_RESOURCE"),
    ),
    (
        "no-added-capabilities",
        "in the bundle's sidecar",
        lambda w: w.rebundle(
            "sidecar",
            "podtemplate-speedscale-sidecar.yaml",
            lambda m: m["template"]["spec"]["containers"][0]["securityContext"].update(
                capabilities={"drop": ["ALL"], "add": ["NET_ADMIN"]}
            ),
        ),
    ),
    ("seccomp-runtime-default", "none", _del(_security, "seccompProfile")),
    ("seccomp-runtime-default", "unconfined", _set(_security, seccompProfile={"type": "Unconfined"})),
    ("read-only-root", "writable", _set(_security, readOnlyRootFilesystem=False)),
    ("no-host-namespaces", "processes", _set(_pod, hostPID=True)),
    ("no-host-namespaces", "nettap with IPC", lambda w: w.pod("DaemonSet", "nettap").update(hostIPC=True)),
    ("no-host-ports", "a port", lambda w: w.box()["ports"][0].update(hostPort=9443)),
    ("restricted-volumes", "host files", lambda w: w.pod()["volumes"].append({"name": "h", "hostPath": {"path": "/"}})),
    (
        "restricted-volumes",
        "more of the node than is exempt",
        lambda w: w.pod("DaemonSet", "nettap")["volumes"][0]["hostPath"].update(path="/"),
    ),
    (
        "no-kernel-settings",
        "sysctl",
        lambda w: w.pod()["securityContext"].update(sysctls=[{"name": "kernel.msgmax", "value": "1"}]),
    ),
    ("no-kernel-settings", "/proc", _set(_security, procMount="Unmasked")),
    ("no-kernel-settings", "SELinux", _set(_security, seLinuxOptions={"type": "spc_t"})),
    ("token-only-with-rights", "unstated", _del(_pod, "automountServiceAccountToken")),
    (
        "token-only-with-rights",
        "without a right",
        lambda w: w.pod("Deployment", "java-server").update(automountServiceAccountToken=True),
    ),
    (
        "token-only-with-rights",
        "projected without a right",
        lambda w: w.pod("Deployment", "java-server")["volumes"].append(
            {"name": "t", "projected": {"sources": [{"serviceAccountToken": {"path": "token"}}]}}
        ),
    ),
    ("no-service-links", "left on", _del(_pod, "enableServiceLinks")),
    ("image-pinned", "latest", _set(_box, image="r.example.com:5000/operator:latest")),
    ("image-pinned", "no tag", _set(_box, image="r.example.com:5000/operator")),
    ("resources-set", "no limits", lambda w: w.box()["resources"].pop("limits")),
    ("resources-set", "no memory", lambda w: w.box()["resources"]["requests"].pop("memory")),
    ("quantities-parse", "a word", lambda w: w.box()["resources"]["limits"].update(cpu="half")),
    ("quantities-parse", "a volume", lambda w: w.pod()["volumes"][0]["emptyDir"].update(sizeLimit="64MB")),
    (
        "quantities-parse",
        "a claim",
        lambda w: w.one("PersistentVolumeClaim", "speedscale-cloud")["spec"]["resources"]["requests"].update(
            storage=""
        ),
    ),
    ("requests-within-limits", "memory", lambda w: w.box()["resources"]["requests"].update(memory="1Gi")),
    ("bounded-scratch", "no limit", lambda w: w.pod()["volumes"][0].update(emptyDir={})),
    ("probes-set", "liveness", _del(_box, "livenessProbe")),
    ("probes-set", "a port that is not there", lambda w: w.box()["readinessProbe"]["httpGet"].update(port="helth")),
    ("no-rbac-wildcards", "verb", lambda w: w.grant(verbs=["*"])),
    ("no-rbac-wildcards", "resource", lambda w: w.grant(resources=["pods/*"])),
    ("no-empty-rights", "no verbs", lambda w: w.grant(verbs=[])),
    ("no-empty-rights", "no rules", lambda w: w.one("Role").update(rules=[])),
    (
        "no-rights-over-rights",
        "writes roles",
        lambda w: w.grant(apiGroups=["rbac.authorization.k8s.io"], resources=["roles"], verbs=["create"]),
    ),
    ("no-rights-over-rights", "impersonates", lambda w: w.grant(resources=["users"], verbs=["impersonate"])),
    ("no-doors", "exec", lambda w: w.grant(resources=["pods/exec"], verbs=["create"])),
    ("no-doors", "tokens", lambda w: w.grant(resources=["serviceaccounts/token"], verbs=["create"])),
    ("secrets-by-name", "every one", lambda w: w.grant(resources=["secrets"])),
    (
        "secrets-by-name",
        "of the whole group with others",
        lambda w: w.grant(resources=["configmaps", "secrets"], verbs=["list"]),
    ),
    (
        "cluster-settings-by-name",
        "every webhook",
        lambda w: w.grant(apiGroups=["admissionregistration.k8s.io"], resources=["mutatingwebhookconfigurations"]),
    ),
    ("bindings-resolve", "no role", lambda w: w.one("ClusterRoleBinding")["roleRef"].update(name="admin")),
    ("bindings-resolve", "no account", lambda w: w.one("RoleBinding")["subjects"][0].update(name="default")),
    (
        "bindings-resolve",
        "a group",
        lambda w: w.one("RoleBinding").update(subjects=[{"kind": "Group", "name": "system:authenticated"}]),
    ),
    ("no-secret-objects", "a Secret", lambda w: w.add("Secret", data={"a": "aGVsbG8="})),
    ("no-secret-material", "a key", lambda w: w.one("ConfigMap")["data"].update(ca=f"{KEY_HEAD}\nMHc")),
    ("no-secret-material", "an address", lambda w: w.one("ConfigMap")["data"].update(P="http://me:hunter2@proxy:3128")),
    (
        "no-secret-material",
        "in an annotation",
        lambda w: w.one("Service")["metadata"]["annotations"].update(x="AKIA" + "A" * 16),
    ),
    (
        "no-secret-variables",
        "written out",
        lambda w: w.box()["env"].append({"name": "DB_PASSWORD", "value": "hunter2"}),
    ),
    (
        "references-exist",
        "ConfigMap",
        lambda w: w.box()["envFrom"].append({"configMapRef": {"name": "nowhere"}}),
    ),
    ("references-exist", "account", _set(_pod, serviceAccountName="nobody")),
    (
        "references-exist",
        "claim",
        lambda w: w.pod()["volumes"].append({"name": "c", "persistentVolumeClaim": {"claimName": "nowhere"}}),
    ),
    (
        "references-exist",
        "projected ConfigMap",
        lambda w: w.pod()["volumes"].append({"name": "p", "projected": {"sources": [{"configMap": {"name": "x"}}]}}),
    ),
    (
        "selectors-match",
        "another app",
        lambda w: w.one("Deployment")["spec"]["selector"]["matchLabels"].update(app="other"),
    ),
    ("services-select-pods", "nobody", lambda w: w.one("Service")["spec"]["selector"].update(app="other")),
    ("services-select-pods", "no port", lambda w: w.one("Service")["spec"]["ports"][0].update(targetPort="webhok")),
    (
        "services-select-pods",
        "a number that nobody listens on",
        lambda w: w.one("Service")["spec"]["ports"][0].update(targetPort=443),
    ),
    ("waves-in-order", "ConfigMap after its pod", _set(_annotations("ConfigMap"), **{WAVE: "1"})),
    ("waves-in-order", "binding before its role", _set(_annotations("ClusterRoleBinding"), **{WAVE: "-3"})),
    ("waves-in-order", "namespace last", _set(_annotations("Namespace", "speedscale"), **{WAVE: "0"})),
    ("volumes-exist", "no volume", lambda w: w.box()["volumeMounts"].append({"name": "nowhere", "mountPath": "/x"})),
    ("webhook-fails-open", "workloads refused", _set(_webhook, failurePolicy="Fail")),
    ("webhook-fails-open", "default", _del(_webhook, "failurePolicy")),
    ("webhook-fails-open", "deletion refused", lambda w: _replay_webhook(w)["rules"][0]["operations"].append("DELETE")),
    ("webhook-without-side-effects", "unknown", _set(_webhook, sideEffects="NoneOnDryRun")),
    ("webhook-timeout", "default", _del(_webhook, "timeoutSeconds")),
    ("webhook-timeout", "long", _set(_webhook, timeoutSeconds=30)),
    ("webhook-timeout", "of our own resource", lambda w: _replay_webhook(w).update(timeoutSeconds=31)),
    ("webhook-spares-kube-system", "all", _del(_webhook, "namespaceSelector")),
    (
        "webhook-spares-kube-system",
        "chosen",
        lambda w: _webhook(w)["namespaceSelector"].update(
            matchExpressions=[{"key": "kubernetes.io/metadata.name", "operator": "In", "values": ["kube-system"]}]
        ),
    ),
    ("webhook-without-ca-bundle", "empty is there", lambda w: _webhook(w)["clientConfig"].update(caBundle="")),
    ("webhook-service-exists", "no Service", lambda w: w.drop("Service")),
    ("webhook-service-exists", "no port", lambda w: _webhook(w)["clientConfig"]["service"].update(port=8443)),
    ("webhook-narrow", "everything", lambda w: _webhook(w)["rules"][0].update(resources=["*/*"])),
    ("network-policy-covers", "none", lambda w: w.drop("NetworkPolicy")),
    ("network-policy-covers", "one direction", lambda w: _policy(w).update(policyTypes=["Ingress"])),
    ("network-policy-bounds", "everything in", lambda w: _policy(w)["ingress"].append({})),
    (
        "network-policy-used",
        "selects nobody",
        lambda w: w.add(
            "NetworkPolicy",
            apiVersion="networking.k8s.io/v1",
            spec={"podSelector": {"matchLabels": {"app": "nobody"}}, "policyTypes": ["Ingress"]},
        ),
    ),
    (
        "protected-from-pruning",
        "definition",
        _del(_annotations("CustomResourceDefinition", "trafficreplays.speedscale.com"), OPTIONS),
    ),
    (
        "protected-from-pruning",
        "namespace",
        _set(_annotations("Namespace", "speedscale"), **{OPTIONS: "Prune=confirm"}),
    ),
    (
        "protected-from-pruning",
        "claim",
        _del(_annotations("PersistentVolumeClaim", "speedscale-forwarder"), OPTIONS),
    ),
    ("never-replaced", "replaced", _set(_annotations("Deployment"), **{OPTIONS: "Replace=true"})),
    ("definitions-closed", "no status", _set(_version, subresources={})),
    ("definitions-closed", "not stored", _set(_version, storage=False)),
    ("definitions-closed", "no schema", _set(_version, schema={"openAPIV3Schema": {"type": "object"}})),
    (
        "definitions-closed",
        "open",
        lambda w: _version(w)["schema"]["openAPIV3Schema"]["properties"]["spec"].update(
            {"x-kubernetes-preserve-unknown-fields": True}
        ),
    ),
    ("ignore-mark", "ours without", _del(_annotations("Deployment"), "operator.speedscale.com/ignore")),
    (
        "ignore-mark",
        "the demo with",
        _set(_annotations("Deployment", "java-server"), **{"operator.speedscale.com/ignore": "true"}),
    ),
    ("disruption-leaves-room", "none may go", lambda w: w.one("PodDisruptionBudget")["spec"].update(minAvailable=2)),
    (
        "disruption-leaves-room",
        "none may be missing",
        lambda w: w.one("PodDisruptionBudget").update(
            spec={"maxUnavailable": 0, "selector": w.one("Deployment")["spec"]["selector"]}
        ),
    ),
    (
        "disruption-leaves-room",
        "nobody",
        lambda w: w.one("PodDisruptionBudget")["spec"]["selector"]["matchLabels"].update(app="x"),
    ),
    ("outbound-only", "node port", lambda w: w.one("Service")["spec"].update(type="NodePort")),
    ("outbound-only", "ingress", lambda w: w.add("Ingress", apiVersion="networking.k8s.io/v1", spec={})),
    (
        "config-change-rolls",
        "no hash",
        lambda w: w.one("Deployment")["spec"]["template"]["metadata"].pop("annotations"),
    ),
    ("valid-names", "too long", lambda w: w.add("ConfigMap", "a" * 64, data={})),
    ("valid-names", "upper case", lambda w: w.add("Service", "Extra", spec={})),
    ("valid-names", "two containers of one name", lambda w: w.pod()["containers"].append(dict(w.box()))),
    ("valid-labels", "long value", lambda w: w.one("Service")["metadata"]["labels"].update(x="a" * 64)),
    ("valid-labels", "boolean annotation", _set(_annotations("Service"), **{"example.com/x": True})),
    (
        "valid-labels",
        "on the pod",
        lambda w: w.one("Deployment")["spec"]["template"]["metadata"]["labels"].update({"a b": "c"}),
    ),
    ("component-labelled", "nobody's", lambda w: w.one("Service")["metadata"].pop("labels")),
    ("explicit-namespace", "left out", lambda w: w.one("Service")["metadata"].pop("namespace")),
    ("explicit-namespace", "too much", lambda w: w.one("ClusterRole")["metadata"].update(namespace="speedscale")),
    ("no-twins", "twice", lambda w: w.objects.append(w.one("Service"))),
    ("config-map-size", "large", lambda w: w.one("ConfigMap")["data"].update(big="ä" * 102_400)),
    ("plain-values", "null", lambda w: w.one("Service")["spec"].update(clusterIP=None)),
    (
        "bundle-agrees",
        "an older bundle",
        lambda w: w.rebundle(
            "forwarder", "deployment-speedscale-forwarder.yaml", lambda m: m["spec"].update(replicas=7)
        ),
    ),
    (
        "bundle-hashed",
        "a stale hash",
        lambda w: w.one("ConfigMap", "speedscale-bundle-forwarder")["data"].pop("service-speedscale-forwarder.yaml"),
    ),
    (
        "bundle-permitted",
        "no right to make Jobs",
        lambda w: [
            rule["verbs"].remove("create") for rule in w.one("ClusterRole")["rules"] if "jobs" in rule["resources"]
        ],
    ),
]
AUTOPILOT = {"preset": "gke-autopilot"}
OPENSHIFT = {"preset": "openshift", "ebpf": {"enabled": True}}
PRESET_CASES: list[tuple[str, str, dict[str, Any], Spoil]] = [
    ("autopilot-resources", "differ", AUTOPILOT, lambda w: w.box()["resources"]["requests"].update(cpu="1m")),
    ("autopilot-resources", "no disk", AUTOPILOT, lambda w: w.box()["resources"]["limits"].pop("ephemeral-storage")),
    (
        "autopilot-nodes",
        "a DaemonSet",
        AUTOPILOT,
        lambda w: w.one("Deployment", "java-client").update(kind="DaemonSet"),
    ),
    ("openshift-ids", "a user", OPENSHIFT, lambda w: w.security().update(runAsUser=2100)),
    ("openshift-ids", "a group", OPENSHIFT, lambda w: w.pod()["securityContext"].update(fsGroup=2100)),
]


def test_every_rule_has_a_case() -> None:
    tested = {rule for rule, *_ in CASES} | {rule for rule, *_ in PRESET_CASES}
    assert tested == {rule.id for rule in RULES}


@pytest.mark.parametrize(("rule", "case", "spoil"), CASES, ids=[f"{rule}: {case}" for rule, case, _ in CASES])
def test_it_bites(rule: str, case: str, spoil: Spoil, world: Callable[..., Any]) -> None:
    spoilt = world()
    spoil(spoilt)
    assert spoilt.findings(rule)


@pytest.mark.parametrize(
    ("rule", "case", "tree", "spoil"),
    PRESET_CASES,
    ids=[f"{rule}: {case}" for rule, case, *_ in PRESET_CASES],
)
def test_it_bites_where_the_preset_asks_for_it(
    rule: str, case: str, tree: dict[str, Any], spoil: Spoil, world: Callable[..., Any]
) -> None:
    spoilt = world(tree)
    assert spoilt.findings(rule) == []
    spoil(spoilt)
    assert spoilt.findings(rule)
    spoilt.preset = ""
    assert spoilt.findings(rule) == []


def test_a_claim_of_a_stateful_set_is_read_as_well(world: Callable[..., Any]) -> None:
    spoilt = world({"forwarder": {"replicas": 2}})
    (claim,) = spoilt.one("StatefulSet", "speedscale-forwarder")["spec"]["volumeClaimTemplates"]
    claim["spec"]["resources"]["requests"]["storage"] = "2GB"
    (finding,) = spoilt.findings("quantities-parse")
    assert finding.path == "spec.volumeClaimTemplates[0].spec.resources.requests.storage"


def test_a_token_for_somebody_else_is_no_right_in_the_cluster(world: Callable[..., Any]) -> None:
    changed = world()
    token = {"serviceAccountToken": {"path": "token", "audience": "vault"}}
    changed.pod("Deployment", "java-server")["volumes"].append({"name": "t", "projected": {"sources": [token]}})
    assert changed.findings("token-only-with-rights") == []


def test_autopilot_takes_two_spellings_of_one_quantity(world: Callable[..., Any]) -> None:
    spelt = world(AUTOPILOT)
    spelt.box()["resources"]["requests"]["cpu"] = "0.5"
    assert spelt.box()["resources"]["limits"]["cpu"] == "500m"
    assert spelt.findings("autopilot-resources") == []


def test_rules_are_told_apart_and_explained() -> None:
    assert len({rule.id for rule in RULES}) == len(RULES)
    for rule in RULES:
        assert rule.description
        assert rule.remedy


def test_a_finding_says_what_and_where(world: Callable[..., Any]) -> None:
    spoilt = world()
    spoilt.security()["readOnlyRootFilesystem"] = False
    (finding,) = spoilt.check()
    assert str(finding) == (
        "Deployment speedscale/speedscale-operator: "
        "spec.template.spec.containers[0].securityContext.readOnlyRootFilesystem: is not true [read-only-root]"
    )
    assert (finding.component, finding.container) == ("operator", "operator")
    assert finding.remedy == "mount an emptyDir where it writes"


def test_what_users_may_choose_is_a_warning(world: Callable[..., Any]) -> None:
    spoilt = world()
    spoilt.box()["image"] = "r.example.com/operator:latest"
    spoilt.security()["readOnlyRootFilesystem"] = False
    assert {finding.rule: finding.warning for finding in spoilt.check()} == {
        "image-pinned": True,
        "read-only-root": False,
    }


@pytest.mark.parametrize(
    "change",
    [
        lambda w: w.pod()["securityContext"].update(sysctls=[{"name": "net.ipv4.tcp_syncookies", "value": "1"}]),
        lambda w: w.security().update(seLinuxOptions={"level": "s0:c1", "type": "container_t"}),
        lambda w: _replay_webhook(w).update(timeoutSeconds=30),
        lambda w: w.security().update(seccompProfile={"type": "Localhost", "localhostProfile": "a.json"}),
        lambda w: w.box().update(image="r.example.com:5000/operator@sha256:" + "0" * 64),
        lambda w: w.one("Service")["spec"]["ports"][0].update(targetPort=9443),
        lambda w: w.grant(resources=["secrets"], verbs=["create"]),
    ],
)
def test_what_restricted_allows_is_allowed(change: Spoil, world: Callable[..., Any]) -> None:
    changed = world()
    change(changed)
    assert changed.check() == []
