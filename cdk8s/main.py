"""The cdk8s app: what `cdk8s synth` runs.

The cdk8s command line empties its output folder first and says where it is in CDK8S_OUTDIR. Values come from
SPEEDSCALE_VALUES (files, separated like PATH), else from `values.yaml` where the command runs, else from the one
beside this file, else they are the defaults.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

from speedscale_manifests.output import Writer
from speedscale_manifests.synth import synthesise
from speedscale_manifests.synth.sources import sources
from speedscale_manifests.values import load
from speedscale_schemas.errors import ConfigError


def main() -> int:
    """Write the manifests; 0 when done, 1 when values are wrong, each problem on a line of stderr."""
    found = sources(Path.cwd(), os.environ, output=os.environ.get("CDK8S_OUTDIR"))
    try:
        values = load(found.files)
        for warning in values.warnings:
            print(f"warning: {warning}", file=sys.stderr)
        Writer(found.output).write(synthesise(values))
    except ConfigError as error:
        for problem in error.problems:
            print(problem, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
