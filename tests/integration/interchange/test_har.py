"""Exported archives have the structure that the HAR 1.2 specification asks for."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest

from speedscale_runtime import interchange
from speedscale_runtime.interchange.call import Origin, pair_of

pytestmark = pytest.mark.integration

# Objects of the specification: field → (type, required).
STRING, NUMBER, OBJECT, LIST = str, (int, float), dict, list
SPEC: dict[str, dict[str, tuple[Any, bool]]] = {
    "log": {
        "version": (STRING, True),
        "creator": (OBJECT, True),
        "browser": (OBJECT, False),
        "pages": (LIST, False),
        "entries": (LIST, True),
        "comment": (STRING, False),
    },
    "creator": {"name": (STRING, True), "version": (STRING, True), "comment": (STRING, False)},
    "entry": {
        "pageref": (STRING, False),
        "startedDateTime": (STRING, True),
        "time": (NUMBER, True),
        "request": (OBJECT, True),
        "response": (OBJECT, True),
        "cache": (OBJECT, True),
        "timings": (OBJECT, True),
        "serverIPAddress": (STRING, False),
        "connection": (STRING, False),
        "comment": (STRING, False),
    },
    "request": {
        "method": (STRING, True),
        "url": (STRING, True),
        "httpVersion": (STRING, True),
        "cookies": (LIST, True),
        "headers": (LIST, True),
        "queryString": (LIST, True),
        "postData": (OBJECT, False),
        "headersSize": (NUMBER, True),
        "bodySize": (NUMBER, True),
        "comment": (STRING, False),
    },
    "response": {
        "status": (NUMBER, True),
        "statusText": (STRING, True),
        "httpVersion": (STRING, True),
        "cookies": (LIST, True),
        "headers": (LIST, True),
        "content": (OBJECT, True),
        "redirectURL": (STRING, True),
        "headersSize": (NUMBER, True),
        "bodySize": (NUMBER, True),
        "comment": (STRING, False),
    },
    "nameValue": {"name": (STRING, True), "value": (STRING, True), "comment": (STRING, False)},
    "cookie": {
        "name": (STRING, True),
        "value": (STRING, True),
        "path": (STRING, False),
        "domain": (STRING, False),
        "expires": (STRING, False),
        "httpOnly": (bool, False),
        "secure": (bool, False),
        "comment": (STRING, False),
    },
    "postData": {
        "mimeType": (STRING, True),
        "params": (LIST, False),
        "text": (STRING, False),
        "comment": (STRING, False),
    },
    "content": {
        "size": (NUMBER, True),
        "compression": (NUMBER, False),
        "mimeType": (STRING, True),
        "text": (STRING, False),
        "encoding": (STRING, False),
        "comment": (STRING, False),
    },
    "timings": {
        "blocked": (NUMBER, False),
        "dns": (NUMBER, False),
        "connect": (NUMBER, False),
        "send": (NUMBER, True),
        "wait": (NUMBER, True),
        "receive": (NUMBER, True),
        "ssl": (NUMBER, False),
        "comment": (STRING, False),
    },
}
INSIDE = {
    "creator": "creator",
    "entries": "entry",
    "request": "request",
    "response": "response",
    "cookies": "cookie",
    "headers": "nameValue",
    "queryString": "nameValue",
    "postData": "postData",
    "content": "content",
    "timings": "timings",
}


def problems(kind: str, value: dict[str, Any], path: str) -> list[str]:
    spec = SPEC[kind]
    found = [f"{path}.{name}: missing" for name, (_, required) in spec.items() if required and name not in value]
    for name, inner in value.items():
        here = f"{path}.{name}"
        if name.startswith("_"):
            continue
        if name not in spec:
            found.append(f"{here}: unknown")
        elif not isinstance(inner, spec[name][0]):
            found.append(f"{here}: {type(inner).__name__}")
        elif name in INSIDE:
            for i, item in enumerate(inner if isinstance(inner, list) else [inner]):
                found += problems(INSIDE[name], item, f"{here}[{i}]")
    return found


def test_the_archive_is_har_1_2(awkward_calls: Any) -> None:
    given = awkward_calls("http://shop:8080")
    out = interchange.dump("har", [pair_of(call, Origin("test"), i) for i, call in enumerate(given)])
    document = json.loads(out.files["recording.har"])
    assert problems("log", document["log"], "log") == []
    assert document["log"]["version"] == "1.2"
    for entry in document["log"]["entries"]:
        assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)", entry["startedDateTime"])
        timings = entry["timings"]
        assert entry["time"] == sum(v for v in timings.values() if v > 0)


def test_the_check_itself_finds_faults() -> None:
    assert problems("creator", {"name": 1, "x": ""}, "c") == ["c.version: missing", "c.name: int", "c.x: unknown"]
