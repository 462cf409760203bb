"""From the rules that are there to the rules that are wanted: the text for one `iptables-restore --noflush`.

Pure; called by `apply`. Only chains named in the plan's `owned`, and rules that lead into these, are ever written or
taken away. A restore is one transaction a table: all of it, or nothing.
"""

from __future__ import annotations

from collections.abc import Iterator

from .model import TablePlan
from .saved import Table, jumps_into, normal


def differences(plan: TablePlan, live: Table) -> tuple[str, ...]:
    """Return what is other than wanted, one line each, empty where everything is as it should be."""
    return tuple(_differences(plan, live))


def _differences(plan: TablePlan, live: Table) -> Iterator[str]:
    where = f"{plan.family} {plan.table}"
    wanted = {chain.name: chain.rules for chain in plan.chains}
    for name in sorted(plan.owned & live.chains.keys() - wanted.keys()):
        yield f"{where}: chain {name} is there and should not be"
    for name, rules in wanted.items():
        if name not in live.chains:
            yield f"{where}: chain {name} is missing"
            continue
        there = live.rules.get(name, [])
        if [normal(rule) for rule in there] == [normal(rule) for rule in rules]:
            continue
        yield from _of_chain(where, name, rules, there)
    yield from _of_jumps(where, plan, live)


def _of_chain(where: str, name: str, wanted: tuple[str, ...], there: list[str]) -> Iterator[str]:
    known, have = {normal(rule) for rule in wanted}, {normal(rule) for rule in there}
    missing = [rule for rule in wanted if normal(rule) not in have]
    added = [rule for rule in there if normal(rule) not in known]
    yield from (f"{where}: missing: -A {name} {rule}" for rule in missing)
    yield from (f"{where}: not ours: -A {name} {rule}" for rule in added)
    if not missing and not added:
        yield f"{where}: chain {name} has its rules in another order, or twice"


def _of_jumps(where: str, plan: TablePlan, live: Table) -> Iterator[str]:
    wanted = {(jump.hook, normal(jump.rule)): jump for jump in plan.jumps}
    there = jumps_into(plan.owned, live)
    for hook, rule in there:
        if (hook, normal(rule)) not in wanted:
            yield f"{where}: not ours: -A {hook} {rule}"
    for (hook, words), jump in wanted.items():
        places = [i for i, rule in enumerate(live.rules.get(hook, [])) if normal(rule) == words]
        if not places:
            yield f"{where}: missing: -A {hook} {jump.rule}"
        elif len(places) > 1:
            yield f"{where}: twice: -A {hook} {jump.rule}"
        elif jump.first and places != [0]:
            yield f"{where}: -A {hook} {jump.rule} is not the first rule of {hook} any more"


def restore(plan: TablePlan, live: Table, *, anew: bool = False) -> str:
    """Return the text that makes `live` what is wanted, empty where it is already, unless it is to be written anew.

    With an empty plan it takes everything of ours out.
    """
    if not anew and not differences(plan, live):
        return ""
    lines = [f"*{plan.table}"]
    lines += [f":{chain.name} - [0:0]" for chain in plan.chains]  # made, or emptied
    lines += [f"-D {name} {rule}" for name, rule in jumps_into(plan.owned, live)]
    leftover = sorted(plan.owned & live.chains.keys() - {chain.name for chain in plan.chains})
    lines += [f"-F {name}" for name in leftover]
    lines += [f"-A {chain.name} {rule}" for chain in plan.chains for rule in chain.rules]
    lines += [f"-I {j.hook} 1 {j.rule}" if j.first else f"-A {j.hook} {j.rule}" for j in plan.jumps]
    lines += [f"-X {name}" for name in leftover]
    return "\n".join([*lines, "COMMIT", ""])
