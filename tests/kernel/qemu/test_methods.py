"""Capture on Debian's 6.1 kernel, by each way of attaching that this machine's own kernel may lack.

A small machine under qemu runs capture against a pod's cgroup, with lockdown in integrity mode. What the application
sent and received has to be what was captured, by SHA-256 of each direction of each socket.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

GUEST = Path(__file__).parent / "guest"
ROOT = Path(__file__).resolve().parents[3]
sys.path.insert(0, str(ROOT / "scripts"))

import nettap_build  # noqa: E402
import small_machine  # noqa: E402

pytestmark = pytest.mark.kernel

BOOT_S = 170.0
"""A boot takes 20 s on a quiet machine; a busy one takes many times as long."""
SOURCES = {"tracepoint": "1", "kprobe": "2", "fentry": "3"}
SENDFILE = 3  # enum nettap_gap
ROOM = {"NETTAP_RING_BYTES": str(64 << 20), "NETTAP_LINE_BYTES": str(64 << 20)}
"""16 MiB in one call, both ends and both ways: under qemu the program writes them faster than they are read."""


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

    def document(self, name: str) -> Any:
        return json.loads("\n".join(self.lines[name]))


Boot = Callable[..., Story]


@pytest.fixture(scope="module")
def boot(tmp_path_factory: pytest.TempPathFactory) -> Boot:
    """Return what boots a machine with these settings of capture and arguments of the kernel."""
    try:
        machine, built = small_machine.ensure(), nettap_build.ensure()
    except (small_machine.Unavailable, nettap_build.BuildError) as error:
        pytest.skip(str(error))
    folder = tmp_path_factory.mktemp("guest")
    files: dict[str, Path | str] = {"init": GUEST / "init", "bin/busybox": Path("/bin/busybox")}
    files |= {f"bin/{name}": compiled(name, folder) for name in ("tap", "traffic")}
    files |= program(built / nettap_build.PROGRAM)

    def run(arguments: str = "", **settings: str) -> Story:
        exports = "".join(f"export {name}={value}\n" for name, value in settings.items())
        place = tmp_path_factory.mktemp("boot")
        console = machine.boot({**files, "settings": exports}, place, arguments=arguments, within_s=BOOT_S)
        lines: dict[str, list[str]] = defaultdict(list)
        for line in console.splitlines():
            if match := re.match(r"([a-z-]+): (.*)", line):
                lines[match[1]].append(match[2])
        story = Story(lines, console)
        assert story.said("end") == ""
        return story

    return run


def compiled(name: str, folder: Path) -> Path:
    """Return a static program made from one file of `guest`."""
    out = folder / name
    include = ROOT / "runtime" / "nettap" / "include"
    command = ["gcc", "-O2", "-static", "-Wall", "-Wextra", "-Werror", "-std=gnu11", f"-I{include}", "-o", str(out)]
    subprocess.run([*command, str(GUEST / f"{name}.c")], check=True)
    return out


def program(path: Path) -> dict[str, Path | str]:
    """Return a program and the libraries that it is linked with, by their places in the machine."""
    listed = subprocess.run(["ldd", str(path)], capture_output=True, text=True, check=True).stdout
    libraries = re.findall(r"(/\S+) \(0x", listed)
    return {f"bin/{path.name}": path} | {
        f"lib64/{Path(name).name}" if "ld-linux" in name else f"lib/{Path(name).name}": Path(name) for name in libraries
    }


@pytest.fixture(scope="module", params=["fentry", "kprobe"])
def story(request: pytest.FixtureRequest, boot: Boot) -> tuple[str, Story]:
    """Return the method, and what came of a machine whose capture was told to use it."""
    return request.param, boot("lockdown=integrity", NETTAP_METHOD=request.param, **ROOM)


def test_what_was_captured_is_what_was_said(story: tuple[str, Story]) -> None:
    method, told = story
    app, tap, gaps = told.streams("app"), told.streams("tap"), told.gaps()
    assert (told.document("source"), told.said("lockdown")) == (
        int(SOURCES[method]),
        "none [integrity] confidentiality",
    )
    port = str(told.port_of("sendfile"))
    plain = {name: digest for name, digest in app.items() if port not in name.split("-")}
    assert len(plain) > 100
    assert {name: tap.get(name) for name in plain} == plain, told.console[-4000:]
    assert {name: found for name, found in gaps.items() if name in plain} == {}


def test_what_no_call_carries_is_a_gap_of_its_size(story: tuple[str, Story]) -> None:
    _, told = story
    port = str(told.port_of("sendfile"))
    (sent,) = [name for name in told.streams("app") if name.split("-")[1:] == [port, "sent"]]
    found = told.gaps()[sent]
    assert {reason for reason, _ in found} == {SENDFILE}
    assert sum(length for _, length in found) == 100_000
    received = sent.split("-")[1] + "-" + sent.split("-")[0] + "-received"
    assert told.streams("tap")[received] == told.streams("app")[received]


def test_nobody_else_is_seen_and_nothing_stays(story: tuple[str, Story]) -> None:
    _, told = story
    ports = {int(part) for name in told.streams("tap") for part in name.split("-")[:2]}
    assert not {port for port in ports if 20_000 <= port < 20_100}
    assert told.said("capture-exit") == "0"
    assert told.said("healthy-exit") == "0"


def test_the_report_says_what_was_chosen(story: tuple[str, Story]) -> None:
    method, told = story
    assert told.document("hello")["methods"]["tcp"]["source"] == method
