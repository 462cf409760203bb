"""What small machines are made of, and what they told: for the tests beside this file."""

from __future__ import annotations

import json
import re
import subprocess
from collections import defaultdict
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import small_machine

GUEST = Path(__file__).parent / "guest"
ROOT = Path(__file__).resolve().parents[3]

MOVED = {"sendfile": (3, 100_000), "splice": (4, 50_000)}
"""Cases of `traffic` that no call carries: the reason (enum nettap_gap) and the bytes of what is missing."""
SOURCES = {"tracepoint": 1, "kprobe": 2, "fentry": 3}


@dataclass(frozen=True)
class Story:
    """What the console said, by what each line begins with."""

    lines: dict[str, list[str]]
    console: str

    def said(self, what: str) -> str:
        found = [line.removeprefix(what).strip() for line in self.lines["said"] if line.startswith(what)]
        assert found, f"nothing was said about {what}:\n{self.console[-6000:]}"
        return found[-1]

    def port_of(self, case: str, run: str = "") -> int:
        return int(self.said(f"{run}case {case}"))

    def streams(self, side: str) -> dict[str, str]:
        return {name: digest for digest, name in (line.split() for line in self.lines[side])}

    def plain(self, app: str = "app", run: str = "") -> dict[str, str]:
        """Return what `traffic` kept of all that calls carry, as {stream: digest}."""
        cases = [
            line.removeprefix(f"{run}case ").split() for line in self.lines["said"] if line.startswith(f"{run}case")
        ]
        ports = {port for name, port in cases if name not in MOVED}
        return {name: digest for name, digest in self.streams(app).items() if ports & set(name.split("-")[:2])}

    def sent_by(self, case: str, app: str = "app", run: str = "") -> str:
        """Return the one stream that a case's client sent."""
        end = [str(self.port_of(case, run)), "sent"]
        (sent,) = [name for name in self.streams(app) if name.split("-")[1:] == end]
        return sent

    def gaps(self, run: str = "") -> dict[str, list[tuple[int, int]]]:
        """Return reason and length of each gap by stream."""
        found: dict[str, list[tuple[int, int]]] = defaultdict(list)
        for line in self.lines[f"{run}gaps"]:
            name, _, length, reason = line.split()
            found[name].append((int(reason), int(length)))
        return found

    def gap_bytes(self, stream: str, reason: int, run: str = "") -> int:
        """Return how many bytes of a stream are missing for this reason."""
        return sum(length for why, length in self.gaps(run)[stream] if why == reason)

    def kept(self, server: str) -> dict[str, str]:
        """Return what this server of TLS remembers, as {stream: digest}."""
        port = self.said(f"port-{server}")
        return {name: digest for name, digest in self.streams("app").items() if name.startswith(f"{port}-")}

    def document(self, name: str) -> Any:
        return json.loads("\n".join(self.lines[name]))


Boot = Callable[..., Story]
"""Boots a machine with a story of `guest`, files of its own, and settings of capture."""
BOOT_S = 170.0
"""A boot takes 20 s on a quiet machine; a busy one takes many times as long."""


def other_end(stream: str) -> str:
    """Return what the other end of a connection calls a stream."""
    own, other, way = stream.split("-")
    return f"{other}-{own}-{'sent' if way == 'received' else 'received'}"


STATIC = (
    *("-O2", "-static", "-Wall", "-Wextra", "-Werror", "-std=gnu11"),
    f"-I{ROOT / 'runtime' / 'nettap' / 'include'}",
)


def compiled(name: str, folder: Path) -> Path:
    """Return a static program made from one file of `guest`."""
    out = folder / name
    subprocess.run(["gcc", *STATIC, "-o", str(out), str(GUEST / f"{name}.c")], check=True)
    return out


def program(path: Path, name: str = "") -> dict[str, Path | str]:
    """Return a program (by its own name or another) and what it is linked with, by their places in the machine."""
    listed = subprocess.run(["ldd", str(path)], capture_output=True, text=True, check=True).stdout
    libraries = re.findall(r"(/\S+) \(0x", listed)
    files: dict[str, Path | str] = {f"bin/{name or path.name}": path}
    for library in libraries:
        place = "lib64" if "ld-linux" in library else "lib"
        files[f"{place}/{Path(library).name}"] = Path(library)
    return files


def boots(
    machine: small_machine.Machine,
    common: Mapping[str, Path | str],
    folder: Callable[[], Path],
    within_s: float = BOOT_S,
) -> Boot:
    """Return what boots this machine with these files, each time with a folder of its own."""

    def run(story: str, files: dict[str, Path | str], arguments: str = "", **settings: str) -> Story:
        exports = "".join(f"export {name}={value}\n" for name, value in settings.items())
        whole = {**common, **files, "init": GUEST / "init", "story": GUEST / story, "settings": exports}
        console = machine.boot(whole, folder(), arguments=arguments, within_s=within_s)
        lines: dict[str, list[str]] = defaultdict(list)
        for line in console.splitlines():
            if match := re.match(r"([a-z-]+): (.*)", line):
                lines[match[1]].append(match[2])
        told = Story(lines, console)
        assert told.said("end") == ""
        return told

    return run
