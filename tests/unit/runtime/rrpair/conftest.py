"""Pairs of our own making that the tests of the record share."""

from __future__ import annotations

import base64
from collections.abc import Callable
from typing import Any

import pytest

from speedscale_runtime.rrpair import RRPair


def b64(data: bytes) -> str:
    return base64.b64encode(data).decode()


def document(**changes: Any) -> dict[str, Any]:
    """Return a full HTTP document; `changes` replace keys at the top."""
    doc: dict[str, Any] = {
        "msgType": "rrpair",
        "resource": "shop",
        "ts": "2026-03-01T10:20:30.123450000Z",
        "l7protocol": "http",
        "duration": 12,
        "tags": {"captureMode": "proxy", "proxyLocation": "in", "sequence": "7", "empty": ""},
        "uuid": b64(bytes(range(16))),
        "direction": "IN",
        "cluster": "undefined",
        "namespace": "undefined",
        "service": "shop",
        "network_address": "shop:8080",
        "command": "POST",
        "location": "/orders",
        "status": "201",
        "http": {
            "req": {
                "url": "/orders",
                "uri": "/orders?dry=1",
                "version": "1.1",
                "method": "POST",
                "host": "shop:8080",
                "headers": {
                    "Accept": ["text/html, */*", "b\\c"],
                    "Content-Length": ["13"],
                    "Content-Type": ["application/json"],
                    "Host": ["shop:8080"],
                    "X-Empty": [""],
                },
                "queryParams": {"dry": ["1"]},
                "bodyBase64": b64(b'{"b":1,"a":[]}'),
                "body": '{"b":1,"a":[]}',
            },
            "res": {
                "contentType": "text/plain",
                "statusCode": 201,
                "statusMessage": "201 Created",
                "headers": {"Content-Type": ["text/plain"], "Date": ["Sun, 01 Mar 2026 10:20:30 GMT"]},
                "bodyBase64": b64(b"done\n"),
            },
        },
        "signature": {
            "http:host": b64(b"shop"),
            "http:method": b64(b"POST"),
            "http:queryparams": "",
            "http:requestBodyHash": b64(b"\x9e\x1bG\xff"),
            "http:url": b64(b"/orders"),
        },
        "mutableSignature": {"http:method": "POST"},
        "netinfo": {"id": "4", "upstream": {"ipAddress": "10.0.0.7", "port": 8080, "bytesSent": "456"}},
        "someoneElses": {"key": [1, None, {"deep": 1.5}]},
    }
    doc.update(changes)
    return doc


@pytest.fixture
def make() -> Callable[..., RRPair]:
    """Return a maker of pairs; keyword arguments replace keys of the document."""
    return lambda **changes: RRPair.from_doc(document(**changes))


@pytest.fixture
def pair(make: Callable[..., RRPair]) -> RRPair:
    return make()
