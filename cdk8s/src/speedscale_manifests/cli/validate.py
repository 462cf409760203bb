"""`speedctl validate`: is the output good: schemas, policies, kustomizations, values, a live cluster.

Parses arguments, runs `speedscale_manifests.validate`, prints the report. Nothing is judged here.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, TextIO

from speedscale_schemas.errors import ConfigError, PeerError, PermanentError, TransientError

from .failing import fail

if TYPE_CHECKING:
    from speedscale_manifests.validate import Options, Report

_EPILOG = """\
examples:
  speedctl validate                                 the output in dist/ and the values it comes from
  speedctl validate dist --values values.yaml --values values.prod.yaml
  speedctl validate --kubernetes all --require kustomize,server
  speedctl validate --kubernetes 1.29..newest --server never rendered.yaml
  speedctl validate --format sarif > validate.sarif

Steps: values, files, kubernetes, crd, policies, annotations, bundle, kustomize, output, server. A step that cannot run
(no kustomize, no cluster) says so and fails nothing, unless --require names it. Nothing is written anywhere; the dry
run needs the right to patch.

Exit code 1 when a step failed; 2 when arguments or environment are wrong.
"""
_SILENT_S = 2.0
_REPEAT_S = 10.0


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the arguments."""
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.epilog = _EPILOG
    parser.add_argument("paths", nargs="*", metavar="PATH", help="folders and files of manifests (default: dist)")
    parser.add_argument(
        "--values", "-f", action="append", default=[], metavar="FILE", help="a values file; later ones win (repeatable)"
    )
    parser.add_argument(
        "--set", action="append", default=[], metavar="PATH=VALUE", help="one setting, wins over files (repeatable)"
    )
    parser.add_argument("--profile", choices=("gitops", "operator"), help="who owns the managed components")
    parser.add_argument(
        "--kubernetes",
        default="",
        metavar="VERSIONS",
        help="1.29, 1.29,1.31, 1.29..newest or all (default: the oldest and the newest)",
    )
    parser.add_argument(
        "--server",
        choices=("auto", "always", "never"),
        default="auto",
        help="dry run against a cluster: auto when one is named (default: auto)",
    )
    parser.add_argument("--kubeconfig", type=Path, metavar="FILE", help="default: KUBECONFIG, then ~/.kube/config")
    parser.add_argument("--context", metavar="NAME", help="context of the kubeconfig (default: its current one)")
    parser.add_argument(
        "--require", action="append", default=[], metavar="STEP", help="steps that have to run, by commas (repeatable)"
    )
    parser.add_argument(
        "--format", choices=("text", "json", "sarif"), default="text", help="how it is printed (default: text)"
    )
    parser.add_argument("--objects", action="store_true", help="print the table of objects, too")


def run(args: argparse.Namespace) -> int:
    """Validate; 0 all good, 1 a step failed, 2 wrong arguments or environment."""
    from speedscale_manifests import validate

    progress = _Progress(sys.stderr)
    try:
        report = validate.run(_options(args), progress)
    except ConfigError as error:
        return fail(*error.problems)
    except (TransientError, PermanentError, PeerError) as error:
        return fail(f"the cluster cannot be asked: {error}")
    finally:
        progress.close()
    print(_printed(args, report), flush=True)
    return 0 if report.ok else 1


def _options(args: argparse.Namespace) -> Options:
    from speedscale_manifests.synth.sources import sources
    from speedscale_manifests.validate import Options, chosen

    found = sources(Path.cwd(), os.environ, args.values, None)
    paths = tuple(Path(path) for path in args.paths) or (found.output,)
    said = bool(args.values or args.set or args.profile)
    ours = len(paths) == 1 and paths[0].resolve() == found.output.resolve()
    return Options(
        paths=paths,
        versions=chosen(args.kubernetes),
        values=found.files if said or ours else None,
        sets=tuple(args.set),
        profile=args.profile,
        server=args.server,
        kubeconfig=args.kubeconfig,
        context=args.context,
        require=frozenset(part.strip() for text in args.require for part in text.split(",") if part.strip()),
    )


def _printed(args: argparse.Namespace, report: Report) -> str:
    from importlib.metadata import version

    from speedscale_manifests.validate import render

    if args.format == "json":
        return json.dumps(render.data(report), indent=2, ensure_ascii=False)
    if args.format == "sarif":
        return json.dumps(render.sarif(report, version("speedscale-manifests")), indent=2, ensure_ascii=False)
    objects = f"{render.summary(report.table)}\n\n" if args.objects else ""
    return objects + render.text(report)


class _Progress:
    """A line on stderr about the step at work, silent for two seconds; rewritten on a terminal, else every 10 s."""

    def __init__(self, stream: TextIO, clock: Callable[[], float] = time.monotonic) -> None:
        self._stream, self._clock = stream, clock
        self._next = clock() + _SILENT_S
        self._shown = False

    def __call__(self, step: str, done: int) -> None:
        now = self._clock()
        if now < self._next:
            return
        terminal = self._stream.isatty()
        self._next = now + (0.2 if terminal else _REPEAT_S)
        self._shown = terminal
        self._stream.write(f"\r\x1b[K{step}: {done:,} objects" if terminal else f"{step}: {done:,} objects\n")
        self._stream.flush()

    def close(self) -> None:
        """End the line, if there was one."""
        if self._shown:
            self._stream.write("\n")
            self._stream.flush()
