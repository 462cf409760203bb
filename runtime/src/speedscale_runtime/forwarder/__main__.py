"""speedscale-forwarder: settings from the environment, then serve until told to end."""

from __future__ import annotations

import gc
import sys

import uvloop

from speedscale_runtime.telemetry import program

from . import config
from .server import Forwarder

_GC_THRESHOLD = (10_000, 20, 20)  # pairs make no cycles; passes over what redaction remembers only cost time


def main() -> int:
    """Run the forwarder; 0 after a regular end, 2 when it could not begin."""
    return program.serve("forwarder", config.parse, _serve, loop=uvloop.new_event_loop)


async def _serve(settings: config.Settings) -> None:
    gc.freeze()
    gc.set_threshold(*_GC_THRESHOLD)
    await Forwarder(settings).run()


if __name__ == "__main__":
    sys.exit(main())
