"""A section's text laid over a pair: what the text says otherwise than our rendering of the pair is taken over.

Called by the Markdown codec, with the pair as the document has it. Only differences between the two texts count, so
values that text cannot show (types, escapes, hidden tags, Content-Length) stay as they are. Text that says the same
in another tool's layout changes nothing. Each function tells whether the pair now says everything that the text says;
where it does not, the text holds something that nobody who looks at the pair can see.
"""

from __future__ import annotations

import base64
import re
import uuid as uuids
from urllib.parse import parse_qsl

from . import forms, heads, jsonlayout, jsontext, likeness, names, sections
from .model import Json, RRPair

_SIGNATURE_LINE = re.compile(rb"^(\S+) is (.*)$", re.DOTALL)
_HEX = re.compile(rb"\\x([0-9A-Fa-f]{2})")
_DURATION = re.compile(r"(\d+(?:\.\d+)?)(ns|us|µs|μs|ms|s|m|h)")
_MILLISECONDS = {"ns": 1e-6, "us": 1e-3, "µs": 1e-3, "μs": 1e-3, "ms": 1.0, "s": 1e3, "m": 6e4, "h": 36e5}


def apply(pair: RRPair, name: str, blocks: list[bytes]) -> bool:
    """Take over what a section says otherwise; sections that we do not know change nothing.

    Returns whether the pair says all that the section says. Raises ValueError with what was expected where an
    edited value cannot be understood.
    """
    if name in (sections.REQUEST, sections.RESPONSE, sections.RESPONSE_MOCK):
        whole = _message(pair, sections.REQUEST if name == sections.REQUEST else sections.RESPONSE, blocks)
        return whole and len(blocks) <= 2
    if name == sections.SIGNATURE:
        return _signature(pair.doc, blocks[0] if blocks else b"") and len(blocks) <= 1
    if name == sections.METADATA:
        return _metadata(pair.doc, _text(blocks[0]) if blocks else "") and len(blocks) <= 1
    return False


def _message(pair: RRPair, name: str, blocks: list[bytes]) -> bool:
    http = pair.doc.get("http")
    if http is None and len(blocks) == 2 and sections.protocol_part(pair.doc, name) is None:
        http = pair.doc["http"] = {} if b" HTTP/" in blocks[0] or blocks[0].startswith(b"HTTP/") else None
        if http is None:
            del pair.doc["http"]
    if not isinstance(http, dict):
        return _protocol(pair.doc, name, blocks)
    side = "req" if name == sections.REQUEST else "res"
    head = _text(blocks[0]) if blocks else ""
    body = blocks[1] if len(blocks) > 1 else b""
    part = http.get(side)
    if part is None and (head or body):
        part = http[side] = {}
    if not isinstance(part, dict):
        return not (head or body)
    # What is not shown at all (no block, an empty head) was left out by a tool, not removed by a person.
    whole = True
    if head:
        whole = (_request_head if side == "req" else _response_head)(pair, part, heads.read(head))
    if len(blocks) > 1 and side == "req":
        pair.request_body, seen = _body(part, pair.request_body, body)
    elif len(blocks) > 1:
        pair.response_body, seen = _body(part, pair.response_body, body)
    else:
        seen = True
    return whole and seen


def _request_head(pair: RRPair, req: Json, now: heads.Head) -> bool:
    before = heads.read(heads.write_request(pair))
    compact = "headers" not in req and bool(now.headers)
    whole = _headers(req, before, now) and now.whole
    _request_line(pair, req, before.line, now.line, compact)
    return whole


def _response_head(pair: RRPair, res: Json, now: heads.Head) -> bool:
    before = heads.read(heads.write_response(pair))
    whole = _headers(res, before, now) and now.whole
    return _status_line(pair.doc, res, before.line, now.line) and whole


def _headers(part: Json, before: heads.Head, now: heads.Head) -> bool:
    whole = True
    for key, old, new in (("headers", before.headers, now.headers), ("trailers", before.trailers, now.trailers)):
        if old == new:
            continue
        if not isinstance(part.get(key, {}), dict):
            whole = False
            continue
        target = dict(part.get(key, {}))
        for name in old:
            if name not in new:
                target.pop(name, None)
        same = {name for name in new if name in old and likeness.values(new[name], old[name])}
        target.update({name: values for name, values in new.items() if name not in same})
        part[key] = target
        if key == "headers" and "contentType" in part:
            kinds = [values for name, values in target.items() if name.casefold() == "content-type"]
            if kinds and kinds[0] and _kind(old) != _kind(new):
                part["contentType"] = kinds[0][0]
    return whole


def _kind(headers: dict[str, list[str]]) -> list[str]:
    return next((values for name, values in headers.items() if name.casefold() == "content-type"), [])


def _request_line(pair: RRPair, req: Json, old: heads.Line, new: heads.Line, compact: bool) -> None:
    doc = pair.doc
    if new.method and new.method != old.method:
        req["method"] = doc["command"] = new.method
    if new.version and new.version != old.version:
        req["version"] = new.version
    if new.scheme and new.scheme != old.scheme and new.scheme not in likeness.schemes(pair):
        doc["l7protocol"] = new.scheme
        if "isTls" in doc:
            doc["isTls"] = new.scheme == "https"
    if new.authority and new.authority != old.authority and (new.authority not in likeness.authorities(pair)):
        doc["network_address"] = new.authority
        was = req.get("host")
        if isinstance(was, str) and old.authority and old.authority.startswith(names.without_port(was)):
            req["host"] = new.authority if ":" in was else names.without_port(new.authority)
    elif compact and new.authority:
        doc.setdefault("network_address", new.authority)
    path, _, query = (new.uri or "").partition("?")
    if new.uri and not likeness.uri(new.uri, old.uri or ""):
        req["uri"], req["url"], doc["location"] = new.uri, path, path
        _query(req, query)
    elif compact and "queryParams" not in req:
        _query(req, query)


def _query(req: Json, query: str) -> None:
    found: dict[str, list[str]] = {}
    for key, value in parse_qsl(query, keep_blank_values=True, errors="surrogateescape"):
        found.setdefault(key, []).append(value)
    if found:
        req["queryParams"] = found
    else:
        req.pop("queryParams", None)


def _status_line(doc: Json, res: Json, old: heads.Line, new: heads.Line) -> bool:
    if new.version and new.version != old.version and "version" in res:
        res["version"] = new.version
    if new.status is None or new.status == old.status or likeness.status(new.status, res):
        return True
    code, _, _ = new.status.partition(" ")
    if not (code.isascii() and code.isdigit() and len(code) <= 5):
        if old.status is None:
            return False
        raise ValueError(f"status line {new.status[:40]!r}: expected a code and a reason such as `200 OK`")
    res["statusCode"], res["statusMessage"] = int(code), new.status
    doc["status"] = new.status if " " in str(doc.get("status", "")) else code
    return True


def _body(part: Json, body: bytes | None, shown: bytes) -> tuple[bytes | None, bool]:
    """Return the body that the block means, and whether it is all that the block says.

    It is the body at hand when the block shows that one, else the block's.
    """
    if shown == sections.body_text(body) or likeness.body(shown, body or b"", part):
        return body, True
    if likeness.unreadable(shown, body, part):
        return body, False
    new = _form(part, body, shown) or jsonlayout.squeeze(shown)
    new = shown if new is None else new
    part.pop("body", None)
    headers = part.get("headers")
    if body is not None and isinstance(headers, dict):
        for name in headers:
            if name.casefold() == "content-length":
                headers[name] = [str(len(new))]
    return new, True


def _form(part: Json, body: bytes | None, shown: bytes) -> bytes | None:
    """Return the form that the block shows as JSON, where nothing at hand says that JSON was sent."""
    if (body or b"").lstrip()[:1] == b"{" or not forms.is_form(part.get("headers")):
        return None
    return forms.written(shown)


def _protocol(doc: Json, name: str, blocks: list[bytes]) -> bool:
    """A protocol without readable form: one block of JSON, taken over when it says something else."""
    found = sections.protocol_part(doc, name)
    if found is None or len(blocks) != 1 or not blocks[0]:
        return not any(blocks)
    if jsonlayout.same(blocks[0], sections.protocol_text(doc, name)):
        return True
    try:
        value = jsontext.parse(blocks[0])
    except jsontext.JsonError as error:
        if blocks[0].lstrip()[:1] != b"{":  # another tool's text for it
            return False
        raise ValueError(f"expected JSON: {error}") from None
    if isinstance(value, dict):
        found[0][found[1]] = value
    return isinstance(value, dict)


def _signature(doc: Json, shown: bytes) -> bool:
    signature = doc.get("signature", {})
    if not isinstance(signature, dict):
        return not shown
    shown = b"" if shown.strip() == sections.NONE.encode() else shown
    (old, _), (new, whole) = _read_signature(sections.signature_lines(signature)), _read_signature(shown)
    if old == new:
        return whole
    changed = {key: value for key, value in new.items() if old.get(key) != value}
    plain = doc.get("mutableSignature")
    for key in old.keys() - new.keys():
        signature.pop(key, None)
        if isinstance(plain, dict):
            plain.pop(key, None)
    for key, value in changed.items():
        if signature.get(key) == _text(value):  # not in base64 at all: shown as it is
            continue
        raw = b"" if value == sections.NONE.encode() else value
        if key in signature and not likeness.is_text(sections.signature_bytes(signature[key])):
            raw = _HEX.sub(lambda match: bytes([int(match[1], 16)]), raw)
        signature[key] = base64.b64encode(raw).decode("ascii")
        if isinstance(plain, dict) and key in plain:
            plain[key] = raw.decode("utf-8", "replace")
    doc["signature"] = signature
    return whole


def _read_signature(shown: bytes) -> tuple[dict[str, bytes], bool]:
    """Read lines `key is value`; a line that is none continues the value above it."""
    found: dict[str, bytes] = {}
    last, whole = "", True
    for line in shown.split(b"\n") if shown else []:
        if match := _SIGNATURE_LINE.match(line):
            last = _text(match[1])
            whole = whole and last not in found
            found[last] = match[2]
        elif last:
            found[last] += b"\n" + line
        else:
            whole = whole and not line
    return found, whole


def _metadata(doc: Json, shown: str) -> bool:
    (old, _), (new, whole) = _read_metadata(_text(sections.metadata_lines(doc))), _read_metadata(shown)
    for key, value in new.items():
        if old.get(key) == value:
            continue
        if key == "tags":
            whole = _tags(doc, old.get(key, ""), value) and whole
        elif key == "duration":
            _duration(doc, value)
        elif key == "uuid":
            _uuid(doc, value)
        elif key == "ts":
            if names.normal(value) != names.normal(doc.get("ts")) or not names.normal(value):
                doc["ts"] = value
        elif key == "direction":
            if value.casefold() != heads.word(doc.get("direction", "")).casefold():
                doc["direction"] = value
        elif isinstance(doc.get(key), str):  # a key that other generations show
            doc[key] = value
        else:
            whole = False
    return whole


def _read_metadata(text: str) -> tuple[dict[str, str], bool]:
    found: dict[str, str] = {}
    whole = True
    for line in text.split("\n"):
        key, colon, value = line.partition(":")
        if colon and key and " " not in key and key not in found:
            found[key] = value.removeprefix(" ")
        else:
            whole = whole and not line
    return found, whole


def _tags(doc: Json, old_text: str, new_text: str) -> bool:
    tags = doc.setdefault("tags", {})
    if not isinstance(tags, dict):
        return False
    (old, _), (new, whole) = _read_tags(old_text), _read_tags(new_text)
    for key in old.keys() - new.keys():
        tags.pop(key, None)
    tags.update({key: value for key, value in new.items() if old.get(key) != value})
    return whole


def _read_tags(text: str) -> tuple[dict[str, str], bool]:
    """Read `k=v, k=v`; a piece without `=` belongs to the value in front of it."""
    found: dict[str, str] = {}
    last, whole = "", True
    for piece in text.split(", ") if text else []:
        key, equals, value = piece.partition("=")
        if equals and key:
            whole = whole and key not in found
            last = key
            found[key] = value
        elif last:
            found[last] += ", " + piece
        else:
            whole = False
    return found, whole


def _duration(doc: Json, text: str) -> None:
    parts = _DURATION.findall(text)
    if not parts or "".join(number + unit for number, unit in parts) != text:
        raise ValueError(f"duration {text[:40]!r}: expected milliseconds such as `12ms`")
    milliseconds = int(sum(float(number) * _MILLISECONDS[unit] for number, unit in parts))
    if heads.word(doc.get("duration", 0)) != str(milliseconds):
        doc["duration"] = milliseconds


def _uuid(doc: Json, text: str) -> None:
    if text.casefold() == sections.uuid_text(doc.get("uuid", "")).casefold():
        return
    if not text:
        doc.pop("uuid", None)
        return
    try:
        doc["uuid"] = base64.b64encode(uuids.UUID(text).bytes).decode("ascii")
    except ValueError:
        raise ValueError(f"uuid {text[:60]!r}: expected 32 hexadecimal digits with dashes") from None


def _text(raw: bytes) -> str:
    try:
        return raw.decode()
    except UnicodeDecodeError:
        return raw.decode("utf-8", "surrogateescape")
