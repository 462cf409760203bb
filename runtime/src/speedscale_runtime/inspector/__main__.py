"""speedscale-inspector: settings from the environment, then serve until told to end."""

from __future__ import annotations

import asyncio
import os
import sys

from speedscale_kube import Client, load
from speedscale_runtime.telemetry import logs
from speedscale_schemas.errors import ConfigError

from . import config
from .server import Inspector

_PATIENCE_S = 10.0
_RETRIES = 2


def main() -> int:
    """Run the inspector; 0 after a regular end, 2 when it could not begin."""
    logs.configure("inspector", os.environ.get("LOG_LEVEL", "info"))
    try:
        settings = config.parse(os.environ)
        access = load(settings.kubeconfig or None)
        with Client(access, agent="speedscale-inspector", retries=_RETRIES) as client:
            asyncio.run(_serve(settings, client.patient(_PATIENCE_S)))
    except ConfigError as error:
        for problem in error.problems:
            sys.stderr.write(f"speedscale-inspector: {problem}\n")
        return 2
    return 0


async def _serve(settings: config.Settings, client: Client) -> None:
    await Inspector(settings, client).run()


if __name__ == "__main__":
    sys.exit(main())
