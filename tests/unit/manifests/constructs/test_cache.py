"""Where jsii's cache cannot be used it is turned off, instead of failing there."""

from __future__ import annotations

from pathlib import Path

import pytest

from speedscale_manifests.constructs import cache

OFF = {"JSII_RUNTIME_PACKAGE_CACHE": "disabled"}


def test_a_home_of_ones_own_will_do_and_is_made_private(tmp_path: Path) -> None:
    assert cache.settings({"HOME": str(tmp_path / "home")}) == {}
    (made,) = (tmp_path / "home").rglob("package-cache")
    assert made.stat().st_mode & 0o777 == 0o700


@pytest.mark.parametrize("home", ["/dev/null", "/proc/1/nope"])
def test_a_home_that_cannot_be_written_turns_it_off(home: str) -> None:
    assert cache.settings({"HOME": home}) == OFF


def test_a_home_that_others_may_write_turns_it_off(tmp_path: Path) -> None:
    tmp_path.chmod(0o777)
    assert cache.settings({"HOME": str(tmp_path)}) == OFF


@pytest.mark.parametrize("name", ["JSII_RUNTIME_PACKAGE_CACHE", "JSII_RUNTIME_PACKAGE_CACHE_ROOT"])
def test_what_the_user_chose_stays(name: str) -> None:
    assert cache.settings({"HOME": "/dev/null", name: "x"}) == {}
