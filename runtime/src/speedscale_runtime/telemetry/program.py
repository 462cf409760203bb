"""The frame of a serving program: settings from the environment, serve until told to end, an exit code.

Used by the `__main__` of services that are one asyncio server. What is wrong with the settings goes to stderr, a line
each, before anything runs.
"""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import Callable, Coroutine, Mapping
from typing import TypeVar

from speedscale_schemas.errors import ConfigError

from . import logs

S = TypeVar("S")


def serve(
    service: str,
    parse: Callable[[Mapping[str, str]], S],
    run: Callable[[S], Coroutine[None, None, None]],
    *,
    loop: Callable[[], asyncio.AbstractEventLoop] | None = None,
) -> int:
    """Run `speedscale-<service>` with the settings that `parse` makes of the environment; `loop` makes its loop.

    Returns 0 after a regular end, 2 when it could not begin or lost its disk, with the reason on stderr.
    """
    logs.configure(service, os.environ.get("LOG_LEVEL", "info"))
    try:
        settings = parse(os.environ)
        with asyncio.Runner(loop_factory=loop) as runner:
            runner.run(run(settings))
    except ConfigError as error:
        for problem in error.problems:
            sys.stderr.write(f"speedscale-{service}: {problem}\n")
        return 2
    except OSError as error:
        sys.stderr.write(f"speedscale-{service}: {error.filename or 'system'}: {error.strerror or error}\n")
        return 2
    return 0
