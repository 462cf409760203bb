"""Set up the virtual environment from the lock file; needs Python 3.11 and nothing else.

Does nothing when the environment already matches the lock. Every download is checked against a hash.
"""

from __future__ import annotations

import hashlib
import re
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
VENV = ROOT / ".venv"
PYTHON = VENV / "bin" / "python"
LOCK = ROOT / "requirements.lock"
MEMBERS = ("schemas", "runtime", "controller/kube", "controller", "cdk8s")


def main() -> int:
    """Create or update the environment; return the exit code."""
    stamp = VENV / "stamp"
    wanted = _fingerprint()
    if stamp.is_file() and stamp.read_text() == wanted:
        return 0
    if not PYTHON.exists():
        print("setup: creating .venv")
        if subprocess.call([sys.executable, "-m", "venv", str(VENV)]) != 0:
            print("setup: python -m venv failed; on Debian and Ubuntu install python3-venv", file=sys.stderr)
            return 2
    print("setup: installing what requirements.lock pins (about a minute the first time)", flush=True)
    _install_uv()
    uv = str(VENV / "bin" / "uv")
    _run(uv, "pip", "sync", "--quiet", "--python", str(PYTHON), "--require-hashes", str(LOCK))
    editable = [part for member in MEMBERS for part in ("-e", str(ROOT / member))]
    _run(
        uv,
        "pip",
        "install",
        "--quiet",
        "--python",
        str(PYTHON),
        "--no-deps",
        "--no-sources",  # a member inside another one is not found as a member from there
        "--no-build-isolation",
        *editable,
    )
    stamp.write_text(wanted)
    print("setup: ready")
    return 0


def _fingerprint() -> str:
    digest = hashlib.sha256(sys.version.encode())
    for path in (LOCK, Path(__file__), *(ROOT / m / "pyproject.toml" for m in MEMBERS)):
        digest.update(path.read_bytes())
    return digest.hexdigest()


def _install_uv() -> None:
    """uv itself comes from the lock too, by the same hashes, through pip."""
    block = re.search(r"^uv==.*?(?=^\S|\Z)", LOCK.read_text(), re.MULTILINE | re.DOTALL)
    if block is None:
        raise SystemExit("setup: requirements.lock does not pin uv; run make lock")
    with tempfile.NamedTemporaryFile("w", suffix=".txt") as file:
        file.write(re.sub(r"^ +#.*\n", "", block.group(), flags=re.MULTILINE))
        file.flush()
        _run(str(PYTHON), "-m", "pip", "install", "--quiet", "--require-hashes", "-r", file.name)


def _run(*command: str) -> None:
    code = subprocess.call(command)
    if code != 0:
        raise SystemExit(f"setup: failed with {code}: {' '.join(command)}")


if __name__ == "__main__":
    sys.exit(main())
