"""Postman collections, format 2.1, both ways.

Export: a folder per host, a request per pair with its answer as an example. Import: every example is a pair, a
request without one is a pair without an answer; variables of the collection are filled in. Postman holds bodies as
text, so binary ones are left out and reported. Source: the collection schema v2.1.0 that Postman publishes.
"""

from __future__ import annotations

import base64
import re
import uuid
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any
from urllib.parse import quote, quote_plus, unquote_plus, urlsplit

import orjson

from speedscale_schemas.errors import ConfigError

from .call import HOP_BY_HOP, Call, Headers, Report, header, mapping, numbered, objects, phrase, text_of, without

SCHEMA = "https://schema.getpostman.com/json/collection/v2.1.0/collection.json"
_NAMESPACE = uuid.UUID("5b5f3c52-7f58-5c39-9a53-0d7e8a8d5a11")
_VARIABLE = re.compile(r"\{\{\s*([^{}]+?)\s*\}\}")
_DEPTH = 32


def dump(calls: Sequence[Call], name: str, report: Report) -> Mapping[str, bytes]:
    """Write one collection."""
    folders: dict[str, list[dict[str, Any]]] = {}
    for number, call in enumerate(calls, 1):
        folders.setdefault(urlsplit(call.url).netloc, []).append(_item(call, f"pair {number}", report))
    document = {
        "info": {
            "_postman_id": str(uuid.uuid5(_NAMESPACE, name + "".join(c.method + c.url for c in calls))),
            "name": name,
            "schema": SCHEMA,
        },
        "item": [{"name": host, "item": items} for host, items in folders.items()],
    }
    return {"collection.json": orjson.dumps(document, option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE)}


def _item(call: Call, where: str, report: Report) -> dict[str, Any]:
    request = _request(call, where, report)
    item: dict[str, Any] = {
        "name": f"{call.method} {urlsplit(call.url).path or '/'}",
        "request": request,
        "response": [],
    }
    if call.status:
        body = text_of(call.response_body)
        if body is None:
            report.add(where, "the answer's body is binary, which a collection cannot hold")
        item["response"] = [
            {
                "name": f"{call.status} {call.reason or phrase(call.status)}".strip(),
                "originalRequest": request,
                "status": call.reason or phrase(call.status),
                "code": call.status,
                "_postman_previewlanguage": _language(call.response_type),
                "header": _headers(call.response_headers),
                "cookie": [],
                "body": body or "",
                "responseTime": round(call.duration_ms),
            }
        ]
    return item


def _request(call: Call, where: str, report: Report) -> dict[str, Any]:
    parts = urlsplit(call.url)
    url: dict[str, Any] = {
        "raw": call.url,
        "protocol": parts.scheme,
        "host": (parts.hostname or "").split(".") if ":" not in (parts.hostname or "") else [f"[{parts.hostname}]"],
        "path": parts.path.removeprefix("/").split("/"),
    }
    if parts.port:
        url["port"] = str(parts.port)
    if parts.query:
        url["query"] = [_parameter(part) for part in parts.query.split("&")]
    request: dict[str, Any] = {
        "method": call.method,
        "header": _headers(without(call.headers, *HOP_BY_HOP)),
        "url": url,
    }
    if call.body:
        text = text_of(call.body)
        if text is None:
            report.add(where, "the request's body is binary, which a collection cannot hold")
        else:
            request["body"] = {
                "mode": "raw",
                "raw": text,
                "options": {"raw": {"language": _language(call.content_type)}},
            }
    return request


def _parameter(part: str) -> dict[str, Any]:
    key, equals, value = part.partition("=")
    return {"key": key, "value": value if equals else None}


def _headers(headers: Headers) -> list[dict[str, str]]:
    return [{"key": name, "value": value} for name, value in headers]


def _language(content_type: str) -> str:
    for word in ("json", "xml", "html", "javascript"):
        if word in content_type:
            return word
    return "text"


def load(data: bytes, source: str, beside: Mapping[str, bytes], report: Report) -> Iterable[tuple[str, Call]]:
    """Yield the calls of all examples, in the collection's order; ConfigError when it is no collection."""
    try:
        document = orjson.loads(data.removeprefix(b"\xef\xbb\xbf"))
    except ValueError as error:
        raise ConfigError([f"{source}: no JSON: {error}"]) from None
    if isinstance(document, dict) and isinstance(document.get("collection"), dict):
        document = document["collection"]
    if not isinstance(document, dict) or not isinstance(document.get("item"), list):
        raise ConfigError([f"{source}: no Postman collection: expected info and item"])
    schema = str(mapping(document.get("info")).get("schema") or "")
    if "v1" in schema or "requests" in document:
        raise ConfigError([f"{source}: collection format 1; export it from Postman as v2.1"])
    yield from _Reader(document, report).items(document["item"], "item", document.get("auth"), 0)


class _Reader:
    def __init__(self, document: Mapping[str, Any], report: Report) -> None:
        self._report = report
        self._variables = {
            str(v.get("key") or v.get("id")): str(v.get("value") or "")
            for _, v in numbered(document.get("variable"), "variable", report)
            if not v.get("disabled")
        }

    def items(self, items: Any, where: str, auth: Any, depth: int) -> Iterator[tuple[str, Call]]:
        """Yield the calls of a folder and its folders; `auth` is what they inherit."""
        if depth > _DEPTH:
            self._report.add(where, f"folders deeper than {_DEPTH} are not taken over")
            return
        for place, item in numbered(items, where, self._report):
            own = item.get("auth", auth)
            if isinstance(item.get("item"), list):
                yield from self.items(item["item"], f"{place}.item", own, depth + 1)
                continue
            if item.get("request") is None:
                self._report.add(place, "it has no request")
                continue
            if item.get("event"):
                self._report.add(place, "scripts are not run; what they would change stays as it is written")
            examples = [e for _, e in numbered(item.get("response"), f"{place}.response", self._report)]
            answers: list[Mapping[str, Any] | None] = [*examples] or [None]
            for n, example in enumerate(answers):
                request = (example or {}).get("originalRequest") or item["request"]
                call = self._call(f"{place}.response[{n}]" if example else place, request, example, own)
                if call is not None:
                    yield place, call

    def _call(self, where: str, request: Any, example: Mapping[str, Any] | None, auth: Any) -> Call | None:
        if isinstance(request, str):
            request = {"url": request}
        if not isinstance(request, Mapping):
            self._report.add(where, "its request is no object")
            return None
        url = self._url(where, request.get("url"))
        if not url:
            return None
        headers = self._pairs(request.get("header"), "key")
        headers += self._auth(where, request.get("auth", auth), headers)
        body, kind = self._body(where, request.get("body"))
        if kind and body and not header(headers, "content-type"):
            headers += (("Content-Type", kind),)
        call = Call(str(request.get("method") or "GET").upper(), url, headers, body)
        if example is None or not isinstance(example.get("code"), int):
            return call
        return Call(
            call.method,
            call.url,
            call.headers,
            call.body,
            status=int(example["code"]),
            reason=str(example.get("status") or ""),
            response_headers=self._pairs(example.get("header"), "key"),
            response_body=str(example.get("body") or "").encode("utf-8", "replace"),
            duration_ms=float(example["responseTime"]) if isinstance(example.get("responseTime"), int) else 0.0,
        )

    def _filled(self, text: object) -> str:
        """Fill in the collection's variables, values that hold variables themselves included, at most five deep."""
        filled = str(text if text is not None else "")
        for _ in range(5):
            after = _VARIABLE.sub(lambda m: self._variables.get(m[1], m[0]), filled)
            if after == filled:
                break
            filled = after
        return filled

    def _url(self, where: str, url: Any) -> str:
        raw = url if isinstance(url, str) else self._built(url) if isinstance(url, Mapping) else ""
        filled = self._filled(raw)
        if isinstance(url, Mapping):
            for _, v in numbered(url.get("variable"), f"{where}.url.variable", self._report):
                name = str(v.get("key") or v.get("id") or "")
                value = quote(self._filled(v.get("value")), safe="")
                filled = re.sub(rf"/:{re.escape(name)}(?=[/?#]|$)", "/" + value.replace("\\", r"\\"), filled)
        unknown = _VARIABLE.findall(filled)
        if not filled or unknown:
            why = f"variable {unknown[0]!r} has no value in the collection" if unknown else "it has no URL"
            self._report.add(where, f"{why}: {filled[:100] or 'request.url is empty'}")
            return ""
        filled = filled.partition("#")[0]
        return filled if "://" in filled else f"http://{filled}"

    def _built(self, url: Mapping[str, Any]) -> str:
        """Return the URL of a URL object: `raw`, but without the parameters that are switched off."""
        raw = str(url.get("raw") or "")
        query = objects(url.get("query"))
        if not raw:
            host, path = url.get("host") or "", url.get("path") or ""
            host = ".".join(map(str, host)) if isinstance(host, list) else str(host)
            path = (
                "/".join(str(p.get("value") if isinstance(p, Mapping) else p) for p in path)
                if isinstance(path, list)
                else str(path)
            )
            port = f":{url['port']}" if url.get("port") else ""
            raw = f"{url.get('protocol') or 'http'}://{host}{port}/{path.removeprefix('/')}" if host else ""
        if raw and query and (any(q.get("disabled") for q in query) or "?" not in raw):
            on = [q for q in query if not q.get("disabled")]
            text = "&".join(str(q.get("key") or "") + ("" if q.get("value") is None else f"={q['value']}") for q in on)
            raw = raw.partition("?")[0] + (f"?{text}" if text else "")
        return raw

    def _pairs(self, items: Any, key: str) -> Headers:
        if isinstance(items, str):  # the older spelling: one text with a header a line
            lines = (line.partition(":") for line in items.splitlines() if ":" in line)
            return tuple((name.strip(), self._filled(value.strip())) for name, _, value in lines)
        return tuple(
            (self._filled(i[key]), self._filled(i.get("value")))
            for i in objects(items)
            if i.get(key) and not i.get("disabled")
        )

    def _auth(self, where: str, auth: Any, headers: Headers) -> Headers:
        if not isinstance(auth, Mapping) or auth.get("type") in (None, "noauth") or header(headers, "authorization"):
            return ()
        kind = str(auth["type"])
        listed = auth.get(kind)
        values = (
            {str(v.get("key")): self._filled(v.get("value")) for v in objects(listed)}
            if isinstance(listed, list)
            else {str(k): self._filled(v) for k, v in mapping(listed).items()}
        )
        if kind == "bearer":
            return (("Authorization", f"Bearer {values.get('token', '')}"),)
        if kind == "basic":
            user = f"{values.get('username', '')}:{values.get('password', '')}"
            return (("Authorization", "Basic " + base64.b64encode(user.encode()).decode()),)
        if kind == "apikey" and values.get("in", "header") == "header":
            return ((values.get("key", ""), values.get("value", "")),) if values.get("key") else ()
        self._report.add(where, f"authorisation of type {kind} is not taken over")
        return ()

    def _body(self, where: str, body: Any) -> tuple[bytes, str]:
        if not isinstance(body, Mapping) or body.get("disabled"):
            return b"", ""
        mode = body.get("mode")
        if mode == "raw":
            language = mapping(mapping(body.get("options")).get("raw")).get("language", "text")
            kind = {"json": "application/json", "xml": "application/xml", "html": "text/html"}.get(
                str(language), "text/plain"
            )
            return self._filled(body.get("raw")).encode("utf-8", "replace"), kind
        if mode == "urlencoded":
            fields = self._pairs(body.get("urlencoded"), "key")
            text = "&".join(f"{quote_plus(unquote_plus(k))}={quote_plus(v)}" for k, v in fields)
            return text.encode(), "application/x-www-form-urlencoded"
        if mode == "graphql":
            graphql = mapping(body.get("graphql"))
            variables = graphql.get("variables") or {}
            if isinstance(variables, str):
                try:
                    variables = orjson.loads(variables)
                except ValueError:
                    variables = {}
            return orjson.dumps({"query": graphql.get("query", ""), "variables": variables}), "application/json"
        if mode:
            self._report.add(where, f"a body of mode {mode} is not taken over: the collection does not hold its bytes")
        return b"", ""
