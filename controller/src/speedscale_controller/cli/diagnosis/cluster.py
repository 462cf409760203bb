"""Checks of the cluster around the installation: clocks, nodes, storage, what cannot be deleted."""

from __future__ import annotations

from datetime import timedelta

from speedscale_controller.cli.installed import alive
from speedscale_controller.cli.objects import condition, title
from speedscale_controller.injection import annotations_of, labels_of, mapping
from speedscale_controller.replay.names import FINALIZER
from speedscale_controller.replay.status import moment

from .model import Check, Facts, Object, Result, fail, ok, skipped, warn

NETTAP = "nettap"
_SKEW = timedelta(seconds=5)
_SKEW_FATAL = timedelta(minutes=5)
_STUCK = timedelta(minutes=5)
DEFAULT_CLASS = (
    "storageclass.kubernetes.io/is-default-class",
    "storageclass.beta.kubernetes.io/is-default-class",
)


def clock(facts: Facts) -> Result:
    """Ask how far this machine's clock and the API server's are apart."""
    tried = facts.canary
    if tried is None or tried.server_time is None or tried.asked_at is None:
        return skipped("the API server's time is not known without a dry run")
    # the server tells whole seconds, rounded down
    low = tried.asked_at - tried.server_time - timedelta(seconds=1)
    high = low + timedelta(seconds=1 + tried.round_trip_s)
    apart = max(low, -high, timedelta())
    if apart > _SKEW_FATAL:
        judge = fail
    elif apart > _SKEW:
        judge = warn
    else:
        return ok("this machine's clock and the API server's agree")
    return judge(
        f"the clocks of this machine and of the API server are {apart.total_seconds():.0f} s apart",
        "set them by NTP: certificates, signed requests and recorded times depend on it",
    )


def nodes(facts: Facts) -> Result:
    """Ask which nodes have no nettap, where it is installed."""
    taps = facts.named("components", NETTAP)
    if taps is None:
        return ok("nettap is not installed")
    covered = {str(mapping(pod.get("spec")).get("nodeName")) for pod in facts.all("nettap_pods") if _ready(pod)}
    bare = [f"{node['metadata']['name']}: {_why(node)}" for node in facts.all("nodes") if _bare(node, covered)]
    if bare:
        return warn(
            "nodes have no nettap: workloads on them are not captured by it",
            "set ebpf.nettap.tolerations for tainted nodes, or use sidecars for what runs there",
            bare,
        )
    return ok(f"nettap is on every one of {len(facts.all('nodes'))} nodes")


def _ready(pod: Object) -> bool:
    return condition(pod, "Ready").get("status") == "True"


def _bare(node: Object, covered: set[str]) -> bool:
    return node["metadata"]["name"] not in covered


def _why(node: Object) -> str:
    labels = labels_of(node)
    if labels.get("kubernetes.io/os") == "windows":
        return "Windows, for which there is no nettap"
    if labels.get("type") == "virtual-kubelet" or labels.get("eks.amazonaws.com/compute-type") == "fargate":
        return "a virtual node, which has no DaemonSets"
    taints = [f"{t.get('key')}:{t.get('effect')}" for t in mapping(node.get("spec")).get("taints") or ()]
    return f"tainted {', '.join(taints)}" if taints else "its pod is missing, or not ready"


def storage(facts: Facts) -> Result:
    """Ask whether our claims have, or will have, a volume."""
    waiting = [c for c in facts.all("claims") if mapping(c.get("status")).get("phase") not in ("Bound", None)]
    classes = {c["metadata"]["name"] for c in facts.all("storage_classes")}
    default = any(annotations_of(c).get(key) == "true" for c in facts.all("storage_classes") for key in DEFAULT_CLASS)
    problems = []
    for claim in waiting:
        wanted = mapping(claim.get("spec")).get("storageClassName")
        if wanted and wanted not in classes:
            problems.append(f"{title(claim)}: there is no StorageClass {wanted!r}")
        elif wanted is None and not default:
            problems.append(f"{title(claim)}: it names no StorageClass, and the cluster has no default one")
    if problems:
        return fail(
            "claims will never have a volume, and what mounts them never starts",
            "set forwarder.persistence.storageClassName in the values, or mark a StorageClass as default",
            problems,
        )
    if waiting:
        return ok(f"{len(waiting)} claims wait for a pod, or for their volume")
    return ok(f"{len(facts.all('claims'))} claims have their volumes")


def stuck(facts: Facts) -> Result:
    """Ask whether something of ours keeps namespaces or replays from being deleted."""
    operator = facts.installed.operator if facts.installed else None
    lines = []
    held = set()
    for replay in facts.all("replays"):
        since = moment(str(replay["metadata"].get("deletionTimestamp") or ""))
        if since is None or FINALIZER not in (replay["metadata"].get("finalizers") or ()):
            continue
        if not alive(operator) or facts.now - since > _STUCK:
            lines.append(f"{title(replay)}: is being deleted since {since:%F %T} UTC")
            held.add(replay["metadata"].get("namespace"))
    lines += [
        f"{title(namespace)}: waits for these replays"
        for namespace in facts.all("namespaces")
        if namespace["metadata"]["name"] in held and namespace["metadata"].get("deletionTimestamp")
    ]
    if lines:
        return fail(
            f"our finalizer {FINALIZER} keeps objects from being deleted"
            + ("" if alive(operator) else ", and no operator is there to take it off"),
            "start the operator; or speedctl uninstall --revert-only, which does its work and takes them off",
            lines,
        )
    return ok("nothing of ours keeps anything from being deleted")


def metrics(facts: Facts) -> Result:
    """Ask whether pods' CPU and memory are known: a replay's report shows them."""
    if facts.all("metrics_api"):
        return ok("pods' CPU and memory are known")
    return warn(
        "the cluster has no metrics API: reports of replays have no CPU and memory",
        "install metrics-server",
    )


CHECKS = (
    Check("clock", "clocks agree", clock, pre=True),
    Check("storage", "claims have volumes", storage, ("claims", "storage_classes")),
    Check("nettap", "nettap is on every node", nodes, ("components", "nodes", "nettap_pods")),
    Check("stuck", "nothing of ours keeps anything from being deleted", stuck, ("replays", "namespaces"), pre=True),
    Check("metrics", "reports can show CPU and memory", metrics, ("metrics_api",)),
)
