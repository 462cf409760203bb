"""`speedctl version`: which build this is."""

from __future__ import annotations

import argparse
import platform
from importlib.metadata import version

from .output import add_output_flag, emit


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the flags."""
    add_output_flag(parser)


def run(args: argparse.Namespace) -> int:
    """Print the versions of the members and of Python."""
    data = {
        "version": version("speedscale-runtime"),
        "schemas": version("speedscale-schemas"),
        "python": platform.python_version(),
        "platform": f"{platform.system().lower()}/{platform.machine()}",
    }
    emit(args, data, f"speedctl {data['version']} (Python {data['python']}, {data['platform']})")
    return 0
