"""Write into a pair what is derived from it: signature, session, token list, tech, and the summary fields.

Called after redaction by the forwarder's exporters, by `snapshot.create` and by the responder's recorder. What a
pair holds already stays (`command`, `location`, `status`, `tech`); signature, session and tokens of an HTTP pair
are derived anew, since they must follow from what redaction left.
"""

from __future__ import annotations

from speedscale_runtime.rrpair import RRPair

from .canonical import to_document
from .http import signature
from .session import session
from .tech import tech
from .tokens import token_list


def annotate(pair: RRPair) -> None:
    """Set `signature`, `session`, `tokenList`, `tech`, and `command`, `location`, `status` where absent.

    Twice gives the same as once. A key for which there is nothing to say is taken away, not left stale.
    """
    doc = pair.doc
    if pair.http_request is not None:
        _summary(pair)
        _put(doc, "signature", to_document(signature(pair)))
        _put(doc, "session", session(pair))
        _put(doc, "tokenList", token_list(pair))
    elif "tokenList" not in doc:
        _put(doc, "tokenList", token_list(pair))
    if not doc.get("tech"):
        _put(doc, "tech", tech(pair))


def _put(doc: dict[str, object], key: str, value: object) -> None:
    if value:
        doc[key] = value
    else:
        doc.pop(key, None)


def _summary(pair: RRPair) -> None:
    doc, req, res = pair.doc, pair.http_request or {}, pair.http_response
    if not doc.get("command") and req.get("method"):
        doc["command"] = req["method"]
    if not doc.get("location"):
        path = req.get("url") or str(req.get("uri") or "").partition("?")[0]
        if path:
            doc["location"] = path
    if not doc.get("status") and res and res.get("statusCode"):
        doc["status"] = str(res["statusCode"])
