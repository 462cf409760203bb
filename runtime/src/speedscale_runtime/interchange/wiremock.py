"""WireMock stub mappings, both ways.

Export: one mapping per distinct request; equal requests with different answers become a scenario that serves them
in recorded order and begins again. The more a mapping asks for, the earlier it is tried (`priority`). What a
mapping cannot say (host, time, service) is kept under `metadata.speedscale`, which WireMock carries and ignores.
Import: what a matcher names exactly is taken over, everything else is reported. Source: WireMock 3 documentation of
stubbing, request matching and scenarios.
"""

from __future__ import annotations

import base64
import binascii
import json
import uuid
from collections.abc import Iterable, Mapping, Sequence
from typing import Any
from urllib.parse import parse_qsl, quote, quote_plus, urlsplit

import orjson

from speedscale_schemas.errors import ConfigError

from .call import HOP_BY_HOP, Call, Headers, Report, flat, mapping, numbered, text_of, without

_NAMESPACE = uuid.UUID("1d2f6f0e-0b7a-5c0f-8a55-3c3d6b7f2a90")
_STARTED = "Started"
_DEFAULT_PRIORITY = 5


def dump(calls: Sequence[Call], name: str, report: Report) -> Mapping[str, bytes]:
    """Write all mappings into one file, which WireMock reads from its `mappings` folder or its import call."""
    groups: dict[str, list[Call]] = {}
    for number, call in enumerate(calls, 1):
        if not call.status:
            report.add(f"pair {number} ({call.method} {call.url[:100]})", "it has no answer to serve")
        else:
            groups.setdefault(json.dumps(_request(call), sort_keys=True), []).append(call)
    mappings = [stub for key, group in groups.items() for stub in _mappings(key, group)]
    document = {"mappings": mappings, "meta": {"total": len(mappings)}}
    return {"mappings.json": orjson.dumps(document, option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE)}


def _mappings(key: str, group: list[Call]) -> list[dict[str, Any]]:
    answers = [_answer(call) for call in group]
    if len({json.dumps(a, sort_keys=True) for a in answers}) == 1:
        group, answers = group[:1], answers[:1]
    result = []
    for n, (call, answer) in enumerate(zip(group, answers, strict=True)):
        request = json.loads(key)
        path = urlsplit(call.url).path or "/"
        stub: dict[str, Any] = {
            "id": str(uuid.uuid5(_NAMESPACE, f"{key}\0{n}")),
            "name": f"{call.method} {path}" + (f" ({n + 1} of {len(group)})" if len(group) > 1 else ""),
            "priority": _DEFAULT_PRIORITY - ("queryParameters" in request) - 2 * ("bodyPatterns" in request),
            "request": request,
            "response": answer,
            "metadata": {"speedscale": _facts(call)},
        }
        if len(group) > 1:
            stub["scenarioName"] = f"{call.method} {path} {uuid.uuid5(_NAMESPACE, key).hex[:8]}"
            stub["requiredScenarioState"] = _STARTED if n == 0 else str(n + 1)
            stub["newScenarioState"] = _STARTED if n == len(group) - 1 else str(n + 2)
        result.append(stub)
    return result


def _facts(call: Call) -> dict[str, Any]:
    parts = urlsplit(call.url)
    facts = {
        "url": call.url,
        "origin": f"{parts.scheme}://{parts.netloc}",
        "ts": call.ts,
        "durationMs": call.duration_ms,
        "service": call.service,
        "direction": call.direction,
        "requestHeaders": [list(pair) for pair in call.headers],
    }
    return {k: v for k, v in facts.items() if v}


def _request(call: Call) -> dict[str, Any]:
    parts = urlsplit(call.url)
    request: dict[str, Any] = {"method": call.method, "urlPath": parts.path or "/"}
    query: dict[str, list[str]] = {}
    for name, value in parse_qsl(parts.query, keep_blank_values=True):
        query.setdefault(name, []).append(value)
    if query:
        request["queryParameters"] = {
            name: {"equalTo": values[0]} if len(values) == 1 else {"hasExactly": [{"equalTo": v} for v in values]}
            for name, values in query.items()
        }
    if call.body:
        request["bodyPatterns"] = [_pattern(call)]
    return request


def _pattern(call: Call) -> dict[str, Any]:
    text = text_of(call.body)
    if text is None:
        return {"binaryEqualTo": base64.b64encode(call.body).decode()}
    media = call.content_type.split(";")[0].strip().lower()
    if text.lstrip()[:1] in ("{", "[") or media.endswith(("/json", "+json")):
        try:
            json.loads(text)
        except ValueError:
            return {"equalTo": text}
        return {"equalToJson": text, "ignoreArrayOrder": False, "ignoreExtraElements": False}
    if media.endswith(("/xml", "+xml")):
        return {"equalToXml": text}
    return {"equalTo": text}


def _answer(call: Call) -> dict[str, Any]:
    headers: dict[str, Any] = {}
    for name, value in without(call.response_headers, "content-encoding", *HOP_BY_HOP):
        known = headers.get(name)
        headers[name] = value if known is None else [*(known if isinstance(known, list) else [known]), value]
    answer: dict[str, Any] = {"status": call.status}
    if call.reason:
        answer["statusMessage"] = call.reason
    if headers:
        answer["headers"] = headers
    if call.response_body:
        text = text_of(call.response_body)
        if text is None:
            answer["base64Body"] = base64.b64encode(call.response_body).decode()
        else:
            answer["body"] = text
    return answer


def load(data: bytes, source: str, beside: Mapping[str, bytes], report: Report) -> Iterable[tuple[str, Call]]:
    """Yield the calls of one mapping or of a file of mappings, scenarios in the order of their states.

    `beside` holds the files that `bodyFileName` may name. Raises ConfigError when it is no mapping.
    """
    try:
        document = orjson.loads(data.removeprefix(b"\xef\xbb\xbf"))
    except ValueError as error:
        raise ConfigError([f"{source}: no JSON: {error}"]) from None
    mappings = document.get("mappings") if isinstance(document, dict) and "mappings" in document else [document]
    known = [(where, m) for where, m in numbered(mappings, "mappings", report) if _is_mapping(m)]
    if not known:
        raise ConfigError([f"{source}: no WireMock mapping: expected request and response, or a list `mappings`"])
    for where, stub in _in_order(known):
        call = _call(where, stub, beside, report)
        if call is not None:
            yield where, call


def _number(value: Any) -> float:
    return float(value) if isinstance(value, int | float) and value > 0 else 0.0


def _is_mapping(stub: Mapping[str, Any]) -> bool:
    return isinstance(stub.get("request"), Mapping) and isinstance(stub.get("response"), Mapping)


def _in_order(known: list[tuple[str, Mapping[str, Any]]]) -> list[tuple[str, Mapping[str, Any]]]:
    """Put the states of a scenario one after the other, where its first one stands; the rest stays as it is."""
    scenarios: dict[str, list[tuple[str, Mapping[str, Any]]]] = {}
    for item in known:
        if item[1].get("scenarioName"):
            scenarios.setdefault(str(item[1]["scenarioName"]), []).append(item)
    ordered: list[tuple[str, Mapping[str, Any]]] = []
    for item in known:
        name = item[1].get("scenarioName")
        if not name:
            ordered.append(item)
        elif str(name) in scenarios:
            ordered += _chain(scenarios.pop(str(name)))
    return ordered


def _chain(states: list[tuple[str, Mapping[str, Any]]]) -> list[tuple[str, Mapping[str, Any]]]:
    waiting, chain, state = list(states), [], _STARTED
    while waiting:
        found = next((i for i in waiting if (i[1].get("requiredScenarioState") or _STARTED) == state), waiting[0])
        waiting.remove(found)
        chain.append(found)
        state = str(found[1].get("newScenarioState") or state)
    return chain


def _call(where: str, stub: Mapping[str, Any], beside: Mapping[str, bytes], report: Report) -> Call | None:
    request, response = stub["request"], stub["response"]
    facts = mapping(mapping(stub.get("metadata")).get("speedscale"))
    for key in ("fault", "proxyBaseUrl"):
        if response.get(key):
            report.add(where, f"response.{key} is no recorded answer")
            return None
    if response.get("transformers"):
        report.add(where, f"transformers {response['transformers']} do not run: the body stays as it is written")
    url = _url(where, request, facts, report)
    if url is None:
        return None
    method = str(request.get("method") or "ANY").upper()
    if method == "ANY":
        report.add(where, "method ANY is taken over as GET")
        method = "GET"
    headers = _request_headers(where, request, facts, report)
    body = _request_body(where, request, report)
    status = response.get("status", 200)
    return Call(
        method=method,
        url=url,
        headers=headers,
        body=body,
        status=status if isinstance(status, int) else 200,
        reason=str(response.get("statusMessage") or ""),
        response_headers=flat(response.get("headers")),
        response_body=_response_body(where, response, beside, report),
        ts=str(facts.get("ts") or ""),
        duration_ms=_number(facts.get("durationMs") or response.get("fixedDelayMilliseconds")),
        direction=str(facts.get("direction") or ""),
        service=str(facts.get("service") or ""),
    )


def _url(where: str, request: Mapping[str, Any], facts: Mapping[str, Any], report: Report) -> str | None:
    if isinstance(facts.get("url"), str):
        return str(facts["url"])
    origin = facts.get("origin") or _origin(request)
    for key in ("url", "urlPath"):
        if isinstance(request.get(key), str):
            return f"{origin}{request[key]}{_query(where, request, report) if key == 'urlPath' else ''}"
    for key in ("urlPattern", "urlPathPattern", "urlPathTemplate"):
        if request.get(key):
            report.add(where, f"request.{key} {request[key]!r} names many URLs, a pair has one")
            return None
    report.add(where, "request has no url: it matches every path, a pair has one")
    return None


def _origin(request: Mapping[str, Any]) -> str:
    host = _exact(request.get("host")) or "localhost"
    port = request.get("port")
    scheme = str(request.get("scheme") or "http")
    return f"{scheme}://{host}" + (f":{port}" if isinstance(port, int) else "")


def _exact(matcher: Any) -> str | None:
    if isinstance(matcher, str):
        return matcher
    if isinstance(matcher, Mapping) and isinstance(matcher.get("equalTo"), str):
        return str(matcher["equalTo"])
    return None


def _query(where: str, request: Mapping[str, Any], report: Report) -> str:
    parts = []
    for name, matcher in mapping(request.get("queryParameters")).items():
        several = matcher.get("hasExactly") or matcher.get("includes") if isinstance(matcher, Mapping) else None
        values = [_exact(m) for m in several] if isinstance(several, list) else [_exact(matcher)]
        if None in values:
            report.add(where, f"query parameter {name!r}: only equalTo is taken over")
            continue
        parts += [f"{quote_plus(str(name))}={quote_plus(str(value))}" for value in values]
    return "?" + "&".join(parts) if parts else ""


def _request_headers(where: str, request: Mapping[str, Any], facts: Mapping[str, Any], report: Report) -> Headers:
    kept = facts.get("requestHeaders")
    if isinstance(kept, list):
        return tuple((str(p[0]), str(p[1])) for p in kept if isinstance(p, list) and len(p) == 2)
    headers = []
    for name, matcher in mapping(request.get("headers")).items():
        value = _exact(matcher)
        if value is None:
            report.add(where, f"request header {name}: only equalTo is taken over")
        else:
            headers.append((str(name), value))
    cookies = [(name, _exact(m)) for name, m in mapping(request.get("cookies")).items()]
    for name, value in cookies:
        if value is None:
            report.add(where, f"cookie {name}: only equalTo is taken over")
    line = "; ".join(f"{name}={value}" for name, value in cookies if value is not None)
    if line:
        headers.append(("Cookie", line))
    user = request.get("basicAuthCredentials") or request.get("basicAuth")
    if isinstance(user, Mapping):
        secret = f"{user.get('username', '')}:{user.get('password', '')}".encode()
        headers.append(("Authorization", f"Basic {base64.b64encode(secret).decode()}"))
    return tuple(headers)


def _request_body(where: str, request: Mapping[str, Any], report: Report) -> bytes:
    if request.get("multipartPatterns"):
        report.add(where, "multipartPatterns are not taken over")
    if request.get("formParameters"):
        exact = {n: _exact(m) for n, m in mapping(request["formParameters"]).items()}
        return "&".join(f"{quote(n)}={quote_plus(v)}" for n, v in exact.items() if v is not None).encode()
    body = b""
    for where_pattern, pattern in numbered(request.get("bodyPatterns"), f"{where}.request.bodyPatterns", report):
        taken = _pattern_body(pattern)
        if taken is None:
            report.add(
                where_pattern,
                f"{', '.join(map(str, pattern))}: only equalTo, equalToJson, equalToXml and "
                "binaryEqualTo name a whole body",
            )
        else:
            body = body or taken
    return body


def _pattern_body(pattern: Mapping[str, Any]) -> bytes | None:
    for key in ("equalTo", "equalToXml", "equalToJson"):
        value = pattern.get(key)
        if isinstance(value, str):
            return value.encode("utf-8", "replace")
        if value is not None:
            return orjson.dumps(value)
    try:
        return base64.b64decode(pattern["binaryEqualTo"], validate=True) if "binaryEqualTo" in pattern else None
    except (binascii.Error, TypeError, ValueError):
        return None


def _response_body(where: str, response: Mapping[str, Any], beside: Mapping[str, bytes], report: Report) -> bytes:
    if isinstance(response.get("body"), str):
        return str(response["body"]).encode("utf-8", "replace")
    if "jsonBody" in response:
        return orjson.dumps(response["jsonBody"])
    if isinstance(response.get("base64Body"), str):
        try:
            return base64.b64decode(response["base64Body"], validate=True)
        except binascii.Error as error:
            report.add(where, f"response.base64Body is no base64 ({error})")
            return b""
    name = response.get("bodyFileName")
    if isinstance(name, str):
        if name in beside:
            return beside[name]
        report.add(where, f"response.bodyFileName {name!r} does not lie in __files beside the mappings")
    return b""
