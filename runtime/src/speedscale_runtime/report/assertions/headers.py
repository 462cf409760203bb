"""`httpHeaders`: the response headers named in `headers` (a comma-separated list) have the recorded values.

Without a list all headers count, except those that belong to one connection or one moment; a new header is then
shown but does not fail. Names are compared in any letter case, several values of a name as one list (RFC 9110
section 5.3). Values that change by themselves pass, as in bodies.
"""

from __future__ import annotations

from collections.abc import Mapping

from speedscale_runtime.report.answer import Answer
from speedscale_runtime.report.structure import Found, Options
from speedscale_runtime.report.volatile import Learnt, pattern

from .options import Check, names

KEYS = frozenset({"headers", "ignore"})
_OF_THE_MOMENT = frozenset(
    [
        "connection",
        "keep-alive",
        "proxy-connection",
        "transfer-encoding",
        "te",
        "trailer",
        "upgrade",
        "date",
        "age",
        "via",
        "content-length",
        "content-encoding",
        "set-cookie",
        "server-timing",
        "x-request-id",
        "x-correlation-id",
        "x-runtime",
        "x-response-time",
    ]
)


def make(config: Mapping[str, str]) -> Check:
    """Return the check; `headers` empty means all but the headers of the moment, less those in `ignore`."""
    wanted = tuple(name.lower() for name in names(config, "headers"))
    ignored = {name.lower() for name in names(config, "ignore")}

    def check(recorded: Answer, replayed: Answer, learnt: Learnt) -> Found:
        found = Found(Options(allow_new=not wanted), "header", learnt)
        every = wanted or [n for n in {**recorded.by_name, **replayed.by_name} if n not in _OF_THE_MOMENT]
        for name in every:
            if name not in ignored:
                _compare(name, recorded.by_name.get(name), replayed.by_name.get(name), found)
        return found

    return check


def _compare(name: str, recorded: list[str] | None, replayed: list[str] | None, found: Found) -> None:
    if recorded == replayed:
        return
    if recorded is None:
        found.add(name, "added", None, ", ".join(replayed or ()))
    elif replayed is None:
        found.add(name, "missing", ", ".join(recorded), None)
    else:
        a, b = ", ".join(v.strip() for v in recorded), ", ".join(v.strip() for v in replayed)
        if a != b:
            by_itself = pattern(a, b, name, found.learnt)
            found.add(name, "volatile" if by_itself else "changed", a, b, pattern=by_itself)
