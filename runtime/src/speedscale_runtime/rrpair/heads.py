"""The head of a request or response as text: first line and headers, written and read.

Called by the Markdown codec's writing and reading halves, which compare what both sides of an edit say. Values of
any type are shown; nothing here changes a pair.
"""

from __future__ import annotations

import re
from http import HTTPStatus
from typing import Any, NamedTuple

from .model import Json, RRPair

_STATUS_LINE = re.compile(r"HTTP/(\S+)(?: (.*))?")
_REQUEST_LINE = re.compile(r"(\S+) (.*?)(?: HTTP/(\S+))?")
_URL = re.compile(r"([A-Za-z][A-Za-z0-9+.\-]*)://([^/?#]*)(.*)")
_ESCAPES = {"n": "\n", "r": "\r"}
HTTP_SCHEMES = ("http", "https")


class Line(NamedTuple):
    """A first line, taken apart; None where it says nothing."""

    method: str | None = None
    scheme: str | None = None
    authority: str | None = None
    uri: str | None = None
    version: str | None = None
    status: str | None = None


class Head(NamedTuple):
    """A head, taken apart. `headers` and `trailers` map names to values in the order of the text.

    `whole` is whether every line was understood.
    """

    line: Line
    headers: dict[str, list[str]]
    trailers: dict[str, list[str]]
    whole: bool


def write_request(pair: RRPair) -> str:
    """Return the head of the request; empty when there is none."""
    req = pair.http_request
    if req is None:
        return ""
    first = f"{word(req.get('method') or pair.doc.get('command') or '-')} {_url(pair, req)} HTTP/{version(req)}"
    return "\n".join([one_line(first), *_header_lines(req)])


def write_response(pair: RRPair) -> str:
    """Return the head of the response; empty when there is none."""
    res = pair.http_response
    if res is None:
        return ""
    spoken = version(res if "version" in res else pair.http_request or {})
    return "\n".join([one_line(f"HTTP/{spoken} {status(res)}"), *_header_lines(res)])


def read(text: str) -> Head:
    """Take a head apart; the first line may be missing (a mock's answer), what is no header is passed over."""
    lines = text.split("\n")
    first = lines[0]
    line = Line()
    if match := _STATUS_LINE.fullmatch(first):
        line = Line(version=match[1], status=match[2] or "")
        lines = lines[1:]
    elif not _is_header(first) and (match := _REQUEST_LINE.fullmatch(first)):
        line = _request_line(match)
        lines = lines[1:]
    headers: dict[str, list[str]] = {}
    trailers: dict[str, list[str]] = {}
    announced: set[str] | None = None
    whole = True
    for entry in lines:
        name, value = _split_header(entry)
        if not name:
            whole = whole and not entry
            continue
        values = split_values(value)
        late = announced is not None and (not announced or name.casefold() in announced)
        (trailers if late else headers).setdefault(name, []).extend(values)
        if name.casefold() == "trailer":
            announced = {part.strip().casefold() for one in values for part in one.split(",")} - {""}
    return Head(line, headers, trailers, whole)


def authority(pair: RRPair) -> str:
    """Return host:port of the server as far as the pair knows it."""
    known = pair.doc.get("network_address")
    if isinstance(known, str) and known:
        return known
    host = word((pair.http_request or {}).get("host") or "")
    if ":" in host.rpartition("]")[2]:
        return host
    netinfo = pair.doc.get("netinfo")
    upstream = netinfo.get("upstream") if isinstance(netinfo, dict) else None
    upstream = upstream if isinstance(upstream, dict) else {}
    host = host or word(upstream.get("hostname") or upstream.get("ipAddress") or "")
    port = upstream.get("port") or (443 if scheme(pair) == "https" else 80)
    return f"{host}:{word(port)}" if host else ""


def scheme(pair: RRPair) -> str:
    """Return `http` or `https`."""
    protocol = pair.doc.get("l7protocol")
    if protocol in HTTP_SCHEMES:
        return str(protocol)
    return "https" if pair.doc.get("isTls") is True else "http"


def uri(req: Json) -> str:
    """Return path and query of a request."""
    known = req.get("uri")
    return known if isinstance(known, str) and known else word(req.get("url") or "/")


def status(res: Json) -> str:
    """Return code and reason, e.g. `200 OK`."""
    code, message = word(res.get("statusCode") or ""), res.get("statusMessage")
    if isinstance(message, str) and message:
        return message if not code or message.startswith(code) else f"{code} {message}"
    try:
        return f"{code} {HTTPStatus(int(code)).phrase}"
    except ValueError:
        return code


def version(part: Json) -> str:
    """Return the version of HTTP, `1.1` when unknown."""
    return word(part.get("version") or "1.1")


def word(value: Any) -> str:
    """Return any value as text for people."""
    return value if isinstance(value, str) else str(value)


def one_line(text: str) -> str:
    """Return the text without line breaks, which cannot stand in a first line."""
    return text.replace("\r", "%0D").replace("\n", "%0A") if "\n" in text or "\r" in text else text


def split_values(text: str) -> list[str]:
    """Split a header's text at unescaped `, ` and undo the escapes `\\,` and `\\\\`."""
    if "\\" not in text:
        return text.split(", ")
    values, current, at = [], "", 0
    while at < len(text):
        if text[at] == "\\" and at + 1 < len(text):
            current += _ESCAPES.get(text[at + 1], text[at + 1])
            at += 2
        elif text.startswith(", ", at):
            values.append(current)
            current = ""
            at += 2
        else:
            current += text[at]
            at += 1
    return [*values, current]


def join_values(values: Any) -> str:
    """Write a header's values (a list, or one value of any type) as one text."""
    many = values if isinstance(values, list) else [values]
    return ", ".join(_escape(word(value)) for value in many)


def _escape(value: str) -> str:
    if "\\" in value:
        value = value.replace("\\", "\\\\")
    if "," in value:
        value = value.replace(",", "\\,")
    if "\n" in value or "\r" in value:
        value = value.replace("\n", "\\n").replace("\r", "\\r")
    return value


def _url(pair: RRPair, req: Json) -> str:
    target = uri(req)
    if _URL.match(target):
        return target
    place = authority(pair)
    return f"{scheme(pair)}://{place}{target}" if place else target


def _header_lines(part: Json) -> list[str]:
    headers, trailers = part.get("headers"), part.get("trailers")
    lines: list[str] = []
    last: list[str] = []
    if isinstance(headers, dict):
        for name in sorted(headers):
            folded = name.casefold()
            if folded == "content-length":
                continue
            line = f"{one_line(name)}: {join_values(headers[name])}"
            (last if folded == "trailer" and trailers else lines).append(line)
    if isinstance(trailers, dict) and trailers:
        last = last or [f"Trailer: {join_values(sorted(trailers))}"]
        last += [f"{one_line(name)}: {join_values(trailers[name])}" for name in sorted(trailers)]
    return lines + last


def _split_header(line: str) -> tuple[str, str]:
    at = line.find(":", 1)
    if at < 0:
        return "", ""
    value = line[at + 1 :]
    return line[:at], value[1:] if value.startswith(" ") else value


def _is_header(line: str) -> bool:
    name, colon, _ = line.partition(": ")
    return bool(colon) and " " not in name


def _request_line(match: re.Match[str]) -> Line:
    method, target, spoken = match.groups()
    if url := _URL.fullmatch(target):
        return Line(method, url[1], url[2], url[3] or "/", spoken)
    return Line(method, uri=target, version=spoken)
