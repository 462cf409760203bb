"""RRPairs as JSON: one pretty object a file, or one compact object a line.

Called by recordings, the exporters, snapshots and results. `loads(dumps(pair)) == pair` for every pair, unknown
keys included; values of unexpected types are kept, not judged (`documents/rrpair.schema.json` is for people).
"""

from __future__ import annotations

from speedscale_schemas.errors import ConfigError

from . import jsontext, renderings
from .model import Json, RRPair

_MARKS = frozenset(
    ("msgType", "direction", "l7protocol", "command", "location", "http", "signature", "netinfo", "network_address")
)


def loads(data: bytes, source: str = "", *, line: int = 1) -> RRPair:
    """Read one RRPair from a JSON text; `source` names it in errors, `line` is where it starts there.

    Raises ConfigError with source, line and what was expected when it is no JSON or no RRPair.
    """
    try:
        doc = jsontext.parse(data)
    except jsontext.JsonError as error:
        place = f"{source or 'JSON'}:{line + error.line - 1}:{error.column}"
        raise ConfigError([f"{place}: expected JSON: {error.reason}"]) from None
    return from_value(doc, source, line)


def from_value(doc: object, source: str = "", line: int = 1) -> RRPair:
    """Make a pair of a parsed JSON value; raises ConfigError when it is no RRPair."""
    place = f"{source or 'JSON'}:{line}"
    if not isinstance(doc, dict):
        raise ConfigError([f"{place}: expected an RRPair, a JSON object; found {type(doc).__name__}"])
    if not _MARKS.intersection(doc):
        raise ConfigError([f"{place}: expected an RRPair; found none of its keys (msgType, direction, l7protocol, …)"])
    try:
        return renderings.lift(RRPair.from_doc(doc))
    except ValueError as error:
        raise ConfigError([f"{place}: {error}"]) from None


def dumps(pair: RRPair) -> bytes:
    """Return the pair as one pretty-printed JSON object with a newline at the end."""
    return jsontext.pretty(document(pair))


def dumps_line(pair: RRPair) -> bytes:
    """Return the pair as one line of JSON, without the newline."""
    return jsontext.compact(document(pair))


def document(pair: RRPair) -> Json:
    """Return the pair's JSON document with what codecs add to `to_doc` (renderings of another tool)."""
    return renderings.put_back(pair, pair.to_doc())
