"""What is found when a certificate is looked at, and how long certificates live.

A finding is a reason for programs (a metric's label), a message for people, and a verdict for the reconciler. Policies
give findings, rotation acts on them. Values only.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum

CA_LIFE = timedelta(days=365)
LEAF_LIFE = timedelta(days=7)
SKEW = timedelta(minutes=5)
"""Certificates begin in the past, for clients whose clocks are behind."""


class Verdict(StrEnum):
    """What is to be done."""

    KEEP = "keep"
    RENEW = "renew"  # in good order: it is still valid
    ISSUE = "issue"  # now: it is of no use
    LEAVE = "leave"  # somebody else's: look, tell, write nothing


class Reason(StrEnum):
    """Why; label of metrics and reason of Events."""

    GOOD = "good"
    MISSING = "missing"
    UNREADABLE = "unreadable"
    KEY_MISMATCH = "key_mismatch"
    NOT_AN_AUTHORITY = "not_an_authority"
    WRONG_NAMES = "wrong_names"
    WRONG_ISSUER = "wrong_issuer"
    NOT_YET_VALID = "not_yet_valid"
    EXPIRED = "expired"
    DUE = "due"
    ROOT_CHANGED = "root_changed"
    CHANGED = "changed"
    SOMEONE_ELSES = "someone_elses"
    OTHER_INSTANCE = "other_instance"


@dataclass(frozen=True, slots=True)
class Finding:
    """What a policy says. `message` is a whole sentence without full stop, fit for an Event."""

    reason: Reason
    message: str
    verdict: Verdict

    @property
    def good(self) -> bool:
        """Whether there is nothing to do and nothing to tell."""
        return self.reason is Reason.GOOD


GOOD = Finding(Reason.GOOD, "all is as it should be", Verdict.KEEP)


@dataclass(frozen=True, slots=True)
class Pair:
    """A certificate (its chain behind it) and its private key, both PEM; empty where there is none."""

    certificate: bytes = b""
    key: bytes = field(default=b"", repr=False)

    def __bool__(self) -> bool:
        return bool(self.certificate and self.key)


NOTHING = Pair()


@dataclass(frozen=True, slots=True)
class Case:
    """What a policy looks at: a pair, at a time, with what is asked of it.

    `names` it must be valid for; `issuers` (PEM) of which one must have signed it, none: not asked; `authority`: it
    must be a CA; `latest`: a new one could not live longer than until then.
    """

    pair: Pair
    now: datetime
    names: tuple[str, ...] = ()
    issuers: tuple[bytes, ...] = ()
    authority: bool = False
    latest: datetime | None = None
