"""`speedctl dlp reveal`: undo reversible tokens with the key that made them.

Called by `dlp`. The key comes from a file, a mounted Secret or a variable of the environment, never from the command
line, where every process of the machine could read it. Values go to a file that its owner alone can read, or to the
terminal where that is asked for by name; without either they are only counted.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from speedscale_runtime import home as homes
from speedscale_schemas.errors import ConfigError

from .output import emit

if TYPE_CHECKING:
    from speedscale_runtime.dlp import KeyRing


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the verb's arguments."""
    parser.add_argument("source", metavar="FILE", help="a text with REDACTED-…-SIV-… tokens; - for standard input")
    parser.add_argument(
        "--key-file", type=Path, metavar="PATH", help="dlp-keys.json, or a mounted Secret (default: SPEEDSCALE_HOME's)"
    )
    parser.add_argument("--key-env", metavar="NAME", help="name of a variable that holds {key id: base64 key} as JSON")
    parser.add_argument("--out", type=Path, metavar="FILE", help="write the text with its values there (mode 0600)")
    parser.add_argument("--show", action="store_true", help="print the text with its values")


def run(args: argparse.Namespace) -> int:
    """Run the command: 0 when every token was undone, 1 when one was not."""
    from speedscale_runtime.dlp.actions import reveal

    if args.show and args.out:
        raise ConfigError(["--show, --out: choose one of them"])
    keys = _keys(args)
    data = sys.stdin.buffer.read() if args.source == "-" else Path(args.source).read_bytes()
    plain, undone, left = reveal(data, keys.all)
    if args.out:
        _write(args.out, plain)
    if args.show:
        sys.stdout.buffer.write(plain)
        sys.stdout.flush()
        print(f"{undone} tokens undone, {left} not", file=sys.stderr)
        return 1 if left else 0
    text = f"{undone} tokens undone, {left} that no key of {', '.join(keys.ids)} fits"
    where = f"; written to {args.out}" if args.out else "; nothing was written: --out FILE or --show"
    emit(args, {"undone": undone, "left": left, "out": str(args.out or "")}, text + where)
    return 1 if left else 0


def _keys(args: argparse.Namespace) -> KeyRing:
    from speedscale_runtime.dlp import KeyRing
    from speedscale_runtime.dlp.keys import FILE_NAME

    if args.key_env and args.key_file:
        raise ConfigError(["--key-env, --key-file: choose one of them"])
    if args.key_env:
        text = os.environ.get(args.key_env)
        if not text:
            raise ConfigError([f"--key-env: the environment has no {args.key_env}"])
        return KeyRing.parse(text, args.key_env)
    return KeyRing.load(args.key_file or homes.folder() / FILE_NAME)


def _write(path: Path, data: bytes) -> None:
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")  # mkstemp makes it 0600
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(data)
        os.replace(temporary, path)
    except BaseException:
        os.unlink(temporary)
        raise
