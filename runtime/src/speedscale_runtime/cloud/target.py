"""Which backend, and with which key: from settings that somebody else has read. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

from speedscale_schemas.errors import ConfigError

TIMEOUT_S = 30.0


@dataclass(frozen=True, slots=True)
class Target:
    """A backend. `url` has scheme and authority and no slash at its end; `key` never shows in a representation.

    `key_file`, where given, holds the key in its place: it may come late and change, as may `ca_file`.
    `timeout_s` bounds the wait for an answer's beginning and each pause within it, not the whole of a long one.
    """

    url: str
    key: str = field(repr=False)
    ca_file: Path | None = None
    timeout_s: float = TIMEOUT_S
    key_file: Path | None = None


def target_of(
    url: str, key: str, ca_file: str = "", *, key_file: str = "", timeout_s: float = TIMEOUT_S
) -> Target | None:
    """Return the backend of these settings, None where no `url` is set.

    A URL without a scheme means https (`app.example.com`). Plain http is for tests and tunnels: loopback only,
    because keys pass over the connection. ConfigError with every problem; files may come later.
    """
    text = url.strip()
    if not text:
        return None
    problems = []
    if "://" not in text:
        text = f"https://{text}"
    try:
        parts = urlsplit(text)
        host, _ = parts.hostname, parts.port
    except ValueError as error:
        raise ConfigError([f"SPEEDSCALE_APP_URL: {url!r}: {error}"]) from None
    if parts.scheme not in ("http", "https") or not host or parts.username or parts.query or parts.fragment:
        problems.append(f"SPEEDSCALE_APP_URL: {url!r}: expected an address such as https://app.example.com")
    elif parts.scheme == "http" and host not in ("localhost", "127.0.0.1", "::1"):
        problems.append(f"SPEEDSCALE_APP_URL: {url!r}: a key passes over this connection; use https")
    if key_file:
        pass
    elif not key.strip():
        problems.append("SPEEDSCALE_API_KEY: missing; the backend at SPEEDSCALE_APP_URL asks for a key")
    elif not key.strip().isascii() or not key.strip().isprintable() or " " in key.strip():
        problems.append("SPEEDSCALE_API_KEY: (hidden): a key is printable ASCII without spaces")
    if problems:
        raise ConfigError(problems)
    return Target(
        text.rstrip("/"),
        "" if key_file else key.strip(),
        Path(ca_file) if ca_file else None,
        timeout_s,
        Path(key_file) if key_file else None,
    )


def from_environment(environ: Mapping[str, str]) -> Target | None:
    """Return the backend that the environment names; None without SPEEDSCALE_APP_URL.

    The key from SPEEDSCALE_API_KEY or the file SPEEDSCALE_API_KEY_FILE, the CA from BACKEND_CA_FILE.
    """
    return target_of(
        environ.get("SPEEDSCALE_APP_URL", ""),
        environ.get("SPEEDSCALE_API_KEY", ""),
        environ.get("BACKEND_CA_FILE", ""),
        key_file=environ.get("SPEEDSCALE_API_KEY_FILE", ""),
    )
