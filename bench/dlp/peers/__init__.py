"""The peers, installed on demand outside the clone, and asked over a pipe.

Python peers live in a virtual environment under ~/.cache/speedscale, made from `requirements.lock` (hashes); gitleaks
is built there from its Go module. A peer that cannot be had here is None, and its row says so.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from bench.dlp.score import Truth

_HERE = Path(__file__).resolve().parent
_LOCK = _HERE / "requirements.lock"
_GITLEAKS = "github.com/zricethezav/gitleaks/v8@v8.28.0"


def cache() -> Path:
    """Return the folder for what the peers need."""
    base = os.environ.get("XDG_CACHE_HOME") or str(Path.home() / ".cache")
    return Path(base) / "speedscale" / "dlp-peers"


def python() -> Path | None:
    """Return the interpreter of the peers' environment, made first where it is not there; None where it cannot be."""
    home = cache() / hashlib.sha256(_LOCK.read_bytes()).hexdigest()[:12]
    interpreter = home / "bin" / "python"
    if (home / "complete").exists():
        return interpreter
    try:
        subprocess.run(
            [sys.executable, "-m", "venv", "--clear", str(home)], check=True, capture_output=True, timeout=120
        )
        wanted = [str(interpreter), "-m", "pip", "install", "-q", "--require-hashes", "-r", str(_LOCK)]
        subprocess.run(wanted, check=True, capture_output=True, timeout=900)
    except (OSError, subprocess.SubprocessError) as error:
        detail = getattr(error, "stderr", b"") or b""
        print(f"peers: {error} {detail[-300:]!r}", file=sys.stderr)
        return None
    (home / "complete").touch()
    return interpreter


def ask(what: str, texts: Sequence[bytes]) -> list[list[Truth]] | None:
    """Return the spans (in bytes) that a peer (`presidio`, `presidio_all`, `detect_secrets`) finds in each text."""
    interpreter = python()
    if interpreter is None:
        return None
    decoded = [t.decode("utf-8", "replace") for t in texts]
    done = subprocess.run(
        [str(interpreter), str(_HERE / "worker.py"), what],
        input=json.dumps(decoded),
        capture_output=True,
        text=True,
        timeout=3000,
        check=False,
    )
    if done.returncode:
        print(f"{what}: {done.stderr[-600:]}", file=sys.stderr)
        return None
    answer = json.loads(done.stdout.splitlines()[-1])
    return [_in_bytes(text, found) for text, found in zip(decoded, answer, strict=True)]


def _in_bytes(text: str, found: list[list[object]]) -> list[Truth]:
    def at(chars: object) -> int:
        return len(text[: int(str(chars))].encode())

    return [(at(start), at(end), str(kind)) for start, end, kind in found]


def gitleaks(texts: Sequence[bytes]) -> list[list[Truth]] | None:
    """Return what gitleaks with its own rules finds in each text; None where it cannot be built."""
    program = cache() / "bin" / "gitleaks"
    if not program.exists():
        go = shutil.which("go")
        if go is None:
            return None
        environment = {**os.environ, "GOBIN": str(program.parent), "CGO_ENABLED": "0"}
        built = subprocess.run(
            [go, "install", _GITLEAKS], env=environment, capture_output=True, timeout=900, check=False
        )
        if built.returncode:
            print(f"gitleaks: {built.stderr[-300:]!r}", file=sys.stderr)
            return None
    with tempfile.TemporaryDirectory() as folder:
        for i, text in enumerate(texts):
            (Path(folder) / f"{i:06}.txt").write_bytes(text)
        report = Path(folder) / "report.json"
        command = [
            str(program),
            "dir",
            folder,
            "--report-format",
            "json",
            "--report-path",
            str(report),
            "--exit-code",
            "0",
        ]
        subprocess.run([*command, "--no-banner", "--log-level", "error"], check=True, capture_output=True, timeout=900)
        findings = json.loads(report.read_text() or "[]") or []
    out: list[list[Truth]] = [[] for _ in texts]
    for finding in findings:
        number = int(Path(finding["File"]).stem) if Path(finding["File"]).stem.isdigit() else -1
        secret = finding["Secret"].encode()
        start = texts[number].find(secret) if number >= 0 else -1
        if start >= 0:
            out[number].append((start, start + len(secret), finding["RuleID"]))
    return [sorted(set(found)) for found in out]
