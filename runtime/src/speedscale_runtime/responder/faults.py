"""Faults that the user asks for: `<regex>:action=value[,…]`. Pure; what a fault does is data for the protocol.

The regex is searched in `METHOD host/path?query`. Actions (source: the vendor's CLI; the last two are ours):
`rate=F/N` applies the others to the first F of every N matching requests, alone it answers 503; `body=corrupt`,
`body=truncate[:n]`; `connection=refuse|reset|stall|drop`; `status=NNN`; `latency=NNms`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

from speedscale_schemas.errors import ConfigError

_SPEC = re.compile(r"(?P<regex>.*):(?P<actions>\w+=[^,=]*(?:,\w+=[^,=]*)*)", re.DOTALL)
_CONNECTION = ("refuse", "reset", "stall", "drop")
_LATENCY = re.compile(r"(\d+(?:\.\d+)?)(ms|s)")
_SYNTAX = "expected <regex>:action=value[,…], e.g. /pay:rate=1/3 or api.example.com:connection=reset"


@dataclass(frozen=True, slots=True)
class Effect:
    """What happens to one answer; `name` goes into the results."""

    name: str
    status: int = 0
    corrupt: bool = False
    truncate: int | None = None
    connection: str = ""
    latency_s: float = 0.0


class Fault:
    """One specification and how many requests matched it."""

    def __init__(self, pattern: re.Pattern[str], fails: int, of: int, effect: Effect) -> None:
        self._pattern, self._fails, self._of, self.effect = pattern, fails, of, effect
        self._count = 0

    def apply(self, target: str) -> Effect | None:
        """Return the effect on this request, or None; counts the request when the regex matches."""
        if self._pattern.search(target) is None:
            return None
        turn = self._count % self._of
        self._count += 1
        return self.effect if turn < self._fails else None


def compile_faults(specs: Iterable[str]) -> list[Fault]:
    """Return the faults of all specifications; ConfigError lists every bad one with what was expected."""
    faults: list[Fault] = []
    problems: list[str] = []
    for spec in specs:
        try:
            faults.append(_compile(spec))
        except ValueError as error:
            problems.append(f"fault {spec!r}: {error}")
    if problems:
        raise ConfigError(problems)
    return faults


def corrupted(body: bytes) -> bytes:
    """Return a body of the same length that no reader takes for the original: every 16th byte inverted."""
    return bytes(byte ^ 0xFF if index % 16 == 0 else byte for index, byte in enumerate(body))


def _compile(spec: str) -> Fault:
    match = _SPEC.fullmatch(spec)
    if match is None:
        raise ValueError(_SYNTAX)
    try:
        pattern = re.compile(match["regex"])
    except re.error as error:
        raise ValueError(f"regex: {error}") from error
    actions = dict(part.split("=", 1) for part in match["actions"].split(","))
    fails, of = _rate(actions.pop("rate", "1/1"))
    name = match["actions"]
    if not actions:
        return Fault(pattern, fails, of, Effect(name, status=503))
    return Fault(pattern, fails, of, _effect(name, actions))


def _rate(text: str) -> tuple[int, int]:
    fails, slash, of = text.partition("/")
    if not slash or not fails.isdecimal() or not of.isdecimal() or not 0 < int(fails) <= int(of):
        raise ValueError(f"rate={text}: expected F/N with 0 < F <= N, e.g. 1/3")
    return int(fails), int(of)


def _effect(name: str, actions: dict[str, str]) -> Effect:
    values: dict[str, object] = {}
    for action, value in actions.items():
        if action == "body":
            values |= _body(value)
        elif action == "connection" and value in _CONNECTION:
            values["connection"] = value
        elif action == "connection":
            raise ValueError(f"connection={value}: expected one of {', '.join(_CONNECTION)}")
        elif action == "status":
            if not value.isdecimal() or not 200 <= int(value) <= 599:
                raise ValueError(f"status={value}: expected 200 to 599")
            values["status"] = int(value)
        elif action == "latency":
            found = _LATENCY.fullmatch(value)
            if found is None:
                raise ValueError(f"latency={value}: expected e.g. 200ms or 1.5s")
            values["latency_s"] = float(found[1]) / (1000 if found[2] == "ms" else 1)
        else:
            raise ValueError(f"{action}: unknown action; known are rate, body, connection, status, latency")
    return Effect(name, **values)  # type: ignore[arg-type]


def _body(value: str) -> dict[str, object]:
    if value == "corrupt":
        return {"corrupt": True}
    kind, _, length = value.partition(":")
    if kind == "truncate" and (not length or length.isdecimal()):
        return {"truncate": int(length) if length else -1}
    raise ValueError(f"body={value}: expected corrupt, truncate or truncate:<bytes>")
