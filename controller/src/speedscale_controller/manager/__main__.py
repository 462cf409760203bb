"""`/operator`: the supervisor; with `admission` or `controller` as argument, that process (started by the supervisor).

Exit codes: 0 told to end; 2 settings that make no sense, or a port that is taken.
"""

from __future__ import annotations

import os
import signal
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

import structlog

from speedscale_controller.settings import of_process
from speedscale_controller.telemetry import Metrics, configure
from speedscale_controller.telemetry.labels import Process
from speedscale_schemas.errors import ConfigError

from . import child
from .supervisor import Supervisor, children

_log = structlog.get_logger("speedscale_controller")


def main(arguments: Sequence[str] | None = None, environ: Mapping[str, str] | None = None) -> int:
    """Run the process that the arguments name; return its exit code."""
    arguments = sys.argv[1:] if arguments is None else arguments
    environ = os.environ if environ is None else environ
    role = arguments[0] if arguments else Process.SUPERVISOR.value
    if role == Process.ADMISSION.value:
        from speedscale_controller.admission import process as admission

        child.die_with_parent(environ)
        return admission.main(environ, environ[child.SOCKET])
    if role == Process.CONTROLLER.value:
        from . import controller

        child.die_with_parent(environ)
        return controller.main(environ, environ[child.SOCKET])
    if role != Process.SUPERVISOR.value or len(arguments) > 1:
        print("usage: operator (settings come from the environment; see docs/operator.md)", file=sys.stderr)  # noqa: T201
        return 2
    return supervise(environ)


def supervise(environ: Mapping[str, str]) -> int:
    """Run the supervisor until it is told to end."""
    configure(Process.SUPERVISOR.value, environ.get("LOG_LEVEL", "info"))
    try:
        settings = of_process(environ)
        with tempfile.TemporaryDirectory(prefix="op-") as folder:
            supervisor = Supervisor(settings, children(Path(folder), environ), Metrics())
            for number in (signal.SIGTERM, signal.SIGINT):
                signal.signal(number, supervisor.end)
            supervisor.run()
    except ConfigError as error:
        _log.error("settings_invalid", problems=error.problems)
        return 2
    except OSError as error:
        _log.error("operator_cannot_start", error=str(error))
        return 2
    return 0


if __name__ == "__main__":
    sys.stdout.flush()
    code = main()
    sys.stderr.flush()
    os._exit(code)  # threads of watches are daemons; nobody waits for them
