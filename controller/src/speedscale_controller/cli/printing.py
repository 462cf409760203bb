"""What the operator's verbs print: results on stdout as text or JSON, everything else on stderr.

Used by every verb here. JSON is sorted by key and ends with a line feed, so that two runs can be compared. Errors say
what is wrong and, on a line of their own, what to do about it.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import sys
from collections.abc import Iterable, Sequence
from typing import Any

_WIDEST = 100
"""Longest cell that pads a column; longer ones stick out."""


def add_output_flag(parser: argparse.ArgumentParser) -> None:
    """Add `-o text|json`."""
    parser.add_argument(
        "-o",
        "--output",
        choices=("text", "json"),
        default="text",
        help="how results are printed on stdout (default: text)",
    )


def emit(args: argparse.Namespace, data: Any, text: str) -> None:
    """Print `data` as JSON or `text`, as the user chose; a reader that left (`| head`) changes no exit code."""
    chosen = json.dumps(data, ensure_ascii=False, indent=2, sort_keys=True) if args.output == "json" else text
    try:
        print(chosen, flush=True)
    except BrokenPipeError:
        with contextlib.suppress(OSError, ValueError):
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def say(text: str) -> None:
    """Tell on stderr what is being done."""
    print(text, file=sys.stderr, flush=True)


def fail(message: str, remedy: str = "") -> int:
    """Print an error with what to do about it on stderr; return exit code 2."""
    say(f"speedctl: {message}" + (f"\n  {remedy}" if remedy else ""))
    return 2


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Return rows in columns below a head; the last column is not padded."""
    lines = [tuple(head), *(tuple(row) for row in rows)]
    widths = [max(min(len(line[i]), _WIDEST) for line in lines) for i in range(len(head) - 1)]
    return "\n".join(
        "  ".join([*(cell.ljust(width) for cell, width in zip(line, widths, strict=False)), line[-1]]).rstrip()
        for line in lines
    )
