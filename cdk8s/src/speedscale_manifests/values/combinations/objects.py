"""What Kubernetes would refuse or what would break our own objects: resources, labels, names of images and Secrets."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from speedscale_manifests.values import tree as schema
from speedscale_manifests.values.places import Path
from speedscale_schemas import validation
from speedscale_schemas.annotations.quantities import amount

from .rule import Finding, Rule, Tree

_RESOURCES = ("cpu", "memory", "ephemeral-storage")
_OTHER_RESOURCE = re.compile(r"hugepages-[0-9]+(Ki|Mi|Gi)|[a-z0-9][-a-z0-9.]*/[A-Za-z0-9][-A-Za-z0-9_.]*")
_OUR_KEYS = re.compile(r"([a-z0-9-]+\.)*speedscale\.com/.*")
_SELECTORS = ("app", "app.kubernetes.io/part-of", "app.kubernetes.io/version")
_ARGO = ("argocd.argoproj.io/sync-wave", "argocd.argoproj.io/sync-options", "argocd.argoproj.io/tracking-id")
_MAX_ANNOTATIONS = 262_144


def _all_resources(tree: Tree) -> Iterator[tuple[Path, dict[str, Any]]]:
    for path, _ in schema.settings():
        if path[-1] == "resources":
            node: Any = tree
            for part in path:
                node = node[part]
            yield path, node


def _requests_above_limits(tree: Tree) -> Iterator[Finding]:
    for path, resources in _all_resources(tree):
        limits = resources.get("limits", {})
        for name, asked in resources.get("requests", {}).items():
            if name in limits and amount(asked) > amount(limits[name]):
                reason = f"a request of {asked} is more than the limit of {limits[name]}"
                remedy = f"raise `{'.'.join(map(str, path))}.limits.{name}` or lower the request"
                yield Finding((*path, "requests", name), reason, remedy, (*path, "limits", name))


def _resource_names(tree: Tree) -> Iterator[Finding]:
    for path, resources in _all_resources(tree):
        for group, quantities in resources.items():
            for name in quantities:
                if name not in _RESOURCES and not _OTHER_RESOURCE.fullmatch(name):
                    near = validation.nearest(name, _RESOURCES)
                    remedy = f"did you mean {near[0]!r}?" if near else f"there are {', '.join(_RESOURCES)}"
                    yield Finding((*path, group, name), f"there is no resource {name!r}", remedy)


def _tiny_memory(tree: Tree) -> Iterator[Finding]:
    for path, resources in _all_resources(tree):
        for group, quantities in resources.items():
            for name, asked in quantities.items():
                if name in ("memory", "ephemeral-storage") and 0 < amount(asked) < 1_000_000:
                    reason = f"{asked} are {amount(asked).normalize():f} bytes: no container starts with that"
                    yield Finding((*path, group, name), reason, "e.g. 256Mi; a small m is a thousandth")


def _labels(tree: Tree) -> Iterator[Finding]:
    for key in tree["globalLabels"]:
        if key in _SELECTORS or _OUR_KEYS.fullmatch(key):
            reason = "our own labels select our pods by this key"
            yield Finding(("globalLabels", key), reason, "choose another key, e.g. example.com/app")


def _annotations(tree: Tree) -> Iterator[Finding]:
    given: dict[Path, Tree] = {(setting,): tree[setting] for setting in ("globalAnnotations", "webhookAnnotations")}
    given["forwarder", "serviceAccountAnnotations"] = tree["forwarder"]["serviceAccountAnnotations"]
    for path, marks in given.items():
        for key in marks:
            if key in _ARGO or _OUR_KEYS.fullmatch(key):
                yield Finding((*path, key), "we set this annotation ourselves", "remove it, or choose another key")
        size = sum(len(key.encode()) + len(value.encode()) for key, value in marks.items())
        if size > _MAX_ANNOTATIONS:
            reason = f"{size:,} bytes of annotations; an object takes {_MAX_ANNOTATIONS:,}"
            yield Finding(path, reason, "make them shorter")


def _secret_access(tree: Tree) -> Iterator[Finding]:
    names = tree["secretAccessList"]
    if "*" in names and len(names) > 1:
        path: Path = ("secretAccessList", names.index("*"))
        yield Finding(path, "`*` means all Secrets, so the other names say nothing", "leave `*` alone, or remove it")


def _all_secrets(tree: Tree) -> Iterator[Finding]:
    if tree["secretAccessList"] == ["*"]:
        reason = "replays may mount every Secret of every watched namespace"
        yield Finding(("secretAccessList", 0), reason, "name the Secrets that replays need")


def _security_context(tree: Tree) -> Iterator[Finding]:
    for path, node in schema.settings():
        if "runAsUser" not in node.get("properties", {}):
            continue
        context: Any = tree
        for part in path:
            context = context[part]
        if context.get("runAsUser") == 0 and context.get("runAsNonRoot"):
            remedy = "set runAsNonRoot to false, or another runAsUser"
            reason = "user 0 is root, and runAsNonRoot refuses root"
            yield Finding((*path, "runAsUser"), reason, remedy, (*path, "runAsNonRoot"))
        for kind in ("seccompProfile", "appArmorProfile"):
            profile = context.get(kind) or {}
            if profile and (profile.get("type") == "Localhost") != bool(profile.get("localhostProfile")):
                remedy = "type Localhost has a localhostProfile, the others have none"
                yield Finding((*path, kind), "type and localhostProfile do not go together", remedy)
        if context.get("privileged") and context.get("allowPrivilegeEscalation") is False:
            reason = "a privileged container cannot forbid privilege escalation: the API server refuses it"
            remedy = "set it to null, or privileged to false"
            yield Finding((*path, "allowPrivilegeEscalation"), reason, remedy, (*path, "privileged"))


def _openshift_ids(tree: Tree) -> Iterator[Finding]:
    if tree["preset"] == "openshift":
        for setting in ("globalPodSecurityContext", "globalSecurityContext"):
            for key in ("runAsUser", "runAsGroup", "fsGroup", "supplementalGroups"):
                if key in tree[setting]:
                    reason = "OpenShift gives each namespace its range of ids and refuses pods that ask for another"
                    yield Finding((setting, key), reason, "leave it out, as the preset does")


def _autopilot_resources(tree: Tree) -> Iterator[Finding]:
    if tree["preset"] != "gke-autopilot":
        return
    for path, resources in _all_resources(tree):
        requests, limits = resources.get("requests", {}), resources.get("limits", {})
        for name in {**requests, **limits} if path[0] != "ebpf" else ():
            if name not in requests or name not in limits or amount(requests[name]) != amount(limits[name]):
                reason = "GKE Autopilot sets the limit to the request: what stands here does not hold"
                yield Finding((*path, "limits", name), reason, "give both the same", (*path, "requests", name))


def _registry(tree: Tree) -> Iterator[Finding]:
    registry = tree["image"]["registry"]
    if registry.partition("/")[0].partition(":")[0] in ("localhost", "127.0.0.1"):
        reason = f"{registry} is each node's own: images must be there already"
        yield Finding(
            ("image", "registry"), reason, "push the images to your registry (`make images`) and name it here"
        )


def _moving_tag(tree: Tree) -> Iterator[Finding]:
    tags: list[tuple[Path, str]] = [(("image", "tag"), tree["image"]["tag"])]
    tags += [(("imageTags", name), tag) for name, tag in tree["imageTags"].items()]
    for path, tag in tags:
        if tag == "latest":
            yield Finding(path, "a tag that moves: git does not say what runs", "name a version, or set `imageDigests`")


def _tag_and_digest(tree: Tree) -> Iterator[Finding]:
    for name in tree["imageTags"]:
        if name in tree["imageDigests"]:
            yield Finding(("imageTags", name), "the digest in `imageDigests` wins", "remove one of the two")


def _open_network(tree: Tree) -> Iterator[Finding]:
    if not tree["networkPolicies"]["enabled"]:
        reason = "our pods may reach, and be reached by, whatever the cluster lets them"
        yield Finding(("networkPolicies", "enabled"), reason, "leave it on, or write policies of your own")


def _lag(tree: Tree) -> Iterator[Finding]:
    forwarder = tree["forwarder"]
    if amount(forwarder["exporterMaxLag"]) > amount(forwarder["persistence"]["size"]):
        reason = f"more than the spool itself ({forwarder['persistence']['size']})"
        cause = ("forwarder", "persistence", "size")
        yield Finding(("forwarder", "exporterMaxLag"), reason, "0 means the whole spool", cause)


def _no_size(tree: Tree) -> Iterator[Finding]:
    for owner in ("forwarder", "backend"):
        if amount(tree[owner]["persistence"]["size"]) == 0:
            yield Finding((owner, "persistence", "size"), "a volume of nothing", "e.g. 10Gi")


def _unused_s3(tree: Tree) -> Iterator[Finding]:
    s3 = tree["backend"]["s3"]
    for key in ("endpoint", "region", "credentialsSecret"):
        if s3[key] and not s3["bucket"]:
            yield Finding(("backend", "s3", key), "not used without a bucket", "set `backend.s3.bucket`")


RULES = (
    Rule("requests-above-limits", "refuse", "no request is above its limit", _requests_above_limits),
    Rule("resource-name", "refuse", "resources have names that Kubernetes knows", _resource_names),
    Rule("own-labels", "refuse", "`globalLabels` leaves our selectors alone", _labels),
    Rule("own-annotations", "refuse", "annotations leave ours alone and fit into an object", _annotations),
    Rule("secret-wildcard", "refuse", "`*` stands alone in `secretAccessList`", _secret_access),
    Rule("security-context", "refuse", "security contexts do not contradict themselves", _security_context),
    Rule("volume-size", "refuse", "volumes have a size", _no_size),
    Rule("tiny-memory", "warn", "memory is not given in thousandths of a byte", _tiny_memory),
    Rule("all-secrets", "warn", "replays mount named Secrets only", _all_secrets),
    Rule("openshift-ids", "warn", "with the preset openshift no ids are asked for", _openshift_ids),
    Rule("autopilot-resources", "warn", "with the preset gke-autopilot requests equal limits", _autopilot_resources),
    Rule("local-registry", "warn", "images come from a registry that nodes reach", _registry),
    Rule("moving-tag", "warn", "tags are versions", _moving_tag),
    Rule("tag-and-digest", "warn", "an image has a tag or a digest", _tag_and_digest),
    Rule("open-network", "warn", "`networkPolicies.enabled` stays on", _open_network),
    Rule("lag-above-spool", "warn", "`forwarder.exporterMaxLag` is within the spool", _lag),
    Rule("unused-s3", "warn", "settings of the object store need a bucket", _unused_s3),
)
