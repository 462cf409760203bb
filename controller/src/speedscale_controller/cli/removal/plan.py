"""From what there is to the steps that remove it, in an order that leaves nothing stuck: pure.

Why this order. Replays are canceled while an operator can still give their workloads back. Webhooks go before the
operator, because a webhook without an operator refuses TrafficReplays and holds up every other write. The operator goes
before sidecars are taken out, because it would put them in again: the users' annotations stay, they are not ours. What
is then still held by our finalizer is released by us. Components go in reverse waves, rights after those who need them,
the definition after its objects, the namespace last.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from speedscale_controller.certificates.names import OPERATOR
from speedscale_controller.cli.objects import title
from speedscale_controller.injection import annotations_of, labels_of, metadata
from speedscale_controller.injection import names as n
from speedscale_controller.replay.names import FINALIZER
from speedscale_kube import Ref, ref
from speedscale_schemas.asking import gitops

from .model import Do, Inventory, Object, Options, Phase, Plan, Step

WAVE: Final = "argocd.argoproj.io/sync-wave"
_DEFAULT_WAVE = 1
_PART_OF = ("app.kubernetes.io/part-of", "speedscale")
_IMMUTABLE = ("Job", "Pod")
# within a wave: what runs, what leads to it, what it reads, what it may
_KINDS: Final = (
    "CronJob",
    "Job",
    "Deployment",
    "StatefulSet",
    "DaemonSet",
    "HorizontalPodAutoscaler",
    "PodDisruptionBudget",
    "Ingress",
    "Service",
    "Lease",
    "ConfigMap",
    "PersistentVolumeClaim",
    "NetworkPolicy",
    "RoleBinding",
    "ClusterRoleBinding",
    "Role",
    "ClusterRole",
    "ServiceAccount",
)


def plan(there: Inventory, options: Options) -> Plan:
    """Return what is to be done."""
    refusals = () if options.force else tuple(_refusals(there, options))
    steps = [*_cancel(there), *_webhooks(there), *_stop(there), *_revert(there, options), *_release(there)]
    steps += _copies(there)
    if not options.revert_only:
        steps += [*_installation(there), *_last(there, options)]
    return Plan(tuple(dict.fromkeys(steps)), refusals, tuple(_notes(there, options)))


def _refusals(there: Inventory, options: Options) -> Iterator[str]:
    """Yield why the installation cannot go for good: a tool has it in git."""
    if options.revert_only:
        return
    owners: dict[str, list[str]] = {}
    for obj in (*there.objects, *there.webhooks):
        if found := gitops.owner(obj):
            owners.setdefault(str(found), []).append(title(obj))
    for owner, objects in sorted(owners.items()):
        more = f" and {len(objects) - 1} more" if len(objects) > 1 else ""
        yield (
            f"{owner} has {sorted(objects)[0]}{more} in git and would make them again; run speedctl uninstall"
            f" --revert-only, then remove it there ({_removal(owner)}), or use --force"
        )
    for what, why in sorted(there.unread.items()):
        yield f"{what} cannot be read, so what is left of us there would stay: {why}"


def _removal(owner: str) -> str:
    return "argocd app delete, with its resources" if owner.startswith("Argo CD") else "delete its folder from git"


def _cancel(there: Inventory) -> Iterator[Step]:
    """A live operator gives the workloads back; without one, deleting marks them only, and `_release` ends it."""
    for replay in there.replays:
        why = "the operator gives its workload back" if there.working else ""
        yield Step(Phase.CANCEL, Do.DELETE, _ref(replay), why, wait=there.working)


def _webhooks(there: Inventory) -> Iterator[Step]:
    for obj in sorted(there.webhooks, key=title):
        yield Step(Phase.WEBHOOKS, Do.DELETE, _ref(obj))


def _stop(there: Inventory) -> Iterator[Step]:
    operator = there.installed.operator if there.installed else None
    if operator is not None and (operator.get("spec") or {}).get("replicas") != 0:
        yield Step(Phase.STOP, Do.SCALE, _ref(operator), "it would put sidecars in again", wait=True)


def injected(there: Inventory, options: Options) -> tuple[list[Object], list[Object]]:
    """Return the workloads whose sidecar we take out, and those that are another operator's."""
    known = there.installed if there.installed and there.installed.instance_id else None
    ours: list[Object] = []
    others: list[Object] = []
    for obj in there.workloads:
        managed_by = str(annotations_of(obj).get(n.MANAGED_BY, ""))
        foreign = bool(known and managed_by and not known.owns(managed_by) and not options.force)
        (others if foreign else ours).append(obj)
    return ours, others


def _revert(there: Inventory, options: Options) -> Iterator[Step]:
    for obj in sorted(injected(there, options)[0], key=title):
        going = not options.revert_only and _is_part(obj) and metadata(obj).get("namespace") == there.namespace
        if obj.get("kind") not in _IMMUTABLE and not going:
            yield Step(Phase.REVERT, Do.REVERT, _ref(obj))


def _release(there: Inventory) -> Iterator[Step]:
    """Whatever is still held when the operator is gone; and what replays have made."""
    for replay in there.replays:
        if there.working or FINALIZER in (metadata(replay).get("finalizers") or ()):
            yield Step(Phase.RELEASE, Do.RELEASE, _ref(replay), "if it is still held", wait=True)
    for obj in sorted(there.leftovers, key=_order):
        yield Step(Phase.RELEASE, Do.DELETE, _ref(obj), "made by a replay")


def _copies(there: Inventory) -> Iterator[Step]:
    for secret in sorted(there.secrets, key=title):
        if metadata(secret).get("namespace") != there.namespace:
            yield Step(Phase.COPIES, Do.DELETE, _ref(secret), "made by the operator")


def _installation(there: Inventory) -> Iterator[Step]:
    for obj in sorted(there.objects, key=_order):
        yield Step(Phase.INSTALLATION, Do.DELETE, _ref(obj))
    for secret in sorted(there.secrets, key=title):
        if metadata(secret).get("namespace") == there.namespace:
            yield Step(Phase.INSTALLATION, Do.DELETE, _ref(secret), "made by the operator")


def _last(there: Inventory, options: Options) -> Iterator[Step]:
    if there.crd is not None and not options.keep_crd:
        yield Step(Phase.LAST, Do.DELETE, _ref(there.crd), wait=True)
    if _namespace_goes(there, options):
        yield Step(Phase.LAST, Do.DELETE, Ref("v1", "Namespace", "", there.namespace), wait=True)


def _namespace_goes(there: Inventory, options: Options) -> bool:
    """A namespace that was there before us, or that others use, is not ours to delete."""
    found = there.namespace_object
    return found is not None and not options.keep_namespace and _is_part(found) and not there.foreign


def _notes(there: Inventory, options: Options) -> Iterator[str]:
    ours, others = injected(there, options)
    for obj in sorted(ours, key=title):
        if obj.get("kind") in _IMMUTABLE:
            yield f"{title(obj)} cannot be changed: its sidecar goes when it ends, or is deleted and made anew"
        elif (owner := gitops.owner(obj)) and not options.revert_only:
            yield f"{title(obj)}: its annotations stay in git ({owner}); they do nothing without an operator"
    for obj in sorted(others, key=title):
        by = annotations_of(obj).get(n.MANAGED_BY)
        yield f"{title(obj)} is left alone: operator {by} manages it (or --force)"
    if options.revert_only:
        for what, why in sorted(there.unread.items()):
            yield f"{what} cannot be read; what is ours of them stays: {why}"
        yield (
            "the operator is stopped and its webhooks are gone; a tool that syncs by itself starts them again: let it"
            " delete the installation now"
        )
    elif there.namespace_object is not None and not options.keep_namespace and not _namespace_goes(there, options):
        why = "it was there before this installation"
        if there.foreign:
            why = f"{len(there.foreign)} objects of others are in it, such as {title(there.foreign[0])}"
        yield f"namespace {there.namespace} stays: {why}"
    if there.kept:
        places = sorted({str(metadata(obj).get("namespace")) for obj in there.kept})
        yield f"{len(there.kept)} snapshots and reports stay in {', '.join(places)}: they are yours"


def _order(obj: Object) -> tuple[int, int, str]:
    """Reverse waves, then by kind."""
    try:
        wave = int(str(annotations_of(obj).get(WAVE, _DEFAULT_WAVE)))
    except ValueError:
        wave = _DEFAULT_WAVE
    kind = str(obj.get("kind"))
    rank = _KINDS.index(kind) if kind in _KINDS else len(_KINDS)
    early = 0 if metadata(obj).get("name") == OPERATOR and kind == "Deployment" else rank
    return (-wave, early, title(obj))


def _is_part(obj: Object) -> bool:
    return labels_of(obj).get(_PART_OF[0]) == _PART_OF[1]


def _ref(obj: Object) -> Ref:
    return ref(dict(obj))
