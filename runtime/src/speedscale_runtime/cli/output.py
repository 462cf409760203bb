"""What every verb prints with: results as text or JSON on stdout, progress on stderr.

Results go to stdout, everything else to stderr, so that `--output json | jq` always works.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import sys
import time
from collections.abc import Callable, Mapping
from typing import Any, TextIO


def add_output_flag(parser: argparse.ArgumentParser) -> None:
    """Add `--output text|json` (alias `-o pretty`); every verb calls it."""
    parser.add_argument(
        "-o",
        "--output",
        choices=("text", "json", "pretty"),
        default="text",
        help="how results are printed on stdout (default: text)",
    )


def emit(args: argparse.Namespace, data: Mapping[str, Any], text: str) -> None:
    """Print `data` as JSON or `text`, as the user chose; a reader that left (`| head`) changes no exit code."""
    as_json = getattr(args, "output", "text") == "json"
    try:
        print(json.dumps(data, ensure_ascii=False, indent=2) if as_json else text, flush=True)
    except BrokenPipeError:
        mute()


def mute() -> None:
    """Send the rest of stdout nowhere: its reader left, and the flush at exit would complain again."""
    with contextlib.suppress(OSError, ValueError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def counted(number: int, noun: str) -> str:
    """Return a number with its noun: `1 call`, `1,200 calls`."""
    return f"{number:,} {noun}" + ("" if number == 1 else "s")


def fail(message: str, remedy: str = "") -> int:
    """Print an error with what to do about it on stderr; return exit code 2."""
    print(f"speedctl: {message}" + (f"\n  {remedy}" if remedy else ""), file=sys.stderr)
    return 2


class Progress:
    """A line on stderr with count, rate and time left; silent for the first two seconds.

    On a terminal the line is rewritten; elsewhere one is printed every ten seconds. `clock` is monotonic seconds.
    """

    def __init__(
        self,
        what: str,
        total: int | None = None,
        *,
        stream: TextIO | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._what, self._total, self._stream = what, total, stream or sys.stderr
        self._clock, self._start = clock, clock()
        self._tty = self._stream.isatty()
        self._next = self._start + 2.0
        self._shown = False

    def update(self, done: int) -> None:
        """Say that `done` items are done; cheap to call often."""
        now = self._clock()
        if now < self._next:
            return
        self._next = now + (0.2 if self._tty else 10.0)
        rate = done / (now - self._start)
        line = f"{self._what}: {done:,}"
        if self._total:
            left = (self._total - done) / rate if rate else 0.0
            line += f" of {self._total:,} ({100 * done // self._total} %), {rate:,.0f}/s, {left:.0f} s left"
        else:
            line += f", {rate:,.0f}/s"
        self._shown = True
        self._stream.write(f"\r\x1b[K{line}" if self._tty else line + "\n")
        self._stream.flush()

    def close(self) -> None:
        """End the line, if there was one."""
        if self._shown and self._tty:
            self._stream.write("\n")
            self._stream.flush()
