"""The table of rules: id, name, severity, what it means and what to do about it.

Called by the checks (a finding takes severity and remedy from here), by SARIF output and by the test that holds
`docs/lint.md` against it. Data only. An id is never given to another rule.
"""

from __future__ import annotations

from dataclasses import dataclass

from .model import Severity


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule. `severity` is that of most of its findings."""

    id: str
    name: str
    severity: Severity
    summary: str
    remedy: str


RULES: tuple[Rule, ...] = (
    Rule(
        "SPD001",
        "unknown-annotation",
        "error",
        "A name under one of our prefixes, or a prefix that resembles them, that is no annotation of ours.",
        "Correct the name; docs/reference/annotations.md lists all of them.",
    ),
    Rule(
        "SPD002",
        "wrong-value",
        "error",
        "A value outside the annotation's set: the workload would be let through without a sidecar.",
        "Take one of the accepted values.",
    ),
    Rule(
        "SPD003",
        "not-a-string",
        "error",
        "The value is a boolean or a number in YAML; Kubernetes refuses the whole object.",
        "Put the value in quotes.",
    ),
    Rule(
        "SPD004",
        "contradiction",
        "error",
        "Annotations that cannot stand together: two listeners on one port, a limit below its request, a missing file.",
        "Change one of them, as the message says.",
    ),
    Rule(
        "SPD005",
        "no-effect",
        "warning",
        "A setting that does nothing beside the others: it is for another proxy type, or needs another annotation.",
        "Take it out, or set what it needs.",
    ),
    Rule(
        "SPD006",
        "both-methods",
        "error",
        "Sidecar and nettap on one workload: neither is applied.",
        "Keep one: sidecar.speedscale.com/inject or the capture.speedscale.com annotations.",
    ),
    Rule(
        "SPD007",
        "set-by-operator",
        "warning",
        "An annotation that the operator sets; in git it would be fought over.",
        "Take it out of the manifest.",
    ),
    Rule(
        "SPD008",
        "deprecated-annotation",
        "warning",
        "An older name that is still accepted.",
        "Use the name that the message gives.",
    ),
    Rule(
        "SPD009",
        "duplicate-annotation",
        "error",
        "The same annotation twice in one mapping: the last one wins, or the file is refused.",
        "Keep one of them.",
    ),
    Rule(
        "SPD010",
        "wrong-object",
        "error",
        "A workload's annotation on something that is none (a warning on custom resources, which may hand it on).",
        "Move it to metadata.annotations of the Deployment, StatefulSet, DaemonSet, Job, CronJob or Rollout.",
    ),
    Rule(
        "SPD011",
        "on-pod-template",
        "error",
        "The annotation stands on the pod template, where nothing reads it.",
        "Move it to the workload's own metadata.annotations.",
    ),
    Rule(
        "SPD012",
        "owned-object",
        "error",
        "The object belongs to a controller, which would undo every change: only the topmost workload is captured.",
        "Annotate the owner.",
    ),
    Rule(
        "SPD013",
        "label-not-annotation",
        "error",
        "A label with the name of an annotation: nothing reads it there.",
        "Move it to metadata.annotations.",
    ),
    Rule(
        "SPD014",
        "job-template-immutable",
        "warning",
        "A Job's template cannot be changed: the sidecar comes only when the Job is created.",
        "Delete the Job before you apply it, or make it a hook that is created anew each time.",
    ),
    Rule(
        "SPD020",
        "host-network",
        "error",
        "Pods on the host's network are skipped: redirecting traffic there would redirect the node's.",
        "Use nettap (capture.speedscale.com/enabled), or take hostNetwork away.",
    ),
    Rule(
        "SPD021",
        "port-taken",
        "error",
        "A container, or a mesh's proxy, has a port that the sidecar listens on: the sidecar is not added.",
        "Give the sidecar another port (proxy-in-port, proxy-out-port), or the container.",
    ),
    Rule(
        "SPD022",
        "excluded-namespace",
        "error",
        "The webhook leaves kube-system and kube-node-lease alone.",
        "Run the workload in a namespace of its own, or use nettap.",
    ),
    Rule(
        "SPD023",
        "pod-security",
        "error",
        "The namespace enforces Pod Security baseline or restricted, which refuses the init container that redirects.",
        "Use proxy-type dual, nettap, or a namespace that enforces privileged.",
    ),
    Rule(
        "SPD024",
        "windows",
        "error",
        "Windows nodes are skipped: the sidecar is a Linux container.",
        "Take the annotation away.",
    ),
    Rule(
        "SPD030",
        "trafficreplay-schema",
        "error",
        "A TrafficReplay with an unknown field, a wrong value, or a required field missing.",
        "docs/reference/trafficreplay.md lists all fields.",
    ),
    Rule(
        "SPD031",
        "trafficreplay-rule",
        "error",
        "A TrafficReplay that the API server refuses by a rule of the CRD.",
        "Change it as the message says.",
    ),
    Rule(
        "SPD032",
        "trafficreplay-version",
        "error",
        "A TrafficReplay under another apiVersion than speedscale.com/v1.",
        "Write apiVersion: speedscale.com/v1.",
    ),
    Rule(
        "SPD033",
        "trafficreplay-synced",
        "warning",
        "A TrafficReplay as an ordinary resource under Argo CD: once it is gone, self-heal replays again, for ever.",
        "Make it a hook with a fixed name: argocd.argoproj.io/hook PostSync, "
        "hook-delete-policy BeforeHookCreation,HookSucceeded,HookFailed.",
    ),
    Rule(
        "SPD034",
        "cleanup-all",
        "warning",
        "cleanup: all deletes the workload under test when the replay has ended.",
        "Use inventory, unless the workload was made for this replay.",
    ),
    Rule(
        "SPD035",
        "trafficreplay-deprecated",
        "warning",
        "A field that is still accepted and has a better one.",
        "Use what the message says.",
    ),
    Rule(
        "SPD090",
        "unreadable",
        "error",
        "The file, or the rest of it, is not YAML that can be looked at.",
        "Correct the syntax.",
    ),
    Rule(
        "SPD091",
        "not-judged",
        "note",
        "A template, or a placeholder that something fills in later.",
        "Lint the rendered output as well (helm template, kustomize build).",
    ),
)

BY_ID: dict[str, Rule] = {rule.id: rule for rule in RULES}
