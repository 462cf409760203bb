"""What an upgrade changes: objects, fields that cannot change, losses, renames, bundles, images."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import pytest

from speedscale_manifests.bundle import BUNDLE_LABEL, CONTENT, CONTENT_HASH, content_hash
from speedscale_manifests.objects.emit import emit
from speedscale_manifests.upgrade import Action, ObjectChange, Risk, compare

Manifest = dict[str, Any]
Make = Callable[..., Manifest]


def only(old: list[Manifest], new: list[Manifest]) -> ObjectChange:
    (change,) = compare(old, new).objects
    return change


def changed(manifest: Manifest, path: str, value: Any) -> Manifest:
    """Return a copy with one field set, or taken away by None."""
    made = copy.deepcopy(manifest)
    *parents, last = path.split(".")
    node: Any = made
    for part in parents:
        node = node[int(part)] if part.isdigit() else node.setdefault(part, {})
    if value is None:
        del node[last]
    else:
        node[int(last) if last.isdigit() else last] = value
    return made


def service(**spec: Any) -> Manifest:
    return {"apiVersion": "v1", "kind": "Service", "metadata": {"name": "s", "namespace": "n"}, "spec": spec}


def plain(kind: str, api: str = "v1", **fields: Any) -> Manifest:
    return {"apiVersion": api, "kind": kind, "metadata": {"name": "x", "namespace": "n"}, **fields}


def test_the_same_objects_change_nothing(deployment: Make, claim: Make) -> None:
    report = compare([deployment(), claim()], [claim(), deployment()])
    assert report.empty
    assert report.risk is Risk.NONE


def test_added_and_removed(deployment: Make) -> None:
    report = compare([deployment("a")], [deployment("b", image="other:1"), deployment("c", image="third:1")])
    assert [c.key.name for c in report.of(Action.ADDED)] == ["b", "c"]
    assert [c.key.name for c in report.of(Action.REMOVED)] == ["a"]


def test_another_version_of_the_api_is_the_same_object() -> None:
    old, new = (plain("PodDisruptionBudget", f"policy/{v}") for v in ("v1beta1", "v1"))
    change = only([old], [new])
    assert change.action is Action.CHANGED
    assert [field.path for field in change.changes] == ["apiVersion"]


IMMUTABLE = [
    ("Deployment", "apps/v1", "spec.selector.matchLabels.app", "--cascade=orphan"),
    ("DaemonSet", "apps/v1", "spec.selector.matchLabels.app", "--cascade=orphan"),
    ("StatefulSet", "apps/v1", "spec.serviceName", "--cascade=orphan"),
    ("StatefulSet", "apps/v1", "spec.volumeClaimTemplates", "claims of its pods stay"),
    ("Job", "batch/v1", "spec.template.spec.restartPolicy", "BeforeHookCreation"),
    ("Job", "batch/v1", "spec.completions", "BeforeHookCreation"),
    ("Service", "v1", "spec.clusterIP", "another address"),
    ("RoleBinding", "rbac.authorization.k8s.io/v1", "roleRef.name", "rights are missing"),
    ("ClusterRoleBinding", "rbac.authorization.k8s.io/v1", "roleRef.kind", "rights are missing"),
    ("Secret", "v1", "type", "delete and apply again"),
    ("StorageClass", "storage.k8s.io/v1", "provisioner", "delete and apply again"),
    ("PriorityClass", "scheduling.k8s.io/v1", "value", "delete and apply again"),
    ("RuntimeClass", "node.k8s.io/v1", "handler", "delete and apply again"),
]


@pytest.mark.parametrize(("kind", "api", "path", "remedy"), IMMUTABLE, ids=[f"{k}-{p}" for k, _, p, _ in IMMUTABLE])
def test_immutable_fields_need_the_object_to_be_made_anew(kind: str, api: str, path: str, remedy: str) -> None:
    old, new = (changed(plain(kind, api), path, value) for value in ("a", "b"))
    change = only([old], [new])
    assert change.risk is Risk.RECREATE
    assert change.changes[0].path == path
    assert remedy in change.changes[0].note


@pytest.mark.parametrize(
    ("kind", "api", "path"),
    [
        ("Deployment", "apps/v1", "spec.replicas"),
        ("Deployment", "apps/v1", "spec.template.metadata.labels.app"),
        ("Deployment", "apps/v1", "spec.strategy.type"),
        ("StatefulSet", "apps/v1", "spec.replicas"),
        ("StatefulSet", "apps/v1", "spec.template.spec.hostNetwork"),
        ("StatefulSet", "apps/v1", "spec.updateStrategy.type"),
        ("Job", "batch/v1", "spec.ttlSecondsAfterFinished"),
        ("Job", "batch/v1", "metadata.labels.app"),
        ("Service", "v1", "spec.type"),
        ("ConfigMap", "v1", "data.key"),
        ("Pod", "v1", "metadata.labels.app"),
        ("NetworkPolicy", "networking.k8s.io/v1", "spec.podSelector.matchLabels.app"),
    ],
)
def test_fields_that_may_change_are_not_flagged(kind: str, api: str, path: str) -> None:
    old, new = (changed(plain(kind, api), path, value) for value in ("a", "b"))
    assert only([old], [new]).risk is Risk.NONE


def test_a_pods_image_may_change_and_nothing_else_of_it() -> None:
    pod = plain("Pod", spec={"containers": [{"name": "c", "image": "a", "command": ["x"]}]})
    assert only([pod], [changed(pod, "spec.containers.0.image", "b")]).risk is Risk.NONE
    assert only([pod], [changed(pod, "spec.containers.0.command", ["y"])]).risk is Risk.RECREATE


def test_a_sealed_config_map_is_made_anew() -> None:
    old = plain("ConfigMap", data={"a": "1"}, immutable=True)
    change = only([old], [changed(old, "data.a", "2")])
    assert change.risk is Risk.RECREATE
    assert "or give it another name" in change.changes[0].note
    assert only([old], [changed(old, "metadata.labels", {"a": "b"})]).risk is Risk.NONE


def test_a_claim_grows_with_a_note_and_shrinks_with_a_loss(claim: Make) -> None:
    assert only([claim()], [claim(size="3Gi")]).risk is Risk.NOTE
    assert only([claim()], [claim(size="2000Mi")]).risk is Risk.LOSS
    assert only([claim()], [claim(storageClassName="fast")]).risk is Risk.LOSS
    assert only([claim(size="1024Mi")], [claim(size="1Gi")]).risk is Risk.NOTE  # the same size, written otherwise


@pytest.mark.parametrize(
    ("kind", "api", "words"),
    [
        ("Namespace", "v1", "everything in the namespace"),
        ("CustomResourceDefinition", "apiextensions.k8s.io/v1", "every object of this kind"),
        ("PersistentVolumeClaim", "v1", "its volume is deleted"),
        ("Secret", "v1", "in no repository"),
    ],
)
def test_removals_that_lose_something_come_first(kind: str, api: str, words: str) -> None:
    report = compare([plain("ConfigMap"), plain(kind, api)], [])
    first = report.risky()[0]
    assert (first.key.kind, first.risk) == (kind, Risk.LOSS)
    assert words in first.note


def test_protections_against_pruning_are_said() -> None:
    options = "argocd.argoproj.io/sync-options"
    kept = plain("Namespace")
    kept["metadata"]["annotations"] = {options: "ServerSideApply=true,Prune=false,Delete=false"}
    assert "delete it by hand" in only([kept], []).note
    asked = plain("Namespace")
    asked["metadata"]["annotations"] = {options: "Delete=confirm,Prune=confirm"}
    assert "Argo CD asks" in only([asked], []).note


def test_a_new_name_is_a_rename_and_still_a_loss_of_the_volume(claim: Make) -> None:
    report = compare([claim("spool")], [claim("data")])
    removed = report.of(Action.REMOVED)[0]
    assert removed.renamed_to is not None
    assert removed.renamed_to.name == "data"
    assert removed.risk is Risk.LOSS


def test_another_namespace_is_a_rename_of_everything_in_it(deployment: Make) -> None:
    old = [deployment("a"), deployment("b", image="b:1")]
    new = [deployment("a", "other"), deployment("b", "other", "b:1")]
    renames = {c.key.name: c.renamed_to for c in compare(old, new).of(Action.REMOVED)}
    assert {name: key.namespace for name, key in renames.items() if key} == {"a": "other", "b": "other"}
    assert all(key is not None and key.name == name for name, key in renames.items())


def test_objects_of_one_kind_that_have_little_in_common_are_no_rename() -> None:
    old, new = plain("ConfigMap", data={"a": "1", "b": "2", "c": "3"}), plain("ConfigMap", data={"x": "7", "y": "8"})
    new["metadata"]["name"] = "y"
    assert all(change.renamed_to is None for change in compare([old], [new]).objects)


def test_a_changed_template_replaces_the_pods(deployment: Make) -> None:
    change = only([deployment()], [deployment(image="forwarder:2")])
    assert change.note == "its pods are replaced"
    assert only([deployment()], [changed(deployment(), "spec.replicas", 2)]).note == ""
    assert only([deployment()], [changed(deployment(), "spec.replicas", 0)]).risk is Risk.NOTE


def test_images_are_told_once_for_all_who_run_them(deployment: Make) -> None:
    old = [deployment("a", image="r/x:1"), deployment("b", image="r/x:1"), deployment("c", image="r/y:1")]
    new = [deployment("a", image="r/x:2"), deployment("b", image="r/x:2"), deployment("c", image="r/y:1")]
    (image,) = compare(old, new).images
    assert (image.old, image.new) == ("r/x:1", "r/x:2")
    assert image.users == ("Deployment speedscale/a", "Deployment speedscale/b")


def webhook(**fields: Any) -> Manifest:
    hook = {"name": "w", "failurePolicy": "Ignore", "timeoutSeconds": 3, "rules": [], "sideEffects": "None", **fields}
    return plain("MutatingWebhookConfiguration", "admissionregistration.k8s.io/v1", webhooks=[hook])


@pytest.mark.parametrize(
    ("field", "value", "risk", "words"),
    [
        ("failurePolicy", "Fail", Risk.BREAKING, "requests are refused"),
        ("failurePolicy", None, Risk.BREAKING, "requests are refused"),
        ("timeoutSeconds", 20, Risk.NOTE, "may wait 20 s"),
        ("rules", [{"operations": ["CREATE"]}], Risk.NOTE, "other requests"),
        ("namespaceSelector", {"matchLabels": {"a": "b"}}, Risk.NOTE, "other objects"),
        ("sideEffects", "Some", Risk.BREAKING, "dry runs"),
    ],
)
def test_webhooks_say_who_waits_and_what_stops(field: str, value: Any, risk: Risk, words: str) -> None:
    old, new = webhook(), webhook(**{field: value})
    if value is None:
        del new["webhooks"][0][field]
    change = only([old], [new])
    assert change.risk is risk
    assert words in change.changes[0].note


def test_a_new_webhook_that_closes_admission_breaks() -> None:
    extra = {"name": "z", "failurePolicy": "Fail"}
    new = webhook()
    new["webhooks"].append(extra)
    assert only([webhook()], [new]).risk is Risk.BREAKING
    del extra["failurePolicy"]  # its default is Fail
    assert only([webhook()], [new]).risk is Risk.BREAKING
    extra["failurePolicy"] = "Ignore"
    assert only([webhook()], [new]).risk is Risk.NOTE


def bundle(component: str, *manifests: Manifest, content: str = "managed") -> Manifest:
    data = {f"{m['kind']}-{m['metadata']['name']}.yaml".lower(): emit(m) for m in manifests}
    metadata = {
        "name": f"speedscale-bundle-{component}",
        "namespace": "speedscale",
        "labels": {BUNDLE_LABEL: component},
        "annotations": {CONTENT: content, CONTENT_HASH: content_hash(data)},
    }
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": data}


def test_a_bundle_is_told_by_its_objects(deployment: Make) -> None:
    report = compare([bundle("f", deployment())], [bundle("f", deployment(image="forwarder:2"))])
    box, inside = report.objects
    assert box.changes == ()
    assert inside.origin == "bundle f"
    assert [field.path for field in inside.changes] == ["spec.template.spec.containers[main].image"]
    assert len(report.images) == 1


def test_what_the_output_and_the_bundle_share_is_told_once(deployment: Make) -> None:
    old, new = deployment(), deployment(image="forwarder:2")
    report = compare([old, bundle("f", old)], [new, bundle("f", new)])
    assert [change.origin for change in report.objects] == ["", ""]
    assert "the same 1 change as told above" in next(c for c in report.objects if c.key.kind == "ConfigMap").note


def test_an_immutable_field_in_a_bundle_counts_as_much(deployment: Make) -> None:
    new = changed(deployment(), "spec.selector.matchLabels.app", "other")
    report = compare([bundle("f", deployment())], [bundle("f", new)])
    assert report.risk is Risk.RECREATE


def test_another_profile_moves_objects_and_does_not_make_them_new(deployment: Make, claim: Make) -> None:
    box = bundle("f", deployment(), claim())
    (adopted, spool) = compare([box], [box, deployment(), claim()]).objects
    assert "the controller made it" in adopted.note
    assert adopted.risk is spool.risk is Risk.NOTE
    removed = {c.key.kind: c for c in compare([box, deployment(), claim()], [box]).objects}
    assert removed["Deployment"].risk is Risk.NOTE
    assert removed["PersistentVolumeClaim"].risk is Risk.LOSS


def test_a_component_that_goes_takes_what_the_controller_made_with_it(deployment: Make, claim: Make) -> None:
    box = bundle("f", deployment(), claim())
    added = compare([], [box]).objects
    assert {(c.key.kind, c.origin) for c in added} == {
        ("ConfigMap", ""),
        ("Deployment", "bundle f"),
        ("PersistentVolumeClaim", "bundle f"),
    }
    removed = compare([box], [])
    assert removed.risk is Risk.LOSS
    copies = compare([box, deployment(), claim()], [])
    assert {c.origin for c in copies.objects} == {""}


def test_templates_are_told_and_never_a_risk(deployment: Make) -> None:
    new = changed(deployment(image="forwarder:2"), "spec.selector.matchLabels.app", "other")
    boxes = [bundle("f", one, content="templates") for one in (deployment(), new)]
    report = compare(boxes[:1], boxes[1:])
    assert report.risk is Risk.NONE
    box, template = report.objects
    assert template.origin == "template f"
    assert len(template.changes) == 2
    assert box.note == "what changes in it is told below"
    assert [image.new for image in report.images] == ["forwarder:2"]


def test_a_bundle_that_is_only_written_otherwise(deployment: Make) -> None:
    other = bundle("f", deployment())
    other["data"] = {key: f"# a comment\n{text}" for key, text in other["data"].items()}
    assert only([bundle("f", deployment())], [other]).note == "the same objects, written otherwise"
