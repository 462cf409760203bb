"""One side's answer as the assertions look at it: status, headers by any letter case, cookies, the body understood.

Built from an RRPair by `building`; bodies are decoded and parsed only when an assertion asks, and only once.
Content codings are undone first (`rrpair.decoding`); a body that a recorder decoded before, with its
Content-Encoding header left in place, is taken as it is.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal

import orjson

from speedscale_runtime.rrpair import RRPair
from speedscale_runtime.rrpair.decoding import decoded
from speedscale_schemas.errors import PeerError

BodyKind = Literal["empty", "json", "xml", "html", "text", "binary"]
_LONG_NUMBER = re.compile(rb"\d{17}")
_TAG_GAP = re.compile(r">\s*<")


@dataclass(frozen=True, slots=True)
class Content:
    """A body understood: its kind, its JSON value (kind `json`) or its text (kinds xml, html, text)."""

    kind: BodyKind
    value: Any = None
    text: str = ""

    @property
    def lines(self) -> list[str]:
        """The text by lines; XML and HTML are broken between two tags so that a line is one element."""
        if self.kind in ("xml", "html"):
            return [line.strip() for line in _TAG_GAP.sub(">\n<", self.text).splitlines() if line.strip()]
        return self.text.splitlines()


class Answer:
    """A recorded or replayed answer. `status` is 0 where there is none."""

    def __init__(self, status: int, headers: Mapping[str, list[str]], body: bytes | None) -> None:
        self.status = status
        self.headers = headers
        self.body = body or b""

    @classmethod
    def of(cls, pair: RRPair) -> Answer:
        """Take the answer out of an HTTP pair; one that has no answer gives status 0 and nothing else."""
        response = pair.http_response or {}
        status = response.get("statusCode", 0)
        return cls(status if isinstance(status, int) else 0, header_lists(response), pair.response_body)

    @cached_property
    def by_name(self) -> dict[str, list[str]]:
        """Header values by lower-case name."""
        merged: dict[str, list[str]] = {}
        for name, values in self.headers.items():
            merged.setdefault(name.lower(), []).extend(values)
        return merged

    @property
    def content_type(self) -> str:
        """The Content-Type as it stands, or empty."""
        values = self.by_name.get("content-type")
        return values[0] if values else ""

    @cached_property
    def cookies(self) -> dict[str, dict[str, str]]:
        """Set-Cookie by cookie name: `value`, and the attributes in lower case (RFC 6265 section 5.2)."""
        found: dict[str, dict[str, str]] = {}
        for line in self.by_name.get("set-cookie", ()):
            first, *rest = line.split(";")
            name, _, value = first.partition("=")
            parts = {"value": value.strip()}
            for attribute in rest:
                key, _, setting = attribute.partition("=")
                parts[key.strip().lower()] = setting.strip()
            found[name.strip()] = parts
        return found

    @cached_property
    def plain(self) -> bytes:
        """The body without content codings."""
        if not self.body or "content-encoding" not in self.by_name:
            return self.body
        try:
            return decoded(self.body, self.headers)
        except PeerError:
            return self.body

    @cached_property
    def content(self) -> Content:
        """The body understood by what it is, with the Content-Type as a hint only."""
        return understand(self.plain, self.content_type)


def header_lists(message: Mapping[str, Any]) -> dict[str, list[str]]:
    """Return the headers of `http.req` or `http.res` as name → values, whatever single strings stand there."""
    headers = message.get("headers")
    if not isinstance(headers, Mapping):
        return {}
    return {
        str(name): [str(v) for v in values] if isinstance(values, list) else [str(values)]
        for name, values in headers.items()
    }


def understand(body: bytes, content_type: str) -> Content:
    """Return what a body is; JSON by its bytes, markup by type or first character, text where it is UTF-8."""
    stripped = body.strip()
    if not stripped:
        return Content("empty")
    media = content_type.split(";")[0].strip().lower()
    if stripped[:1] in b'{["-0123456789tfn' and not media.startswith(("text/html", "text/csv")):
        try:
            return Content("json", value=loads(stripped))
        except (ValueError, RecursionError):
            pass
    text = _text(body, content_type)
    if text is None:
        return Content("binary")
    if media.endswith(("/html", "xhtml+xml")):
        return Content("html", text=text)
    if media.endswith(("/xml", "+xml")) or stripped.startswith(b"<?xml"):
        return Content("xml", text=text)
    return Content("text", text=text)


def loads(data: bytes) -> Any:
    """Parse JSON without losing the digits of large integers, which orjson would turn into floats."""
    return json.loads(data) if _LONG_NUMBER.search(data) else orjson.loads(data)


def _text(body: bytes, content_type: str) -> str | None:
    try:
        text = body.decode("utf-8-sig")
    except UnicodeDecodeError:
        charset = re.search(r"charset=\"?([\w.:-]+)", content_type, re.IGNORECASE)
        if charset is None:
            return None
        try:
            text = body.decode(charset[1])
        except (LookupError, UnicodeDecodeError):
            return None
    binary = sum(c < " " and c not in "\t\n\r\f" for c in text[:4096])
    return None if "\0" in text or binary > len(text[:4096]) // 20 else text
