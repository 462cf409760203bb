"""How a program begins whose memory is the user's: check the settings, then begin anew in a fresh interpreter.

Used by the `__main__` of proxy and ingest (`start`), and by what they become (`settings`). The check needs libraries
that cost more memory than such a program may have, so the process replaces itself once it is done (same pid) and hands
the parsed settings on in its environment. Standard library only, and no `typing`: the supervisor loads this module.
Other services begin with `program`.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Mapping

TYPE_CHECKING = False  # the typing module costs a megabyte
if TYPE_CHECKING:
    from typing import NoReturn, Protocol

    class Settings(Protocol):
        """Settings that can be handed on."""

        def to_json(self) -> str:
            """Return all of them as text."""
            ...


def start(service: str, module: str, parse: Callable[[Mapping[str, str]], Settings]) -> int:
    """Become `main` of a module, with the settings that `parse` makes of the environment.

    Returns only when they are wrong: 2, with every problem of `speedscale-<service>` on stderr.
    """
    from speedscale_schemas.errors import ConfigError

    try:
        parsed = parse(os.environ)
    except ConfigError as error:
        for problem in error.problems:
            sys.stderr.write(f"speedscale-{service}: {problem}\n")
        return 2
    return _become(module, {**os.environ, _variable(service): parsed.to_json()})


def _become(module: str, environ: Mapping[str, str]) -> NoReturn:
    sys.stderr.flush()
    # Not by -m: runpy stays in memory. -P: nothing is imported from the folder we happen to be in.
    os.execve(
        sys.executable, [sys.executable, "-P", "-c", f"from {module} import main; raise SystemExit(main())"], environ
    )


def settings(service: str) -> str:
    """Return, once, what `start` handed on; no child of ours is to inherit it."""
    return os.environ.pop(_variable(service))


def _variable(service: str) -> str:
    return f"SPEEDSCALE_{service.upper().replace('-', '_')}_SETTINGS"
