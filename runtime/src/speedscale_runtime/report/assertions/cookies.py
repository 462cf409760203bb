"""`httpResponseCookies`: each recorded cookie is set again, with the same value and attributes.

`cookies` names the cookies that count (all when empty), `ignore` those that do not. `Expires` follows the clock and
is shown only; a cookie's value that changes by itself (a session id, a token) passes as in bodies.
"""

from __future__ import annotations

from collections.abc import Mapping

from speedscale_runtime.report.answer import Answer
from speedscale_runtime.report.structure import Found, Options
from speedscale_runtime.report.volatile import Learnt, pattern

from .options import Check, flag, names

KEYS = frozenset({"cookies", "ignore", "allowNew"})


def make(config: Mapping[str, str]) -> Check:
    """Return the check."""
    wanted, ignored = names(config, "cookies"), set(names(config, "ignore"))
    options = Options(allow_new=flag(config, "allowNew", True))

    def check(recorded: Answer, replayed: Answer, learnt: Learnt) -> Found:
        found = Found(options, "cookie", learnt)
        for name in wanted or [*recorded.cookies, *(n for n in replayed.cookies if n not in recorded.cookies)]:
            if name in ignored:
                continue
            before, after = recorded.cookies.get(name), replayed.cookies.get(name)
            if before is None and after is not None:
                found.add(name, "added", None, after["value"])
            elif before is not None and after is None:
                found.add(name, "missing", before["value"], None)
            elif before is not None and after is not None:
                _attributes(name, before, after, found)
        return found

    return check


def _attributes(name: str, before: Mapping[str, str], after: Mapping[str, str], found: Found) -> None:
    for key in [*before, *(k for k in after if k not in before)]:
        a, b = before.get(key), after.get(key)
        path = name if key == "value" else f"{name}; {key}"
        if a == b or (a is not None and b is not None and key == "samesite" and a.lower() == b.lower()):
            continue
        if a is None:
            found.add(path, "changed", None, b)
        elif b is None:
            found.add(path, "missing", a, None)
        else:
            by_itself = "date" if key == "expires" else pattern(a, b, path, found.learnt)
            found.add(path, "volatile" if by_itself else "changed", a, b, pattern=by_itself)
