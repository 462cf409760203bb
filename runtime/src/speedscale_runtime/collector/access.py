"""Who may do what: a bearer token belongs to a namespace, the namespace says which calls are its own.

Only SHA-256 digests of tokens are known here. Pure but for the file, which is read again when it changes.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from enum import StrEnum
from pathlib import Path

import orjson

from speedscale_runtime.telemetry.watched import Watched

from .refusals import Reason, Refused

_DIGEST = re.compile(r"[0-9a-f]{64}")


class Role(StrEnum):
    """What a caller is to the replay."""

    POD = "pod"
    OPERATOR = "operator"


def read_tokens(path: Path) -> Mapping[str, str]:
    """Return namespaces by digest; ValueError where the file holds no such object."""
    found = orjson.loads(path.read_bytes())
    if not isinstance(found, dict) or not all(_DIGEST.fullmatch(k) and isinstance(v, str) for k, v in found.items()):
        raise ValueError("expected an object: SHA-256 of a token in hex → namespace")
    return found


class Access:
    """Tokens of a watched file. `pods` are the namespaces of generator and responder, `own` is the operator's."""

    def __init__(self, tokens: Watched[Mapping[str, str]], own: str, pods: frozenset[str]) -> None:
        self._tokens, self._own, self._pods = tokens, own, pods

    def check(self, authorization: str, role: Role) -> str:
        """Return the caller's namespace, or raise Refused."""
        known = self._tokens.get()
        if known is None:
            raise Refused(Reason.NOT_READY, "the Secret with the tokens is not there yet")
        scheme, _, token = authorization.partition(" ")
        if scheme.lower() != "bearer" or not token.strip():
            raise Refused(Reason.UNAUTHENTICATED, "expected Authorization: Bearer <token>")
        # looked up by digest: how long it takes says nothing about a token
        namespace = known.get(hashlib.sha256(token.strip().encode("utf-8", "replace")).hexdigest())
        if namespace is None:
            raise Refused(Reason.FORBIDDEN, "unknown token")
        if namespace not in (frozenset({self._own}) if role is Role.OPERATOR else self._pods):
            raise Refused(Reason.FORBIDDEN, f"a token of namespace {namespace} may not do this")
        return namespace
