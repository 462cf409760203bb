"""speedscale-inspector: settings from the environment, then serve until told to end."""

from __future__ import annotations

import sys

from speedscale_kube import Client, load
from speedscale_runtime.telemetry import program

from . import config
from .server import Inspector

_PATIENCE_S = 10.0
_RETRIES = 2


def main() -> int:
    """Run the inspector; 0 after a regular end, 2 when it could not begin."""
    return program.serve("inspector", config.parse, _serve)


async def _serve(settings: config.Settings) -> None:
    access = load(settings.kubeconfig or None)
    with Client(access, agent="speedscale-inspector", retries=_RETRIES) as client:
        await Inspector(settings, client.patient(_PATIENCE_S)).run()


if __name__ == "__main__":
    sys.exit(main())
