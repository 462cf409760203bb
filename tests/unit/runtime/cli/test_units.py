"""Durations and sizes as people type them."""

import argparse

import pytest

from speedscale_runtime.cli import units


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("90", 90), ("90s", 90), ("250ms", 0.25), ("5m", 300), ("1h30m", 5400), ("1.5h", 5400), ("2d", 172800)],
)
def test_durations(text: str, seconds: float) -> None:
    assert units.seconds(text) == seconds


@pytest.mark.parametrize("text", ["", "s", "5 minutes", "1h30", "-5s", "5x"])
def test_what_is_no_duration_is_refused_with_an_example(text: str) -> None:
    with pytest.raises(argparse.ArgumentTypeError, match="say for example 90s"):
        units.seconds(text)


@pytest.mark.parametrize(
    ("text", "size"),
    [
        ("4096", 4096),
        ("4096B", 4096),
        ("512KiB", 512 << 10),
        ("8MiB", 8 << 20),
        ("1.5GB", 1_500_000_000),
        ("2 kB", 2000),
    ],
)
def test_sizes(text: str, size: int) -> None:
    assert units.size(text) == size


@pytest.mark.parametrize("text", ["", "MiB", "8M", "eight"])
def test_what_is_no_size_is_refused_with_an_example(text: str) -> None:
    with pytest.raises(argparse.ArgumentTypeError, match="say for example 4096"):
        units.size(text)
