"""All templates: every gap is known, filled ones are what Kubernetes and the services accept."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import pytest

from speedscale_manifests.components.inventory import COMPONENTS
from speedscale_manifests.objects import Manifest
from speedscale_manifests.validate import kubernetes
from speedscale_manifests.values import from_mapping
from speedscale_schemas import settings, validation
from speedscale_schemas.annotations.table import rows
from speedscale_schemas.templates import GAPS, examples, fill, gaps

Build = Callable[..., Any]
SETTINGS = {"generator": "generator", "responder": "responder", "sidecar": "goproxy"}
FULL: dict[str, Any] = {
    "backend": {"enabled": True},
    "image": {"pullSecrets": ["registry-credentials"], "registry": "registry.example.com"},
    "globalAnnotations": {"example.com/contact": "team@namespace@example.com"},
    "globalLabels": {"example.com/cost": "42"},
    "networkPolicies": {"metricsNamespaces": ["monitoring"]},
    "sidecar": {"observeDns": True},
}
TREES = {
    "default": {},
    "full": FULL,
    "bare": {"networkPolicies": {"enabled": False}, "dlp": {"enabled": False}},
    "privileged": {"privilegedSidecars": True},
    "openshift": {"preset": "openshift"},
    "gke-autopilot": {"preset": "gke-autopilot"},
}


def templates(tree: Mapping[str, Any]) -> Iterator[tuple[str, Manifest]]:
    values = from_mapping(tree)
    for component in COMPONENTS:
        for manifest in component.templates(values):
            yield component.name, manifest


def texts(node: Any) -> Iterator[str]:
    if isinstance(node, str):
        yield node
    elif isinstance(node, Mapping):
        for key, value in node.items():
            yield from texts(key)
            yield from texts(value)
    elif isinstance(node, list):
        for item in node:
            yield from texts(item)


def containers(manifest: Manifest) -> list[dict[str, Any]]:
    template = manifest.get("template") or manifest.get("spec", {}).get("template")
    spec = template["spec"] if template else {}
    return [*spec.get("initContainers", ()), *spec.get("containers", ())]


def test_the_components_of_a_replay_and_the_sidecar_are_templates() -> None:
    found = {f"{name}: {m['kind']}" for name, m in templates({})}
    assert found == {
        "sidecar: PodTemplate",
        "collector: Deployment",
        "collector: Service",
        "collector: NetworkPolicy",
        "generator: Job",
        "generator: NetworkPolicy",
        "responder: Deployment",
        "responder: Service",
        "responder: NetworkPolicy",
        "redis: Deployment",
        "redis: Service",
        "redis: NetworkPolicy",
    }


def test_every_gap_of_the_table_is_used_and_every_used_one_is_in_it() -> None:
    used = frozenset[str]().union(*(gaps(m) for _, m in templates({})))
    assert used == set(GAPS)


@pytest.mark.parametrize("tree", TREES.values(), ids=TREES)
def test_filled_templates_are_what_kubernetes_accepts(problems: Build, tree: dict[str, Any]) -> None:
    filled = [fill(m, examples()) for _, m in templates(tree)]
    assert problems(filled, ["1.28", kubernetes.versions()[-1]]) == []
    # Restartable init containers came with 1.28.
    older = [fill(m, {**examples(), "sidecar_restart_policy": None}) for _, m in templates(tree)]
    assert problems(older) == []
    marks = re.compile("@[a-z_]+(:text)?@|[\ue000\ue001]")
    assert not [text for m in filled for text in texts(m) if marks.search(text) and "example.com" not in text]


def test_without_optional_values_they_are_accepted_too(problems: Build) -> None:
    values = {name: value for name, value in examples().items() if not GAPS[name].optional}
    filled = [fill(m, values) for _, m in templates({})]
    assert problems(filled) == []
    assert "ownerReferences" not in json.dumps(filled)
    assert "activeDeadlineSeconds" not in json.dumps(filled)


def test_text_of_users_is_no_gap() -> None:
    text = FULL["globalAnnotations"]["example.com/contact"]
    filled = [fill(m, examples()) for _, m in templates(FULL)]
    found = [m["metadata"]["annotations"]["example.com/contact"] for m in filled if m["kind"] == "Job"]
    assert found == [text]


@pytest.mark.parametrize("tree", TREES.values(), ids=TREES)
@pytest.mark.parametrize("component", SETTINGS)
def test_services_accept_their_environment(environment: Build, component: str, tree: dict[str, Any]) -> None:
    service = SETTINGS[component]
    (box,) = [
        c
        for name, m in templates(tree)
        if name == component
        for c in containers(fill(m, examples()))
        if not c["name"].startswith(("speedscale-initproxy", "speedscale-fetch"))
    ]
    found = environment(box)
    unknown = set(found) - set(validation.schema(f"settings/{service}")["properties"])
    assert not unknown
    settings.parse(service, found)


@pytest.mark.parametrize("component", ["generator", "responder"])
def test_the_snapshot_is_fetched_to_where_it_is_read(environment: Build, component: str) -> None:
    manifest = next(fill(m, examples()) for n, m in templates({}) if n == component and containers(m))
    fetch, main = containers(manifest)
    found = environment(fetch)
    assert settings.parse("fetch", found)["COLLECTOR_URL"] == examples()["collector_url"]
    assert set(found) <= set(validation.schema("settings/fetch")["properties"])
    snapshot = {m["name"]: m for box in (fetch, main) for m in box["volumeMounts"] if m["mountPath"] == "/snapshots"}
    assert list(snapshot) == ["snapshot"]
    assert "readOnly" not in next(m for m in fetch["volumeMounts"] if m["name"] == "snapshot")
    assert next(m for m in main["volumeMounts"] if m["name"] == "snapshot")["readOnly"] is True
    assert found["SNAPSHOT_DIR"] == "/snapshots"


def test_what_the_generator_is_told(environment: Build) -> None:
    (job,) = [fill(m, examples()) for _, m in templates({}) if m["kind"] == "Job"]
    values = settings.parse("generator", environment(containers(job)[-1]))
    assert values["TEST_CONFIG"] == {"id": "standard"}
    assert values["LOW_DATA"] == "true"
    assert values["CUSTOM_URL"] == ["http://checkout.shop.svc:8080"]
    spec = job["spec"]
    assert (spec["completionMode"], spec["completions"], spec["parallelism"]) == ("Indexed", 2, 2)
    assert spec["backoffLimit"] == 0
    assert spec["template"]["spec"]["restartPolicy"] == "Never"


def test_names_labels_and_selectors_belong_to_one_replay() -> None:
    for name, template in templates({}):
        if name == "sidecar":
            continue
        manifest = fill(template, examples())
        labels = manifest["metadata"]["labels"]
        assert labels["replay.speedscale.com/component"] == f"speedscale-{name}"
        assert labels["replay.speedscale.com/env-id"] == "abstract-yucca"
        if manifest["kind"] == "Deployment":
            assert manifest["metadata"]["name"] == f"speedscale-{name}-abstract-yucca"
            wanted = manifest["spec"]["selector"]["matchLabels"]
            assert wanted.items() <= manifest["spec"]["template"]["metadata"]["labels"].items()
            assert wanted["replay.speedscale.com/env-id"] == "abstract-yucca"
        if manifest["kind"] == "Service":
            assert manifest["spec"]["selector"]["replay.speedscale.com/env-id"] == "abstract-yucca"


def test_services_of_the_responder_are_called_as_documented_unless_the_names_are_taken() -> None:
    plain = [fill(m, examples())["metadata"]["name"] for n, m in templates({}) if m["kind"] == "Service"]
    assert plain[1:] == ["responder-http", "responder-https", "speedscale-redis-abstract-yucca"]
    taken = {**examples(), "service_suffix": "-abstract-yucca"}
    other = [fill(m, taken)["metadata"]["name"] for n, m in templates({}) if m["kind"] == "Service"]
    assert other[1:3] == ["responder-http-abstract-yucca", "responder-https-abstract-yucca"]


def test_replay_pods_stand_beside_the_workload_but_the_collector_does_not() -> None:
    found = {n: fill(m, examples())["metadata"]["namespace"] for n, m in templates({}) if m["kind"] != "PodTemplate"}
    assert found == {"collector": "speedscale", "generator": "shop", "responder": "shop", "redis": "shop"}


def test_only_the_collector_has_a_token() -> None:
    for name, manifest in templates({}):
        if manifest["kind"] in ("Deployment", "Job"):
            pod = manifest["spec"]["template"]["spec"]
            assert pod["automountServiceAccountToken"] is (name == "collector")
            assert ("serviceAccountName" in pod) is (name == "collector")


def test_names_stay_within_63_characters() -> None:
    longest = {**examples(), "replay_name": "a" * 40, "service_suffix": "-" + "a" * 40}
    for _, manifest in templates({}):
        assert len(fill(manifest, longest)["metadata"]["name"]) <= 63


@pytest.mark.parametrize("tree", TREES.values(), ids=TREES)
def test_roots_are_read_only_and_seccomp_is_on_everywhere(tree: dict[str, Any]) -> None:
    for _, manifest in templates(tree):
        for box in containers(manifest):
            context = box["securityContext"]
            assert context["readOnlyRootFilesystem"] is True
            assert context["seccompProfile"] == {"type": "RuntimeDefault"}


def test_mounts_are_of_volumes_that_are_there() -> None:
    for tree in TREES.values():
        for _, template in templates(tree):
            manifest = fill(template, examples())
            spec = (manifest.get("template") or manifest["spec"].get("template") or {}).get("spec")
            if spec:
                volumes = {v["name"] for v in spec.get("volumes", ())}
                mounted = {m["name"] for c in containers(manifest) for m in c.get("volumeMounts", ())}
                assert mounted <= volumes
                assert len(volumes) == len(spec.get("volumes", ()))


def test_redaction_without_its_key_is_impossible() -> None:
    for name, manifest in templates({}):
        if name in ("generator", "responder") and manifest["kind"] in ("Job", "Deployment"):
            volumes = [v for v in manifest["spec"]["template"]["spec"]["volumes"] if isinstance(v, dict)]
            (key,) = [v["secret"] for v in volumes if v["name"] == "dlp-key"]
            assert key["secretName"] == "speedscale-dlp-key"
            assert "optional" not in key


def test_redis_is_reached_by_its_responder_only_and_keeps_nothing() -> None:
    found = {m["kind"]: fill(m, examples()) for n, m in templates({}) if n == "redis"}
    spec = found["NetworkPolicy"]["spec"]
    (rule,) = spec["ingress"]
    assert rule["from"][0]["podSelector"]["matchLabels"] == {
        "replay.speedscale.com/component": "speedscale-responder",
        "replay.speedscale.com/env-id": "abstract-yucca",
    }
    assert spec["policyTypes"] == ["Ingress", "Egress"]
    assert "egress" not in spec
    assert containers(found["Deployment"])[0]["args"][:4] == ["--save", "", "--appendonly", "no"]


def test_the_root_key_is_mounted_by_the_operator_alone() -> None:
    values = from_mapping({"ebpf": {"enabled": True}, "backend": {"enabled": True}})
    own = {**examples(), "certs_secret": "speedscale-own-certs", "namespace": values.namespace}
    filled = [fill(m, own) for c in COMPONENTS for m in c.templates(values)]
    managed = [m for c in COMPONENTS if c.enabled(values) for m in c.managed(values)]
    assert "speedscale-own-certs" in json.dumps(filled)
    assert "speedscale-own-certs" in json.dumps(managed)
    assert '"speedscale-certs"' not in re.sub(r'"name": "speedscale-certs"', "", json.dumps([*filled, *managed]))


def test_every_annotation_of_the_sidecar_has_a_place() -> None:
    by_gaps = {name for gap in GAPS.values() for name in gap.annotations}
    # What the controller does to the workload itself, outside of the template.
    to_the_workload = {
        "inject",
        "insert-init-first",
        "capture-mode",
        "prometheus-enable-scrape-annotations",
        "tls-java-tool-options",
        "tls-java-tool-options-value",
        "extra-container-env-vars",
        "mount-known-ca",
    }
    assert not by_gaps & to_the_workload
    assert by_gaps | to_the_workload == {row.name for row in rows("sidecar.speedscale.com", settable=True)}
