"""Resolve the workspace's dependencies into requirements.lock: exact versions with hashes, no addresses.

uv resolves for every platform at once; the result installs from whichever index or mirror a site uses.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
UV = ROOT / ".venv" / "bin" / "uv"


def main() -> int:
    """Write requirements.lock; return the exit code."""
    for command in (
        ("lock", *sys.argv[1:]),
        (
            *("export", "--quiet", "--frozen", "--all-packages", "--all-extras", "--all-groups", "--no-emit-workspace"),
            *("--no-header", "--no-annotate", "--format", "requirements.txt", "-o", "requirements.lock"),
        ),
    ):
        code = subprocess.call([str(UV), *command], cwd=ROOT)
        if code != 0:
            return code
    return 0


if __name__ == "__main__":
    sys.exit(main())
