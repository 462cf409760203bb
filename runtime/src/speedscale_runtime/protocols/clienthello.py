"""Read server name and ALPN from a TLS ClientHello without a TLS stack."""

from __future__ import annotations

from typing import NamedTuple


class NeedMore(Exception):
    """The bytes so far are the start of a ClientHello; call again with more."""


class ClientHello(NamedTuple):
    """What a client asked for: `sni` lower-case, "" when absent; `alpn` in its order."""

    sni: str
    alpn: tuple[bytes, ...]


def parse(data: bytes) -> ClientHello:
    """Return what the ClientHello at the start of `data` says; NeedMore, or PeerError when it is none."""
    raise NotImplementedError
