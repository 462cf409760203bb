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
import copy
from typing import Any, Literal, NamedTuple

import orjson

from speedscale_schemas.frames import Frame

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

    __slots__ = ("_forms", "doc", "request_body", "response_body")

    def __init__(self, doc: Json, request_body: bytes | None = None, response_body: bytes | None = None) -> None:
        self.doc = doc
        self.request_body = request_body
        self.response_body = response_body
        self._forms: tuple[_Form | None, _Form | None] = (None, None)

    @classmethod
    def from_doc(cls, doc: Json) -> RRPair:
        """Take a JSON document (which becomes the pair's own) and lift its HTTP bodies out.

        Raises ValueError naming the path when `bodyBase64` is no base64 or a body is no string.
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
            fields = tuple((k, part.pop(k)) for k in list(part) if k in ("body", "bodyBase64"))
            if fields:
                meant = _meant(dict(fields), f"http.{side}")
                forms[index] = _Form(fields, meant)
                if index == 0:
                    pair.request_body = meant
                else:
                    pair.response_body = meant
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
            part = dict(http.get(side) or {})
            part.update(form.fields if form is not None and form.meant == body else _written(body))
            http[side] = part
        return doc

    @classmethod
    def from_frame(cls, frame: Frame) -> RRPair:
        """Take a frame apart; a side that the head has no object for gets no body."""
        doc: Json = orjson.loads(frame.head)
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
        return Frame(orjson.dumps(self.doc), self.request_body or b"", self.response_body or b"")

    def copy(self) -> RRPair:
        """Return a copy that shares nothing mutable."""
        twin = RRPair(copy.deepcopy(self.doc), self.request_body, self.response_body)
        twin._forms = self._forms
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
        return str(self.doc.get("direction", ""))

    @property
    def tags(self) -> dict[str, str]:
        """The tags, made if there were none."""
        tags: dict[str, str] = self.doc.setdefault("tags", {})
        return tags

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


def _meant(fields: dict[str, Any], path: str) -> bytes | None:
    coded = fields.get("bodyBase64")
    if coded is not None:
        if not isinstance(coded, str):
            raise ValueError(f"{path}.bodyBase64: expected a base64 string, found {type(coded).__name__}")
        try:
            return base64.b64decode(coded, validate=True)
        except binascii.Error as error:
            raise ValueError(f"{path}.bodyBase64: {error}") from error
    text = fields.get("body")
    if text is None:
        return None
    if not isinstance(text, str):
        raise ValueError(f"{path}.body: expected a string, found {type(text).__name__}")
    return text.encode("utf-8", "surrogatepass")


def _written(body: bytes | None) -> Json:
    if body is None:
        return {}
    fields: Json = {"bodyBase64": base64.b64encode(body).decode("ascii")}
    with contextlib.suppress(UnicodeDecodeError):
        fields["body"] = body.decode("utf-8")
    return fields
