"""speedscale-collector: settings from the environment, then serve until told to end."""

from __future__ import annotations

import sys

import uvloop

from speedscale_runtime.telemetry import program

from . import config
from .server import Server


def main() -> int:
    """Run the collector; 0 after a regular end, 2 when it could not begin or the disk of the results failed."""
    return program.serve("collector", config.parse, _serve, loop=uvloop.new_event_loop)


async def _serve(settings: config.Settings) -> None:
    await Server(settings).run()


if __name__ == "__main__":
    sys.exit(main())
