"""The examples against the definitions of the tools they are written for, judged by a real API server.

The CustomResourceDefinitions of Argo CD, Flux, External Secrets and Sealed Secrets come out of their own Go modules,
at pinned versions and checksums; strict field validation refuses what those tools would not know.
"""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import go_tools
import pytest
import yaml

from speedscale_kube import Client, Ref
from speedscale_kube.errors import InvalidError

EXAMPLES = Path(__file__).resolve().parents[2] / "examples" / "argocd"
MODULES = {
    f"github.com/argoproj/argo-cd/v3@{go_tools.version('argocd')}": "manifests/crds/*-crd.yaml",
    "github.com/fluxcd/kustomize-controller@v1.9.5": "config/crd/bases/*.yaml",
    "github.com/fluxcd/source-controller@v1.8.0": "config/crd/bases/*gitrepositories.yaml",
    "github.com/external-secrets/external-secrets@v0.10.7": "config/crds/bases/*_externalsecrets.yaml",
    "github.com/bitnami-labs/sealed-secrets@v0.27.1": "helm/sealed-secrets/crds/*.yaml",
}
OURS = {"argoproj.io", "source.toolkit.fluxcd.io", "kustomize.toolkit.fluxcd.io", "external-secrets.io", "bitnami.com"}


@cache
def folder(module: str) -> Path:
    """Return where a Go module's files are; the Go checksum database vouches for them."""
    if shutil.which("go") is None:
        pytest.skip("Go is not installed; it fetches the definitions of other tools")
    done = subprocess.run(
        ["go", "mod", "download", "-json", module], capture_output=True, text=True, timeout=300, check=False
    )
    if done.returncode != 0:
        pytest.skip(f"{module} cannot be had here: {done.stdout[-300:]}{done.stderr[-300:]}")
    return Path(json.loads(done.stdout)["Dir"])


def documents(path: Path) -> list[dict[str, Any]]:
    return [d for d in yaml.safe_load_all(path.read_text("utf-8")) if d]


def custom() -> Iterator[tuple[str, dict[str, Any]]]:
    for path in sorted(EXAMPLES.rglob("*.yaml")):
        for number, document in enumerate(documents(path)):
            if str(document.get("apiVersion", "")).partition("/")[0] in OURS:
                yield f"{path.relative_to(EXAMPLES)}[{number}]", document


@pytest.fixture(scope="module")
def definitions(kube: Client) -> Iterator[Client]:
    made: list[Ref] = []
    for module, pattern in MODULES.items():
        files = sorted(folder(module).glob(pattern))
        assert files, f"{module} has no {pattern}"
        for file in files:
            for crd in documents(file):
                kube.apply(crd, "tests")
                made.append(Ref("apiextensions.k8s.io/v1", "CustomResourceDefinition", "", crd["metadata"]["name"]))
    for ref in made:
        established(kube, ref)
    kube.forget_kinds()
    yield kube
    for ref in made:
        kube.delete(ref)


def established(kube: Client, ref: Ref) -> None:
    for _ in range(2000):
        conditions = kube.get(ref).get("status", {}).get("conditions") or []
        if any(c["type"] == "Established" and c["status"] == "True" for c in conditions):
            return
    raise AssertionError(f"{ref} was not established")


@pytest.mark.parametrize(("where", "document"), [pytest.param(w, d, id=w) for w, d in custom()])
def test_the_tool_that_it_is_for_takes_it(
    definitions: Client, namespace: str, where: str, document: dict[str, Any]
) -> None:
    placed = {**document, "metadata": {**document["metadata"], "namespace": namespace}}
    assert (
        definitions.apply(placed, "tests", dry_run=True, strict=True)["metadata"]["name"]
        == document["metadata"]["name"]
    )


def test_a_field_that_argo_cd_does_not_know_is_refused(definitions: Client, namespace: str) -> None:
    (app,) = documents(EXAMPLES / "application.yaml")
    app["metadata"]["namespace"] = namespace
    app["spec"]["syncPolicy"]["selfHeal"] = True
    with pytest.raises(InvalidError, match="selfHeal"):
        definitions.apply(app, "tests", dry_run=True, strict=True)
