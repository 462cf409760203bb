"""Bodies in a recording are unpacked, so that people can read and edit them.

Called when pairs become recordings. The Content-Encoding header stays as it was and the tag `decoded` says that the
body is plain, as the vendor's recorder does it; whoever sends such a body packs it again. Pure.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from speedscale_schemas.errors import PeerError

from .decoding import codings, decoded
from .model import RRPair

_CUT = {"req": "requestPayloadTruncated", "res": "responsePayloadTruncated"}


def unpack(pair: RRPair) -> bool:
    """Undo the content codings of both bodies and tag the pair; return whether anything changed.

    What is cut, broken, of an unknown coding or over the caps stays as it was captured.
    """
    request = _plain(pair, "req", pair.http_request, pair.request_body)
    response = _plain(pair, "res", pair.http_response, pair.response_body)
    if request is None and response is None:
        return False
    if request is not None:
        pair.request_body = request
    if response is not None:
        pair.response_body = response
    pair.tags["decoded"] = "true"
    return True


def _plain(pair: RRPair, side: str, message: Mapping[str, Any] | None, body: bytes | None) -> bytes | None:
    headers = (message or {}).get("headers")
    if not body or not isinstance(headers, Mapping) or not codings(headers) or _CUT[side] in pair.tags:
        return None
    try:
        plain = decoded(body, headers)
    except PeerError:
        return None
    return plain if plain != body else None
