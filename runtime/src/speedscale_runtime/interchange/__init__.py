"""Other tools' formats, in and out: HAR, curl, k6, WireMock, Postman.

`speedctl import` and `speedctl export` call `load` and `dump`. An import yields RRPairs with a list of what could
not be taken over and why; an export writes files from any source of pairs. One module per format; each knows
`Call`, none knows another. No I/O here: bytes in, bytes out.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from importlib import import_module

from speedscale_runtime.rrpair import RRPair
from speedscale_schemas.errors import ConfigError

from .call import Call, Origin, Report, calls, pair_of

IMPORTS: Mapping[str, str] = {"har": "har", "curl": "curl", "wiremock": "wiremock", "postman": "postman"}
EXPORTS: Mapping[str, str] = {**IMPORTS, "k6": "k6"}
FILE_NAMES: Mapping[str, str] = {
    "har": "recording.har",
    "curl": "requests.sh",
    "k6": "script.js",
    "wiremock": "mappings.json",
    "postman": "collection.json",
}
DIRECTIONS: Mapping[str, str] = {"har": "IN", "curl": "IN", "postman": "IN", "wiremock": "OUT"}
"""What an imported pair is unless the user says otherwise: WireMock holds mocks, the others requests."""


@dataclass(frozen=True, slots=True)
class Imported:
    """Pairs of one file, in the file's order, and what could not be taken over."""

    pairs: tuple[RRPair, ...]
    problems: tuple[str, ...]
    problem_count: int


@dataclass(frozen=True, slots=True)
class Exported:
    """Files by name, how many pairs they hold, and what could not be taken over."""

    files: Mapping[str, bytes]
    pairs: int
    problems: tuple[str, ...]
    problem_count: int


def load(
    form: str,
    data: bytes,
    *,
    file: str = "",
    service: str = "",
    direction: str = "",
    beside: Mapping[str, bytes] | None = None,
) -> Imported:
    """Read a file of another tool.

    `file` names it in tags and messages, `service` and `direction` (IN or OUT) are what its pairs get, `beside` are
    files it may refer to (WireMock's `__files`). Raises ConfigError when the format is unknown or the file is not
    of it.
    """
    module = _module(form, IMPORTS)
    report = Report()
    origin = Origin(form, file, service, direction or DIRECTIONS[form])
    read: Callable[[bytes, str, Mapping[str, bytes], Report], Iterable[tuple[str, Call]]] = import_module(module).load
    pairs: list[RRPair] = []
    for where, call in read(data, file or form, beside or {}, report):
        try:
            pairs.append(pair_of(call, origin, len(pairs)))
        except ValueError as error:
            report.add(where, str(error))
    return Imported(tuple(pairs), tuple(report.problems), report.count)


def dump(form: str, pairs: Iterable[RRPair], *, name: str = "recording") -> Exported:
    """Write pairs as files of another tool; `name` is the collection's. ConfigError for an unknown format."""
    module = _module(form, EXPORTS)
    report = Report()
    write: Callable[[list[Call], str, Report], Mapping[str, bytes]] = import_module(module).dump
    taken = list(calls(pairs, report))
    return Exported(write(taken, name, report), len(taken), tuple(report.problems), report.count)


def _module(form: str, table: Mapping[str, str]) -> str:
    if form not in table:
        raise ConfigError([f"format {form!r}: expected one of {', '.join(sorted(table))}"])
    return f"{__name__}.{table[form]}"


__all__ = ["DIRECTIONS", "EXPORTS", "FILE_NAMES", "IMPORTS", "Exported", "Imported", "dump", "load"]
