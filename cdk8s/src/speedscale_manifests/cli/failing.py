"""How a verb here ends that cannot do what was asked: what is wrong on stderr, a line each, and exit code 2."""

from __future__ import annotations

import sys
from collections.abc import Callable

from speedscale_schemas.errors import ConfigError


def fail(*problems: str, remedy: str = "") -> int:
    """Print what is wrong, and below it what to do; return exit code 2."""
    for problem in problems:
        print(f"speedctl: {problem}", file=sys.stderr)
    if remedy:
        print(f"  {remedy}", file=sys.stderr)
    return 2


def told(action: Callable[[], int]) -> int:
    """Return what `action` does, or 2 after its ConfigError or OSError was printed."""
    try:
        return action()
    except ConfigError as error:
        return fail(*error.problems)
    except BrokenPipeError:
        raise  # the reader left (`| head`): speedctl's root knows what to do
    except OSError as error:
        where = f"{error.filename}: " if error.filename else ""
        return fail(f"{where}{error.strerror or error}")
