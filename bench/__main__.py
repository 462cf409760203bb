"""`make bench`: ours beside its peers, in one run, as ratios.

Each module of this package offers `run() -> list[dict]`: rows of `what`, `ours`, `peer`, `peer_name`, `unit`,
`ratio` and `goal`.
Rows are printed as a Markdown table; `--write` puts them between the markers of docs/performance.md.
Figures from different runs are not comparable: machines are shared, so only the ratios of one run count.
"""

from __future__ import annotations

import argparse
import importlib
import sys
from pathlib import Path
from typing import Any

PARTS = ("proxy", "capture", "forwarder", "responder", "generator", "dlp", "synth", "kube", "injection", "admission")
PAGE = Path(__file__).resolve().parent.parent / "docs" / "performance.md"
BEGIN, END = "<!-- figures -->", "<!-- /figures -->"


def main() -> int:
    """Run the chosen benchmarks; the exit code is 0 unless one could not run."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("parts", nargs="*", choices=[*PARTS, []], default=list(PARTS), help="which to run")
    parser.add_argument("--write", action="store_true", help="put the table into docs/performance.md")
    args = parser.parse_args()
    rows: list[dict[str, Any]] = []
    for part in args.parts or PARTS:
        print(f"── {part} ──", file=sys.stderr, flush=True)
        rows += importlib.import_module(f"bench.{part}").run()
    table = render(rows)
    print(table)
    if args.write:
        text = PAGE.read_text()
        head, _, rest = text.partition(BEGIN)
        PAGE.write_text(head + BEGIN + "\n" + table + "\n" + END + rest.partition(END)[2])
    return 0


def render(rows: list[dict[str, Any]]) -> str:
    """Return the rows as a Markdown table."""
    lines = ["| what | ours | peer | ratio | goal |", "| --- | --- | --- | --- | --- |"]
    for row in rows:
        peer = f"{_number(row.get('peer'))} ({row['peer_name']})" if row.get("peer") is not None else "–"
        ratio = f"{row['ratio']:.2f}" if row.get("ratio") is not None else "–"
        ours = f"{_number(row['ours'])} {row.get('unit', '')}".strip()
        lines.append(f"| {row['what']} | {ours} | {peer} | {ratio} | {row.get('goal', '')} |")
    return "\n".join(lines)


def _number(value: Any) -> str:
    if isinstance(value, float | int):
        return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"
    return str(value)


if __name__ == "__main__":
    sys.exit(main())
