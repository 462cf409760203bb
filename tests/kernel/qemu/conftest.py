"""A machine with Debian's 6.1 kernel under qemu, and the capture program in it."""

from __future__ import annotations

import re
import sys
from collections import defaultdict
from pathlib import Path

import pytest

HERE = Path(__file__).parent
sys.path[:0] = [str(HERE), str(HERE.parents[2] / "scripts")]

import nettap_build  # noqa: E402
import small_machine  # noqa: E402
from machines import GUEST, Boot, Story, compiled, program  # noqa: E402

BOOT_S = 170.0
"""A boot takes 20 s on a quiet machine; a busy one takes many times as long."""


@pytest.fixture(scope="module")
def machine() -> small_machine.Machine:
    """Return the machine; skipped with the reason where it cannot be had."""
    try:
        return small_machine.ensure()
    except small_machine.Unavailable as error:
        pytest.skip(str(error))


@pytest.fixture(scope="module")
def boot(machine: small_machine.Machine, tmp_path_factory: pytest.TempPathFactory) -> Boot:
    """Return what boots it with a story of `guest`, files of its own, and settings of capture."""
    try:
        built = nettap_build.ensure()
    except nettap_build.BuildError as error:
        pytest.skip(str(error))
    common: dict[str, Path | str] = {"init": GUEST / "init", "bin/busybox": Path("/bin/busybox")}
    common["bin/tap"] = compiled("tap", tmp_path_factory.mktemp("guest"))
    common |= program(built / nettap_build.PROGRAM)

    def run(story: str, files: dict[str, Path | str], arguments: str = "", **settings: str) -> Story:
        exports = "".join(f"export {name}={value}\n" for name, value in settings.items())
        place = tmp_path_factory.mktemp("boot")
        whole = {**common, **files, "story": GUEST / story, "settings": exports}
        console = machine.boot(whole, place, arguments=arguments, within_s=BOOT_S)
        lines: dict[str, list[str]] = defaultdict(list)
        for line in console.splitlines():
            if match := re.match(r"([a-z-]+): (.*)", line):
                lines[match[1]].append(match[2])
        told = Story(lines, console)
        assert told.said("end") == ""
        return told

    return run
