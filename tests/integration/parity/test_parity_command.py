"""`speedctl parity` as people run it, and, where the chart's package is at hand, against the chart itself."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from speedscale_manifests.parity import facts, run
from speedscale_manifests.parity.flatten import facts_of

pytestmark = pytest.mark.integration
PACKAGE = os.environ.get("SPEEDSCALE_CHART", "")
HELM = os.environ.get("HELM") or shutil.which("helm")
RENDER = """\
---
# Source: speedscale-operator/templates/configmap.yaml
apiVersion: v1
kind: ConfigMap
metadata:
  name: speedscale-operator
  namespace: shop
data:
  CLUSTER_NAME: elsewhere
  A_KEY_OF_A_NEWER_CHART: "1"
---
---
apiVersion: v1
kind: Secret
metadata: {name: speedscale-apikey, namespace: shop}
data: {SPEEDSCALE_API_KEY: c2VjcmV0LXZhbHVl}
"""


def speedctl(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "speedscale_runtime.cli.root", "parity", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)


def test_the_built_in_cases_are_at_parity() -> None:
    done = speedctl()
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.rstrip().endswith("Every field is equal or is explained by the reviewed list.")


def test_one_case_as_json() -> None:
    done = speedctl("--case", "full-ns", "--format", "json")
    found = json.loads(done.stdout)
    assert done.returncode == 0
    assert list(found["cases"]) == ["full-ns"]
    assert found["cases"]["full-ns"]["unexplained"] == 0


def test_the_same_bytes_whatever_the_hash_seed() -> None:
    command = [sys.executable, "-m", "speedscale_runtime.cli.root", "parity", "--format", "markdown"]
    pages = {
        subprocess.run(command, env={**os.environ, "PYTHONHASHSEED": seed}, capture_output=True, check=True).stdout
        for seed in ("1", "2")
    }
    assert len(pages) == 1


def test_a_render_of_ones_own(tmp_path: Path) -> None:
    render, values = tmp_path / "chart.yaml", tmp_path / "values.yaml"
    render.write_text(RENDER, "utf-8")
    values.write_text("apiKey: secret-value\nclusterName: elsewhere\n", "utf-8")
    done = speedctl("--chart", render, "--chart-values", values)
    assert done.returncode == 1
    assert "- data[A_KEY_OF_A_NEWER_CHART]: 1" in done.stdout
    assert "data[CLUSTER_NAME]" not in done.stdout
    assert "secret-value" not in done.stdout + done.stderr
    assert "c2VjcmV0" not in done.stdout + done.stderr


@pytest.mark.skipif(not (PACKAGE and HELM), reason="SPEEDSCALE_CHART names no package of the chart, or helm is missing")
@pytest.mark.parametrize("name", facts.case_names())
def test_the_chart_itself(name: str, tmp_path: Path) -> None:
    """The facts are what helm renders of the chart, and its render with its values is at parity."""
    case = facts.case(name)
    render, values = tmp_path / "chart.yaml", tmp_path / "values.yaml"
    values.write_text(yaml.safe_dump(dict(case.values)), "utf-8")
    command = [str(HELM), "template", "speedscale-operator", PACKAGE, "-n", facts.NAMESPACE, "-f", str(values)]
    command += [f"--api-versions={version}" for version in case.api_versions]
    render.write_bytes(subprocess.run(command, capture_output=True, check=True, timeout=60).stdout)
    assert facts_of(yaml.safe_load_all(render.read_text("utf-8")), facts.NAMESPACE) == case.facts
    assert run.of_chart(render, values).good
