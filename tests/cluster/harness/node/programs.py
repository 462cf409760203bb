"""Programs of this machine, with the libraries they load, in a folder that becomes an image.

For tests of the cluster itself, which want a shell or iptables in a pod and no distribution. A static program brings
nothing along.
"""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

from . import places


def add(folder: Path, program: str, *names: str, plugins: Path | None = None) -> None:
    """Copy `program` into `folder` as each of `names` (default: its own), with its libraries and `plugins`."""
    found = shutil.which(program, path=places.PATH)
    if found is None:
        raise FileNotFoundError(f"{program} is not on this machine")
    binary = Path(found).resolve()
    home = folder / "usr" / "bin"
    home.mkdir(parents=True, exist_ok=True)
    shutil.copy(binary, home / binary.name)
    for name in names or (program,):
        if name != binary.name:
            (home / name).symlink_to(binary.name)
    loaded = {binary, *(plugins.iterdir() if plugins else ())}
    for library in {one for file in loaded for one in _libraries(file)}:
        _copy(library, folder)
    for plugin in loaded - {binary}:
        _copy(plugin, folder)


def _copy(file: Path, folder: Path) -> None:
    target = folder / file.relative_to("/")
    target.parent.mkdir(parents=True, exist_ok=True)
    shutil.copy(file, target)


def _libraries(file: Path) -> list[Path]:
    told = subprocess.run(["ldd", str(file)], capture_output=True, text=True, check=False).stdout
    return [Path(one) for one in re.findall(r"(/\S+) \(0x", told)]
