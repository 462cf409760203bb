"""Which Node is taken: the wheel's, unless the user's own will do."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from speedscale_manifests.constructs import node


def _program(tmp_path: Path, printed: str) -> str:
    path = tmp_path / "node"
    path.write_text(f"#!{sys.executable}\nprint({printed!r})\n")
    path.chmod(0o755)
    return str(path)


def test_unset_means_the_wheels_and_banners_are_silenced(tmp_path: Path) -> None:
    chosen = node.settings({"HOME": str(tmp_path)})
    assert chosen.pop("JSII_NODE") == str(node.wheel())
    assert os.access(str(node.wheel()), os.X_OK)
    assert set(chosen.values()) == {"1"}
    assert all(name.startswith("JSII_SILENCE_WARNING_") for name in chosen)


@pytest.mark.parametrize(
    ("version", "stays"), [("v22.1.0", True), ("v24.19.0", True), ("v20.20.2", False), ("", False)]
)
def test_a_node_of_the_users_stays_when_it_will_do(tmp_path: Path, version: str, stays: bool) -> None:
    theirs = _program(tmp_path, version)
    chosen = node.settings({"JSII_NODE": theirs})
    assert chosen.get("JSII_NODE", theirs) == (theirs if stays else str(node.wheel()))


def test_one_that_cannot_be_run_is_replaced(tmp_path: Path) -> None:
    assert node.settings({"JSII_NODE": str(tmp_path / "missing")})["JSII_NODE"] == str(node.wheel())


def test_without_the_wheel_node_on_path_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(node, "wheel", lambda: None)
    assert "JSII_NODE" not in node.settings({})


def test_what_the_user_said_about_banners_stays() -> None:
    assert "JSII_SILENCE_WARNING_UNTESTED_NODE_VERSION" not in node.settings(
        {"JSII_SILENCE_WARNING_UNTESTED_NODE_VERSION": ""}
    )
