"""Entry point of `speedscale-goproxy`: check the settings, then become the supervisor."""

from __future__ import annotations

import sys

from speedscale_runtime.telemetry import handover

from . import config


def main() -> int:
    """Start the proxy with the settings in the environment; 2 with every problem on stderr when they are wrong.

    With the argument `wait`, only wait for one that starts (`hold`).
    """
    if sys.argv[1:] == ["wait"]:
        from . import hold

        return hold.main()
    return handover.start("goproxy", "speedscale_runtime.proxy.supervisor", config.parse)


if __name__ == "__main__":
    sys.exit(main())
