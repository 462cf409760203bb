"""Write `facts/` again from renders of the chart: for a new chart version, by a maintainer who has the chart and helm.

    helm template speedscale-operator CHART -n speedscale -f CASE.values.yaml > CASE.yaml    (for each case)
    python -m speedscale_manifests.parity.restate FOLDER_WITH_CASE.yaml

The values of each case stand in `facts/cases.yaml`. Only field values are written; `flatten` leaves out descriptions,
scripts, keys and certificates.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import yaml

from . import facts, reading
from .flatten import Facts, facts_of

HEADER = "# What {chart} renders: {title}, field by field. Written by `parity.restate`.\n"


class _Dumper(yaml.SafeDumper):
    """Writes lists of plain values on one line."""

    def represent_sequence(
        self, tag: str, sequence: Iterable[Any], flow_style: bool | None = None
    ) -> yaml.SequenceNode:
        items = list(sequence)
        plain = all(not isinstance(item, dict | list) for item in items)
        return super().represent_sequence(tag, items, flow_style=plain or flow_style)

    def ignore_aliases(self, data: Any) -> bool:
        return True


def restated(cases: Sequence[tuple[str, Facts]]) -> dict[str, str]:
    """Return the text of each file of `facts/` but `cases.yaml`; an object of no section is a ValueError."""
    strangers = sorted({item for _, found in cases for item in found if facts.section(item) == facts.OTHER})
    if strangers:
        raise ValueError(f"no section holds {', '.join(strangers)}; add it to SECTIONS in facts.py")
    return {facts.file_name(number, title): _text(number, title, cases) for number, title, _ in facts.SECTIONS}


def _text(number: str, title: str, cases: Sequence[tuple[str, Facts]]) -> str:
    body = yaml.dump(facts.entries(cases, number), Dumper=_Dumper, sort_keys=False, width=1000, allow_unicode=True)
    return HEADER.format(chart=facts.CHART, title=title) + body


def main(argv: Sequence[str]) -> int:
    """Read `<case>.yaml` of every case below a folder and write the files beside this module."""
    folder, target = Path(argv[0]), Path(__file__).with_name("facts")
    rendered = []
    for case in facts.described():
        objects = reading.documents((folder / f"{case}.yaml").read_text("utf-8"))
        rendered.append((case, facts_of(objects, facts.NAMESPACE)))
    for name, text in restated(rendered).items():
        (target / name).write_text(text, "utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
