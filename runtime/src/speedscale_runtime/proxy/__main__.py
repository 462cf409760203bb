"""Entry point of `speedscale-goproxy`: check the settings, then become the supervisor.

The check needs libraries that cost more memory than the supervisor may have, so this process replaces itself by a
fresh interpreter once it is done (same pid).
"""

from __future__ import annotations

import os
import sys
from typing import NoReturn

from speedscale_schemas.errors import ConfigError

from . import config

# Not by -m: runpy stays in memory. -P: nothing is imported from the folder we happen to be in.
_SUPERVISOR = ("-P", "-c", "from speedscale_runtime.proxy.supervisor import main; raise SystemExit(main())")
_SETTINGS = "SPEEDSCALE_GOPROXY_SETTINGS"  # supervisor.SETTINGS


def main() -> int:
    """Start the proxy with the settings in the environment; 2 with every problem on stderr when they are wrong.

    With the argument `wait`, only wait for one that starts (`hold`).
    """
    if sys.argv[1:] == ["wait"]:
        from . import hold

        return hold.main()
    try:
        settings = config.parse(os.environ)
    except ConfigError as error:
        for problem in error.problems:
            sys.stderr.write(f"speedscale-goproxy: {problem}\n")
        return 2
    return _become_supervisor(settings)


def _become_supervisor(settings: config.Settings) -> NoReturn:
    sys.stderr.flush()
    environment = {**os.environ, _SETTINGS: settings.to_json()}
    os.execve(sys.executable, [sys.executable, *_SUPERVISOR], environment)


if __name__ == "__main__":
    sys.exit(main())
