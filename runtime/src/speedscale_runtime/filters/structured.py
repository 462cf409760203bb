"""Values inside JSON and XML bodies, for the criteria that take a path.

Called by `criteria`. Bodies that are no JSON or XML have no values; so have XML bodies with a document type, which
is how entity bombs travel. XPath is the part of it that the standard library evaluates, plus a closing `/text()`
or `/@name`; prefixes and namespaces are ignored, as a filter's author does not know which prefix was sent.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Sequence
from typing import Any, Literal
from xml.etree import ElementTree

from speedscale_runtime.rrpair import RRPair
from speedscale_runtime.rrpair.decoding import decoded
from speedscale_runtime.rrpair.paths import find
from speedscale_schemas.errors import PeerError

Side = Literal["req", "res"] | str
Extract = Callable[[RRPair], Sequence[str]]

XML_MAX_BYTES = 4 * 1024 * 1024  # a larger document is not parsed for a filter
_PREFIX = re.compile(r"(?<![\w:])[A-Za-z_][\w.-]*:(?=[A-Za-z_*])")
_TAIL = re.compile(r"/(?:text\(\)|@([\w:.-]+))$")


def body(pair: RRPair, side: Side) -> bytes:
    """Return a side's body with its content-encoding undone; as it stands where that fails, empty where none is."""
    raw = pair.request_body if side == "req" else pair.response_body
    if not raw:
        return b""
    part = pair.http_request if side == "req" else pair.http_response
    headers = part.get("headers") if part else None
    if not isinstance(headers, dict) or not any(str(k).lower() == "content-encoding" for k in headers):
        return raw
    try:
        return decoded(raw, headers)
    except PeerError:
        return raw


def body_text(pair: RRPair, side: Side) -> str:
    """Return a side's body as text; bytes that are no UTF-8 become replacement characters."""
    return body(pair, side).decode("utf-8", "replace")


def compact_json(text: str) -> str:
    """Return JSON text without insignificant white space and with sorted keys; other text as it is."""
    try:
        return _as_text(json.loads(text))
    except ValueError:
        return text


def whole(side: Side, kind: str) -> Extract:
    """Return an extractor of the whole body: JSON in compact form with sorted keys, XML as text."""

    def extract(pair: RRPair) -> Sequence[str]:
        text = body_text(pair, side)
        return ((compact_json(text) if kind == "JSON" else text),) if text else ()

    return extract


def typed(side: Side, kind: str, key: str) -> Extract:
    """Return an extractor for `kind` JSON, XML, XPATH or SOAPXPATH and a path; ValueError for a bad path."""
    if kind == "JSON":
        return json_path(side, key)
    if kind == "SOAPXPATH":
        return soap_xpath(side, key)
    if kind == "XML" and "/" not in key:
        key = "/" + key.strip(".").replace(".", "/")
    return xpath(side, key)


def json_path(side: Side, path: str) -> Extract:
    """Return an extractor of every value at a path such as `$.items[0].id`, strings bare, others as JSON."""
    find({}, path)  # a path that cannot be read is refused now, not when traffic flows

    def extract(pair: RRPair) -> Sequence[str]:
        raw = body(pair, side)
        if not raw:
            return ()
        try:
            doc = json.loads(raw)
        except (ValueError, RecursionError):
            return ()
        return [v if isinstance(v, str) else _as_text(v) for v in (m.value for m in find(doc, path))]

    return extract


def xpath(side: Side, path: str) -> Extract:
    """Return an extractor of the texts an XPath selects; ValueError when the path is outside the supported part."""
    return _xml(side, path, lambda root: root)


def soap_xpath(side: Side, path: str) -> Extract:
    """Return an extractor as `xpath`, with the content of the SOAP Body as the document."""
    return _xml(side, path, _soap_body)


def _xml(side: Side, path: str, pick: Callable[[ElementTree.Element], ElementTree.Element | None]) -> Extract:
    steps, attribute = _steps(path)

    def extract(pair: RRPair) -> Sequence[str]:
        root = _parse(body(pair, side))
        top = pick(root) if root is not None else None
        if top is None:
            return ()
        document = top if top is not root else ElementTree.Element("document")
        if top is root:
            document.append(top)
        found = document.iterfind(steps)
        if attribute:
            return [e.attrib[attribute] for e in found if attribute in e.attrib]
        return ["".join(e.itertext()).strip() for e in found]

    return extract


def _steps(path: str) -> tuple[str, str]:
    tail = _TAIL.search(path)
    attribute = ((tail[1] or "") if tail else "").rpartition(":")[2]
    steps = _PREFIX.sub("", path[: tail.start()] if tail else path)
    steps = "." + steps if steps.startswith("/") else f".//{steps}"
    try:
        list(ElementTree.Element("document").iterfind(steps))
    except (SyntaxError, KeyError, TypeError, IndexError, RuntimeError) as error:
        reason = error if isinstance(error, SyntaxError) else "cannot be read"
        raise ValueError(
            f"XPath {path!r}: {reason}; supported are steps, //, *, [n], [name], [name='text'], [@name='text'],"
            " and a closing /text() or /@name"
        ) from None
    return steps, attribute


def _parse(raw: bytes) -> ElementTree.Element | None:
    if not raw or len(raw) > XML_MAX_BYTES or b"<!" in raw.replace(b"<!--", b"").replace(b"<![CDATA[", b""):
        return None
    try:
        root = ElementTree.fromstring(raw)
    except (ElementTree.ParseError, ValueError, LookupError):
        return None
    for element in root.iter():
        if isinstance(element.tag, str):
            element.tag = element.tag.rpartition("}")[2]
        if any("}" in name for name in element.attrib):
            renamed = {name.rpartition("}")[2]: value for name, value in element.attrib.items()}
            element.attrib.clear()
            element.attrib.update(renamed)
    return root


def _soap_body(root: ElementTree.Element) -> ElementTree.Element | None:
    return root.find("Body") if root.tag == "Envelope" else None


def _as_text(value: Any) -> str:
    return json.dumps(value, separators=(",", ":"), sort_keys=True, ensure_ascii=False)
