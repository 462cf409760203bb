"""The commands of an inspector as one table, and the judgement of their arguments.

What backend, inspector and speedctl agree on.

Called by the backend (scope of a command, status of an error), by the inspector (arguments, time) and by speedctl.
Pure. How messages look is in the documents `inspector-command` and `inspector-answer`; how a command is carried out is
the inspector's business.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final

from .errors import ConfigError
from .validation import check, schema

COMMAND: Final = "inspector-command"
ANSWER: Final = "inspector-answer"
PROTOCOL: Final = 1
HEARTBEAT_S: Final = 20.0
"""Both sides send WebSocket pings this often and give a silent connection up."""
MAX_MESSAGE_BYTES: Final = 1024 * 1024
"""Largest message, either way."""
SLOW_READER_S: Final = 30.0
"""A stream whose reader takes nothing for so long is cut off with `slow_reader`."""


class Reason(StrEnum):
    """Why nothing, or not everything, was done."""

    UNKNOWN_COMMAND = "unknown_command"
    INVALID_ARGUMENTS = "invalid_arguments"
    ACCESS_LABELS = "access_labels"  # the caller's key does not bear the labels that this inspector asks for
    SCOPE = "scope"  # the caller's key may not do this (told by the backend)
    NAMESPACE_NOT_WATCHED = "namespace_not_watched"
    FORBIDDEN = "forbidden"  # the inspector's account lacks a right, which is named
    NOT_FOUND = "not_found"
    AMBIGUOUS = "ambiguous"
    EXISTS = "exists"
    CONFLICT = "conflict"
    REFUSED_BY_CLUSTER = "refused_by_cluster"  # schema, admission or quota of the API server
    MANAGED_BY_GITOPS = "managed_by_gitops"
    OVERRIDE_REFUSED = "override_refused"
    BUSY = "busy"
    TIMEOUT = "timeout"
    CANCELED = "canceled"
    SLOW_READER = "slow_reader"
    TOO_LARGE = "too_large"
    CLUSTER_UNAVAILABLE = "cluster_unavailable"
    STOPPING = "stopping"
    NOT_CONNECTED = "not_connected"  # no inspector of this name (told by the backend)
    DISCONNECTED = "disconnected"  # the connection ended before the answer (told by the backend)
    INTERNAL = "internal"


HTTP_STATUS: Final[Mapping[Reason, int]] = {
    Reason.UNKNOWN_COMMAND: 404,
    Reason.INVALID_ARGUMENTS: 400,
    Reason.ACCESS_LABELS: 403,
    Reason.SCOPE: 403,
    Reason.NAMESPACE_NOT_WATCHED: 403,
    Reason.FORBIDDEN: 403,
    Reason.NOT_FOUND: 404,
    Reason.AMBIGUOUS: 409,
    Reason.EXISTS: 409,
    Reason.CONFLICT: 409,
    Reason.REFUSED_BY_CLUSTER: 422,
    Reason.MANAGED_BY_GITOPS: 409,
    Reason.OVERRIDE_REFUSED: 422,
    Reason.BUSY: 429,
    Reason.TIMEOUT: 504,
    Reason.CANCELED: 409,
    Reason.SLOW_READER: 409,
    Reason.TOO_LARGE: 413,
    Reason.CLUSTER_UNAVAILABLE: 503,
    Reason.STOPPING: 503,
    Reason.NOT_CONNECTED: 503,
    Reason.DISCONNECTED: 502,
    Reason.INTERNAL: 500,
}
"""Status of the backend's answer where no item was sent yet."""


class Refusal(Exception):
    """A command ends with this: raised where it is found, answered where the command is run."""

    def __init__(self, reason: Reason, message: str, missing: Mapping[str, str] | None = None) -> None:
        self.reason, self.message, self.missing = reason, message, dict(missing or {})
        super().__init__(f"{reason}: {message}")


@dataclass(frozen=True, slots=True)
class Command:
    """One command. `changes`: it writes to the cluster; `streams`: its items come over time, not all at once.

    `timeout_s` holds where the caller names none; `most_s` is the most a caller may ask for.
    """

    name: str
    changes: bool = False
    streams: bool = False
    timeout_s: float = 30.0
    most_s: float = 120.0

    @property
    def scope(self) -> str:
        """The scope that the caller's API key needs."""
        return "control" if self.changes else "read"


_HOUR_S: Final = 3600.0
_DAY_S: Final = 86400.0

COMMANDS: Final[Mapping[str, Command]] = {
    command.name: command
    for command in (
        Command("list-workloads"),
        Command("list-pods"),
        Command("list-nodes"),
        Command("list-namespaces"),
        Command("list-services"),
        Command("list-events"),
        Command("list-secret-names"),
        Command("logs", streams=True, timeout_s=_HOUR_S, most_s=_DAY_S),
        Command("sidecar-add", changes=True),
        Command("sidecar-remove", changes=True),
        Command("replay-start", changes=True),
        Command("replay-status"),
        Command("replay-follow", streams=True, timeout_s=_HOUR_S, most_s=_DAY_S),
        Command("replay-cancel", changes=True, timeout_s=300.0, most_s=_HOUR_S),
        Command("config-get"),
        Command("config-set", changes=True),
    )
}


def command(name: str) -> Command:
    """Return the command; Refusal for one that is not known."""
    found = COMMANDS.get(name)
    if found is None:
        known = ", ".join(COMMANDS)
        raise Refusal(Reason.UNKNOWN_COMMAND, f"there is no command {name[:64]!r}; known are {known}")
    return found


def arguments(name: str, given: object) -> dict[str, Any]:
    """Return a known command's arguments with defaults filled in; Refusal with every problem."""
    problems = check(COMMAND, given, part=name)
    if problems:
        raise Refusal(Reason.INVALID_ARGUMENTS, "; ".join(str(problem) for problem in problems)[:4096])
    assert isinstance(given, Mapping)
    properties: Mapping[str, Mapping[str, Any]] = schema(COMMAND)["$defs"][name]["properties"]
    defaults = {key: default for key, prop in properties.items() if (default := _default(prop)) is not None}
    return {**defaults, **given}


def _default(prop: Mapping[str, Any]) -> Any:
    if "$ref" in prop:
        prop = schema(COMMAND)["$defs"][str(prop["$ref"]).rpartition("/")[2]]
    return prop.get("default")


def message(document: object) -> Mapping[str, Any]:
    """Return a message of the backend that keeps to the document; ConfigError with every problem."""
    problems = check(COMMAND, document, source="message")
    if problems:
        raise ConfigError([str(problem) for problem in problems])
    assert isinstance(document, Mapping)
    return document


def audited(name: str, given: Mapping[str, Any]) -> dict[str, Any]:
    """Return what an audit may say of a command's arguments: all, but of configuration and settings only the keys."""
    return {
        key: sorted(value) if isinstance(value, Mapping) else value
        for key, value in given.items()
        if isinstance(value, str | bool | int | float | list | Mapping)
    }
