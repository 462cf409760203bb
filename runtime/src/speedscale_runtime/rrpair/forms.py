"""Forms (application/x-www-form-urlencoded) that a recorder shows as a JSON object while their Content-Type stays.

Called by `edits` for what stands in text alone, and by whoever sends or exports a recorded body. Clients label JSON as
a form too (`curl -d` does), and those bytes must go out as they came: a body at hand becomes a form only where the
recorded length says that it was one. Pure.
"""

from __future__ import annotations

from typing import Any
from urllib.parse import urlencode

from . import jsontext
from .model import Json

_KIND = "application/x-www-form-urlencoded"


def is_form(headers: Any) -> bool:
    """Tell whether the headers (name → value or values) declare a form."""
    return _first(headers, "content-type").casefold().startswith(_KIND)


def written(shown: bytes) -> bytes | None:
    """Return the form that a JSON object of texts and lists of texts shows; None for anything else."""
    if shown.lstrip()[:1] != b"{":
        return None
    try:
        fields = jsontext.parse(shown)
    except jsontext.JsonError:
        return None
    flat = [(key, value) for key, many in fields.items() for value in (many if isinstance(many, list) else [many])]
    if not flat or not all(isinstance(value, str) for _, value in flat):
        return None
    return urlencode(flat, errors="surrogatepass").encode()


def sent(body: bytes, headers: Json | None) -> bytes:
    """Return the body as it went over the wire: itself, or the form it shows where that has the recorded length."""
    if not is_form(headers) or _first(headers, "content-length") in ("", str(len(body))):
        return body
    form = written(body)
    return form if form is not None and str(len(form)) == _first(headers, "content-length") else body


def _first(headers: Any, name: str) -> str:
    return str(next(iter(_values(headers, name)), "")).strip()


def _values(headers: Any, name: str) -> list[Any]:
    for key, value in headers.items() if isinstance(headers, dict) else ():
        if str(key).casefold() == name:
            return value if isinstance(value, list) else [value]
    return []
