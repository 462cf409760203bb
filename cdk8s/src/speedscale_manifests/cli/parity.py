"""`speedctl parity`: the vendor's chart against our installation, field by field, with a reason for what differs."""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import TYPE_CHECKING

from speedscale_schemas.errors import ConfigError

from .failing import fail

if TYPE_CHECKING:
    from speedscale_manifests.parity.outcome import Outcome

CASES = ("default", "full", "full-ns", "alt")


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the arguments."""
    parser.add_argument(
        "--chart", type=Path, metavar="RENDERED.yaml", help="what `helm template` printed for the chart"
    )
    parser.add_argument(
        "--chart-values",
        type=Path,
        metavar="VALUES.yaml",
        help="the values file that render was made with (default: none)",
    )
    parser.add_argument("--case", choices=CASES, help="only this of the built-in renders (default: all four)")
    parser.add_argument(
        "--format",
        choices=("text", "markdown", "json"),
        default="text",
        help="how the result is printed (default: text)",
    )
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.epilog = """\
examples:
  speedctl parity
  speedctl parity --case full-ns --format json
  helm template speedscale-operator speedscale/speedscale-operator -n speedscale -f values.yaml > chart.yaml
  speedctl parity --chart chart.yaml --chart-values values.yaml

Exit code 1 when a difference has no reason in the reviewed list, or the list has an entry that fits nothing any more.
"""


def run(args: argparse.Namespace) -> int:
    """Compare, print, and return 0 when everything is equal or explained, else 1; 2 for wrong use."""
    if args.chart and args.case:
        return fail("--case names a built-in render and --chart one of yours: give one of them")
    if args.chart_values and not args.chart:
        return fail("--chart-values goes with --chart: give the render that these values made")
    try:
        outcome = _outcome(args)
    except ConfigError as error:
        return fail(*error.problems)
    print(_printed(outcome, args.format))
    return 0 if outcome.good else 1


def _outcome(args: argparse.Namespace) -> Outcome:
    from speedscale_manifests.parity import run as parity

    if args.chart:
        return parity.of_chart(args.chart, args.chart_values)
    return parity.of_cases((args.case,) if args.case else CASES)


def _printed(outcome: Outcome, form: str) -> str:
    from speedscale_manifests.parity import deviations, markdown, text
    from speedscale_manifests.parity.outcome import data

    if form == "json":
        return json.dumps(data(outcome), ensure_ascii=False, indent=2, default=str)
    if form == "markdown":
        return markdown.page(outcome, deviations.read()).rstrip("\n")
    return text.text(outcome)
