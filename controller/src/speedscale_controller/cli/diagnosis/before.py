"""Checks before an installation: the cluster, the rights of who installs, what is there already, the backend."""

from __future__ import annotations

from collections.abc import Callable

from speedscale_controller.cli.installed import COMPONENT
from speedscale_controller.cli.objects import title
from speedscale_controller.cli.workloads import minor_version
from speedscale_controller.injection import annotations_of, labels_of

from .cluster import DEFAULT_CLASS
from .model import Check, Facts, Result, fail, ok, skipped, warn

_OLDEST, _NATIVE = (1, 25), (1, 29)
_ENFORCE = "pod-security.kubernetes.io/enforce"
_PART_OF = "app.kubernetes.io/part-of"


def version(facts: Facts) -> Result:
    """Ask whether the API server is new enough."""
    if not facts.version:
        return skipped("no cluster was asked")
    found = minor_version(facts.version)
    if found < _OLDEST:
        return fail(f"the API server is {facts.version}", "1.25 is the oldest that is supported")
    if found < _NATIVE:
        return warn(
            f"the API server is {facts.version}: there are no native sidecars",
            "Jobs get no sidecar before 1.29 (they would never end); everything else works",
        )
    return ok(facts.version)


def admission(facts: Facts) -> Result:
    """Ask whether the API server calls webhooks at all."""
    if not facts.version:
        return skipped("no cluster was asked")
    if not facts.all("admission_api"):
        return fail(
            "the API server serves no admissionregistration.k8s.io/v1",
            "turn MutatingAdmissionWebhook and ValidatingAdmissionWebhook on (--enable-admission-plugins)",
        )
    return ok("the API server knows webhook configurations")


def rights(facts: Facts) -> Result:
    """Ask whether this user may apply the installation."""
    if not facts.rights:
        return skipped("no cluster was asked")
    missing = [str(right) for right in facts.rights if not right.allowed]
    if missing:
        return warn(
            "this user may not apply the whole installation",
            "let somebody apply it who may, or a GitOps tool",
            missing,
        )
    return ok("this user may apply the whole installation")


def security(facts: Facts) -> Result:
    """Ask whether the namespace lets our pods in."""
    found = facts.named("namespaces", facts.namespace)
    if found is None:
        return ok(f"namespace {facts.namespace} is not there yet; the manifests bring it with the right level")
    level = labels_of(found).get(_ENFORCE, "")
    if level in ("baseline", "restricted"):
        return warn(
            f"namespace {facts.namespace} enforces Pod Security {level}: nettap and the demo's sidecars are refused",
            f"label it {_ENFORCE}: privileged where one of them is wanted; everything else runs as it is",
        )
    return ok(f"Pod Security {level or 'of the cluster default'}")


def vendor(facts: Facts) -> Result:
    """Ask whether an installation is there already, ours or the vendor's."""
    theirs = [title(obj) for obj in facts.all("operators") if COMPONENT not in labels_of(obj)]
    if theirs:
        return fail(
            "the vendor's operator is installed: its webhooks and its definition of TrafficReplay have the same names",
            "set instanceId to its INSTANCE_ID (ConfigMap speedscale-operator) so that its workloads are taken over,"
            " then helm uninstall it and install; its sidecars speak another protocol and are replaced",
            theirs,
        )
    crd = next(iter(facts.all("crd")), None)
    if crd is not None and labels_of(crd).get(_PART_OF) != "speedscale":
        return warn(
            "the definition of TrafficReplay is there, of another installation",
            "it will be replaced; its TrafficReplays stay and are read by the new operator",
            [title(crd)],
        )
    ours = [title(obj) for obj in facts.all("operators")]
    return ok(f"{', '.join(ours)} is there already: this is an upgrade" if ours else "none is there")


def storage_class(facts: Facts) -> Result:
    """Ask whether the forwarder's claim will have a volume."""
    classes = facts.all("storage_classes")
    if any(annotations_of(c).get(key) == "true" for c in classes for key in DEFAULT_CLASS):
        return ok("there is a default StorageClass")
    names = sorted(c["metadata"]["name"] for c in classes)
    return warn(
        "there is no default StorageClass",
        f"set forwarder.persistence.storageClassName to one of {', '.join(names)}"
        if names
        else "install a provisioner, or turn forwarder.persistence off (the spool then ends with its pod)",
    )


def backend(facts: Facts) -> Result:
    """Ask whether the backend answers."""
    asked = facts.backend
    if asked is None or not asked.url:
        return skipped("no backend is named (--app-url, SPEEDSCALE_APP_URL); none is needed")
    if asked.problem:
        times = "once" if asked.attempts == 1 else f"{asked.attempts} times"
        return fail(
            f"{asked.url} was asked {times} and does not answer: {asked.problem}",
            "check the address, egress policies, and http_proxy/https_proxy/no_proxy",
        )
    if asked.no_key:
        return warn(f"{asked.url} answers; no API key is set", "put SPEEDSCALE_API_KEY into Secret speedscale-apikey")
    return ok(f"{asked.url} answers")


def _pre(id_: str, title_: str, judge: Callable[[Facts], Result], needs: tuple[str, ...] = ()) -> Check:
    return Check(id_, title_, judge, needs, pre=True, post=False)


CHECKS = (
    _pre("version", "the API server is new enough", version),
    _pre("admission", "the API server calls webhooks", admission),
    _pre("install-rights", "this user may apply the installation", rights),
    _pre("existing", "no other installation is in the way", vendor, ("operators", "crd")),
    _pre("pod-security", "the namespace lets our pods in", security, ("namespaces",)),
    _pre("storage-class", "the forwarder's claim will have a volume", storage_class, ("storage_classes",)),
    _pre("backend", "the backend answers", backend),
)
