"""The Helm form with the real helm: it renders what the plain output holds, for many values; lint is content."""

from __future__ import annotations

import base64
import gzip
import json
import os
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from speedscale_manifests.kustomize.reading import documents
from speedscale_manifests.output import Writer
from speedscale_manifests.output.helm import chart
from speedscale_manifests.synth import placed
from speedscale_manifests.values import Values, from_mapping

pytestmark = pytest.mark.integration

Helm = Callable[..., subprocess.CompletedProcess[str]]
_RELEASE_LIMIT = 1_048_576  # bytes of the Secret that holds a release (core/v1 Secret: 1 MiB)


def _program() -> str | None:
    base = os.environ.get("XDG_CACHE_HOME", "")
    cache = Path(base) if os.path.isabs(base) else Path.home() / ".cache"
    ours = cache / "speedscale" / "tools" / "bin" / "helm"
    return str(ours) if os.access(ours, os.X_OK) else shutil.which("helm")


@pytest.fixture(scope="session")
def helm(tmp_path_factory: pytest.TempPathFactory) -> Helm:
    program = _program()
    if program is None:
        pytest.skip("helm is not there; make cluster-tools builds it")
    home = tmp_path_factory.mktemp("helm")
    folders = {f"HELM_{what}_HOME": str(home / what) for what in ("CACHE", "CONFIG", "DATA")}
    environment = {"PATH": os.environ["PATH"], "HOME": str(home), **folders}

    def run(*arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [program, *arguments], capture_output=True, text=True, timeout=60, check=False, env=environment
        )

    return run


def written(values: Values, folder: Path) -> str:
    Writer(folder).write(chart(values, placed(values)))
    return str(folder)


def rendered(helm: Helm, folder: str, namespace: str = "speedscale", *more: str) -> list[dict[str, Any]]:
    done = helm("template", "release", folder, "--namespace", namespace, "--kube-version", "1.25.0", *more)
    assert done.returncode == 0, done.stderr
    return documents(done.stdout)


def by_name(manifests: list[dict[str, Any]]) -> dict[tuple[str, str, str], dict[str, Any]]:
    return {(m["kind"], m["metadata"].get("namespace", ""), m["metadata"]["name"]): m for m in manifests}


def expected(values: Values) -> dict[tuple[str, str, str], dict[str, Any]]:
    """Return the objects of the plain output as the chart is meant to have them."""
    found = by_name([json.loads(json.dumps(item.manifest)) for item in placed(values)])
    for key, manifest in list(found.items()):
        if key[0] == "Namespace":
            del found[key]
        elif key[0] == "CustomResourceDefinition":
            manifest["metadata"].setdefault("annotations", {})["helm.sh/resource-policy"] = "keep"
    return found


BRACES = {
    "globalAnnotations": {"example.com/template": "{{ .Values.x }} {{- `y` -}} }}", "example.com/odd": '{{{ "{{" }}}'},
    "globalLabels": {"example.com/team": "shop"},
}
CASES = [
    {},
    {"profile": "operator"},
    {"preset": "openshift"},
    {"preset": "gke-autopilot", "namespace": "observability"},
    {"ebpf": {"enabled": True}, "backend": {"enabled": True}, "preInstall": {"enabled": True}},
    {"argocd": {"annotations": False}, "preInstall": {"enabled": True}, "namespaceSelector": ["shop", "pay"]},
    BRACES,
]
NAMES = ["default", "operator", "openshift", "autopilot", "everything", "no-argo", "braces"]


@pytest.mark.parametrize("tree", CASES, ids=NAMES)
def test_helm_renders_the_objects_of_the_plain_output(helm: Helm, tmp_path: Path, tree: dict[str, Any]) -> None:
    values = from_mapping(tree)
    found = rendered(helm, written(values, tmp_path / "chart"), values.namespace)
    assert by_name(found) == expected(values)
    assert len(found) == len(by_name(found))


def test_random_values_come_through_helm_unharmed(helm: Helm, tmp_path: Path, random_values: Any) -> None:
    for seed in range(0, 200, 20):
        values = from_mapping(random_values.valid(seed))
        found = rendered(helm, written(values, tmp_path / str(seed)), values.namespace)
        assert by_name(found) == expected(values), seed


def test_lint_is_content(helm: Helm, tmp_path: Path) -> None:
    done = helm("lint", "--strict", written(from_mapping(BRACES), tmp_path / "chart"), "--namespace", "speedscale")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "[ERROR]" not in done.stdout
    assert "[WARNING]" not in done.stdout


def test_another_namespace_and_any_value_are_refused(helm: Helm, tmp_path: Path) -> None:
    folder = written(from_mapping({}), tmp_path / "chart")
    version = ("--kube-version", "1.25.0")
    other = helm("template", "release", folder, "--namespace", "default", *version)
    assert other.returncode != 0
    assert "made for the namespace speedscale, not default" in other.stderr
    value = helm("template", "release", folder, "--namespace", "speedscale", "--set", "replicas=2", *version)
    assert value.returncode != 0
    assert "'replicas' not allowed" in value.stderr
    umbrella = helm("template", "release", folder, "--namespace", "speedscale", "--set", "global.a=b", *version)
    assert umbrella.returncode == 0, umbrella.stderr


def test_an_older_kubernetes_is_refused(helm: Helm, tmp_path: Path) -> None:
    folder = written(from_mapping({}), tmp_path / "chart")
    done = helm("template", "release", folder, "--namespace", "speedscale", "--kube-version", "1.24.9")
    assert done.returncode != 0
    assert "kubeVersion: >=1.25.0-0" in done.stderr


def test_the_check_before_an_installation_is_a_hook(helm: Helm, tmp_path: Path) -> None:
    folder = written(from_mapping({"preInstall": {"enabled": True}}), tmp_path / "chart")
    hooks = [one for one in rendered(helm, folder) if "helm.sh/hook" in one["metadata"].get("annotations", {})]
    assert "Job" in {hook["kind"] for hook in hooks}
    assert len(rendered(helm, folder, "speedscale", "--no-hooks")) == len(rendered(helm, folder)) - len(hooks)


def test_a_chart_can_be_packed_and_its_release_fits_into_a_secret(helm: Helm, tmp_path: Path) -> None:
    folder = written(from_mapping(CASES[4]), tmp_path / "chart")
    done = helm("package", folder, "--destination", str(tmp_path))
    assert done.returncode == 0, done.stderr
    assert list(tmp_path.glob("speedscale-*.tgz"))
    texts = [path.read_bytes() for path in Path(folder).rglob("*") if path.is_file()]
    release = json.dumps({"chart": [base64.b64encode(text).decode() for text in texts], "manifest": str(texts)})
    assert len(base64.b64encode(gzip.compress(release.encode()))) < _RELEASE_LIMIT / 4
