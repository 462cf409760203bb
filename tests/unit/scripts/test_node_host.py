"""Whether pods can run here is tried, and a refusal is a sentence with the machine's own words."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3]
sys.path.insert(0, str(ROOT / "scripts"))

import node_host  # noqa: E402
import tiers  # noqa: E402
import tools  # noqa: E402


@pytest.fixture
def root(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "platform", "linux")
    monkeypatch.setattr(os, "geteuid", lambda: 0)


@pytest.fixture
def cgroups(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    monkeypatch.setattr(node_host, "_CGROUPS", tmp_path)
    return tmp_path


def test_without_root_that_is_the_reason(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "platform", "linux")
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    assert node_host.lacks() == "pods need root"


def test_what_is_tried_and_refused_is_named_with_its_words(
    root: None, cgroups: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (cgroups / "cgroup.controllers").write_text("cpuset cpu io memory pids\n")
    monkeypatch.setattr(node_host, "_IN", ())
    monkeypatch.setattr(
        node_host, "_TRIES", (("one", "true"), ("two", "echo not here >&2; exit 3"), ("three", "false"))
    )
    assert node_host.lacks() == "this machine does not let a node have two: not here"
    monkeypatch.setattr(node_host, "_TRIES", (("one", "true"),))
    assert node_host.lacks() == ""
    assert [file.name for file in cgroups.iterdir()] == ["cgroup.controllers"], "nothing is left of the trial"


def test_controllers_that_are_not_delegated_are_named(root: None, cgroups: Path) -> None:
    (cgroups / "cgroup.controllers").write_text("cpuset memory\n")
    assert node_host.lacks() == "this machine does not delegate the cgroup controllers cpu, pids"


def test_a_cgroup_that_cannot_be_made_is_the_reason(root: None, cgroups: Path) -> None:
    assert node_host.lacks().startswith("this machine does not let a node have cgroups: ")  # no hierarchy at all


def test_a_tier_that_the_machine_refuses_is_named_in_the_table_also_in_ci(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tiers, "CI", True)
    monkeypatch.setattr(tools, "install", lambda programs: 0)
    tier = tiers.Tier("it", "tests/unit/scripts", heavy=True, refused=lambda: "no overlay")
    row = tiers._consider(tier, ["default"])
    assert row is not None
    assert (row.note, row.failed) == ("not run: no overlay", 0)
