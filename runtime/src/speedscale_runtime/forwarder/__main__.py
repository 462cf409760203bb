"""speedscale-forwarder: settings from the environment, then serve until told to end."""

from __future__ import annotations

import asyncio
import gc
import os
import sys

import uvloop

from speedscale_runtime.telemetry import logs
from speedscale_schemas.errors import ConfigError

from . import config
from .server import Forwarder

_GC_THRESHOLD = (10_000, 20, 20)  # pairs make no cycles; passes over what redaction remembers only cost time


def main() -> int:
    """Run the forwarder; 0 after a regular end, 2 when it could not begin."""
    logs.configure("forwarder", os.environ.get("LOG_LEVEL", "info"))
    try:
        settings = config.parse(os.environ)
        gc.freeze()
        gc.set_threshold(*_GC_THRESHOLD)
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            runner.run(_serve(settings))
    except ConfigError as error:
        for problem in error.problems:
            sys.stderr.write(f"speedscale-forwarder: {problem}\n")
        return 2
    return 0


async def _serve(settings: config.Settings) -> None:
    await Forwarder(settings).run()


if __name__ == "__main__":
    sys.exit(main())
