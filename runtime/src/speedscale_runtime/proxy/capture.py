"""Turn what was observed into frames: the pair's JSON without bodies, and the bodies as they came.

Called by `outbox`, off the path of traffic. Pure: clock readings come with the exchange, random bytes from a source
given at construction. Hot: one call per request, so what does not change is rendered once per process
(`Recorder`) or per connection (`Facts`), and only request and response go through the JSON encoder.

Content codings and character sets are left alone; the forwarder decodes. No I/O, no queue here.
"""

from __future__ import annotations

import binascii
import os
import time
from collections.abc import Callable
from typing import Any, NamedTuple
from urllib.parse import unquote_to_bytes

from orjson import dumps

from speedscale_runtime.protocols.exchange import Exchange, Headers
from speedscale_schemas import frames

from .causes import Side
from .config import Identity

VERSION = "0.1.0"
_UUID_POOL = 512
_RECENT = 4096


class Rendered(NamedTuple):
    """JSON of a connection that is the same in each of its pairs."""

    before_ts: bytes
    tags: bytes
    after_uuid: bytes
    downstream: bytes
    upstream: bytes


class Facts:
    """What is true of a whole connection; its rendered part is kept by the recorder."""

    __slots__ = (
        "bytes_in",
        "bytes_out",
        "client",
        "client_ns",
        "client_protocol",
        "detected",
        "host",
        "number",
        "port",
        "rendered",
        "server",
        "server_ns",
        "side",
        "sni",
        "tls",
    )

    def __init__(self, number: int, side: Side, client: tuple[str, int], now_ns: int) -> None:
        """Begin with what is known at accept: running number, listener, the client's address, time."""
        self.number = number
        self.side = side
        self.client = client
        self.client_ns = now_ns
        self.client_protocol = ""  # how the client named its destination: connect, absolute, socks4, socks5
        self.host = ""  # destination as it was named
        self.port = 0
        self.server: tuple[str, int] = ("", 0)  # its address
        self.server_ns = now_ns
        self.tls = False  # intercepted: plaintext was seen
        self.sni = ""
        self.detected = ""  # protocol by its first bytes, for opaque connections
        self.bytes_in = 0  # from the client
        self.bytes_out = 0  # to the client
        self.rendered: Rendered | None = None


class Recorder:
    """Renders frames for one proxy process."""

    def __init__(
        self,
        identity: Identity,
        *,
        proxy_type: str,
        proxy_protocol: str,
        reverse: tuple[str, int],
        random_bytes: Callable[[int], bytes] = os.urandom,
    ) -> None:
        self._identity = identity
        self._proxy_type = proxy_type
        self._proxy_protocol = proxy_protocol
        self._reverse = reverse
        self._random = random_bytes
        self._pool = b""
        self._pool_at = 0
        self._sequence = 0
        self._second = -1
        self._second_text = b""
        self._recent: set[tuple[str, int]] = set()
        self._older: set[tuple[str, int]] = set()

    def http(self, facts: Facts, exchange: Exchange) -> bytes:
        """Return the frame of an exchange; FrameError when its head is over the format's limit."""
        fixed = facts.rendered or self._render(facts)
        method, target = _text(exchange.method), _text(exchange.target)
        path = target.partition("?")[0]
        self._sequence += 1
        ms = _duration_ms(exchange.started_ns, exchange.response_end_ns)
        ts = self._stamp(self._unique(facts.host, exchange.started_ns))
        head = (
            b'%b%b","l7protocol":"%b"%b%b"sequence":"%d"%b},"uuid":"%b"%b,"command":%b,"location":%b,"status":"%d"'
            b',"http":{"req":%b,"res":%b},"netinfo":{"id":"%d","startTime":"%b",%b%d"},%b%d"}}}'
        ) % (
            fixed.before_ts,
            ts,
            b"https" if facts.tls else b"http",
            b',"duration":%d' % ms if ms else b"",
            fixed.tags,
            self._sequence,
            _tags(exchange),
            self._uuid(),
            fixed.after_uuid,
            dumps(method),
            dumps(path),
            exchange.status,
            _request(exchange, method, target, path),
            _response(exchange),
            facts.number,
            ts,
            fixed.downstream,
            facts.bytes_in,
            fixed.upstream,
            facts.bytes_out,
        )
        return frames.encode(frames.Frame(head, exchange.request_body, exchange.response_body))

    def opaque(self, facts: Facts, started_ns: int, ended_ns: int) -> bytes:
        """Return the frame of a connection that was passed on without being understood."""
        fixed = facts.rendered or self._render(facts)
        self._sequence += 1
        ms = _duration_ms(started_ns, ended_ns)
        ts = self._stamp(self._unique(facts.host, started_ns))
        tags = b',"detectedProtocol":%b' % dumps(facts.detected) if facts.detected else b""
        if facts.sni:
            tags += b',"tlsSni":%b' % dumps(facts.sni)
        head = (
            b'%b%b","l7protocol":"tcp"%b%b"sequence":"%d"%b},"uuid":"%b"%b,"command":"CONNECT","location":%b,'
            b'"status":"OK","netinfo":{"id":"%d","startTime":"%b",%b%d"},%b%d"}}}'
        ) % (
            fixed.before_ts,
            ts,
            b',"duration":%d' % ms if ms else b"",
            fixed.tags,
            self._sequence,
            tags,
            self._uuid(),
            fixed.after_uuid,
            dumps(_address(facts.host, facts.port)),
            facts.number,
            ts,
            fixed.downstream,
            facts.bytes_in,
            fixed.upstream,
            facts.bytes_out,
        )
        return frames.encode(frames.Frame(head, b"", b""))

    # -- parts

    def _render(self, facts: Facts) -> Rendered:
        """Render what does not change within a connection."""
        who, client, server = self._identity, facts.client, facts.server
        service, host = dumps(who.service), dumps(facts.host)
        facts.rendered = Rendered(
            b'{"msgType":"rrpair","resource":%b,"service":%b,"ts":"' % (service, service),
            b',"tags":%b,' % dumps(self._fixed_tags(facts))[:-1],
            b',"direction":"%b","cluster":%b,"namespace":%b,"network_address":%b%b'
            % (
                b"IN" if facts.side is Side.IN else b"OUT",
                dumps(who.cluster),
                dumps(who.namespace),
                dumps(_address(facts.host, facts.port)),
                b',"isTls":true' if facts.tls else b"",
            ),
            b'"downstream":{"established":"%b","ipAddress":%b,"port":%d,"bytesSent":"'
            % (self._stamp(facts.client_ns), dumps(client[0]), client[1]),
            b'"upstream":{"established":"%b","ipAddress":%b,"port":%d,"hostname":%b,"bytesSent":"'
            % (self._stamp(facts.server_ns), dumps(server[0]), server[1], host),
        )
        return facts.rendered

    def _fixed_tags(self, facts: Facts) -> dict[str, str]:
        who = self._identity
        tags = {
            "captureMode": "proxy",
            "proxyType": self._proxy_type,
            "proxyProtocol": facts.client_protocol or self._proxy_protocol,
            "proxyLocation": facts.side.value,
            "proxyVersion": VERSION,
            "proxyId": who.proxy_id,
            "source": "goproxy",
        }
        if facts.side is Side.IN:
            tags["reverseProxyHost"], tags["reverseProxyPort"] = self._reverse[0], str(self._reverse[1])
        optional = {
            "k8sAppLabel": who.app_label,
            "k8sAppPodName": who.pod_name,
            "k8sAppPodNamespace": who.namespace,
            "k8sClusterName": who.cluster,
        }
        tags.update((k, v) for k, v in optional.items() if v not in ("", "undefined"))
        return tags

    def _uuid(self) -> bytes:
        at = self._pool_at
        if at >= len(self._pool):
            self._pool, at = self._random(16 * _UUID_POOL), 0
        self._pool_at = at + 16
        return binascii.b2a_base64(self._pool[at : at + 16], newline=False)

    def _stamp(self, ns: int) -> bytes:
        second, fraction = divmod(ns, 1_000_000_000)
        if second != self._second:
            self._second_text = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(second)).encode()
            self._second = second
        return b"%b.%09dZ" % (self._second_text, fraction)

    def _unique(self, host: str, ns: int) -> int:
        """Return the first free nanosecond for this host from `ns` on, among the last few thousand given out."""
        key = (host, ns)
        while key in self._recent or key in self._older:
            ns += 1
            key = (host, ns)
        self._recent.add(key)
        if len(self._recent) >= _RECENT:
            self._older, self._recent = self._recent, set()
        return ns


def _request(exchange: Exchange, method: str, target: str, path: str) -> bytes:
    headers = _headers(exchange.request_headers)
    req: dict[str, Any] = {
        "url": path,
        "uri": target,
        "version": exchange.http_version.decode("latin-1"),
        "method": method,
        "host": _first(headers, "host"),
        "headers": headers,
    }
    if exchange.request_trailers:
        _merge(headers, exchange.request_trailers)
    if len(path) != len(target):
        req["queryParams"] = _query(target[len(path) + 1 :])
    return dumps(req)


def _response(exchange: Exchange) -> bytes:
    headers = _headers(exchange.response_headers)
    kind = _first(headers, "content-type")
    if exchange.response_trailers:
        _merge(headers, exchange.response_trailers)
    message = f"{exchange.status} {_text(exchange.reason)}".rstrip()
    res = {"contentType": kind, "statusCode": exchange.status, "statusMessage": message, "headers": headers}
    return dumps(res)


def _first(headers: dict[str, list[str]], wanted: str) -> str:
    for name, values in headers.items():
        if len(name) == len(wanted) and name.lower() == wanted:
            return values[0]
    return ""


def _tags(exchange: Exchange) -> bytes:
    """Return the tags that only some exchanges have, rendered, each with a comma before it."""
    tags = b""
    if exchange.request_body_length > len(exchange.request_body):
        tags += b',"requestPayloadTruncated":"%d"' % exchange.request_body_length
    if exchange.response_body_length > len(exchange.response_body):
        tags += b',"responsePayloadTruncated":"%d"' % exchange.response_body_length
    if exchange.incomplete:
        tags += b',"incomplete":"%b"' % str(exchange.incomplete).encode()
    return tags


def _headers(pairs: Headers) -> dict[str, list[str]]:
    """Return name → values in the order of arrival; UTF-8 where every byte is, else ISO 8859-1."""
    try:
        headers = {name.decode(): [value.decode()] for name, value in pairs}
    except UnicodeDecodeError:
        headers = {}
    if len(headers) != len(pairs):
        headers = {}
        _merge(headers, pairs)
    return headers


def _merge(headers: dict[str, list[str]], pairs: Headers) -> None:
    for name, value in pairs:
        headers.setdefault(_text(name), []).append(_text(value))


def _query(query: str) -> dict[str, list[str]]:
    """Return the parameters of a raw query, percent-decoded; one without `=` has an empty value."""
    params: dict[str, list[str]] = {}
    for part in query.split("&"):
        if part:
            name, _, value = part.partition("=")
            params.setdefault(_unquote(name), []).append(_unquote(value))
    return params


def _unquote(text: str) -> str:
    if "%" not in text and "+" not in text:
        return text
    return _text(unquote_to_bytes(text.replace("+", " ")))


def _text(data: bytes) -> str:
    try:
        return data.decode()
    except UnicodeDecodeError:
        return data.decode("latin-1")


def _address(host: str, port: int) -> str:
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def _duration_ms(start_ns: int, end_ns: int) -> int:
    return max(0, (end_ns - start_ns) // 1_000_000)
