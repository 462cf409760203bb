"""The files in `examples/argocd/`: they agree with each other and with what is synthesised."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml

from speedscale_manifests import values as values_of
from speedscale_manifests.synth.inventory import placed as inventory
from speedscale_schemas import trafficreplay

EXAMPLES = Path(__file__).resolve().parents[3] / "examples" / "argocd"
REPOSITORY = "https://git.example.com/platform/speedscale.git"
CA_BUNDLE = ".webhooks[]?.clientConfig.caBundle"
WEBHOOKS = {"MutatingWebhookConfiguration", "ValidatingWebhookConfiguration"}
CLUSTER_SCOPED = {"Namespace", "CustomResourceDefinition", "ClusterRole", "ClusterRoleBinding", *WEBHOOKS}
EVERYTHING: Mapping[str, Any] = {
    "backend": {"enabled": True},
    "ebpf": {"enabled": True},
    "forwarder": {"replicas": 2},
    "operator": {"replicas": 2},
    "preInstall": {"enabled": True},
}


def documents(path: Path) -> list[dict[str, Any]]:
    return [d for d in yaml.safe_load_all(path.read_text("utf-8")) if d is not None]


def by_kind(kind: str) -> Iterator[tuple[Path, dict[str, Any]]]:
    for path in sorted(EXAMPLES.rglob("*.yaml")):
        for document in documents(path):
            if document.get("kind") == kind:
                yield path.relative_to(EXAMPLES), document


def group(manifest: Mapping[str, Any]) -> str:
    head, slash, _ = manifest["apiVersion"].partition("/")
    return head if slash else ""


@pytest.fixture(scope="module", params=["gitops", "operator"])
def installed(request: pytest.FixtureRequest) -> tuple[Any, ...]:
    """Everything an installation can hold, in each profile."""
    return inventory(values_of.from_mapping({**EVERYTHING, "profile": request.param}))


@pytest.fixture(scope="module")
def project() -> dict[str, Any]:
    found = [d for _, d in by_kind("AppProject") if d["metadata"]["name"] == "speedscale"]
    assert len(found) == 1
    return found[0]["spec"]


def allowed(entries: list[dict[str, str]]) -> set[tuple[str, str]]:
    return {(entry["group"], entry["kind"]) for entry in entries}


def test_the_project_allows_each_kind_of_an_installation(project: dict[str, Any], installed: tuple[Any, ...]) -> None:
    cluster = allowed(project["clusterResourceWhitelist"])
    namespaced = allowed(project["namespaceResourceWhitelist"])
    for placed in installed:
        manifest = placed.manifest
        wanted = (group(manifest), manifest["kind"])
        assert wanted in (cluster if manifest["kind"] in CLUSTER_SCOPED else namespaced), wanted


def test_the_project_allows_nothing_else(project: dict[str, Any]) -> None:
    used = {("speedscale.com", "TrafficReplay")}
    elsewhere = {"appUrl": "backend.example.com", "preInstall": {"enabled": True}, "namespaceSelector": ["shop"]}
    for switches in (EVERYTHING, {**EVERYTHING, "forwarder": {"replicas": 1}}, elsewhere):
        used |= {(group(p.manifest), p.manifest["kind"]) for p in inventory(values_of.from_mapping(switches))}
    both = allowed(project["clusterResourceWhitelist"]) | allowed(project["namespaceResourceWhitelist"])
    assert both - used == set()
    assert ("", "Secret") not in both
    assert not any("*" in pair for pair in both)
    assert {d["namespace"] for d in project["destinations"]} == {"speedscale"}


def test_an_application_a_chart_in_the_order_of_the_waves() -> None:
    placed = inventory(values_of.from_mapping({}))
    first = {}
    for item in placed:
        wave = int(item.manifest["metadata"]["annotations"]["argocd.argoproj.io/sync-wave"])
        first[item.chart] = max(first.get(item.chart, -9), wave)
    found = [d for p, d in by_kind("Application") if p.parts[0] == "apps"]
    apps = {d["metadata"]["name"].removeprefix("speedscale-"): d for d in found}
    assert set(apps) == set(first)
    for chart, app in apps.items():
        assert app["spec"]["source"]["path"] == f"dist/{chart}"
        assert int(app["metadata"]["annotations"]["argocd.argoproj.io/sync-wave"]) == first[chart], chart


def test_every_application_knows_its_project_its_repository_and_the_ca_bundles() -> None:
    projects = {d["metadata"]["name"]: d["spec"] for _, d in by_kind("AppProject")}
    specs = [(p, d["spec"]) for p, d in by_kind("Application")]
    specs += [(p, d["spec"]["template"]["spec"]) for p, d in by_kind("ApplicationSet")]
    assert len(specs) >= 8
    for path, spec in specs:
        assert spec["source"]["repoURL"] == REPOSITORY
        assert REPOSITORY in projects[spec["project"]]["sourceRepos"], path
        if (path.parts[0] == "apps" and path.stem != "operator") or path.stem == "app-of-apps":
            continue
        ignored = {e["kind"]: e["jqPathExpressions"] for e in spec["ignoreDifferences"]}
        assert ignored == {kind: [CA_BUNDLE] for kind in WEBHOOKS}, path
        assert "RespectIgnoreDifferences=true" in spec["syncPolicy"]["syncOptions"], path


def test_every_compared_application_uses_the_servers_own_diff_without_our_webhook() -> None:
    for path, app in by_kind("Application"):
        if path.stem != "app-of-apps":
            assert app["metadata"]["annotations"]["argocd.argoproj.io/compare-options"] == "ServerSideDiff=true", path
    assert not [p for p in EXAMPLES.rglob("*.yaml") if "IncludeMutationWebhook=true" in p.read_text("utf-8")]


def test_a_cluster_file_says_what_the_application_set_asks_for(project: dict[str, Any]) -> None:
    ((_, template),) = by_kind("ApplicationSet")
    text = (EXAMPLES / "applicationset.yaml").read_text("utf-8")
    fields = {part.split("}}")[0].strip().removeprefix(".cluster.") for part in text.split("{{")[1:]}
    steps = template["spec"]["strategy"]["rollingSync"]["steps"]
    stages = {value for step in steps for match in step["matchExpressions"] for value in match["values"]}
    servers = {d["server"] for d in project["destinations"]}
    clusters = [documents(p)[0]["cluster"] for p in sorted((EXAMPLES / "clusters").glob("*.yaml"))]
    assert clusters
    for cluster in clusters:
        assert set(cluster) == fields
        assert cluster["stage"] in stages
        assert cluster["server"] in servers
        assert (EXAMPLES.parents[1] / cluster["path"] / "kustomization.yaml").is_file()


def test_flux_has_a_kustomization_a_chart_and_waits_in_the_same_order() -> None:
    charts = {item.chart for item in inventory(values_of.from_mapping({}))}
    ordered = [d for _, d in by_kind("Kustomization") if "flux" in d["apiVersion"]]
    kustomizations = {d["metadata"]["name"]: d["spec"] for d in ordered}
    assert set(kustomizations) == {f"speedscale-{chart}" for chart in charts}
    for name, spec in kustomizations.items():
        assert spec["path"] == f"./dist/{name.removeprefix('speedscale-')}"
        assert "postBuild" not in spec
        for before in spec.get("dependsOn", ()):
            assert before["name"] in kustomizations
    assert kustomizations["speedscale-base"]["prune"] is False


def test_the_gate_is_a_hook_with_a_fixed_name_and_a_valid_replay() -> None:
    ((_, gate),) = by_kind("TrafficReplay")
    assert trafficreplay.validate(gate) == []
    assert gate["metadata"]["annotations"] == {
        "argocd.argoproj.io/hook": "PostSync",
        "argocd.argoproj.io/hook-delete-policy": "BeforeHookCreation,HookSucceeded,HookFailed",
    }
    assert "generateName" not in gate["metadata"]


def test_the_secrets_are_those_that_the_installation_reads() -> None:
    ((_, external),) = by_kind("ExternalSecret")
    ((_, sealed),) = by_kind("SealedSecret")
    for name, keys in (
        (external["spec"]["target"]["name"], {d["secretKey"] for d in external["spec"]["data"]}),
        (sealed["spec"]["template"]["metadata"]["name"], set(sealed["spec"]["encryptedData"])),
    ):
        assert name == "speedscale-apikey"
        assert keys == {"SPEEDSCALE_API_KEY", "SPEEDSCALE_APP_URL"}


@pytest.mark.parametrize("environment", ["dev", "staging", "prod"])
def test_the_values_of_an_environment_are_good(environment: str) -> None:
    base = EXAMPLES.parents[1] / "cdk8s" / "values.yaml"
    loaded = values_of.load([base, EXAMPLES / "overlays" / environment / "values.yaml"])
    kinds = {(p.manifest["kind"], p.manifest["metadata"]["name"]) for p in inventory(loaded)}
    assert (("Deployment", "java-server") in kinds) == (environment == "dev")
    assert (("Deployment", "speedscale-inspector") in kinds) == (environment != "prod")


def test_the_pages_name_every_file_and_no_other() -> None:
    page = (EXAMPLES / "README.md").read_text("utf-8")
    for entry in sorted(EXAMPLES.iterdir()):
        if entry.name != "README.md":
            assert f"`{entry.name}{'/' if entry.is_dir() else ''}`" in page, entry.name


def test_the_commands_of_the_page_are_run_by_tests_on_a_real_argo_cd() -> None:
    """By heading: a test takes the commands from the page, so that none can differ from what was tried."""
    tests = "\n".join(p.read_text("utf-8") for p in sorted((EXAMPLES.parents[1] / "tests/cluster/argocd").glob("*.py")))
    heading, fenced, headings = "", False, set()
    for line in (EXAMPLES / "README.md").read_text("utf-8").splitlines():
        fenced ^= line.startswith("```")
        if line.startswith("#") and not fenced:
            heading = line.lstrip("# ")
        elif fenced:
            headings.add(heading)
    assert len(headings) >= 8
    assert [one for one in sorted(headings) if f'("{one}"' not in tests] == []
