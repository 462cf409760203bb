"""What the command line of `speedctl replay` makes of a test config."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

import pytest

from speedscale_runtime.cli import replay
from speedscale_runtime.cli.replay_config import config_of
from speedscale_runtime.generator import testconfig
from speedscale_runtime.generator.testconfig import Stage
from speedscale_schemas.errors import ConfigError


def made(tmp_path: Path, *arguments: str) -> dict[str, Any]:
    parser = argparse.ArgumentParser()
    replay.configure(parser)
    return config_of(parser.parse_args(["--in", "x", *arguments]), tmp_path, tmp_path)


def stages(tmp_path: Path, *arguments: str) -> tuple[Stage, ...]:
    return testconfig.read(made(tmp_path, *arguments)).stages


TABLE: list[tuple[list[str], Stage]] = [
    ([], Stage(1)),
    (["-n", "3", "-u", "4"], Stage(4, iterations=3)),
    (["--for", "30s"], Stage(1, duration_s=30, iterations=0)),
    (["--for", "30s", "-n", "2"], Stage(1, duration_s=30, iterations=2)),
    (["--load-test", "--vus", "8"], Stage(8, pace=0.0)),
    (["--performance", "--timing", "recorded"], Stage(1, pace=1.0)),
    (["--timing", "4x"], Stage(1, pace=0.25)),
    (["--stage", "vus=5,for=1m,ramp=10s"], Stage(5, duration_s=60, ramp_s=10, iterations=0)),
    (["--stage", "rps=50,for=2m,vus=9"], Stage(9, rate=50, duration_s=120, iterations=0, pace=0)),
]


@pytest.mark.parametrize(("arguments", "stage"), TABLE)
def test_the_command_line_shapes_the_load(arguments: list[str], stage: Stage, tmp_path: Path) -> None:
    assert stages(tmp_path, *arguments) == (stage,)


def test_stages_in_their_order_and_flags(tmp_path: Path) -> None:
    config = made(tmp_path, "--stage", "vus=1,for=1s", "--stage", "vus=2,for=1s", "--load-test", "--sessions")
    assert [s["virtualUsers"]["virtualUsers"] for s in config["generator"]["stages"]] == ["1", "2"]
    assert config["generator"]["lowData"] is True
    assert config["generator"]["bySession"] is True


def test_a_built_in_config_is_not_changed_for_the_next_run(tmp_path: Path) -> None:
    made(tmp_path, "-u", "9")
    assert stages(tmp_path) == (Stage(1),)


WRONG = ["vus", "vus=", "for=1s", "vus=1,for=1s,speed=2", "rps=fast,for=1s", "vus=1,,for=1s"]


@pytest.mark.parametrize("text", WRONG)
def test_wrong_stages_are_refused(text: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigError):
        made(tmp_path, "--stage", text)


@pytest.mark.parametrize("text", ["0x", "fast", "2", "-1x"])
def test_wrong_timings_are_refused(text: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="--timing"):
        made(tmp_path, f"--timing={text}")
