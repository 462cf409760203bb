"""A machine with Debian's 6.1 kernel under qemu, and the capture program in it."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

HERE = Path(__file__).parent
sys.path[:0] = [str(HERE), str(HERE.parents[2] / "scripts")]

import nettap_build  # noqa: E402
import small_machine  # noqa: E402
from machines import Boot, boots, compiled, program  # noqa: E402


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
    except nettap_build.Lacking as error:
        pytest.skip(str(error))
    common: dict[str, Path | str] = {"bin/busybox": Path("/bin/busybox")}
    common["bin/tap"] = compiled("tap", tmp_path_factory.mktemp("guest"))
    common |= program(built / nettap_build.PROGRAM)
    return boots(machine, common, lambda: tmp_path_factory.mktemp("boot"))
