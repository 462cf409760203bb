"""Where a request goes: the recorded scheme, host and port, each replaced independently by `[SERVICE=]URL`.

Source: the vendor's table for custom URLs: `http://`, `:8080` and `new.example.com` each replace one part.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from speedscale_runtime.rrpair import RRPair
from speedscale_runtime.rrpair.names import split_authority
from speedscale_schemas.errors import ConfigError

_OVERRIDE = re.compile(
    r"(?:(?P<service>[A-Za-z0-9_.-]+)=)?(?:(?P<scheme>https?)://)?(?P<host>\[[0-9A-Fa-f:.]+\]|[^:/\[\]\s?#]*)(?::(?P<port>\d{1,5}))?/?"
)


@dataclass(frozen=True, slots=True)
class Target:
    """Scheme, host (no brackets) and port of a server."""

    scheme: str
    host: str
    port: int

    @property
    def authority(self) -> str:
        """Host and port as a Host header has them; the scheme's own port is left out."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == (443 if self.scheme == "https" else 80) else f"{host}:{self.port}"

    def __str__(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{self.scheme}://{host}:{self.port}"


@dataclass(frozen=True, slots=True)
class Override:
    """Parts to replace, for one service or (empty) for all."""

    service: str
    scheme: str
    host: str
    port: int


def parse_override(text: str) -> Override:
    """Parse `[SERVICE=]URL`, where any of scheme, host and port may be missing; ConfigError otherwise."""
    match = _OVERRIDE.fullmatch(text.strip())
    port = int(match["port"] or 0) if match else 0
    if not match or not any(match.group("scheme", "host", "port")) or port > 65535:
        raise ConfigError(
            [f"target {text!r}: write [SERVICE=]URL, for example http://localhost:8080, :8080 or api=https://"]
        )
    return Override(match["service"] or "", match["scheme"] or "", match["host"].strip("[]"), port)


def parse_overrides(texts: Sequence[str]) -> tuple[Override, ...]:
    """Parse all, those for one service first; ConfigError with every problem, also two for one service."""
    problems: list[str] = []
    parsed: list[Override] = []
    for text in texts:
        try:
            parsed.append(parse_override(text))
        except ConfigError as error:
            problems += error.problems
    names = [override.service for override in parsed]
    problems += [
        f"two targets for {name or 'every service'}" for name in sorted({n for n in names if names.count(n) > 1})
    ]
    if problems:
        raise ConfigError(problems)
    return tuple(sorted(parsed, key=lambda override: not override.service))


def target_of(pair: RRPair, overrides: Sequence[Override]) -> Target | None:
    """Return where the pair's request goes; None where neither the recording nor an override names a host."""
    scheme, host, port = _recorded(pair)
    service = {str(pair.doc.get(key, "")) for key in ("service", "resource")}
    for override in overrides:
        if override.service and override.service not in service | {host}:
            continue
        if override.scheme and override.scheme != scheme:
            scheme, port = override.scheme, override.port
        if override.host:
            host = override.host
            port = override.port or (port if not override.scheme else 0)
        port = override.port or port
        break
    return Target(scheme, host, port or (443 if scheme == "https" else 80)) if host else None


def _recorded(pair: RRPair) -> tuple[str, str, int]:
    doc = pair.doc
    secure = doc.get("l7protocol") == "https" or doc.get("isTls") is True
    request = pair.http_request or {}
    for candidate in (request.get("host"), doc.get("network_address")):
        host, port = split_authority(str(candidate or ""))
        if host:
            return ("https" if secure or port == 443 else "http"), host, port
    return ("https" if secure else "http"), "", 0
