"""`speedscale-generator`: one run, settings from the environment; exit 0 done, 1 measurement void, 2 error in use."""

from __future__ import annotations

import os
import sys

from speedscale_runtime.telemetry import logs
from speedscale_schemas.errors import ConfigError

from . import config, server


def main() -> int:
    """Run once."""
    try:
        settings = config.from_environ(os.environ)
        logs.configure("generator", settings.log_level)
        summary = server.run(settings)
    except ConfigError as error:
        for problem in error.problems:
            sys.stderr.write(f"speedscale-generator: {problem}\n")
        return 2
    except OSError as error:
        sys.stderr.write(f"speedscale-generator: {error.filename or 'system'}: {error.strerror or error}\n")
        return 2
    if not summary.ok:
        sys.stderr.write(f"speedscale-generator: {summary.why}\n")
    return 0 if summary.ok else 1


if __name__ == "__main__":
    sys.exit(main())
