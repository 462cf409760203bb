"""HAR 1.2: the archive that browsers and proxies write.

Source: the HTTP Archive 1.2 specification (Odvarko). Binary answers are base64 as it says; it has no encoding for
request bodies, so a binary one carries `_encoding: base64` (names with an underscore are the writer's own).
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Iterable, Mapping, Sequence
from typing import Any
from urllib.parse import parse_qsl, unquote, urlencode, urlsplit

import orjson

from speedscale_schemas.errors import ConfigError

from .call import Call, Headers, Report, header, numbered, objects, text_of

_VERSIONS = {"1.0": "HTTP/1.0", "1.1": "HTTP/1.1", "2.0": "HTTP/2.0", "2": "HTTP/2.0"}


def dump(calls: Sequence[Call], name: str, report: Report) -> Mapping[str, bytes]:
    """Write one archive."""
    log = {
        "version": "1.2",
        "creator": {"name": "speedctl", "version": "1"},
        "comment": name,
        "entries": [_entry(call) for call in calls],
    }
    return {"recording.har": orjson.dumps({"log": log}, option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE)}


def _entry(call: Call) -> dict[str, Any]:
    entry: dict[str, Any] = {
        "startedDateTime": call.ts or "1970-01-01T00:00:00.000Z",
        "time": call.duration_ms,
        "request": _request(call),
        "response": _response(call),
        "cache": {},
        "timings": {"send": 0, "wait": call.duration_ms, "receive": 0},
    }
    if call.direction:
        entry["_direction"] = call.direction
    if call.service:
        entry["_service"] = call.service
    return entry


def _request(call: Call) -> dict[str, Any]:
    request: dict[str, Any] = {
        "method": call.method,
        "url": call.url,
        "httpVersion": _VERSIONS.get(call.version, f"HTTP/{call.version}"),
        "cookies": _cookies(header(call.headers, "cookie")),
        "headers": _headers(call.headers),
        "queryString": [
            {"name": k, "value": v} for k, v in parse_qsl(urlsplit(call.url).query, keep_blank_values=True)
        ],
        "headersSize": -1,
        "bodySize": len(call.body),
    }
    if call.body:
        text = text_of(call.body)
        post: dict[str, Any] = {"mimeType": call.content_type or "application/octet-stream"}
        post["text"] = base64.b64encode(call.body).decode() if text is None else text
        if text is None:
            post["_encoding"] = "base64"
        request["postData"] = post
    return request


def _response(call: Call) -> dict[str, Any]:
    text = text_of(call.response_body)
    content: dict[str, Any] = {
        "size": len(call.response_body),
        "mimeType": call.response_type or "x-unknown",
        "text": base64.b64encode(call.response_body).decode() if text is None else text,
    }
    if text is None:
        content["encoding"] = "base64"
    return {
        "status": call.status,
        "statusText": call.reason,
        "httpVersion": _VERSIONS.get(call.version, f"HTTP/{call.version}"),
        "cookies": [_set_cookie(v) for k, v in call.response_headers if k.lower() == "set-cookie"],
        "headers": _headers(call.response_headers),
        "content": content,
        "redirectURL": header(call.response_headers, "location"),
        "headersSize": -1,
        "bodySize": len(call.response_body),
    }


def _headers(headers: Headers) -> list[dict[str, str]]:
    return [{"name": name, "value": value} for name, value in headers]


def _cookies(line: str) -> list[dict[str, str]]:
    pairs = (part.strip().partition("=") for part in line.split(";") if part.strip())
    return [{"name": name, "value": value} for name, _, value in pairs]


def _set_cookie(line: str) -> dict[str, Any]:
    first, *attributes = line.split(";")
    name, _, value = first.partition("=")
    cookie: dict[str, Any] = {"name": name.strip(), "value": value.strip()}
    for attribute in attributes:
        key, _, setting = attribute.strip().partition("=")
        folded = key.lower()
        if folded in ("path", "domain"):
            cookie[folded] = setting
        elif folded in ("httponly", "secure"):
            cookie["httpOnly" if folded == "httponly" else "secure"] = True
    return cookie


def load(data: bytes, source: str, beside: Mapping[str, bytes], report: Report) -> Iterable[tuple[str, Call]]:
    """Yield the archive's entries; ConfigError when it is no HAR."""
    try:
        document = orjson.loads(data.removeprefix(b"\xef\xbb\xbf"))
    except ValueError as error:
        raise ConfigError([f"{source}: no JSON: {error}"]) from None
    log = document.get("log") if isinstance(document, dict) else None
    if not isinstance(log, dict) or not isinstance(log.get("entries"), list):
        raise ConfigError([f"{source}: no HAR: expected log.entries"])
    for where, entry in numbered(log["entries"], "log.entries", report):
        call = _call(where, entry, report)
        if call is not None:
            yield where, call


def _call(where: str, entry: Mapping[str, Any], report: Report) -> Call | None:
    request, response = entry.get("request"), entry.get("response")
    if not isinstance(request, Mapping) or not isinstance(request.get("url"), str):
        report.add(where, "it has no request with a URL")
        return None
    if entry.get("_webSocketMessages"):
        report.add(where, "WebSocket messages are not taken over, only the handshake")
    response = response if isinstance(response, Mapping) else {}
    status = response.get("status")
    status = status if isinstance(status, int) and 100 <= status <= 999 else 0
    if not status:
        report.add(where, f"no answer is known ({request['url'][:100]}): taken over as a request only")
    version = str(request.get("httpVersion") or "").upper().removeprefix("HTTP/").removeprefix("H")
    return Call(
        method=str(request.get("method") or "GET").upper(),
        url=request["url"].partition("#")[0],
        headers=_names(request.get("headers")),
        body=_body(where, request, report),
        status=status,
        reason=str(response.get("statusText") or ""),
        response_headers=_names(response.get("headers")),
        response_body=_content(where, response, report),
        version={"2": "2.0", "3": "3.0"}.get(version, version if version in ("1.0", "1.1", "2.0", "3.0") else "1.1"),
        ts=str(entry.get("startedDateTime") or ""),
        duration_ms=_number(entry.get("time")),
        direction=str(entry.get("_direction") or ""),
        service=str(entry.get("_service") or ""),
    )


def _names(headers: Any) -> Headers:
    """Return headers; HTTP/2 pseudo headers (`:authority`) are part of the request line and left away."""
    return tuple(
        (str(h["name"]), str(h.get("value") or ""))
        for h in objects(headers)
        if h.get("name") and not str(h["name"]).startswith(":")
    )


def _body(where: str, request: Mapping[str, Any], report: Report) -> bytes:
    post = request.get("postData")
    if not isinstance(post, Mapping):
        return b""
    text = post.get("text")
    if text:
        coded = post.get("encoding") == "base64" or post.get("_encoding") == "base64"
        return _bytes(where, str(text), coded, report)
    params = objects(post.get("params"))
    if not params:
        return b""
    if str(post.get("mimeType") or "").startswith("multipart/"):
        report.add(where, "a multipart body without text cannot be rebuilt: its boundary is not kept")
        return b""
    # Browsers keep the values as they were sent, coded; others write them plain. Both end up coded once.
    return urlencode([(unquote(str(p.get("name", ""))), unquote(str(p.get("value") or ""))) for p in params]).encode()


def _content(where: str, response: Mapping[str, Any], report: Report) -> bytes:
    content = response.get("content")
    if not isinstance(content, Mapping):
        return b""
    text = content.get("text")
    if text is None:
        size = content.get("size")
        if isinstance(size, int) and size > 0:
            report.add(where, f"the archive holds no answer body ({size:,} bytes were received)")
        return b""
    return _bytes(where, str(text), content.get("encoding") == "base64", report)


def _bytes(where: str, text: str, coded: bool, report: Report) -> bytes:
    if not coded:
        return text.encode("utf-8", "replace")
    try:
        return base64.b64decode(text, validate=True)
    except binascii.Error as error:
        report.add(where, f"a body is no base64 ({error})")
        return b""


def _number(value: Any) -> float:
    return float(value) if isinstance(value, int | float) and value > 0 else 0.0
