"""Run the cdk8s command line that package-lock.json pins: `make synth`.

Installs it into node_modules/ when it is not there or another version is pinned; npm and Node come from the virtual
environment. Arguments are handed to cdk8s, `synth` when there are none.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
BIN = ROOT / ".venv" / "bin"
MODULES = ROOT / "node_modules"
PINS = (ROOT / "package.json", ROOT / "package-lock.json")
_LIMIT_S = 600


def main(arguments: list[str]) -> int:
    """Install what is pinned, run cdk8s and return its exit code."""
    code = install()
    if code != 0:
        return code
    command = [str(MODULES / ".bin" / "cdk8s"), *(arguments or ["synth"])]
    return subprocess.call(command, cwd=ROOT, env=environment())


def install() -> int:
    """Make node_modules/ what package-lock.json says; return npm's exit code, 0 when there is nothing to do."""
    with PINS[0].open("rb") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # a second call waits for the first one's installation
        return _install()


def _install() -> int:
    stamp = MODULES / ".stamp"
    wanted = hashlib.sha256(b"".join(path.read_bytes() for path in PINS)).hexdigest()
    if stamp.is_file() and stamp.read_text() == wanted:
        return 0
    print("synth: installing the cdk8s command line that package-lock.json pins", file=sys.stderr, flush=True)
    command = [str(BIN / "npm"), "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"]
    try:
        code = subprocess.call(command, cwd=ROOT, env=environment(), timeout=_LIMIT_S)
    except subprocess.TimeoutExpired:
        print(f"synth: npm took longer than {_LIMIT_S} s; is a registry reachable?", file=sys.stderr)
        return 2
    if code == 0:
        stamp.write_text(wanted)
    return code


def environment() -> dict[str, str]:
    """Return an environment in which our Node comes first and cdk8s asks nobody for upgrades."""
    path = os.pathsep.join((str(BIN), os.environ.get("PATH", os.defpath)))
    return {**os.environ, "PATH": path, "CDK8S_CHECK_UPGRADE": "false"}


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
