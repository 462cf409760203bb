"""Rules about admission: never in the way, never on the cluster's own namespaces, no certificate in git."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from speedscale_manifests.objects import names

from .model import Finding, Item, Rule, Scene

_KINDS = ("MutatingWebhookConfiguration", "ValidatingWebhookConfiguration")
_NAMESPACE_NAME = "kubernetes.io/metadata.name"
_LONGEST_S = 10
_LONGEST_FOR_OUR_OWN_S = 30  # what the API server allows; nobody but our own resource waits


def _webhooks(scene: Scene) -> Iterator[tuple[Item, str, Mapping[str, Any]]]:
    for item in scene.of(*_KINDS):
        for index, webhook in enumerate(item.manifest.get("webhooks") or ()):
            yield item, f"webhooks[{index}]", webhook


def _groups(webhook: Mapping[str, Any]) -> set[str]:
    return {group for right in webhook.get("rules") or () for group in right.get("apiGroups") or ()}


def _failure(scene: Scene, rule: str) -> Iterator[Finding]:
    for item, path, webhook in _webhooks(scene):
        groups = _groups(webhook)
        operations = {name for right in webhook.get("rules") or () for name in right.get("operations") or ()}
        if webhook.get("failurePolicy") == "Ignore":
            continue
        if groups != {names.API_GROUP}:
            yield item.finding(rule, f"{path}.failurePolicy", "refuses the users' workloads while we are down")
        if operations & {"DELETE", "*"}:
            yield item.finding(rule, f"{path}.rules", "keeps objects from being deleted while we are down")


def _side_effects(scene: Scene, rule: str) -> Iterator[Finding]:
    for item, path, webhook in _webhooks(scene):
        if webhook.get("sideEffects") != "None":
            yield item.finding(rule, f"{path}.sideEffects", "is not None, so dry runs are refused")


def _timeout(scene: Scene, rule: str) -> Iterator[Finding]:
    for item, path, webhook in _webhooks(scene):
        seconds = webhook.get("timeoutSeconds")
        longest = _LONGEST_FOR_OUR_OWN_S if _groups(webhook) == {names.API_GROUP} else _LONGEST_S
        if seconds is None or not 1 <= seconds <= longest:
            yield item.finding(rule, f"{path}.timeoutSeconds", f"is {seconds}, not 1 to {longest} seconds")


def _namespaces(scene: Scene, rule: str) -> Iterator[Finding]:
    for item, path, webhook in _webhooks(scene):
        expressions = (webhook.get("namespaceSelector") or {}).get("matchExpressions") or ()
        by_name = [entry for entry in expressions if entry.get("key") == _NAMESPACE_NAME]
        spared = any(e["operator"] == "NotIn" and "kube-system" in (e.get("values") or ()) for e in by_name)
        chosen = any(e["operator"] == "In" and "kube-system" not in (e.get("values") or ()) for e in by_name)
        if not spared and not chosen:
            yield item.finding(
                rule, f"{path}.namespaceSelector", "sees kube-system: a fault of ours could stop a cluster"
            )


def _ca_bundle(scene: Scene, rule: str) -> Iterator[Finding]:
    for item, path, webhook in _webhooks(scene):
        if "caBundle" in (webhook.get("clientConfig") or {}):
            yield item.finding(rule, f"{path}.clientConfig.caBundle", "stands in git, and would undo the controller's")


def _service(scene: Scene, rule: str) -> Iterator[Finding]:
    for item, path, webhook in _webhooks(scene):
        service = (webhook.get("clientConfig") or {}).get("service") or {}
        found = scene.find("Service", service.get("namespace", ""), service.get("name", ""))
        if found is None:
            yield item.finding(rule, f"{path}.clientConfig.service", f"there is no Service {service.get('name')}")
            continue
        if service.get("port", 443) not in {port.get("port") for port in found.spec.get("ports") or ()}:
            yield item.finding(rule, f"{path}.clientConfig.service.port", "is no port of the Service")


def _broad(scene: Scene, rule: str) -> Iterator[Finding]:
    for item, path, webhook in _webhooks(scene):
        for index, right in enumerate(webhook.get("rules") or ()):
            for part in ("apiGroups", "resources", "operations"):
                if any("*" in value for value in right.get(part) or ()):
                    yield item.finding(rule, f"{path}.rules[{index}].{part}", "is a wildcard")


RULES: tuple[Rule, ...] = (
    Rule("webhook-fails-open", "only our own resource is refused while we are down", "use Ignore", _failure),
    Rule("webhook-without-side-effects", "a dry run changes nothing", "set sideEffects: None", _side_effects),
    Rule("webhook-timeout", "no workload waits longer than 10 s for us", "set timeoutSeconds", _timeout, warning=True),
    Rule(
        "webhook-spares-kube-system", "the cluster's own namespaces are not seen", "exclude them by name", _namespaces
    ),
    Rule("webhook-without-ca-bundle", "no certificate stands in git", "leave caBundle out", _ca_bundle),
    Rule("webhook-service-exists", "each webhook's Service and port exist", "write the Service", _service),
    Rule("webhook-narrow", "no webhook sees every group, resource or operation", "name them", _broad),
)
