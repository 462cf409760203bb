"""The page about doctor names every check there is, and none besides."""

from __future__ import annotations

import re
from pathlib import Path

from speedscale_controller.cli.diagnosis.checks import CHECKS

PAGE = Path(__file__).resolve().parents[4] / "docs" / "doctor.md"


def test_the_page_has_every_check() -> None:
    text = PAGE.read_text("utf-8")
    after, before = text.split("### Before an installation")
    rows = {name for row in re.findall(r"^\| (`[^|]*`) \|", after, re.M) for name in re.findall(r"`([a-z-]+)`", row)}
    assert rows == {check.id for check in CHECKS if check.post}
    told = set(re.findall(r"`([a-z-]+)`", before.split("## `speedctl uninstall`")[0]))
    assert {check.id for check in CHECKS if check.pre} <= told
