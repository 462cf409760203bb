"""Entry point of `speedscale-nettap-ingest`: check the settings, then become the ingest.

The check needs libraries that cost more memory than the ingest may have, so this process replaces itself by a fresh
interpreter once it is done (same pid), as the sidecar does.
"""

from __future__ import annotations

import os
import sys
from typing import NoReturn

from speedscale_schemas.errors import ConfigError

from . import config

# Not by -m: runpy stays in memory. -P: nothing is imported from the folder we happen to be in.
_INGEST = ("-P", "-c", "from speedscale_runtime.nettap.service import main; raise SystemExit(main())")
_SETTINGS = "SPEEDSCALE_NETTAP_INGEST_SETTINGS"  # service.SETTINGS


def main() -> int:
    """Start the ingest with the settings in the environment; 2 with every problem on stderr when they are wrong."""
    try:
        settings = config.parse(os.environ)
    except ConfigError as error:
        for problem in error.problems:
            sys.stderr.write(f"speedscale-{config.SERVICE}: {problem}\n")
        return 2
    return _become_ingest(settings)


def _become_ingest(settings: config.Settings) -> NoReturn:
    sys.stderr.flush()
    os.execve(sys.executable, [sys.executable, *_INGEST], {**os.environ, _SETTINGS: settings.to_json()})


if __name__ == "__main__":
    sys.exit(main())
