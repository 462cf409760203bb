"""Criteria: where in a pair the value stands that a filter looks at. One table, one row a criterion.

Called by `rule`. An extractor returns the candidates as text, none when the pair has no such thing. Names of
criteria are the vendor's public ones (filter rules of its documentation); `text`, `respFilter` and the object form
of `sample` are ours.
"""

from __future__ import annotations

import base64
import binascii
import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import Any

from speedscale_runtime.rrpair import RRPair

from . import structured
from .sampling import parse_ratio, sampler
from .timerange import within

Extract = Callable[[RRPair], Sequence[str]]


@dataclass(frozen=True, slots=True)
class Criterion:
    """What one filter asks about: `label` as the query language writes it, and either a value or a verdict.

    `test` is set where the criterion decides by itself and takes no operator (time range, sample). `verbatim`: the
    value stands as it is in the head of a captured frame (letter case aside), if the pair has it at all.
    """

    label: str
    wanted: str
    extract: Extract
    test: Callable[[RRPair], bool] | None = None
    verbatim: bool = False


def _field(*names: str) -> Extract:
    if len(names) == 1:
        name = names[0]

        def one(pair: RRPair) -> Sequence[str]:
            value = pair.doc.get(name)
            return () if value is None else (value if isinstance(value, str) else str(value),)

        return one
    return lambda pair: [str(v) for n in names if (v := pair.doc.get(n)) is not None]


def _upper(name: str) -> Extract:
    return lambda pair: (str(pair.doc.get(name) or "").upper(),)


def _lower(name: str) -> Extract:
    return lambda pair: (str(pair.doc.get(name) or "").lower(),)


def _url(pair: RRPair) -> Sequence[str]:
    req = pair.http_request
    if req is None:
        return ()
    url, uri = req.get("url"), req.get("uri")
    if not url and not uri:
        url = pair.doc.get("location")
    return [v for v in ((url,) if url == uri else (url, uri)) if isinstance(v, str)]


def _host(pair: RRPair) -> Sequence[str]:
    req = pair.http_request
    host = req.get("host") if req is not None else None
    if not host:
        host = pair.doc.get("network_address")
        if not host:
            return ()
    host = str(host).lower()
    name, colon, port = host.rpartition(":")
    return (host, name) if colon and port.isdecimal() and not name.endswith(":") else (host,)


def _tech(pair: RRPair) -> Sequence[str]:
    found = [str(pair.doc["tech"])] if pair.doc.get("tech") else []
    listed = pair.doc.get("detectedTech")
    return found + [str(t) for t in listed] if isinstance(listed, list) else found


def _status(pair: RRPair) -> Sequence[str]:
    status = str(pair.doc.get("status") or "")
    code, space, _ = status.partition(" ")
    return (status, code) if space else (status,)


def _uuid(pair: RRPair) -> Sequence[str]:
    text = str(pair.doc.get("uuid") or "")
    try:
        return (text, str(uuid.UUID(bytes=base64.b64decode(text, validate=True))))
    except (binascii.Error, ValueError):
        return (text,)


def _source(pair: RRPair) -> Sequence[str]:
    tags = pair.doc.get("tags")
    return (str(tags.get("source") or "").lower(),) if isinstance(tags, dict) else ()


def _body_hash(pair: RRPair) -> Sequence[str]:
    body = pair.request_body
    if body is None:
        return ()
    digest = sha256(body)
    return (digest.hexdigest(), base64.b64encode(digest.digest()).decode("ascii"))


def _text(pair: RRPair) -> Sequence[str]:
    found = list(_url(pair))
    found += [str(pair.doc.get(n) or "") for n in ("command", "location", "status")]
    for part in (pair.http_request, pair.http_response):
        headers = part.get("headers") if part else None
        for name, values in headers.items() if isinstance(headers, dict) else ():
            found += [f"{name}: {v}" for v in _listed(values)]
    found += [structured.body_text(pair, side) for side in ("req", "res")]
    return found


def _header(key: str) -> Extract:
    lower = key.lower()

    def values(pair: RRPair) -> Sequence[str]:
        req = pair.http_request
        headers = req.get("headers") if req is not None else None
        if not isinstance(headers, dict):
            return ()
        found = headers.get(key)
        if found is None:
            found = headers.get(lower)
            if found is None:
                for name, candidate in headers.items():
                    if len(name) == len(lower) and name.lower() == lower:
                        found = candidate
                        break
                else:
                    return ()
        return _listed(found)

    return values


def _tag(key: str) -> Extract:
    def value(pair: RRPair) -> Sequence[str]:
        tags = pair.doc.get("tags")
        found = tags.get(key) if isinstance(tags, dict) else None
        return () if found is None else (str(found),)

    return value


def _listed(values: object) -> Sequence[str]:
    return [str(v) for v in values] if isinstance(values, list) else (str(values),)


def _same(text: str) -> str:
    return text


def _source_name(text: str) -> str:
    return text.lower().removeprefix("rrpair_source_")


# criterion → (keyword of the query language, extractor, how the wanted value is brought to the extractor's form)
PLAIN: Mapping[str, tuple[str, Extract, Callable[[str], str]]] = {
    "cluster": ("cluster", _field("cluster"), _same),
    "detectedCommand": ("command", _field("command"), _same),
    "detectedLocation": ("location", _field("location"), _same),
    "detectedStatus": ("status", _status, _same),
    "direction": ("direction", _upper("direction"), str.upper),
    "host": ("host", _host, str.lower),
    "l7protocol": ("l7protocol", _lower("l7protocol"), str.lower),
    "namespace": ("namespace", _field("namespace"), _same),
    "network_address": ("networkaddr", _field("network_address"), _same),
    "optUrl": ("url", _url, _same),
    "requestBodyHash": ("reqbodyhash", _body_hash, _same),
    "service": ("service", _field("service", "resource"), _same),
    "session": ("session", _field("session"), _same),
    "snapshotId": ("snapshot", _field("snapshotId"), _same),
    "source": ("source", _source, _source_name),
    "tech": ("tech", _tech, _same),
    "text": ("text", _text, _same),
    "uuid": ("uuid", _uuid, _same),
}
# criterion with {key, value} → (keyword, extractor of a key)
KEYED: Mapping[str, tuple[str, Callable[[str], Extract]]] = {
    "header": ("header", _header),
    "tag": ("tag", _tag),
    "httpReqXPath": ("req_xpath", lambda key: structured.xpath("req", key)),
    "httpReqSoapXPath": ("req_soapxpath", lambda key: structured.soap_xpath("req", key)),
}
TYPED: Mapping[str, str] = {"reqFilter": "req", "respFilter": "res"}
ALIASES: Mapping[str, str] = {"url": "optUrl"}  # our own specification's spelling
# not: what is computed (uuid, hash), in a body (text), or written later (cluster, session, tech)
_VERBATIM = {
    *("detectedCommand", "detectedLocation", "detectedStatus", "direction", "header", "host", "l7protocol"),
    *("namespace", "network_address", "optUrl", "service", "tag"),
}
NAMES = (*PLAIN, *KEYED, *TYPED, "requestBodyJson", "requestBodyXml", "timeRange", "sample", *ALIASES)


def criterion(name: str, value: Any, operator: str) -> Criterion:
    """Compile one criterion of a rule's JSON; ValueError says what is wrong with its value."""
    name = ALIASES.get(name, name)
    if name in PLAIN:
        label, extract, normal = PLAIN[name]
        wanted = value if operator == "REGEX" else normal(value)
        return Criterion(label, wanted, extract, verbatim=name in _VERBATIM)
    if name in KEYED:
        keyword, make = KEYED[name]
        label = f"{keyword}[{value['key']}]"
        return Criterion(label, value.get("value", ""), make(value["key"]), verbatim=name in _VERBATIM)
    if name in TYPED:
        kind = value.get("type", "JSON").rpartition("_")[2]
        label = f"{TYPED[name].replace('res', 'resp')}_{kind.lower()}[{value['key']}]"
        return Criterion(label, value.get("value", ""), structured.typed(TYPED[name], kind, value["key"]))
    if name in ("requestBodyJson", "requestBodyXml"):
        return _body(name.removeprefix("requestBody").upper(), value)
    if name == "timeRange":
        start, end = value.get("startTime", ""), value.get("endTime", "")
        return Criterion("timerange", f'{start}" "{end}', _nothing, within(start, end))
    ratio, by = (value, "session") if isinstance(value, str) else (value["value"], value.get("key", "session"))
    label = "sample" if by == "session" else f"sample[{by}]"
    return Criterion(label, ratio, _nothing, sampler(*parse_ratio(ratio), by))


def _body(kind: str, value: Any) -> Criterion:
    if isinstance(value, str):
        wanted = structured.compact_json(value) if kind == "JSON" else value
        return Criterion(f"reqbody{kind.lower()}", wanted, structured.whole("req", kind))
    extract = structured.typed("req", "JSON" if kind == "JSON" else "XPATH", value["key"])
    return Criterion(f"reqbody{kind.lower()}[{value['key']}]", value.get("value", ""), extract)


def _nothing(_: RRPair) -> Sequence[str]:
    return ()
