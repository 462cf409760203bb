"""speedscale-forwarder: settings from the environment, then serve until told to end.

`speedscale-forwarder spool` prints what the spool of these settings holds, as JSON: an image has no speedctl.
"""

from __future__ import annotations

import gc
import os
import sys

import uvloop

from speedscale_runtime.spool import inspection
from speedscale_runtime.telemetry import program
from speedscale_schemas.errors import ConfigError

from . import config
from .server import Forwarder

_GC_THRESHOLD = (10_000, 20, 20)  # pairs make no cycles; passes over what redaction remembers only cost time


def main() -> int:
    """Run the forwarder; 0 after a regular end, 2 when it could not begin."""
    if sys.argv[1:] == ["spool"]:
        return _show_spool()
    return program.serve("forwarder", config.parse, _serve, loop=uvloop.new_event_loop)


def _show_spool() -> int:
    try:
        view = inspection.inspect(config.parse(os.environ).spool_dir)
    except (ConfigError, OSError) as error:
        sys.stderr.write(f"speedscale-forwarder: {error}\n")
        return 2
    sys.stdout.write(inspection.as_json(view) + "\n")
    return 0


async def _serve(settings: config.Settings) -> None:
    gc.freeze()
    gc.set_threshold(*_GC_THRESHOLD)
    await Forwarder(settings).run()


if __name__ == "__main__":
    sys.exit(main())
