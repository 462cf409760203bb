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
from json.encoder import encode_basestring as quote
from typing import NamedTuple
from urllib.parse import unquote_to_bytes

from orjson import dumps

from speedscale_runtime.protocols.exchange import Exchange, Headers
from speedscale_schemas import frames

from .causes import Side
from .config import Identity

VERSION = "0.1.0"
DURATION = '"duration"'
ISTLS = ',"isTls":true'
_UUID_POOL = 512
_RECENT = 4096


class Rendered(NamedTuple):
    """JSON of a connection that is the same in each of its pairs."""

    before_ts: str
    tags: str
    after_uuid: str
    downstream: str
    upstream: str


class Remembered(NamedTuple):
    """The header fields of the last message of a connection, and the JSON they became."""

    pairs: Headers
    line: bytes  # version or reason phrase
    text: str
    status: int = 0


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
        "last_request",
        "last_response",
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
        self.last_request: Remembered | None = None
        self.last_response: Remembered | None = None


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
        self._second = ""
        self._second_text = ""
        self._recent: set[int] = set()
        self._older: set[int] = set()

    def http(self, facts: Facts, exchange: Exchange) -> bytes:
        """Return the frame of an exchange; FrameError when its head is over the format's limit."""
        fixed = facts.rendered or self._render(facts)
        self._sequence += 1
        ms = _duration_ms(exchange.started_ns, exchange.response_end_ns)
        ts = self._stamp(self._unique(exchange.started_ns))
        method, target = quote(_text(exchange.method)), _text(exchange.target)
        path, mark, query = target.partition("?")
        url = quote(path)
        req, res = self._request_part(facts, exchange), self._response_part(facts, exchange)
        params = f',"queryParams":{dumps(_query(query)).decode()}' if mark else ""
        head = (
            f'{fixed.before_ts}{ts}","l7protocol":"{"https" if facts.tls else "http"}"'
            f'{f",{DURATION}:{ms}" if ms else ""}{fixed.tags}"sequence":"{self._sequence}"{_tags(exchange)}}},'
            f'"uuid":"{self._uuid()}"{fixed.after_uuid},"command":{method},"location":{url},'
            f'"status":"{exchange.status}","http":{{"req":{{"url":{url},"uri":{quote(target) if mark else url},'
            f'"method":{method},{req}{params}}},"res":{res}}},'
            f'"netinfo":{{"id":"{facts.number}","startTime":"{ts}",{fixed.downstream}{facts.bytes_in}"}},'
            f'{fixed.upstream}{facts.bytes_out}"}}}}}}'
        )
        return frames.encode(frames.Frame(head.encode(), exchange.request_body, exchange.response_body))

    def opaque(self, facts: Facts, started_ns: int, ended_ns: int) -> bytes:
        """Return the frame of a connection that was passed on without being understood."""
        fixed = facts.rendered or self._render(facts)
        self._sequence += 1
        ms = _duration_ms(started_ns, ended_ns)
        ts = self._stamp(self._unique(started_ns))
        tags = f',"detectedProtocol":{quote(facts.detected)}' if facts.detected else ""
        if facts.sni:
            tags += f',"tlsSni":{quote(facts.sni)}'
        head = (
            f'{fixed.before_ts}{ts}","l7protocol":"tcp"{f",{DURATION}:{ms}" if ms else ""}{fixed.tags}'
            f'"sequence":"{self._sequence}"{tags}}},"uuid":"{self._uuid()}"{fixed.after_uuid},'
            f'"command":"CONNECT","location":{quote(_address(facts.host, facts.port))},"status":"OK",'
            f'"netinfo":{{"id":"{facts.number}","startTime":"{ts}",{fixed.downstream}{facts.bytes_in}"}},'
            f'{fixed.upstream}{facts.bytes_out}"}}}}}}'
        )
        return frames.encode(frames.Frame(head.encode(), b"", b""))

    # -- parts

    def _request_part(self, facts: Facts, exchange: Exchange) -> str:
        """Return version, host and headers; most requests of a connection have the same ones."""
        pairs = exchange.request_headers
        last = facts.last_request
        line = exchange.http_version
        if last is not None and last.pairs == pairs and last.line == line and not exchange.request_trailers:
            return last.text
        headers = _headers(pairs)
        host = _first(headers, "host")
        if exchange.request_trailers:
            _merge(headers, exchange.request_trailers)
        version = line.decode("latin-1")
        text = f'"version":"{version}","host":{quote(host)},"headers":{dumps(headers).decode()}'
        facts.last_request = None if exchange.request_trailers else Remembered(pairs, line, text)
        return text

    def _response_part(self, facts: Facts, exchange: Exchange) -> str:
        """Return the object of the response; within a second many answers have the same head."""
        pairs = exchange.response_headers
        last = facts.last_response
        line, status = exchange.reason, exchange.status
        if (
            last is not None
            and last.pairs == pairs
            and last.line == line
            and last.status == status
            and not exchange.response_trailers
        ):
            return last.text
        headers = _headers(pairs)
        kind = _first(headers, "content-type")
        if exchange.response_trailers:
            _merge(headers, exchange.response_trailers)
        message = f"{status} {_text(line)}".rstrip()
        text = (
            f'{{"contentType":{quote(kind)},"statusCode":{status},"statusMessage":{quote(message)},'
            f'"headers":{dumps(headers).decode()}}}'
        )
        facts.last_response = None if exchange.response_trailers else Remembered(pairs, line, text, status)
        return text

    def _render(self, facts: Facts) -> Rendered:
        """Render what does not change within a connection."""
        who, client, server = self._identity, facts.client, facts.server
        service = quote(who.service)
        direction = "IN" if facts.side is Side.IN else "OUT"
        facts.rendered = Rendered(
            f'{{"msgType":"rrpair","resource":{service},"service":{service},"ts":"',
            f',"tags":{dumps(self._fixed_tags(facts))[:-1].decode()},',
            f',"direction":"{direction}","cluster":{quote(who.cluster)},"namespace":{quote(who.namespace)},'
            f'"network_address":{quote(_address(facts.host, facts.port))}{ISTLS if facts.tls else ""}',
            f'"downstream":{{"established":"{self._stamp(facts.client_ns)}","ipAddress":{quote(client[0])},'
            f'"port":{client[1]},"bytesSent":"',
            f'"upstream":{{"established":"{self._stamp(facts.server_ns)}","ipAddress":{quote(server[0])},'
            f'"port":{server[1]},"hostname":{quote(facts.host)},"bytesSent":"',
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

    def _uuid(self) -> str:
        at = self._pool_at
        if at >= len(self._pool):
            self._pool, at = self._random(16 * _UUID_POOL), 0
        self._pool_at = at + 16
        return binascii.b2a_base64(self._pool[at : at + 16], newline=False).decode()

    def _stamp(self, ns: int) -> str:
        digits = str(ns)
        second = digits[:-9]
        if second != self._second:
            self._second_text = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(int(second)))
            self._second = second
        return f"{self._second_text}.{digits[-9:]}Z"

    def _unique(self, ns: int) -> int:
        """Return the first free nanosecond from `ns` on, among the last few thousand given out, whatever the host."""
        recent, older = self._recent, self._older
        while ns in recent or ns in older:
            ns += 1
        recent.add(ns)
        if len(recent) >= _RECENT:
            self._older, self._recent = recent, set()
        return ns


def _first(headers: dict[str, list[str]], wanted: str) -> str:
    for name, values in headers.items():
        if len(name) == len(wanted) and name.lower() == wanted:
            return values[0]
    return ""


def _tags(exchange: Exchange) -> str:
    """Return the tags that only some exchanges have, rendered, each with a comma before it."""
    tags = ""
    if exchange.request_body_length > len(exchange.request_body):
        tags += f',"requestPayloadTruncated":"{exchange.request_body_length}"'
    if exchange.response_body_length > len(exchange.response_body):
        tags += f',"responsePayloadTruncated":"{exchange.response_body_length}"'
    if exchange.incomplete:
        tags += f',"incomplete":"{exchange.incomplete}"'
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
