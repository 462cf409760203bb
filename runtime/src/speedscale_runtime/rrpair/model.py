"""RRPair: one recorded request/response pair, whatever the protocol.

The JSON document is the model: it is kept as it came, unknown keys and all, so nothing is lost on the way from
one encoding to another. Only HTTP bodies are taken out of it and held as bytes, because they travel as bytes
(`speedscale_schemas.frames`) and are looked at as bytes. Everything that reads or writes pairs uses this class;
no codec lives here.

Source: the vendor's public RRPair format; `documents/rrpair.schema.json` holds the field names.
"""

from __future__ import annotations

import base64
import binascii
import contextlib
from typing import Any, Literal, NamedTuple

from speedscale_schemas.frames import Frame

from . import jsontext

Direction = Literal["IN", "OUT"]
Json = dict[str, Any]

_SIDES = (("req", 0), ("res", 1))


class _Form(NamedTuple):
    """How a body stood in its document: which keys, verbatim, and the bytes they meant."""

    fields: tuple[tuple[str, Any], ...]
    meant: bytes | None


class RRPair:
    """One pair: `doc` (the JSON document without HTTP bodies) and the bodies as bytes.

    `request_body` and `response_body` are None where the document says nothing about one (other protocols, or a
    compact document), b"" where the body is empty. Changing `doc` or a body changes the pair.
    """

    __slots__ = ("_forms", "doc", "rendering", "request_body", "response_body")

    def __init__(self, doc: Json, request_body: bytes | None = None, response_body: bytes | None = None) -> None:
        self.doc = doc
        self.request_body = request_body
        self.response_body = response_body
        self.rendering: Json | None = None  # sections as another tool wrote them; belongs to `renderings`
        self._forms: tuple[_Form | None, _Form | None] = (None, None)

    @classmethod
    def from_doc(cls, doc: Json) -> RRPair:
        """Take a JSON document (which becomes the pair's own) and lift its HTTP bodies out.

        A body that is no string, and a `body` that says something else than `bodyBase64`, stay in the document
        like any other value. Raises ValueError naming the path when `bodyBase64` is no base64.
        """
        pair = cls(doc)
        http = doc.get("http")
        if not isinstance(http, dict):
            return pair
        forms: list[_Form | None] = [None, None]
        for side, index in _SIDES:
            part = http.get(side)
            if not isinstance(part, dict):
                continue
            form = _lifted(part, f"http.{side}")
            if form.fields:
                forms[index] = form
                if index == 0:
                    pair.request_body = form.meant
                else:
                    pair.response_body = form.meant
        pair._forms = (forms[0], forms[1])
        return pair

    def to_doc(self) -> Json:
        """Return the whole JSON document, bodies included; what was not changed is put back verbatim.

        A body that was set or changed is written as `bodyBase64`, and as `body` too where it is UTF-8 text.
        """
        doc = dict(self.doc)
        http = doc.get("http")
        if not isinstance(http, dict):
            return doc
        doc["http"] = http = dict(http)
        for side, index in _SIDES:
            body = self.response_body if index else self.request_body
            form = self._forms[index]
            if body is None and form is None:
                continue
            part = http.get(side)
            if part is not None and not isinstance(part, dict):
                continue
            part = dict(part or {})
            if form is not None and form.meant == body:
                part.update(form.fields)
            else:
                part.pop("body", None)
                part.update(_written(body))
            http[side] = part
        return doc

    @classmethod
    def from_frame(cls, frame: Frame) -> RRPair:
        """Take a frame apart; a side that the head has no object for gets no body."""
        doc: Json = jsontext.parse(frame.head)
        http = doc.get("http")
        if not isinstance(http, dict):
            return cls(doc)
        return cls(
            doc,
            frame.request_body if isinstance(http.get("req"), dict) else None,
            frame.response_body if isinstance(http.get("res"), dict) else None,
        )

    def to_frame(self) -> Frame:
        """Return the pair as a frame: the head without bodies, then the bodies."""
        return Frame(jsontext.compact(self.doc), self.request_body or b"", self.response_body or b"")

    def copy(self) -> RRPair:
        """Return a copy that shares nothing mutable."""
        twin = self.shallow()
        twin.doc = jsontext.parse(jsontext.compact(self.doc))
        return twin

    def shallow(self) -> RRPair:
        """Return a copy with a document of its own whose values are shared: for setting a key at the top."""
        twin = RRPair(dict(self.doc), self.request_body, self.response_body)
        twin._forms, twin.rendering = self._forms, self.rendering
        return twin

    @property
    def http_request(self) -> Json | None:
        """The `http.req` object, or None for another protocol."""
        return self._http("req")

    @property
    def http_response(self) -> Json | None:
        """The `http.res` object, or None for another protocol or where no answer was seen."""
        return self._http("res")

    @property
    def direction(self) -> str:
        """`IN` (to the application: a test) or `OUT` (from it: a mock); empty when unknown."""
        direction = self.doc.get("direction")
        return direction if isinstance(direction, str) else ""

    @property
    def tags(self) -> dict[str, str]:
        """The tags, made if there were none."""
        tags = self.doc.setdefault("tags", {})
        return tags if isinstance(tags, dict) else {}

    def _http(self, side: str) -> Json | None:
        http = self.doc.get("http")
        part = http.get(side) if isinstance(http, dict) else None
        return part if isinstance(part, dict) else None

    def __eq__(self, other: object) -> bool:
        return isinstance(other, RRPair) and self.to_doc() == other.to_doc()

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        d = self.doc
        return f"<RRPair {d.get('direction')} {d.get('command')} {d.get('location')} {d.get('status')}>"


def _lifted(part: Json, path: str) -> _Form:
    """Take the body's fields out of a request or response, as far as they are strings that agree."""
    coded, text = part.get("bodyBase64"), part.get("body")
    if coded is not None and not isinstance(coded, str):
        return _Form((), None)
    meant: bytes | None = None
    if coded is not None:
        try:
            meant = _unbase64(coded)
        except binascii.Error as error:
            raise ValueError(f"{path}.bodyBase64: expected base64: {error}") from error
    if isinstance(text, str):
        written = text.encode("utf-8", "surrogatepass")
        if meant is None:
            meant = written
        elif written != meant:  # not known to be the same: it must be seen by whoever looks at the document
            return _Form((("bodyBase64", part.pop("bodyBase64")),), meant)
    elif text is not None:
        return _Form((("bodyBase64", part.pop("bodyBase64")),), meant) if "bodyBase64" in part else _Form((), None)
    return _Form(tuple((k, part.pop(k)) for k in list(part) if k in ("body", "bodyBase64")), meant)


def _unbase64(text: str) -> bytes:
    """Decode base64 strictly; JSON of protocol buffers may also use the URL alphabet and leave padding off."""
    try:
        return base64.b64decode(text, validate=True)
    except ValueError:
        plain = text.translate(_URL_ALPHABET).rstrip("=")
        return base64.b64decode(plain + "=" * (-len(plain) % 4), validate=True)


_URL_ALPHABET = str.maketrans("-_", "+/", "\r\n")


def _written(body: bytes | None) -> Json:
    if body is None:
        return {}
    fields: Json = {"bodyBase64": base64.b64encode(body).decode("ascii")}
    with contextlib.suppress(UnicodeDecodeError):
        fields["body"] = body.decode("utf-8")
    return fields
