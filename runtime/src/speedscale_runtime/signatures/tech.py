"""The `tech` label of a pair: what kind of interface was spoken. Filters and summaries group by it.

Called by `annotate` and by the responder. Source: labels seen in the vendor's recordings and documentation.
"""

from __future__ import annotations

from speedscale_runtime.rrpair import RRPair

from .http import first, mapping

_PROTOCOLS = {
    "postgres": "Postgres",
    "mysql": "MySQL",
    "mongo": "MongoDB",
    "redis": "Redis",
    "kafka": "Kafka",
    "amqp091": "AMQP",
    "grpc": "gRPC",
}
_AMZ = (("dynamodb", "DynamoDB"), ("kinesis", "Kinesis"), ("amazonsqs", "SQS"), ("sns", "SNS"))
_SNIFF = 512


def tech(pair: RRPair) -> str:
    """Return the label, e.g. `JSON`, `XML`, `GraphQL`, `DynamoDB`, `Postgres`; `HTTP` for other HTTP."""
    req = pair.http_request
    if req is None:
        protocol = str(pair.doc.get("l7protocol") or "")
        return _PROTOCOLS.get(protocol.lower(), protocol)
    headers = mapping(req.get("headers"))
    target = first(headers, "x-amz-target").lower()
    for prefix, name in _AMZ:
        if target.startswith(prefix):
            return name
    res = pair.http_response or {}
    answered = first(mapping(res.get("headers")), "content-type") or str(res.get("contentType") or "")
    kinds = (first(headers, "content-type") + " " + answered).lower()
    if "application/grpc" in kinds:
        return "gRPC"
    bodies = [body[:_SNIFF].lstrip() for body in (pair.request_body, pair.response_body) if body]
    if bodies and pair.request_body and b'"query"' in bodies[0] and "graphql" in str(req.get("url", "")).lower():
        return "GraphQL"
    if "json" in kinds or any(body[:1] in (b"{", b"[") for body in bodies):
        return "JSON"
    if "xml" in kinds or any(body[:5] == b"<?xml" for body in bodies):
        return "XML"
    return "HTML" if "html" in kinds else "HTTP"
