"""Whether jsii may keep what it unpacks in the user's home.

jsii ends with an error where its cache cannot be made (a container without a home, a home of somebody else), and waits
for ever where the system's answer surprises it. Unpacking each time costs a few tenths of a second and always works.
Called by `node`.
"""

from __future__ import annotations

import os
import stat
import sys
from collections.abc import Mapping
from pathlib import Path

_CHOICES = ("JSII_RUNTIME_PACKAGE_CACHE", "JSII_RUNTIME_PACKAGE_CACHE_ROOT")


def settings(environment: Mapping[str, str]) -> dict[str, str]:
    """Return the variable that turns the cache off where it cannot be used; nothing when the user chose about it."""
    if any(environment.get(name) for name in _CHOICES) or os.name == "nt":
        return {}
    return {} if usable(_folder(environment)) else {_CHOICES[0]: "disabled"}


def usable(folder: Path) -> bool:
    """Return whether a folder is there, or could be made, where nobody but this user (and root) may write."""
    try:
        for place in (*reversed(folder.parents), folder):
            if not place.exists():
                place.mkdir(mode=0o700)
            status = place.stat()
            shared = status.st_mode & (stat.S_IWGRP | stat.S_IWOTH) and not status.st_mode & stat.S_ISVTX
            if status.st_uid not in (0, os.geteuid()) or shared:
                return False
        return os.access(folder, os.W_OK | os.X_OK)
    except OSError:
        return False


def _folder(environment: Mapping[str, str]) -> Path:
    """Return where jsii keeps it, by its own rule."""
    home = Path(environment.get("HOME") or Path.home())
    if sys.platform == "darwin":
        return home / "Library" / "Caches" / "com.amazonaws.jsii" / "package-cache"
    return home / ".cache" / "aws" / "jsii" / "package-cache"
