"""The table of all checks, in the order in which a fault spreads: what is first explains what comes after."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from speedscale_schemas.errors import ConfigError
from speedscale_schemas.wording import nearest

from . import admission, before, cluster, forwarder, network, operator, secrets, workloads
from .model import Check, Facts, Result, examine

CHECKS: tuple[Check, ...] = (
    *before.CHECKS,
    *operator.CHECKS,
    *admission.CHECKS,
    *secrets.CHECKS,
    *workloads.CHECKS,
    *network.CHECKS,
    *forwarder.CHECKS,
    *cluster.CHECKS,
)


def chosen(ids: Sequence[str], *, pre: bool) -> tuple[Check, ...]:
    """Return the checks that are asked for: those named, else all of the occasion; ConfigError for an unknown one."""
    known = {check.id: check for check in CHECKS if (check.pre if pre else check.post)}
    wrong = []
    for id_ in ids:
        if id_ not in known:
            near = nearest(id_, known)
            hint = f"did you mean {near[0]!r}?" if near else "--list has them"
            wrong.append(f"--check {id_}: no such check{' before an installation' if pre else ''}; {hint}")
    if wrong:
        raise ConfigError(wrong)
    return tuple(known[id_] for id_ in dict.fromkeys(ids)) if ids else tuple(known.values())


def examined(checks: Iterable[Check], facts: Facts) -> list[tuple[Check, Result]]:
    """Return each check with what it says."""
    return [(check, examine(check, facts)) for check in checks]
