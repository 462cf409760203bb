"""Turn what was observed into frames: the pair's JSON without bodies, and the bodies as they came.

Called by `outbox`, off the path of traffic. Pure: clock readings come with the exchange, random bytes from a source
given at construction. Hot: one call per request, so what does not change is rendered once per connection (`Facts`),
and first lines and field blocks once per content (`Recall`, bounded): only what is new goes through the JSON encoder.

Content codings and character sets are left alone; the forwarder decodes. No I/O, no queue here.
"""

from __future__ import annotations

import binascii
import os
import time
from collections.abc import Callable
from json.encoder import encode_basestring as quote
from urllib.parse import unquote_to_bytes

from orjson import dumps

from speedscale_runtime.protocols.exchange import Exchange, Headers
from speedscale_runtime.protocols.recall import Recall
from speedscale_schemas import frames

from .causes import Side
from .config import Identity

VERSION = "0.2.0"
ISTLS = ',"isTls":true'
_BEFORE_UUID = '},"uuid":"'
_NO_MORE_TAGS = '"' + _BEFORE_UUID
_UUID_POOL = 512
_RECENT = 4096


# Pieces of JSON, kept as plain tuples because these unpack fastest.
Rendered = tuple[str, str, str, str, str, str, str]  # of a connection, see `_render`
Asked = tuple[str, str, str]  # of a request line: what stands before the request, its beginning, its end
Answered = tuple[str, str]  # of a response's head: the status, and the response without its body


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
        "tags",
        "tls",
        "who",
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
        self.who: Identity | None = None  # whose connection it is, where one recorder serves several
        self.tags: dict[str, str] | None = None  # how it was seen, where that was not by this proxy


class Recorder:
    """Renders frames for one process; `identity` holds where a connection's facts name nobody."""

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
        self._uuids: list[str] = []
        self._sequence = 0
        self._second = ""
        self._second_text = ""
        self._recent: set[int] = set()
        self._older: set[int] = set()
        self._lines: Recall[Asked] = Recall(key_max=1024)
        self._asking: Recall[str] = Recall()
        self._answers: Recall[Answered] = Recall()

    def http(self, facts: Facts, exchange: Exchange) -> bytes:
        """Return the frame of an exchange; FrameError when its head is over the format's limit."""
        before_ts, after_ts, tags, after_uuid, netinfo, downstream, upstream = facts.rendered or self._render(facts)
        self._sequence += 1
        started_ns = exchange.started_ns
        ms = (exchange.response_end_ns - started_ns) // 1_000_000
        recent = self._recent
        if started_ns in recent or started_ns in self._older or len(recent) >= _RECENT:
            started_ns = self._unique(started_ns)
        else:
            recent.add(started_ns)
        ts = self._stamp(started_ns)
        raw = exchange.request_line
        command, begin, params = self._lines.get(raw) or self._asked(raw, exchange)
        if exchange.request_trailers:
            asking = _asking(exchange.request_headers, exchange.request_trailers)
        else:
            raw = exchange.request_block
            asking = self._asking.get(raw) or self._fields_asking(raw, exchange)
        if exchange.response_trailers:
            status, answer = _answered(exchange)
        else:
            raw = exchange.response_head
            status, answer = self._answers.get(raw) or self._answered(raw, exchange)
        request, response = exchange.request_body, exchange.response_body
        if (
            exchange.incomplete
            or exchange.request_body_length > len(request)
            or exchange.response_body_length > len(response)
        ):
            more_tags = f'"{_tags(exchange)}{_BEFORE_UUID}'
        else:
            more_tags = _NO_MORE_TAGS
        uuid = (self._uuids or self._more_uuids()).pop()
        duration = f',"duration":{ms}' if ms > 0 else ""
        head = (
            f"{before_ts}{ts}{after_ts}{duration}{tags}{self._sequence}{more_tags}{uuid}{after_uuid}"
            f"{command}{status}{begin}{asking}{params}{answer}"
            f'{netinfo}{ts}{downstream}{facts.bytes_in}{upstream}{facts.bytes_out}"}}}}}}'
        )
        return frames.pack(head.encode(), request, response)

    def opaque(self, facts: Facts, started_ns: int, ended_ns: int) -> bytes:
        """Return the frame of a connection that was passed on without being understood."""
        before_ts, _, tags, after_uuid, netinfo, downstream, upstream = facts.rendered or self._render(facts)
        self._sequence += 1
        ms = _duration_ms(started_ns, ended_ns)
        ts = self._stamp(self._unique(started_ns))
        more_tags = f',"detectedProtocol":{quote(facts.detected)}' if facts.detected else ""
        if facts.sni:
            more_tags += f',"tlsSni":{quote(facts.sni)}'
        uuid = (self._uuids or self._more_uuids()).pop()
        duration = f',"duration":{ms}' if ms else ""
        head = (
            f'{before_ts}{ts}","l7protocol":"tcp"{duration}{tags}{self._sequence}"{more_tags}{_BEFORE_UUID}'
            f'{uuid}{after_uuid},"command":"CONNECT","location":{quote(_address(facts.host, facts.port))},"status":"OK"'
            f'{netinfo}{ts}{downstream}{facts.bytes_in}{upstream}{facts.bytes_out}"}}}}}}'
        )
        return frames.pack(head.encode(), b"", b"")

    # -- parts

    # Each of these is asked when the cache has nothing; a key of "" is a part that was not seen whole.

    def _asked(self, raw: bytes, exchange: Exchange) -> Asked:
        found = self._lines.older(raw)
        if found is None:
            found = _asked(exchange.method, exchange.target, exchange.http_version)
            if raw:
                self._lines.put(raw, found)
        return found

    def _fields_asking(self, raw: bytes, exchange: Exchange) -> str:
        found = self._asking.older(raw)
        if found is None:
            found = _asking(exchange.request_headers, [])
            if raw:
                self._asking.put(raw, found)
        return found

    def _answered(self, raw: bytes, exchange: Exchange) -> Answered:
        found = self._answers.older(raw)
        if found is None:
            found = _answered(exchange)
            if raw:
                self._answers.put(raw, found)
        return found

    def _render(self, facts: Facts) -> Rendered:
        """Render what does not change within a connection."""
        who, client, server = facts.who or self._identity, facts.client, facts.server
        service = quote(who.service)
        direction = "IN" if facts.side is Side.IN else "OUT"
        facts.rendered = (
            f'{{"msgType":"rrpair","resource":{service},"service":{service},"ts":"',
            f'","l7protocol":"{"https" if facts.tls else "http"}"',
            f',"tags":{dumps(self._fixed_tags(facts))[:-1].decode()},"sequence":"',
            f'","direction":"{direction}","cluster":{quote(who.cluster)},"namespace":{quote(who.namespace)},'
            f'"network_address":{quote(_address(facts.host, facts.port))}{ISTLS if facts.tls else ""}',
            f',"netinfo":{{"id":"{facts.number}","startTime":"',
            f'","downstream":{{"established":"{self._stamp(facts.client_ns)}","ipAddress":{quote(client[0])},'
            f'"port":{client[1]},"bytesSent":"',
            f'"}},"upstream":{{"established":"{self._stamp(facts.server_ns)}","ipAddress":{quote(server[0])},'
            f'"port":{server[1]},"hostname":{quote(facts.host)},"bytesSent":"',
        )
        return facts.rendered

    def _fixed_tags(self, facts: Facts) -> dict[str, str]:
        who = facts.who or self._identity
        tags = dict(facts.tags) if facts.tags is not None else self._proxy_tags(facts)
        optional = {
            "k8sAppLabel": who.app_label,
            "k8sAppPodName": who.pod_name,
            "k8sAppPodNamespace": who.namespace,
            "k8sClusterName": who.cluster,
        }
        tags.update((k, v) for k, v in optional.items() if v not in ("", "undefined"))
        return tags

    def _proxy_tags(self, facts: Facts) -> dict[str, str]:
        tags = {
            "captureMode": "proxy",
            "proxyType": self._proxy_type,
            "proxyProtocol": facts.client_protocol or self._proxy_protocol,
            "proxyLocation": facts.side.value,
            "proxyVersion": VERSION,
            "proxyId": self._identity.proxy_id,
            "source": "goproxy",
        }
        if facts.side is Side.IN and self._proxy_type != "transparent":
            tags["reverseProxyHost"], tags["reverseProxyPort"] = self._reverse[0], str(self._reverse[1])
        return tags

    def _more_uuids(self) -> list[str]:
        """Refill the random identifiers, base64 of 16 bytes; the first bytes of the source are the first taken."""
        pool, encode = self._random(16 * _UUID_POOL), binascii.b2a_base64
        self._uuids = [encode(pool[i : i + 16], newline=False).decode() for i in range(0, len(pool), 16)]
        self._uuids.reverse()
        return self._uuids

    def _stamp(self, ns: int) -> str:
        digits = str(ns)
        second = digits[:-9]
        if second != self._second:
            self._second_text = time.strftime("%Y-%m-%dT%H:%M:%S.", time.gmtime(int(second)))
            self._second = second
        return f"{self._second_text}{digits[-9:]}Z"

    def _unique(self, ns: int) -> int:
        """Return the first free nanosecond from `ns` on, among the last few thousand given out, whatever the host."""
        if len(self._recent) >= _RECENT:
            self._older, self._recent = self._recent, set()
        while ns in self._recent or ns in self._older:
            ns += 1
        self._recent.add(ns)
        return ns


def _asked(method: bytes, raw_target: bytes, version: bytes) -> Asked:
    """Render what a request line says."""
    verb, target = quote(_text(method)), _text(raw_target)
    path, mark, query = target.partition("?")
    url = quote(path)
    return (
        f',"command":{verb},"location":{url}',
        f',"http":{{"req":{{"url":{url},"uri":{quote(target) if mark else url},"method":{verb},'
        f'"version":"{version.decode("latin-1")}",',
        f',"queryParams":{dumps(_query(query)).decode()}}},"res":' if mark else '},"res":',
    )


def _asking(fields: Headers, trailers: Headers) -> str:
    """Render the fields of a request."""
    headers = _headers(fields)
    host = _first(headers, "host")
    _merge(headers, trailers)
    return f'"host":{quote(host)},"headers":{dumps(headers).decode()}'


def _answered(exchange: Exchange) -> Answered:
    """Render the head of a response."""
    headers = _headers(exchange.response_headers)
    kind = _first(headers, "content-type")
    _merge(headers, exchange.response_trailers)
    message = f"{exchange.status} {_text(exchange.reason)}".rstrip()
    return (
        f',"status":"{exchange.status}"',
        f'{{"contentType":{quote(kind)},"statusCode":{exchange.status},"statusMessage":{quote(message)},'
        f'"headers":{dumps(headers).decode()}}}}}',
    )


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
    if exchange.gap:
        tags += f',"captureGap":"{exchange.gap}"'
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
