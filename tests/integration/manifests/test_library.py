"""The blocks of docs/library.md: each runs as a program of its own in an empty folder and prints what the page says."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

pytestmark = pytest.mark.integration

PAGE = Path(__file__).parents[3] / "docs" / "library.md"
_PAIR = re.compile(
    r"^## ([^\n]*)\n(?:(?!^## ).)*?^```python\n(.*?)^```\n\n```text\n(.*?)^```$", re.MULTILINE | re.DOTALL
)
BLOCKS = {title: (program, printed) for title, program, printed in _PAIR.findall(PAGE.read_text("utf-8"))}


def test_every_block_has_its_output_and_is_run() -> None:
    text = PAGE.read_text("utf-8")
    assert len(BLOCKS) == text.count("```python") == text.count("```text") >= 5


@pytest.mark.parametrize("title", BLOCKS)
def test_a_block_is_a_program(title: str, tmp_path: Path) -> None:
    program, printed = BLOCKS[title]
    (tmp_path / "home").mkdir()
    folder = tmp_path / "app"
    folder.mkdir()
    # No node on PATH: the wheel's must do. -I: no PYTHON* variables, nothing imported from the folder.
    environment = {"PATH": str(tmp_path / "nothing"), "HOME": str(tmp_path / "home")}
    done = subprocess.run(
        [sys.executable, "-I", "-W", "error", "-c", program],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.stderr == ""
    assert done.stdout == printed
    assert done.returncode == 0
    written = [path for path in folder.rglob("*.yaml") if path.is_file()]
    assert written
    for path in written:
        assert all(isinstance(document, dict) for document in yaml.safe_load_all(path.read_text("utf-8")))
