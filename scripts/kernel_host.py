"""Whether this machine's kernel takes eBPF programs from us. Asked by `tiers.py` before anything is built."""

from __future__ import annotations

import platform
import subprocess
import sys
from pathlib import Path

BTF = Path("/sys/kernel/btf/vmlinux")
OLDEST = (5, 15)


def lacks() -> str:
    """Return why nothing can be captured on this machine; nothing when it can."""
    if not sys.platform.startswith("linux"):
        return "eBPF needs Linux"
    if version() < OLDEST:
        return f"kernel {platform.release()} is older than {OLDEST[0]}.{OLDEST[1]}"
    if not BTF.exists():
        return f"the kernel has no type information ({BTF})"
    try:
        done = subprocess.run(["bpftool", "map", "list"], capture_output=True, text=True, timeout=30, check=False)
    except (OSError, subprocess.TimeoutExpired) as error:
        return str(error)
    return "" if done.returncode == 0 else f"the kernel takes no eBPF from us: {done.stderr.strip()[:200]}"


def version() -> tuple[int, int]:
    """Return major and minor of the running kernel."""
    major, _, rest = platform.release().partition(".")
    minor = "".join(c for c in rest.partition(".")[0] if c.isdigit())
    return (int(major), int(minor or 0)) if major.isdigit() else (0, 0)
