"""Checks of the operator itself: that it runs, once, with its rights, and on what it was told."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import timedelta
from typing import Any

from speedscale_controller.certificates.names import OPERATOR
from speedscale_controller.cli.installed import COMPONENT, alive
from speedscale_controller.cli.objects import condition, title
from speedscale_controller.injection import containers, labels_of, mapping
from speedscale_controller.injection import pod_template as template_of
from speedscale_controller.replay.status import moment
from speedscale_schemas import trafficreplay

from .model import Check, Facts, Object, Result, fail, ok, skipped, warn

_VERSION = "app.kubernetes.io/version"
_LEASE_S = 15


def running(facts: Facts) -> Result:
    """Ask whether the operator has a ready pod."""
    operator = facts.installed.operator if facts.installed else None
    if operator is None:
        return fail(
            f"there is no operator in namespace {facts.namespace}",
            "install it (docs/), name its namespace with --operator-namespace, or clear what is left of it with"
            " speedctl uninstall",
        )
    if alive(operator):
        return ok(f"{mapping(operator.get('status')).get('availableReplicas')} ready")
    spec = mapping(operator.get("spec"))
    if spec.get("replicas") == 0:
        return fail("the operator is scaled to 0: nothing is injected, replays stand still", "scale it up again")
    why = (
        condition(operator, "ReplicaFailure") or condition(operator, "Progressing") or condition(operator, "Available")
    )
    return fail(
        f"the operator has no ready pod: {why.get('message') or 'the cluster has not said why'}",
        f"kubectl describe pods -n {facts.namespace} -l app={OPERATOR}",
    )


def once(facts: Facts) -> Result:
    """Ask whether there is more than one operator."""
    found = sorted(title(obj) for obj in facts.all("operators"))
    if len(found) < 2:
        return ok("one operator" if found else "no operator")
    vendors = [title(obj) for obj in facts.all("operators") if COMPONENT not in labels_of(obj)]
    if vendors:
        return fail(
            "the vendor's operator is installed beside ours; both have webhooks of the same names",
            "remove the vendor's after its workloads were taken over (docs: swap of an installation)",
            vendors,
        )
    return warn(
        "several operators share this cluster; their webhook configurations have the same names, and the last one"
        " applied wins",
        "keep one; several in one cluster are not supported",
        found,
    )


def lease(facts: Facts) -> Result:
    """Ask whether some operator holds the Lease, and renews it."""
    found = facts.named("leases", OPERATOR)
    if found is None:
        settings = facts.installed.settings if facts.installed else None
        if settings is not None and not settings.leader_election:
            return ok("leader election is turned off")
        return fail("nobody holds the Lease: no operator has begun to work", "look at the operator's log")
    spec = mapping(found.get("spec"))
    renewed = moment(str(spec.get("renewTime") or ""))
    if not spec.get("holderIdentity") or renewed is None:
        return warn("the Lease is held by nobody at the moment", "ask again in a quarter of a minute")
    age = facts.now - renewed
    if age > timedelta(seconds=4 * _LEASE_S):
        return fail(
            f"{spec['holderIdentity']} holds the Lease and has not renewed it for {age.total_seconds():.0f} s",
            "the operator hangs, cannot reach the API server, or its clock is wrong; look at its log",
        )
    return ok(f"{spec['holderIdentity']} holds the Lease")


def rights(facts: Facts) -> Result:
    """Ask whether the operator has every right that it needs."""
    if not facts.rights:
        return skipped("nobody could be asked about the operator's rights", "run it as a user who may review access")
    missing = [f"{right}: {right.reason}" for right in facts.rights if not right.allowed]
    if missing:
        return fail(
            f"the operator lacks {len(missing)} of {len(facts.rights)} rights",
            "apply the Roles and bindings of the synthesised output again (docs/rbac.md says what each is for)",
            missing,
        )
    return ok(f"it has all {len(facts.rights)} rights that were asked about")


def definition(facts: Facts) -> Result:
    """Ask whether the definition of TrafficReplay is there, in force, and of this version."""
    found = next(iter(facts.all("crd")), None)
    if found is None:
        return fail(
            "the definition of TrafficReplay is missing: no replay can be made",
            "apply the base folder of the synthesised output (wave -3)",
        )
    if condition(found, "Established").get("status") != "True":
        why = condition(found, "NamesAccepted").get("message") or "the API server has not taken it up"
        return fail(f"the definition of TrafficReplay is not in force: {why}", "remove what claims the same names")
    served = next((v for v in mapping(found.get("spec")).get("versions") or () if v.get("name") == "v1"), None)
    if served is None:
        return fail("the definition of TrafficReplay has no version v1", "apply the base folder again")
    live = set(_paths(mapping(mapping(served.get("schema")).get("openAPIV3Schema")), ""))
    missing = sorted(set(_paths(trafficreplay.crd_schema(), "")) - live)
    if missing:
        return fail(
            f"the definition of TrafficReplay is old: {len(missing)} fields are missing and would be cut off",
            "apply the base folder of the synthesised output; Helm does not update definitions by itself",
            missing,
        )
    return ok("the definition of TrafficReplay is of this version")


def _paths(schema: Mapping[str, Any], above: str) -> Iterator[str]:
    for name, inner in sorted(mapping(schema.get("properties")).items()):
        if above or name in ("spec", "status"):
            yield f"{above}{name}"
            yield from _paths(mapping(inner), f"{above}{name}.")
    if isinstance(schema.get("items"), Mapping):
        yield from _paths(schema["items"], f"{above.removesuffix('.')}[].")


def bundle(facts: Facts) -> Result:
    """Ask whether the bundle is whole, unchanged, and of the operator's version."""
    there = facts.installed
    if there is None:
        return skipped("there is no installation")
    if there.bundle is None:
        return fail(
            "the bundle cannot be used: no sidecar is injected and no replay begins",
            "apply the operator folder of the synthesised output again, as a whole",
            there.bundle_problems,
        )
    version = str(labels_of(there.operator or {}).get(_VERSION, ""))
    if version and version != there.bundle.version:
        return warn(
            f"the bundle is of version {there.bundle.version}, the operator of {version}",
            "let the sync end, or apply the operator folder as a whole",
        )
    return ok(f"whole, version {there.bundle.version}")


def told(facts: Facts) -> Result:
    """Ask whether the operator's settings are in force."""
    there = facts.installed
    if there is None:
        return skipped("there is no installation")
    if there.settings_problems:
        judge = warn if there.settings else fail
        return judge("settings are not in force", "change what each line names", there.settings_problems)
    if there.unknown:
        return warn("keys that nobody knows", "correct their spelling, or remove them", there.unknown)
    return ok("ConfigMap and override are in force")


def images(facts: Facts) -> Result:
    """Ask whether images come from a registry that nodes can reach."""
    found = sorted(
        {
            f"{title(obj)}: {image}"
            for obj in facts.all("components")
            for container in containers(mapping(template_of(obj).get("spec")))
            if (image := str(container.get("image", ""))).split("/")[0].split(":")[0] in ("localhost", "127.0.0.1")
        }
    )
    if found and any(not alive_component(obj) for obj in facts.all("components")):
        return fail(
            "images are named on localhost, which every node takes for itself",
            "push them to a registry and set image.registry; or load them into every node (kind load docker-image)"
            " with imagePullPolicy IfNotPresent",
            found,
        )
    return ok("pods run on images that were found" if found else "images have a registry")


def alive_component(obj: Object) -> bool:
    """Say whether a workload has all the pods it wants."""
    status, spec = mapping(obj.get("status")), mapping(obj.get("spec"))
    if obj.get("kind") == "DaemonSet":
        return int(status.get("numberReady") or 0) >= int(status.get("desiredNumberScheduled") or 0)
    wanted = 1 if spec.get("replicas") is None else int(spec["replicas"])
    return int(status.get("readyReplicas") or 0) >= wanted


def components(facts: Facts) -> Result:
    """Ask whether forwarder, inspector and the others have their pods."""
    ours = [
        obj for obj in facts.all("components") if COMPONENT in labels_of(obj) and obj["metadata"]["name"] != OPERATOR
    ]
    down = [obj for obj in ours if not alive_component(obj)]
    if not down:
        return ok(f"{len(ours)} components have all their pods")
    lines = []
    for obj in down:
        why = condition(obj, "ReplicaFailure").get("message") or condition(obj, "Available").get("message") or ""
        lines.append(f"{title(obj)}: {why}" if why else title(obj))
    return fail("components have not all their pods", f"kubectl describe pods -n {facts.namespace}", lines)


CHECKS = (
    Check("operator-running", "the operator runs", running),
    Check("operator-once", "there is one operator", once, ("operators",)),
    Check("operator-lease", "one operator works", lease, ("leases",)),
    Check("operator-rights", "the operator has its rights", rights),
    Check("definition", "TrafficReplay is defined as this version knows it", definition, ("crd",)),
    Check("bundle", "the bundle is whole and unchanged", bundle),
    Check("settings", "the operator's settings are in force", told),
    Check("components", "components have their pods", components, ("components",)),
    Check("images", "images come from a registry that nodes reach", images, ("components",)),
)
