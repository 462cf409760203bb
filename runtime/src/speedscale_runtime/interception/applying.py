"""Plans carried out: read what is there, write what differs, look again. Called by `program`.

Each table of each family is one transaction. Everything here may be done twice: the second time nothing is written.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from speedscale_schemas.errors import PermanentError

from . import marking, transition
from .backend import Backend, Cause
from .model import Family, TablePlan
from .pod import Network
from .saved import Table

Live = Mapping[str, Table]
Planner = Callable[[Family, Live, list[str]], Sequence[TablePlan]]
"""Makes the plans of a family, knowing which tables there are; what people ought to know goes on the list of notes."""


@dataclass(slots=True)
class Report:
    """What was found or done. `digests` by family and table; `changed`: tables written; `notes` for people."""

    backend: str
    digests: dict[str, str] = field(default_factory=dict)
    changed: list[str] = field(default_factory=list)
    rules: int = 0
    differences: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Work:
    """One program's work: its back end, its name for marks, and which families there are."""

    backend: Backend
    label: str
    network: Network

    def read(self, planner: Planner, report: Report) -> list[tuple[TablePlan, Table]]:
        """Return every plan beside its table; a family that this pod does without is left out and noted.

        Raises PermanentError where a family that others can reach cannot be read.
        """
        found: list[tuple[TablePlan, Table]] = []
        for family in self._families(report):
            try:
                live = self.backend.tables(family)
            except PermanentError as error:
                if family is Family.V6 and not self.network.ipv6_global:
                    report.notes.append(f"IPv6 is left out, no other host reaches this pod by it: {error}")
                    continue
                raise
            found += [
                (plan, live.get(plan.table, Table()))
                for plan in self._marked(planner(family, live, report.notes), live)
            ]
        return found

    def _families(self, report: Report) -> Iterable[Family]:
        yield Family.V4
        if self.network.ipv6:
            yield Family.V6
        else:
            report.notes.append("IPv6 is left out: this pod has none")

    def _marked(self, plans: Iterable[TablePlan], live: Live) -> Iterable[TablePlan]:
        for plan in plans:
            before = marking.find(plan, live.get(plan.table, Table()))
            made = before.made if before else plan.table not in live
            yield marking.marked(plan, self.label, made=made)

    def write(self, planner: Planner, report: Report, *, anew: bool = False) -> None:
        """Make the rules what they should be, and make sure; after a PermanentError nothing is half done."""
        pairs = self.read(planner, report)
        written = []
        try:
            for plan, live in pairs:
                self._write_one(plan, live, report, anew=anew and bool(plan.chains))
                written.append((plan, live))
        except PermanentError:
            for plan, live in written:  # one family alone would be half a capture
                self._take_back(plan, live)
            raise

    def _write_one(self, plan: TablePlan, live: Table, report: Report, *, anew: bool) -> None:
        text = transition.restore(plan, live, anew=anew)
        place = f"{plan.family} {plan.table}"
        if text:
            self.backend.restore(plan.family, text)
            there = self.backend.tables(plan.family).get(plan.table, Table())
            wrong = transition.differences(plan, there)
            if wrong:
                raise PermanentError(
                    Cause.REFUSED,
                    f"the kernel took the rules and has others now: {wrong[0]}; is another program at it?",
                )
            report.changed.append(place)
        if plan.chains:
            report.digests[place] = marking.of_plan(plan)
            report.rules += sum(len(chain.rules) for chain in plan.chains) - 1
            return
        before = marking.find(plan, live)
        if text and before is not None and before.made:  # a table that came with our rules goes with them
            self.backend.drop_empty(plan.family, plan.table)

    def _take_back(self, plan: TablePlan, live: Table) -> None:
        """Undo the first writing of a table; rules that were ours before stay as they are now."""
        if plan.chains and marking.find(plan, live) is None:
            nothing = TablePlan(plan.family, plan.table, plan.owned)
            there = self.backend.tables(plan.family).get(plan.table, Table())
            self._write_one(nothing, there, Report(self.backend.name), anew=False)

    def check(self, planner: Planner, report: Report) -> None:
        """Fill in how the rules differ from what was written, and from what would be written now."""
        for plan, live in self.read(planner, report):
            mark, there = marking.find(plan, live), marking.of_live(plan, live)
            place = f"{plan.family} {plan.table}"
            differ = transition.differences(plan, live)
            if mark is None or mark.digest != there:
                report.differences += differ
            elif differ:
                moved = [line for line in differ if "is not the first rule" in line]
                report.differences += moved
                if len(moved) < len(differ):
                    report.notes.append(f"{place}: as written; settings or names would give other rules today")
            if mark is not None:
                report.digests[place] = mark.digest

    def show(self, planner: Planner, report: Report, *, anew: bool = False) -> str:
        """Return the restore texts that `write` would carry out, each behind a comment with family and table."""
        parts = []
        for plan, live in self.read(planner, report):
            text = transition.restore(plan, live, anew=anew and bool(plan.chains))
            parts.append(f"# {plan.family} {plan.table}{'' if text else ': nothing to change'}\n{text}")
        return "".join(parts)
