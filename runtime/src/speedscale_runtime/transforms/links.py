"""Which values a server gives out in the recording and the client sends back later: tokens, ids, cookies, CSRF.

Found once, before a replay: a link is a place in a recorded response whose value stands in a later recorded
request. While replaying, only these places are looked at, so that a login works by itself and a response
without links costs nothing. Redaction keeps links, because its tokens are deterministic. Pure.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Literal
from urllib.parse import unquote, unquote_plus, urlsplit

from speedscale_runtime.rrpair import RRPair

from . import http
from .errors import TransformError
from .extractors.url import uri
from .model import Side
from .smart import Kind, SmartTable, is_jwt, worth

Path = tuple[str | int, ...]
Where = Literal["json", "text", "header", "cookie", "location", "html"]

_MAX_LEAVES = 20_000
_NAMES = (
    "id|ids|uuid|guid|key|token|ref|reference|number|no|code|session|sid|nonce|state|csrf|xsrf|cursor|jwt|ticket|etag"
    "|authorization"
)
_IDENTIFIER = re.compile(rf"(?:^|[_\-.]|(?<=[a-z0-9])(?=[A-Z]))(?i:{_NAMES})$")
_OAUTH2 = {"access_token", "refresh_token", "id_token", "device_code", "accesstoken", "refreshtoken"}
_SPLIT = re.compile(r"[\s;,=\"']+")
_TAG = re.compile(r"<(?:input|meta)\b[^>]*>", re.IGNORECASE)
_ATTRIBUTE = re.compile(r"""([a-zA-Z-]+)\s*=\s*(?:"([^"]*)"|'([^']*)')""")


@dataclass(frozen=True, slots=True)
class Place:
    """A place in a response: where, and the path, name or number there; `recorded` is the value it had."""

    where: Where
    path: Path
    recorded: str
    kind: Kind


class Links:
    """The places to look at, by the index of the recorded pair."""

    def __init__(self, places: dict[int, tuple[Place, ...]], used: Sequence[tuple[int, int]] = ()) -> None:
        self._places = places
        self._used = tuple(sorted(set(used)))

    def __len__(self) -> int:
        return sum(len(places) for places in self._places.values())

    def at(self, index: int) -> tuple[Place, ...]:
        """Return the places in the response to the `index`-th request."""
        return self._places.get(index, ())

    def pairs(self) -> tuple[tuple[int, int], ...]:
        """Return (index that gave a value, index that used it): the second has to wait for the first."""
        return self._used

    def learn(self, index: int, live: RRPair, table: SmartTable) -> None:
        """Put what the live response has in these places into the vUser's table; the newest value wins."""
        places = self._places.get(index)
        if not places:
            return
        found = {(where, path): value for where, path, value in _places(live)}
        for place in places:
            value = found.get((place.where, place.path))
            if value:
                table.learn(place.recorded, value, overwrite=True, kind=place.kind)


def find_links(pairs: Sequence[RRPair]) -> Links:
    """Return the links of a recording, pairs in the order in which they were recorded; linear in its size."""
    users: dict[str, list[int]] = {}
    for index, pair in enumerate(pairs):
        for value in set(request_values(pair)):
            users.setdefault(value, []).append(index)
    given: set[str] = set()
    used: list[tuple[int, int]] = []
    places: dict[int, tuple[Place, ...]] = {}
    for index, pair in enumerate(pairs):
        linked: list[Place] = []
        for where, path, value in _places(pair):
            using = users.get(value)
            if not using or using[-1] <= index or (using[0] <= index and value not in given):
                continue
            if _says_enough(where, path, value):
                linked.append(Place(where, path, value, _kind(where, path, value)))
                later = using if value not in given else using[-1:]
                used += [(index, user) for user in later if user > index]
                given.add(value)
        if linked:
            places[index] = tuple(linked)
    return Links(places, used)


def request_values(pair: RRPair) -> Iterator[str]:
    """Yield every value of the request that could have come from an earlier response."""
    request = pair.http_request
    if request is None:
        return
    path, _, query = uri(pair).partition("?")
    yield from (unquote(segment) for segment in path.split("/"))
    yield from _form_values(query)
    for name, values in (request.get("headers") or {}).items():
        for value in values if isinstance(values, list) else [values]:
            yield value
            yield from _SPLIT.split(value)
            if name.casefold() == "cookie":
                yield from (piece.partition("=")[2].strip() for piece in value.split(";"))
    body = _text(pair, "request")
    if body:
        leaves = _json_leaves(body)
        yield from _form_values(body) if leaves is None else (value for _, value in leaves)


def _says_enough(where: Where, path: Path, value: str) -> bool:
    if not worth(value) or any(c.isspace() for c in value):
        return False
    name = _name(path)
    if where in ("cookie", "html") or _IDENTIFIER.search(name):
        return True
    if where == "header":
        return False  # Content-Type, Date and their like stand on both sides without belonging together
    if value.isdecimal():
        return len(value) >= 9
    return any(c.isdecimal() for c in value)


def _places(pair: RRPair) -> Iterator[tuple[Where, Path, str]]:
    """Yield every place of the response that could give a value out: where, the path there, the value."""
    response = pair.http_response
    if response is None:
        return
    for name, values in (response.get("headers") or {}).items():
        folded = name.casefold()
        for index, value in enumerate(values if isinstance(values, list) else [values]):
            yield from _header_places(folded, index, value)
    body = _text(pair, "response")
    if not body:
        return
    leaves = _json_leaves(body)
    if leaves is not None:
        for path, value in leaves:
            yield "json", path, value
    elif "<" in body[:1024]:
        for name, value in _html_values(body):
            yield "html", (name,), value
    elif len(body) <= 8192:
        yield "text", (), body.strip()


def _header_places(name: str, index: int, value: str) -> Iterator[tuple[Where, Path, str]]:
    if name == "set-cookie":
        cookie, _, content = value.partition(";")[0].partition("=")
        yield "cookie", (cookie.strip(),), content.strip()
    elif name == "location":
        parts = urlsplit(value)
        for number, segment in enumerate(parts.path.split("/")):
            yield "location", (number,), unquote(segment)
        for piece in parts.query.split("&"):
            key, _, content = piece.partition("=")
            yield "location", (key,), unquote_plus(content)
    else:
        yield "header", (name, index), value.removeprefix("Bearer ")


def _name(path: Path) -> str:
    return next((str(s) for s in reversed(path) if isinstance(s, str)), "")


def _kind(where: Where, path: Path, value: str) -> Kind:
    name = _name(path).casefold()
    if is_jwt(value) or value.startswith("REDACTED-JWT-"):
        return "jwt"
    if where == "cookie":
        return "cookie"
    if name in _OAUTH2:
        return "oauth2"
    if any(part in name for part in ("csrf", "xsrf", "authenticity")):
        return "csrf"
    return "id" if name.endswith(("id", "uuid")) or (where == "location" and not name) else "value"


def _text(pair: RRPair, side: Side) -> str | None:
    try:
        return http.body_text(pair, side)
    except TransformError:
        return None


def _form_values(text: str) -> Iterator[str]:
    for piece in text.split("&") if len(text) <= 1_000_000 else ():
        yield unquote_plus(piece.partition("=")[2], errors="surrogateescape")


def _html_values(body: str) -> Iterator[tuple[str, str]]:
    for tag in _TAG.finditer(body):
        attributes = {m[1].casefold(): m[2] if m[2] is not None else m[3] for m in _ATTRIBUTE.finditer(tag[0])}
        name = attributes.get("name", "")
        value = attributes.get("value", attributes.get("content", ""))
        if name and value:
            yield name, value


def _json_leaves(body: str) -> list[tuple[Path, str]] | None:
    if body.lstrip()[:1] not in ("{", "[", '"'):
        return None
    try:
        document = json.loads(body)
    except (ValueError, RecursionError):
        return None
    leaves: list[tuple[Path, str]] = []
    stack: list[tuple[Path, Any]] = [((), document)]
    while stack and len(leaves) < _MAX_LEAVES:
        path, node = stack.pop()
        if isinstance(node, dict):
            stack += [((*path, k), v) for k, v in node.items()]
        elif isinstance(node, list):
            stack += [((*path, i), v) for i, v in enumerate(node)]
        elif isinstance(node, str):
            leaves.append((path, node))
        elif isinstance(node, int) and not isinstance(node, bool):
            leaves.append((path, str(node)))
    return leaves
