"""Entry point of `speedscale-nettap-ingest`: check the settings, then become the ingest."""

from __future__ import annotations

import sys

from speedscale_runtime.telemetry import handover

from . import config


def main() -> int:
    """Start the ingest with the settings in the environment; 2 with every problem on stderr when they are wrong."""
    return handover.start(config.SERVICE, "speedscale_runtime.nettap.service", config.parse)


if __name__ == "__main__":
    sys.exit(main())
