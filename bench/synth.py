"""Synthesis: values to files, warm and cold, and the cycle of `--watch`, beside cdk8s's own ways.

`run() -> list[dict]`. Rounds of ours and the peer take turns; the median of each counts. Goals are absolute, since a
person waits: the whole installation under 2 s, a watch cycle under 1.5 s.
"""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import yaml

from speedscale_manifests import synth
from speedscale_manifests.constructs import standalone
from speedscale_manifests.objects.emit import emit
from speedscale_manifests.output import Writer
from speedscale_manifests.values import load

_ROUNDS = 7
_CDK8S = Path(__file__).resolve().parent.parent / "node_modules" / ".bin" / "cdk8s"


def run() -> list[dict[str, Any]]:
    """Return the rows: synthesis warm, a watch cycle, a cold process, the YAML alone."""
    with tempfile.TemporaryDirectory() as scratch:
        return [_warm(Path(scratch)), _cycle(Path(scratch)), *_cold(Path(scratch)), _yaml()]


def _warm(scratch: Path) -> dict[str, Any]:
    values = load()
    writer = Writer(scratch / "warm")

    def theirs() -> None:
        from cdk8s import App, YamlOutputType

        from speedscale_manifests.constructs import Speedscale

        app = App(outdir=str(scratch / "peer"), yaml_output_type=YamlOutputType.FOLDER_PER_CHART_FILE_PER_RESOURCE)
        Speedscale(app, "speedscale", values)
        app.synth()

    ours, peer = _both(lambda: writer.write(synth.synthesise(values)), theirs)
    return _row("the whole installation, values to files, warm", ours, peer, "App.synth() of cdk8s", "< 2 s")


def _cycle(scratch: Path) -> dict[str, Any]:
    """Measure one cycle of --watch: read, check, synthesise, write what one changed setting changes."""
    file, names = scratch / "values.yaml", iter(range(10**6))
    writer = Writer(scratch / "watch")

    def cycle() -> None:
        file.write_text(f"clusterName: c{next(names)}\n")
        writer.write(synth.synthesise(load([file])))

    ours, _ = _both(cycle, lambda: None)
    return _row("a cycle of --watch after a change, without the wait for quiet", ours, None, "", "< 1.5 s")


def _cold(scratch: Path) -> list[dict[str, Any]]:
    mine = [sys.executable, "-m", "speedscale_runtime.cli.root", "synth", "--out", str(scratch / "cold")]
    environment = {**os.environ, "CDK8S_CHECK_UPGRADE": "false"}
    environment["PATH"] = f"{Path(sys.executable).parent}{os.pathsep}{environment.get('PATH', '')}"
    theirs = [str(_CDK8S), "synth", "--output", str(scratch / "cli")]

    def call(command: list[str]) -> None:
        done = subprocess.run(
            command, cwd=_CDK8S.parents[2], env=environment, capture_output=True, text=True, check=False
        )
        if done.returncode:
            raise RuntimeError(f"{command}: {done.stderr[-800:]}")

    installed = _CDK8S.exists()
    ours, peer = _both(lambda: call(mine), (lambda: call(theirs)) if installed else (lambda: None))
    name = "cdk8s synth, which runs ours" if installed else "cdk8s synth: make synth installs it"
    return [_row("speedctl synth, from start to end of the process", ours, peer if installed else None, name, "< 2 s")]


def _yaml() -> dict[str, Any]:
    objects = [manifest for chart in standalone(load()).charts.values() for manifest in chart.to_json()]
    objects = (objects * 3)[:100]

    def theirs() -> None:
        for manifest in objects:
            yaml.dump(manifest, Dumper=getattr(yaml, "CSafeDumper", yaml.SafeDumper), sort_keys=False)

    ours, peer = _both(lambda: [emit(manifest) for manifest in objects], theirs)
    return _row("100 objects, bundles among them, to YAML", ours, peer, "PyYAML on libyaml", "< 0.15 s")


def _both(ours: Callable[[], object], theirs: Callable[[], object]) -> tuple[float, float]:
    """Return the median seconds of both, after one round that does not count."""
    seconds: tuple[list[float], list[float]] = ([], [])
    for number in range(_ROUNDS + 1):
        for work, taken in zip((ours, theirs), seconds, strict=True):
            started = time.perf_counter()
            work()
            if number:
                taken.append(time.perf_counter() - started)
    return statistics.median(seconds[0]), statistics.median(seconds[1])


def _row(what: str, ours: float, peer: float | None, name: str, goal: str) -> dict[str, Any]:
    ratio = ours / peer if peer else None
    shown = {"peer": peer, "peer_name": f"s, {name}"} if peer else {"peer": None, "peer_name": name}
    return {"what": what, "ours": ours, "unit": "s", "ratio": ratio, "goal": goal, **shown}
