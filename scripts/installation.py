"""First part of `make demo`: synthesise the installation, validate it, show what is in it and how to install it.

Runs the verbs that a user runs, as processes of their own; nothing here knows how they work.
"""

from __future__ import annotations

import subprocess
import sys
from collections import Counter
from pathlib import Path

import yaml

ROOT = Path(__file__).resolve().parent.parent
SPEEDCTL = ROOT / ".venv" / "bin" / "speedctl"
VALUES = ROOT / "cdk8s" / "values.yaml"
WAVE = "argocd.argoproj.io/sync-wave"
INSTALL = """\
To install it: commit the folder, put your repository's address into examples/argocd, and

  kubectl apply --server-side -n argocd -f examples/argocd/project.yaml
  kubectl apply -n argocd -f examples/argocd/application.yaml

Without Argo CD: examples/argocd/flux, or kubectl apply --server-side -k dist.
examples/argocd/README.md has the rest: several environments, the replay gate, removal.
"""


def main(argv: list[str]) -> int:
    """Write into the folder given (default .cache/demo/installation); exit code of the first verb that fails."""
    target = Path(argv[0]) if argv else ROOT / ".cache" / "demo" / "installation"
    print("The installation, as Argo CD would apply it\n", flush=True)
    for command in (
        ("synth", "--values", str(VALUES), "--out", str(target)),
        ("validate", str(target), "--values", str(VALUES), "--server", "never"),
    ):
        code = subprocess.run([str(SPEEDCTL), *command], check=False).returncode
        if code != 0:
            print(f"speedctl {' '.join(command)} ended with {code}", file=sys.stderr)
            return code
    print(f"\n{table(target)}\n\nWritten to {target}.\n{INSTALL}")
    return 0


def table(target: Path) -> str:
    """Return a line a chart: its waves, and how many objects of which kind."""
    lines = [f"{'chart':<11}{'waves':<9}objects"]
    rows = []
    for chart in sorted(p for p in target.iterdir() if p.is_dir()):
        files = [f for f in chart.glob("*.yaml") if f.name != "kustomization.yaml"]
        objects = [yaml.load(f.read_text("utf-8"), yaml.CSafeLoader) for f in files]
        waves = sorted({int(o["metadata"]["annotations"][WAVE]) for o in objects})
        kinds = Counter(o["kind"] for o in objects)
        told = ", ".join(f"{n} {kind}" if n > 1 else kind for kind, n in sorted(kinds.items()))
        span = f"{waves[0]}" if len(waves) == 1 else f"{waves[0]} … {waves[-1]}"
        rows.append((waves[-1], f"{chart.name:<11}{span:<9}{told}"))
    return "\n".join([*lines, *(text for _, text in sorted(rows))])


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
