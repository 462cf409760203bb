"""A live HTTP request, as the parser saw it, and the pair that is made of it. Pure.

Header names and values stay bytes; a pair (a dictionary, texts) is only built where something needs one:
redaction, transforms, recording, the explanation of a miss.
"""

from __future__ import annotations

from typing import Any
from urllib.parse import parse_qs, urlsplit

from speedscale_runtime.rrpair import RRPair, decoding
from speedscale_runtime.signatures import Request
from speedscale_runtime.signatures.query import canonical_query
from speedscale_schemas.errors import PeerError

Headers = list[tuple[bytes, bytes]]
_SIGNED = (b"host", b"content-type", b"content-encoding")


class Target:
    """Where the client wanted to go: known for proxy requests only."""

    __slots__ = ("host", "port", "tls")

    def __init__(self, host: str, port: int, tls: bool) -> None:
        self.host, self.port, self.tls = host, port, tls

    def __str__(self) -> str:
        return f"{'https' if self.tls else 'http'}://{self.host}:{self.port}"


class Live:
    """One request. `headers` have lower-case names for those that are signed, all names as they came otherwise.

    `url` is the request target; `target` is where it goes in proxy mode, else None.
    """

    __slots__ = (
        "baggage",
        "body",
        "content_encoding",
        "content_type",
        "headers",
        "host",
        "method",
        "target",
        "tls",
        "url",
        "version",
    )

    def __init__(self, method: bytes, url: bytes, version: str, headers: Headers, body: bytes) -> None:
        self.method, self.url, self.version, self.headers, self.body = method, url, version, headers, body
        self.host = self.content_type = self.content_encoding = self.baggage = b""
        self.target: Target | None = None
        self.tls = False
        for name, value in headers:
            if len(name) in (4, 7, 12, 16):
                folded = name.lower()
                if folded == b"host":
                    self.host = value
                elif folded == b"content-type":
                    self.content_type = value
                elif folded == b"content-encoding":
                    self.content_encoding = value
                elif folded == b"baggage":
                    self.baggage = b"%s,%s" % (self.baggage, value) if self.baggage else value
        if not url.startswith(b"/") and b"://" in url[:12]:
            self._absolute(url)

    def _absolute(self, url: bytes) -> None:
        """Take an absolute-form target apart (RFC 9112 3.2.2); its authority wins over the Host header."""
        try:
            parts = urlsplit(url.decode("latin-1"))
            port = parts.port or (443 if parts.scheme == "https" else 80)
        except ValueError:
            return
        if parts.scheme in ("http", "https") and parts.hostname:
            self.target = Target(parts.hostname, port, parts.scheme == "https")
            self.host = parts.netloc.rpartition("@")[2].encode("latin-1")
            self.url = ((parts.path or "/") + (f"?{parts.query}" if parts.query else "")).encode("latin-1")

    def raw_key(self) -> bytes:
        """Return bytes that are equal only for requests that match the same mock."""
        return b"\0".join((self.method, self.url, self.host, self.content_type, self.content_encoding, self.body))

    def request(self) -> Request:
        """Return the signed parts; an undecodable body is signed as it came."""
        path, _, query = self.url.decode("latin-1").partition("?")
        body = self.body
        if body and self.content_encoding:
            try:
                body = decoding.decoded(body, {"content-encoding": self.content_encoding.decode("latin-1")})
            except PeerError:
                body = self.body
        return Request(
            self.method.decode("latin-1"),
            self.host.decode("latin-1"),
            path,
            canonical_query(query.partition("#")[0]),
            self.content_type.decode("latin-1"),
            body,
        )

    def credentials(self) -> dict[str, list[str]]:
        """Return the headers that may tell sessions apart."""
        found: dict[str, list[str]] = {}
        for name, value in self.headers:
            folded = name.lower()
            if folded in (b"authorization", b"cookie"):
                found.setdefault(folded.decode(), []).append(value.decode("latin-1"))
        return found

    def destination(self) -> str:
        """Return `METHOD host/path?query`, what faults are matched against."""
        return b"".join((self.method, b" ", self.host, self.url)).decode("latin-1")

    def pair(self, service: str) -> RRPair:
        """Return the request as a pair without an answer, as a recorder would have written it."""
        path, mark, query = self.url.decode("latin-1").partition("?")
        headers: dict[str, list[str]] = {}
        for name, value in self.headers:
            headers.setdefault(name.decode("latin-1"), []).append(_text(value))
        host, method = self.host.decode("latin-1"), self.method.decode("latin-1")
        req: dict[str, Any] = {
            "url": path,
            "uri": path + mark + query,
            "version": self.version,
            "method": method,
            "host": host,
            "headers": headers,
        }
        if query:
            req["queryParams"] = parse_qs(query, keep_blank_values=True, errors="surrogateescape")
        doc: dict[str, Any] = {
            "msgType": "rrpair",
            "resource": service,
            "service": service,
            "l7protocol": "https" if self.tls else "http",
            "direction": "OUT",
            "command": method,
            "location": path,
            "http": {"req": req},
        }
        if self.target is not None:
            doc["network_address"] = f"{self.target.host}:{self.target.port}"
        return RRPair(doc, self.body)


def _text(value: bytes) -> str:
    try:
        return value.decode("utf-8")
    except UnicodeDecodeError:
        return value.decode("latin-1")
