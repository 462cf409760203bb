"""speedscale-initproxy-smartdns: ends at once and changes nothing.

Where the values grant NET_RAW (`sidecar.observeDns`), the proxy reads answers of DNS servers beside the traffic; no
rule of the pod's network and no other name server is needed for that. So no template of ours has this init container.
The program is there for pods whose template is of another version or make, which would not start without it.
"""

from __future__ import annotations

import os
import sys

from speedscale_runtime.telemetry.lines import Lines


def main() -> int:
    """Say that there is nothing to do; always 0."""
    log = Lines("initproxy-smartdns", os.environ.get("LOG_LEVEL", "info"))
    log.info("nothing_to_do", why="names for addresses need no init container")
    return 0


if __name__ == "__main__":
    sys.exit(main())
