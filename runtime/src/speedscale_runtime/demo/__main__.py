"""`python -m speedscale_runtime.demo`: run the walkthrough, tell it on the terminal, end with 0 when all went well."""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path

from .stage import Stage, StageError
from .walkthrough import Walkthrough


def main() -> int:
    """Run the demo under `.cache/demo` of the working directory, or `--folder`."""
    parser = argparse.ArgumentParser(description="Record, redact, mock and replay a small shop.")
    parser.add_argument("--folder", type=Path, default=Path(".cache/demo"), help="where runs are kept")
    args = parser.parse_args()
    started = time.monotonic()
    try:
        with Stage(args.folder.resolve()) as stage:
            Walkthrough(stage, lambda line: print(line, flush=True)).run()
    except StageError as error:
        print(f"\nThe demo did not go as it should.\n{error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("\nstopped; nothing is left running", file=sys.stderr)
        return 130
    print(f"\n({time.monotonic() - started:.0f} s)")
    return 0


if __name__ == "__main__":
    sys.exit(main())
