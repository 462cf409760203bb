"""Promises in the documentation name the tests that hold them: each of those tests has to exist."""

from __future__ import annotations

import ast
import re
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
PAGES = ("docs/security.md", "docs/architecture.md", "docs/faults.md")
_NAMED = re.compile(r"`(tests/[\w/.-]+\.py)(?:::(\w+))?`")


def named(page: str) -> list[tuple[str, str]]:
    return _NAMED.findall((ROOT / page).read_text("utf-8"))


@cache
def functions(path: Path) -> frozenset[str]:
    tree = ast.parse(path.read_text("utf-8"))
    return frozenset(
        node.name for node in ast.walk(tree) if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef))
    )


@pytest.mark.parametrize("page", PAGES)
def test_each_test_that_a_page_names_exists(page: str) -> None:
    missing = [
        f"{file}::{name}" if name else file
        for file, name in named(page)
        if not (ROOT / file).is_file() or (name and name not in functions(ROOT / file))
    ]
    assert missing == []


def test_every_promise_of_the_security_page_names_a_test() -> None:
    text = (ROOT / "docs/security.md").read_text("utf-8")
    promises = text.partition("## What is promised")[2].partition("\n## ")[0]
    rows = [
        line for line in promises.splitlines() if line.startswith("| ") and not line.startswith(("| promise", "| ---"))
    ]
    assert len(rows) > 20
    assert [row for row in rows if not _NAMED.search(row.rsplit("|", 2)[1])] == []


def test_a_name_that_is_none_is_found(tmp_path: Path) -> None:
    file = tmp_path / "test_x.py"
    file.write_text("def test_one() -> None: ...\nclass Two:\n    async def test_three(self) -> None: ...\n")
    assert functions(file) == {"test_one", "Two", "test_three"}
