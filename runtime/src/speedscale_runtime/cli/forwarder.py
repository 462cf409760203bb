"""`speedctl forwarder`: what a forwarder keeps on its disk."""

from __future__ import annotations

import argparse
import os
from pathlib import Path

from speedscale_runtime import home as homes
from speedscale_runtime.spool import inspection

from .output import add_output_flag, emit, fail

EXAMPLES = """\
examples:
  speedctl forwarder spool
  speedctl forwarder spool --dir /var/lib/speedscale/spool -o json
  kubectl exec deploy/speedscale-forwarder -- speedscale-forwarder spool

Counts, sizes, times and places; never anything of a pair. It may be run beside the forwarder that uses the spool.
"""


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of `speedctl forwarder`."""
    parser.epilog = EXAMPLES
    parser.add_argument("action", choices=("spool",), help="spool: segments, what they hold, and exporters' cursors")
    parser.add_argument("--dir", metavar="FOLDER", help="the spool (default: SPOOL_DIR, else spool in SPEEDSCALE_HOME)")
    add_output_flag(parser)


def run(args: argparse.Namespace) -> int:
    """Print what the spool holds; exit 1 where bytes of it are damaged."""
    folder = _folder(args.dir)
    try:
        view = inspection.inspect(folder)
    except FileNotFoundError:
        return fail(f"{folder}: there is no spool", "give its folder: --dir, or SPOOL_DIR")
    except OSError as error:
        return fail(f"{folder}: {error.strerror}", "run it as the forwarder's user")
    emit(args, view.document(), inspection.text(view))
    return 1 if any(s.damaged_bytes for s in view.segments) else 0


def _folder(given: str | None) -> Path:
    named = given or os.environ.get("SPOOL_DIR", "")
    return Path(named).expanduser() if named else homes.folder(os.environ) / "spool"
