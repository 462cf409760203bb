"""Every rule: a manifest that breaks it, with the line; manifests that break none."""

from __future__ import annotations

import textwrap

import pytest
from hypothesis import given
from hypothesis import strategies as st

from speedscale_manifests.lint import RULES, Document, Problem, lint, read

S = "sidecar.speedscale.com"


def documents(text: str, source: str = "x.yaml") -> list[Document]:
    found, problems = read(textwrap.dedent(text), source)
    assert problems == []
    return found


def run(text: str, source: str = "x.yaml") -> list[Problem]:
    return lint(documents(text, source))


def workload(
    *annotations: str, kind: str = "Deployment", api: str = "apps/v1", spec: str = "{}", meta: str = ""
) -> str:
    """Return a workload whose annotations begin on line 7."""
    lines = [
        f"apiVersion: {api}",
        f"kind: {kind}",
        "metadata:",
        "  name: pay",
        f"  {meta or 'labels: {}'}",
        "  annotations:",
    ]
    return "\n".join([*lines, *(f"    {line}" for line in annotations), f"spec: {spec}", ""])


INJECT = f'{S}/inject: "true"'
REPLAY = """\
apiVersion: speedscale.com/v1
kind: TrafficReplay
metadata: {name: r}
spec:
  snapshotID: s
  testConfigID: standard
"""
TEMPLATE = "{template: {metadata: {annotations: {%s}}}}"
JOB_TEMPLATE = "{jobTemplate: {metadata: {annotations: {%s}}}}"
PORT = "{template: {spec: {containers: [{name: app, ports: [{containerPort: %s}]}]}}}"
NAMESPACE = """\
apiVersion: v1
kind: Namespace
metadata: {name: safe, labels: {pod-security.kubernetes.io/enforce: baseline}}
---
"""
OWNED = "ownerReferences: [{kind: ReplicaSet, controller: true}]"
SYNCED = '{name: r, annotations: {argocd.argoproj.io/sync-wave: "3"}}'
SNAPSHOT = "replay.speedscale.com/snapshot-id: s"

# rule, text, line of the finding, a part of its message
CASES = [
    ("SPD001", workload(f'{S}/tls_out: "true"', INJECT), 7, f"did you mean {S}/tls-out?"),
    ("SPD001", workload('speedscale.io/inject: "true"', f'{S}/Inject: "true"'), 8, f"did you mean {S}/inject?"),
    ("SPD002", workload(f'{S}/inject: "yes"'), 7, 'did you mean "true"?'),
    ("SPD003", workload(f"{S}/inject: true"), 7, 'write "true"'),
    ("SPD003", workload(INJECT, f"{S}/proxy-out-port: 4141"), 8, 'write "4141"'),
    ("SPD003", workload(f"{S}/inject: yes"), 7, 'write "true"'),
    ("SPD004", workload(INJECT, f'{S}/proxy-in-port: "4140"'), 6, "port 4140"),
    ("SPD005", workload(INJECT, f'{S}/proxy-type: dual', f'{S}/ignore-dst-ips: "*"'), 9, "it is for transparent"),
    ("SPD006", workload(INJECT, 'capture.speedscale.com/enabled: "true"'), 8, "neither is applied"),
    ("SPD007", workload(INJECT, 'operator.speedscale.com/sut: "true"'), 8, "set by the operator"),
    ("SPD008", workload(INJECT, f"{S}/tls-secret: pay"), 8, "use sidecar.speedscale.com/tls-in-secret"),
    ("SPD009", workload(INJECT, f'{S}/tls-out: "true"', f'{S}/tls-out: "true"'), 9, "stands twice"),
    ("SPD010", workload(INJECT, kind="Service", api="v1"), 7, "Service pay, which is no workload"),
    ("SPD010", workload(INJECT, kind="Namespace", api="v1"), 7, "no workload"),
    ("SPD010", workload(INJECT, kind="Deployment", api="v1"), 7, "no workload"),
    ("SPD010", f'commonAnnotations:\n  {S}/inject: "true"\n', 2, "on Services and templates as well"),
    ("SPD011", workload("a: b", spec=TEMPLATE % INJECT), 8, "on the pod template of Deployment pay"),
    ("SPD011", workload("a: b", kind="CronJob", api="batch/v1", spec=JOB_TEMPLATE % INJECT), 8, "CronJob"),
    ("SPD012", workload(INJECT, kind="Pod", api="v1", meta=OWNED), 7, "belongs"),
    ("SPD013", workload("a: b", meta=f"labels: {{{INJECT}}}"), 5, "is a label here"),
    ("SPD014", workload(INJECT, kind="Job", api="batch/v1"), 7, "changes nothing"),
    ("SPD020", workload(INJECT, spec="{template: {spec: {hostNetwork: true}}}"), 8, "host's network"),
    ("SPD021", workload(INJECT, spec=PORT % 4143), 8, "container app has port 4143, which is"),
    ("SPD021", workload(INJECT, spec=PORT % 4144), 8, "health port"),
    ("SPD021", workload(INJECT, f'{S}/proxy-out-port: "8080"', spec=PORT % 8080), 9, "outbound listener"),
    ("SPD021", workload(INJECT, "linkerd.io/inject: enabled"), 7, "Linkerd"),
    ("SPD021", workload(INJECT, spec=TEMPLATE % "linkerd.io/inject: enabled"), 7, "Linkerd"),
    ("SPD022", workload(INJECT, meta="namespace: kube-system"), 5, "nothing is injected"),
    ("SPD023", NAMESPACE + workload(INJECT, meta="namespace: safe"), 11, "enforces Pod Security baseline"),
    ("SPD024", workload(INJECT, spec="{template: {spec: {nodeSelector: {kubernetes.io/os: windows}}}}"), 7, "Windows"),
    ("SPD024", workload(INJECT, spec="{template: {spec: {os: {name: windows}}}}"), 7, "Windows"),
    ("SPD030", REPLAY + "  snapshotId: x\n", 7, "did you mean 'snapshotID'?"),
    ("SPD030", REPLAY.partition("spec:")[0], 1, "has no spec"),
    ("SPD031", REPLAY + "  mode: generator-only\n", 7, "needs somewhere to send the tests"),
    ("SPD032", REPLAY.replace("/v1", "/v1beta1", 1), 1, "v1beta1"),
    ("SPD033", REPLAY.replace("{name: r}", SYNCED), 1, "replayed again"),
    ("SPD034", REPLAY + "  cleanup: all\n", 7, "deletes the workload"),
    ("SPD034", workload(SNAPSHOT, "replay.speedscale.com/cleanup: all"), 8, "deletes this workload"),
    ("SPD035", REPLAY + "  workloadRef: {name: a}\n", 7, "use workloads[].ref"),
    ("SPD035", REPLAY + "  workloads:\n  - ref: {name: a}\n    inTrafficKeys: [x]\n", 9, "use tests"),
    ("SPD091", workload("replay.speedscale.com/snapshot-id: ${SNAPSHOT}"), 7, "filled in later"),
    ("SPD091", workload("replay.speedscale.com/snapshot-id: <<SNAPSHOT>>"), 7, "filled in later"),
    ("SPD091", workload(f"{S}/inject: null"), 7, "is null"),
    ("SPD091", REPLAY.replace("ID: s\n", 'ID: "{{ snapshot }}"\n', 1), 5, "filled in later"),
]  # fmt: skip


@pytest.mark.parametrize(
    ("rule", "text", "line", "said"), CASES, ids=lambda v: v if isinstance(v, str) and v[:3] == "SPD" else ""
)
def test_a_manifest_that_breaks_the_rule(rule: str, text: str, line: int, said: str) -> None:
    found = run(text)
    assert [p.rule for p in found] == [rule], [str(p) for p in found]
    assert (found[0].line, said in found[0].message) == (line, True), str(found[0])
    assert found[0].remedy
    assert found[0].column >= 1


def test_every_rule_has_a_case() -> None:
    assert {rule.id for rule in RULES} - {rule for rule, *_ in CASES} == {"SPD090"}  # in the tests of documents


GOOD = [
    workload(INJECT, f'{S}/tls-out: "true"', 'prometheus.io/port: "80"'),
    workload(INJECT, kind="Rollout", api="argoproj.io/v1alpha1"),
    workload(INJECT, kind="CronJob", api="batch/v1"),
    workload(INJECT, "argocd.argoproj.io/hook: PreSync", kind="Job", api="batch/v1"),
    workload(INJECT, kind="Pod", api="v1", meta="ownerReferences: [{kind: Other, controller: false}]"),
    workload(INJECT, spec=PORT % 8080),
    workload(INJECT, f'{S}/proxy-in-port: "5000"', spec=PORT % 4143),
    workload('capture.speedscale.com/enabled: "true"', spec="{template: {spec: {hostNetwork: true}}}"),
    workload('capture.speedscale.com/enabled: "true"', meta="namespace: kube-system"),
    workload("operator.speedscale.com/managed-by: x", kind="TrafficReplay", api="speedscale.com/v1").replace(
        "labels: {}", "uid: abc"
    ).replace("spec: {}", "spec: {snapshotID: s, testConfigID: t}"),
    workload("a: b", spec='{template: {metadata: {labels: {sidecar.speedscale.com/injected: "true"}}}}'),
    NAMESPACE + workload(INJECT, f"{S}/proxy-type: dual", meta="namespace: safe"),
    NAMESPACE + workload(INJECT, meta="namespace: other"),
    REPLAY,
    REPLAY.replace("{name: r}", "{name: r, annotations: {argocd.argoproj.io/hook: PostSync}}"),
    'controlplane: {annotations: {controlplane.speedscale.com/config-hash: "x"}}\n',
    "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: x}\ndata: {annotations: text}\n",
    "- 1\n- [2]\n",
    "kind: List\napiVersion: v1\nitems: 5\n",
    "kind: [x]\napiVersion: v1\nmetadata: 3\n",
]  # fmt: skip


@pytest.mark.parametrize("text", GOOD)
def test_nothing_to_say(text: str) -> None:
    assert [str(p) for p in run(text)] == []


def test_objects_inside_lists_are_found_with_their_lines() -> None:
    text = f"""\
        apiVersion: v1
        kind: List
        items:
        - apiVersion: v1
          kind: Service
          metadata: {{name: a}}
        - apiVersion: apps/v1
          kind: Deployment
          metadata:
            annotations:
              {S}/inject: "on"
        """
    (problem,) = run(text)
    assert (problem.rule, problem.line, problem.column) == ("SPD002", 11, 7)
    assert problem.path == f"items[1].metadata.annotations['{S}/inject']"


def test_values_of_helm_charts_are_judged_one_by_one() -> None:
    found = run(f'shop:\n  podAnnotations:\n    {S}/tls-out: "true"\n    {S}/inject: true\n    {S}/proxy-prot: x\n')
    assert [(p.rule, p.line) for p in found] == [("SPD003", 4), ("SPD001", 5)]


def test_a_custom_resource_may_hand_annotations_on() -> None:
    (problem,) = run(workload(INJECT, kind="Service", api="serving.knative.dev/v1"))
    assert (problem.rule, problem.severity) == ("SPD010", "warning")


def test_a_patch_is_judged_for_what_stands_in_it_only() -> None:
    patch = workload(f'{S}/tls-out: "true"', f"{S}/proxy-port: 1")
    kustomization = documents(
        "patches:\n- path: ./patch.yaml\n  target: {kind: Deployment}\n", "overlay/kustomization.yaml"
    )
    inside = documents(patch, "overlay/patch.yaml")
    assert [p.rule for p in lint([*kustomization, *inside])] == ["SPD003"]
    assert {p.rule for p in lint(inside)} == {"SPD003", "SPD005"}
    assert [p.rule for p in lint(inside, patches=["overlay/patch.yaml"])] == ["SPD003"]


KUSTOMIZATION = f"""\
apiVersion: kustomize.config.k8s.io/v1beta1
kind: Kustomization
patches:
- target: {{kind: Deployment}}
  patch: |-
    - op: add
      path: /metadata/annotations/sidecar.speedscale.com~1inject
      value: true
    - op: replace
      path: /spec/template/metadata/annotations
      value: {{{S}/tls-out: "true"}}
    - op: remove
      path: /metadata/annotations/sidecar.speedscale.com~1anything
- patch: |
    apiVersion: apps/v1
    kind: Deployment
    metadata:
      name: pay
      annotations:
        {S}/tls_out: "true"
        {S}/proxy-port: "1"
patchesStrategicMerge:
- |-
  apiVersion: v1
  kind: Service
  metadata:
    annotations: {{{INJECT}}}
- patch.yaml
"""


def test_patches_inside_a_kustomization_are_judged_on_their_own_lines() -> None:
    found = run(KUSTOMIZATION)
    assert [(p.rule, p.line) for p in found] == [("SPD003", 8), ("SPD011", 11), ("SPD001", 20), ("SPD010", 27)]


def test_patches_inside_an_argo_application_too() -> None:
    lines = KUSTOMIZATION.splitlines()[2:]
    head = "apiVersion: argoproj.io/v1alpha1\nkind: Application\nspec:\n  source:\n    kustomize:\n"
    found = run(head + "\n".join(f"      {line}" for line in lines))
    assert [(p.rule, p.line) for p in found] == [("SPD003", 11), ("SPD011", 14), ("SPD001", 23), ("SPD010", 30)]


def test_a_file_of_json_patches() -> None:
    text = f"[{{op: add, path: /metadata/annotations/{S}~1tls_out, value: x}},\n {{op: test, path: /a, value: 1}}, 5]\n"
    assert [(p.rule, p.line) for p in run(text)] == [("SPD001", 1)]
    assert run(text.replace("op: add, path", "op: add, pfad")) == []


def test_a_patch_of_a_replay_needs_not_be_whole() -> None:
    text = REPLAY.partition("spec:")[0] + "spec: {mode: generator-only, buildtag: x}\n"
    found = lint(documents(text, "p.yaml"), patches=["p.yaml"])
    assert [p.message.partition(":")[0] for p in found] == ["spec.buildtag"]


def test_argo_elsewhere_in_the_tree_counts() -> None:
    application = documents("apiVersion: argoproj.io/v1alpha1\nkind: Application\nmetadata: {name: a}\n", "app.yaml")
    assert [p.rule for p in lint([*application, *documents(REPLAY, "r.yaml")])] == ["SPD033"]
    assert lint(documents(REPLAY, "r.yaml")) == []


def test_a_manifest_from_a_cluster_may_bear_what_the_operator_wrote() -> None:
    text = workload(
        INJECT, f'{S}/injected: "true"', 'operator.speedscale.com/sut: "true"', meta="resourceVersion: '5'",
        spec="{template: {spec: {containers: [{name: speedscale-goproxy, ports: [{containerPort: 4143}]}]}}}",
    )  # fmt: skip
    assert run(text) == []


def test_rules_can_be_left_out() -> None:
    text = workload(f"{S}/inject: true", f'{S}/tls_out: "x"')
    assert [p.rule for p in lint(documents(text), disabled=["SPD003"])] == ["SPD001"]


def test_several_findings_stand_in_the_order_of_lines() -> None:
    found = run(workload(f"{S}/inject: true", f'{S}/tls_out: "x"', 'operator.speedscale.com/sut: "true"'))
    assert [p.line for p in found] == [7, 8, 9]
    assert found == run(workload(f"{S}/inject: true", f'{S}/tls_out: "x"', 'operator.speedscale.com/sut: "true"'))


WORDS = (
    "patches patch op path value apiVersion kind metadata annotations labels spec template items"
    " workloads ports containers tests status"
)
PARTS = st.sampled_from(
    [
        *WORDS.split(),
        f"{S}/inject",
        "replay.speedscale.com/snapshot-id",
        "capture.speedscale.com/enabled",
    ]
)
LEAVES = st.sampled_from(
    ["apps/v1", "Deployment", "speedscale.com/v1", "TrafficReplay", "List", "true", True, None, 4143, "x", 1.5]
)
TREES = st.recursive(
    LEAVES, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(PARTS, inner, max_size=6), max_leaves=25
)


@given(st.lists(TREES.map(lambda value: Document("x.yaml", value)), max_size=3))
def test_no_document_makes_it_raise(given: list[Document]) -> None:
    assert all(str(p) for p in lint(given))
