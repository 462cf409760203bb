"""Who may send: a bearer token, or, where none is configured, processes on this machine only."""

from __future__ import annotations

import hmac
import ipaddress
from pathlib import Path

from speedscale_schemas.errors import ConfigError

from .refusals import Reason, Refused

_MIN_CHARS = 16


class Access:
    """The accepted tokens of `token_file` (one a line; empty name: loopback only)."""

    def __init__(self, token_file: str) -> None:
        self._path = Path(token_file) if token_file else None
        self._tokens: tuple[bytes, ...] = ()
        self.refresh()

    def refresh(self) -> None:
        """Read the tokens anew; ConfigError when there are none, the old ones stay then."""
        if self._path is None:
            return
        try:
            lines = self._path.read_text("utf-8").split()
        except (OSError, ValueError) as error:
            raise ConfigError([f"{self._path}: cannot be read: {error}"]) from error
        if not lines or any(len(line) < _MIN_CHARS for line in lines):
            raise ConfigError([f"{self._path}: expected tokens of at least {_MIN_CHARS} characters, one a line"])
        self._tokens = tuple(line.encode("utf-8") for line in lines)

    def check(self, authorization: str, peer: str) -> None:
        """Pass, or raise Refused; `peer` is the sender's IP address, `authorization` the header."""
        if self._path is None:
            if not _is_loopback(peer):
                raise Refused(Reason.NOT_LOOPBACK, "without FORWARDER_TOKEN_FILE only this machine may send")
            return
        scheme, _, token = authorization.partition(" ")
        if scheme.lower() != "bearer" or not token:
            raise Refused(Reason.UNAUTHENTICATED, "expected Authorization: Bearer <token>")
        given = token.strip().encode("utf-8", "replace")
        if not any(hmac.compare_digest(given, known) for known in self._tokens):
            raise Refused(Reason.FORBIDDEN, "unknown token")


def _is_loopback(peer: str) -> bool:
    try:
        address = ipaddress.ip_address(peer.partition("%")[0])
    except ValueError:
        return False
    mapped = getattr(address, "ipv4_mapped", None)
    return bool((mapped or address).is_loopback)
