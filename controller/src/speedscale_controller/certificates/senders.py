"""The ledger of sender tokens: one a namespace, kept in the forwarder's Secret, from which all else follows.

A sender proves with its namespace's token that it may send. The forwarder accepts every token of the ledger; the
namespace's Secret has the newest. A token is replaced after `TOKEN_LIFE`, and the old one is accepted until no
pod is left that began with it. Pure; a token is never part of a message.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta

from .issuing import Entropy

TOKEN_LIFE = timedelta(days=60)
KEPT = timedelta(hours=1)
"""So long an old token is accepted in any case: a mounted Secret takes minutes to change."""
_TOKEN = re.compile(r"[A-Za-z0-9_-]{43}")
_VERSION = 1


@dataclass(frozen=True, slots=True)
class Sender:
    """A namespace's tokens: the one in use, since when, and the one before."""

    token: str = field(repr=False)
    since: datetime
    previous: str = field(default="", repr=False)


Ledger = Mapping[str, Sender]


def read(text: bytes) -> dict[str, Sender]:
    """Return the ledger; entries that make no sense are left out, and so made anew."""
    try:
        document = json.loads(text or b"{}")
    except ValueError:
        return {}
    entries = document.get("namespaces") if isinstance(document, dict) else None
    found = {name: _sender(entry) for name, entry in entries.items()} if isinstance(entries, dict) else {}
    return {name: sender for name, sender in found.items() if sender is not None}


def write(ledger: Ledger) -> bytes:
    """Return the ledger as JSON, the same bytes for the same ledger."""
    entries = {
        name: {
            "token": sender.token,
            "since": sender.since.strftime("%Y-%m-%dT%H:%M:%SZ"),
            **({"previous": sender.previous} if sender.previous else {}),
        }
        for name, sender in ledger.items()
    }
    return json.dumps({"version": _VERSION, "namespaces": entries}, sort_keys=True, indent=1).encode() + b"\n"


def accepted(ledger: Ledger) -> bytes:
    """Return every token that the forwarder accepts, sorted, one a line."""
    tokens = {text for sender in ledger.values() for text in (sender.token, sender.previous) if text}
    return "".join(f"{token}\n" for token in sorted(tokens)).encode()


def owners(ledger: Ledger) -> bytes:
    """Return the namespace of every accepted token, by the token's SHA-256, as JSON: the same bytes each time."""
    found = {
        hashlib.sha256(text.encode("ascii")).hexdigest(): name
        for name, sender in ledger.items()
        for text in (sender.token, sender.previous)
        if text
    }
    return json.dumps(found, sort_keys=True, indent=1).encode() + b"\n"


def renew(
    ledger: Ledger,
    namespaces: Iterable[str],
    now: datetime,
    entropy: Entropy,
    *,
    known: Callable[[str], str] = lambda namespace: "",
    oldest_pod: Callable[[str], datetime | None] = lambda namespace: None,
) -> dict[str, Sender]:
    """Return the ledger for exactly these namespaces.

    `known(namespace)` is the token that a namespace without an entry has already: it stays, so that a lost ledger
    costs no sender its access. `oldest_pod(namespace)` is when the oldest pod that uses the token was made.
    """
    now = now.replace(microsecond=0)
    found: dict[str, Sender] = {}
    for name in sorted(set(namespaces)):
        sender = ledger.get(name)
        if sender is None:
            token = known(name)
            found[name] = Sender(token if well_formed(token) else entropy.token(), now)
        elif now - sender.since >= TOKEN_LIFE:
            found[name] = Sender(entropy.token(), now, sender.token)
        elif sender.previous and _left(sender, now, oldest_pod(name)):
            found[name] = replace(sender, previous="")
        else:
            found[name] = sender
    return found


def well_formed(token: str) -> bool:
    """Say whether this is a token as we make them."""
    return bool(_TOKEN.fullmatch(token))


def _left(sender: Sender, now: datetime, oldest: datetime | None) -> bool:
    return now - sender.since >= KEPT and (oldest is None or oldest > sender.since)


def _sender(entry: object) -> Sender | None:
    if not isinstance(entry, dict) or not well_formed(str(entry.get("token", ""))):
        return None
    try:
        since = datetime.fromisoformat(str(entry.get("since")))
    except ValueError:
        return None
    previous = str(entry.get("previous", ""))
    since = since if since.tzinfo else since.replace(tzinfo=UTC)
    return Sender(str(entry["token"]), since, previous if well_formed(previous) else "")
