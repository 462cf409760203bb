"""The names of signature keys, as the vendor writes them.

Source: the vendor's public recordings and documentation of signatures. No logic lives here.
"""

from __future__ import annotations

HOST = "http:host"
METHOD = "http:method"
URL = "http:url"
QUERY = "http:queryparams"
QUERY_PREFIXES = ("http:queryparams:", "http:qp:")
BODY_JSON = "http:requestBodyJSON"
BODY_XML = "http:requestBodyXML"
BODY_HASH = "http:requestBodyHash"
INSTANCE = "instance"

BODY_KEYS = (BODY_JSON, BODY_XML, BODY_HASH)
