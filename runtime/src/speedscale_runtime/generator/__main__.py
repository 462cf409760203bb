"""`speedscale-generator`: one run, settings from the environment; exit 0 done, 1 measurement void, 2 error in use."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable

from speedscale_runtime.telemetry import logs
from speedscale_schemas.errors import ConfigError

from . import config, server, uploading

AtEnd = Callable[[server.Summary | None, str], None]


def main(at_end: AtEnd = lambda summary, why: None) -> int:
    """Run once; `at_end` is told how it ended: the summary, or None and why there is none."""
    settings: config.Settings | None = None
    try:
        settings = config.from_environ(os.environ)
        logs.configure("generator", settings.log_level)
        summary = server.run(settings)
    except ConfigError as error:
        at_end(None, "; ".join(error.problems))
        for problem in error.problems:
            sys.stderr.write(f"speedscale-generator: {problem}\n")
        return _brought(settings, 2)
    except OSError as error:
        why = f"{error.filename or 'system'}: {error.strerror or error}"
        at_end(None, why)
        sys.stderr.write(f"speedscale-generator: {why}\n")
        return _brought(settings, 2)
    at_end(summary, "")
    if not summary.ok:
        sys.stderr.write(f"speedscale-generator: {summary.why}\n")
    return _brought(settings, 0 if summary.ok else 1)


def _brought(settings: config.Settings | None, code: int) -> int:
    """Bring what there is to the collector, also after a failure; the exit code is the run's, whatever comes of it."""
    if settings is not None:
        uploading.upload(settings)
    return code


if __name__ == "__main__":
    sys.exit(main())
