"""What a page points at is there: files, headings, and where README says one should start reading."""

from __future__ import annotations

import re
import subprocess
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3]
_LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")
_FENCE = re.compile(r"^```.*?^```", re.MULTILINE | re.DOTALL)
_PACKAGES = ("speedscale_schemas", "speedscale_manifests", "speedscale_controller", "speedscale_runtime")
_CODE = re.compile(r"`([^`\n]+)`")


def pages() -> list[str]:
    """Return the pages that the repository holds."""
    listed = subprocess.run(["git", "ls-files", "*.md"], cwd=ROOT, capture_output=True, text=True, check=True)
    return listed.stdout.split()


@cache
def anchors(page: Path) -> frozenset[str]:
    """Return a page's headings as a forge makes anchors of them: lower case, no punctuation, hyphens for spaces."""
    text = _FENCE.sub("", page.read_text(encoding="utf-8"))
    found: list[str] = []
    for line in re.findall(r"^#+ +(.+?) *$", text, re.MULTILINE):
        plain = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", line).lower()
        name = re.sub(r"[^\w\- ]", "", plain).replace(" ", "-")
        found.append(f"{name}-{found.count(name)}" if name in found else name)
    return frozenset(found)


@pytest.mark.parametrize("page", pages())
def test_links_lead_somewhere(page: str) -> None:
    file = ROOT / page
    text = _CODE.sub("", _FENCE.sub("", file.read_text(encoding="utf-8")))
    for target in _LINK.findall(text):
        if re.match(r"[a-z]+:", target):
            continue
        path, _, anchor = target.partition("#")
        there = (file.parent / path).resolve() if path else file
        assert there.exists(), f"{page}: {target}: there is no such file"
        if anchor and there.suffix == ".md":
            assert anchor in anchors(there), f"{page}: {target}: no such heading in {there.name}"


def test_where_readme_says_to_start_reading_there_is_something() -> None:
    rows = re.findall(r"^\| (`.+?) \| .*? \| (.*?) \|$", (ROOT / "README.md").read_text(encoding="utf-8"), re.MULTILINE)
    assert len(rows) > 8
    for folders, starts in rows:
        below = [ROOT, *(ROOT / name for name in _CODE.findall(folders))]
        below += [folder / "src" / package for folder in below for package in _PACKAGES]
        below += [folder / name for folder in below for name in _CODE.findall(folders)]
        for start in _CODE.findall(starts):
            found = start.startswith("make ") or any((folder / start).exists() for folder in below)
            assert found, f"README: {folders}: {start} is not there"
