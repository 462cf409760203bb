"""`python -m bench.nettap [--write]`: the figures of nettap as a table; `--write` puts it into docs/performance.md."""

from __future__ import annotations

import sys

from . import BEGIN, END, PAGE, run


def main() -> int:
    """Measure, print, and with `--write` put the table between the markers of the page."""
    lines = ["| what | ours | goal | the vendor's published figure |", "| --- | --- | --- | --- |"]
    for row in run():
        ours = f"{row['ours']:,.2f}" if isinstance(row["ours"], float) else str(row["ours"])
        lines.append(
            f"| {row['what']} | {ours} {row.get('unit', '')} | {row.get('goal', '')} | {row.get('vendor', '')} |"
        )
    table = "\n".join(lines)
    print(table)
    if "--write" in sys.argv:
        head, _, rest = PAGE.read_text("utf-8").partition(BEGIN)
        PAGE.write_text(f"{head}{BEGIN}\n{table}\n{END}{rest.partition(END)[2]}", "utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
