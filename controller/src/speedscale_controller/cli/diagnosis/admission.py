"""Checks of the way from the API server to the webhooks: configuration, Service, endpoints, trust, and a try.

Admission fails open for workloads, so that a broken path shows nowhere but here: pods simply have no sidecar.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Iterator, Mapping
from typing import Any

from cryptography import x509

from speedscale_controller.admission.certificate import believed
from speedscale_controller.certificates.names import OPERATOR, WEBHOOK
from speedscale_controller.cli.capture import sidecar_image
from speedscale_controller.cli.installed import CONFIGURATIONS
from speedscale_controller.cli.objects import title
from speedscale_controller.injection import mapping, pod_template
from speedscale_schemas import trafficreplay

from .model import Check, Facts, Object, Result, fail, ok, skipped, warn

_PORT = 9443


def _hooks(obj: Object) -> Iterator[Mapping[str, Any]]:
    yield from (mapping(hook) for hook in obj.get("webhooks") or ())


def _service(hook: Mapping[str, Any]) -> Mapping[str, Any]:
    return mapping(mapping(hook.get("clientConfig")).get("service"))


def _ours(obj: Object) -> bool:
    """Whether a webhook configuration is of this product, ours or the vendor's."""
    return any(str(hook.get("name", "")).endswith(".speedscale.com") for hook in _hooks(obj))


def _of(facts: Facts) -> list[Object]:
    wanted = set(CONFIGURATIONS)
    return [obj for obj in facts.all("webhooks") if (obj.get("kind"), obj["metadata"].get("name")) in wanted]


def configuration(facts: Facts) -> Result:
    """Ask whether the three configurations are there and lead to this installation."""
    there = {(obj.get("kind"), obj["metadata"].get("name")) for obj in _of(facts)}
    missing = [f"{kind} {name}" for kind, name in CONFIGURATIONS if (kind, name) not in there]
    if missing:
        return fail(
            "webhook configurations are missing: nothing asks the operator about new workloads",
            "apply the operator folder of the synthesised output again (wave -1)",
            missing,
        )
    elsewhere = [
        f"{title(obj)}, webhook {hook.get('name')}: {place}"
        for obj in _of(facts)
        for hook in _hooks(obj)
        if (place := str(_service(hook).get("namespace") or mapping(hook.get("clientConfig")).get("url") or "nowhere"))
        != facts.namespace
    ]
    if elsewhere:
        return warn(
            f"webhooks lead elsewhere than to namespace {facts.namespace}",
            "apply the webhook configurations of this installation, or look at the other one with --operator-namespace",
            elsewhere,
        )
    return ok("three configurations lead to this installation")


def dangling(facts: Facts) -> Result:
    """Ask whether a webhook leads to a namespace that is gone."""
    namespaces = {obj["metadata"]["name"] for obj in facts.all("namespaces")}
    found = []
    for obj in facts.all("webhooks"):
        if not _ours(obj):
            continue
        places = sorted({str(_service(hook).get("namespace", "")) for hook in _hooks(obj)} - {"", *namespaces})
        found += [f"{title(obj)}: namespace {place} is gone" for place in places]
    if found:
        return fail(
            "webhooks are left over from an installation whose namespace was deleted; TrafficReplays cannot be made",
            "speedctl uninstall --yes clears what is left; or kubectl delete what is named here",
            found,
        )
    return ok("every webhook leads to a namespace that is there")


def endpoints(facts: Facts) -> Result:
    """Ask whether a pod of the operator stands behind the Service that the API server calls."""
    service = facts.named("services", OPERATOR)
    if service is None:
        return fail(
            f"there is no Service {facts.namespace}/{OPERATOR} for the API server to call",
            "apply the operator folder of the synthesised output again",
        )
    ready = [
        address
        for one in facts.all("endpoint_slices")
        if (one["metadata"].get("labels") or {}).get("kubernetes.io/service-name") == OPERATOR
        for endpoint in one.get("endpoints") or ()
        if mapping(endpoint.get("conditions")).get("ready") is not False
        for address in endpoint.get("addresses") or ()
    ]
    if not ready:
        return fail(
            f"no pod stands behind Service {facts.namespace}/{OPERATOR}: new workloads get no sidecar",
            f"kubectl get pods -n {facts.namespace}; the operator's log says why it is not ready",
        )
    return ok(f"{len(ready)} ready behind the Service")


def trust(facts: Facts) -> Result:
    """Ask whether the API server will believe the certificate that the operator shows."""
    secret = facts.named("secrets", WEBHOOK)
    if secret is None:
        return fail(
            f"there is no Secret {facts.namespace}/{WEBHOOK}, so the operator has no certificate to show",
            "the operator makes it when it runs; with certificates.mode manual or cert-manager make it",
        )
    try:
        chain = x509.load_pem_x509_certificates(_decoded(mapping(secret.get("data")).get("tls.crt")))
    except ValueError:
        return fail(f"Secret {facts.namespace}/{WEBHOOK}: tls.crt is no certificate", "delete it; it is made anew")
    problems = []
    for obj in _of(facts):
        for hook in _hooks(obj):
            why = believed(chain, _decoded(mapping(hook.get("clientConfig")).get("caBundle")), facts.now)
            if why:
                problems.append(f"{title(obj)}, webhook {hook.get('name')}: {why}")
    if problems:
        return fail(
            "the API server does not believe the operator's certificate",
            "a running operator mends it within a minute; else look for who overwrites caBundle (a GitOps tool?), or"
            " for a clock that is wrong",
            problems,
        )
    return ok(f"the CA bundles fit; the certificate holds until {chain[0].not_valid_after_utc:%F}")


def _decoded(text: object) -> bytes:
    try:
        return base64.b64decode(str(text or ""), validate=True)
    except (binascii.Error, ValueError):
        return b""


def canary(facts: Facts) -> Result:
    """Ask whether a workload that asks for a sidecar gets one: the whole way, tried."""
    tried = facts.canary
    if tried is None:
        return skipped("no dry run was made")
    if tried.workload is None:
        return skipped(
            f"a Deployment cannot be tried in namespace {tried.namespace}: {tried.workload_error}",
            "run it as a user who may create Deployments, or with -n for another namespace",
        )
    if sidecar_image(pod_template(tried.workload)):
        return ok(f"a Deployment tried in namespace {tried.namespace} came back with the sidecar")
    if tried.expected:
        return warn(
            f"in namespace {tried.namespace} no sidecar can be put into a workload: {tried.expected}",
            "choose another namespace with -n, or change what the reason names",
        )
    return fail(
        f"a Deployment tried in namespace {tried.namespace} came back without a sidecar: the API server does not reach"
        " the webhook, and lets workloads through",
        f"open TCP {_PORT} from the control plane to the operator's pods (private clusters: a firewall rule; Calico on"
        " EKS and the like: operator.hostNetwork), and look at checks webhook-trust and webhook-endpoints",
        [tried.replay_error] if tried.replay_error else [],
    )


def replay_canary(facts: Facts) -> Result:
    """Ask whether a TrafficReplay can be made; its webhooks fail closed, and so the server tells why."""
    tried = facts.canary
    if tried is None:
        return skipped("no dry run was made")
    if tried.replay is not None:
        if mapping(tried.replay.get("spec")).get("mode"):
            return ok("a TrafficReplay tried came back with its defaults")
        return warn(
            "a TrafficReplay is let through without being looked at",
            f"apply the webhook configurations of {trafficreplay.KIND} again",
        )
    if "webhook" in tried.replay_error:
        return fail(
            "the API server cannot call the webhook",
            f"open TCP {_PORT} from the control plane to the operator's pods, and look at webhook-trust",
            [tried.replay_error],
        )
    return skipped(f"a TrafficReplay cannot be tried: {tried.replay_error}")


CHECKS = (
    Check("webhook-configuration", "webhook configurations lead to this installation", configuration, ("webhooks",)),
    Check("webhook-dangling", "no webhook leads nowhere", dangling, ("webhooks", "namespaces"), pre=True),
    Check("webhook-endpoints", "the operator stands behind its Service", endpoints, ("services", "endpoint_slices")),
    Check("webhook-trust", "the API server believes the operator's certificate", trust, ("webhooks", "secrets")),
    Check("webhook-canary", "a workload that asks for a sidecar gets one", canary),
    Check("webhook-replay", "a TrafficReplay can be made", replay_canary),
)
