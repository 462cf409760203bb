"""What small machines are made of, and what they told: for the tests beside this file."""

from __future__ import annotations

import json
import re
import subprocess
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

GUEST = Path(__file__).parent / "guest"
ROOT = Path(__file__).resolve().parents[3]


@dataclass(frozen=True)
class Story:
    """What the console said, by what each line begins with."""

    lines: dict[str, list[str]]
    console: str

    def said(self, what: str) -> str:
        found = [line.removeprefix(what).strip() for line in self.lines["said"] if line.startswith(what)]
        assert found, f"nothing was said about {what}:\n{self.console[-6000:]}"
        return found[-1]

    def port_of(self, case: str) -> int:
        return int(self.said(f"case {case}"))

    def streams(self, side: str) -> dict[str, str]:
        return {name: digest for digest, name in (line.split() for line in self.lines[side])}

    def gaps(self) -> dict[str, list[tuple[int, int]]]:
        """Return reason and length of each gap by stream."""
        found: dict[str, list[tuple[int, int]]] = defaultdict(list)
        for line in self.lines["gaps"]:
            name, _, length, reason = line.split()
            found[name].append((int(reason), int(length)))
        return found

    def gap_bytes(self, stream: str, reason: int) -> int:
        """Return how many bytes of a stream are missing for this reason."""
        return sum(length for why, length in self.gaps()[stream] if why == reason)

    def document(self, name: str) -> Any:
        return json.loads("\n".join(self.lines[name]))


Boot = Callable[..., Story]


def compiled(name: str, folder: Path) -> Path:
    """Return a static program made from one file of `guest`."""
    out = folder / name
    include = ROOT / "runtime" / "nettap" / "include"
    command = ["gcc", "-O2", "-static", "-Wall", "-Wextra", "-Werror", "-std=gnu11", f"-I{include}", "-o", str(out)]
    subprocess.run([*command, str(GUEST / f"{name}.c")], check=True)
    return out


def program(path: Path, name: str = "") -> dict[str, Path | str]:
    """Return a program (by its own name or another) and what it is linked with, by their places in the machine."""
    listed = subprocess.run(["ldd", str(path)], capture_output=True, text=True, check=True).stdout
    libraries = re.findall(r"(/\S+) \(0x", listed)
    return {f"bin/{name or path.name}": path} | {
        f"lib64/{Path(name).name}" if "ld-linux" in name else f"lib/{Path(name).name}": Path(name) for name in libraries
    }
