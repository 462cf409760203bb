"""What tells requests apart: signatures, tokens, sessions, tech; and why a request found no match.

Called by the forwarder's exporters, by snapshots and by the responder. Pure: no I/O, no clock. Everything here
runs after redaction and reads only what redaction left, so nothing it derives can hold an original value.
"""

from __future__ import annotations

from .annotate import annotate
from .canonical import canonical, digest, from_document, recorded, to_document
from .explain import Difference, Neighbours, differences, explain
from .http import Request, as_xml, request_of, signature, signature_of
from .session import session, session_of

__all__ = [
    "Difference",
    "Neighbours",
    "Request",
    "annotate",
    "as_xml",
    "canonical",
    "differences",
    "digest",
    "explain",
    "from_document",
    "recorded",
    "request_of",
    "session",
    "session_of",
    "signature",
    "signature_of",
    "to_document",
]
