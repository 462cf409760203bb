"""speedscale-initproxy-responder: lead calls to the mocks (init container of a replay, `routing: nat`)."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping, Sequence

from speedscale_schemas.errors import PermanentError

from . import config, routing
from .applying import Live
from .model import Family, TablePlan
from .program import Prepared, Program, run
from .resolving import resolve

NAME = "speedscale-initproxy-responder"
TABLES = ("nat", "filter")


def main(argv: Sequence[str] | None = None) -> int:
    """Write, print, check or remove the rules; exit codes as `program` says."""
    program = Program(NAME, "routes", "Lead calls of a workload to the mocks of a replay.", _prepare)
    return run(program, sys.argv[1:] if argv is None else argv, os.environ)


def _prepare(environ: Mapping[str, str], removing: bool) -> Prepared:
    settings = config.parse_routes(environ)
    if removing:
        return Prepared(settings, lambda family, *_: [routing.nothing(family, table) for table in TABLES])
    routes = settings.routes
    found = resolve(routing.names(routes), settings.resolve_timeout_s)
    notes = [f"{name} is not led to the mocks, it has no address: {why}" for name, why in sorted(found.unknown.items())]
    notes += routing.shared(routes, found.addresses)
    unanswered = sorted(found.unanswered.items())

    def plans(family: Family, live: Live, told: list[str]) -> Sequence[TablePlan]:
        if unanswered:
            name, why = unanswered[0]
            more = f" (and {len(unanswered) - 1} more names)" if len(unanswered) > 1 else ""
            raise PermanentError(
                "unanswered",
                f"{name}{more}: no name server answered ({why}): calls could reach the real service later",
            )
        return routing.plans(routes, found.addresses, family)

    return Prepared(settings, plans, tuple(notes))


if __name__ == "__main__":
    sys.exit(main())
