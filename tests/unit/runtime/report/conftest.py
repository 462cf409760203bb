"""Results files of our own making: pairs go in, the totals that a generator would write come out."""

from __future__ import annotations

import base64
import json
from collections import Counter, defaultdict
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from hdrh.histogram import HdrHistogram


def doc(
    method: str, uri: str, status: int, body: Any, headers: Mapping[str, Any] | None = None, request: Any = None
) -> dict[str, Any]:
    """Return an RRPair document; a body that is no bytes and no string is written as JSON."""
    sent = {"Host": ["shop:8080"], "Accept": ["application/json"]}
    got = {
        "Content-Type": ["application/json"],
        **{k: v if isinstance(v, list) else [v] for k, v in (headers or {}).items()},
    }
    req: dict[str, Any] = {
        "method": method,
        "url": uri.split("?")[0],
        "uri": uri,
        "host": "shop:8080",
        "headers": sent,
    }
    if request is not None:
        req["bodyBase64"] = _coded(request)
    res = {"statusCode": status, "statusMessage": f"{status} {'OK' if status < 400 else 'Error'}", "headers": got}
    if body is not None:
        res["bodyBase64"] = _coded(body)
    return {
        "msgType": "rrpair",
        "ts": "2026-01-02T03:04:05Z",
        "l7protocol": "http",
        "direction": "IN",
        "command": method,
        "location": uri.split("?")[0],
        "status": str(status),
        "duration": 12,
        "http": {"req": req, "res": res},
    }


def _coded(body: Any) -> str:
    data = body if isinstance(body, bytes) else body.encode() if isinstance(body, str) else json.dumps(body).encode()
    return base64.b64encode(data).decode()


class Results:
    """Collects lines and writes results.jsonl (and mocks.jsonl) into a folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.config: dict[str, Any] = {
            "id": "standard",
            "rules": [],
            "assertionGroups": [
                {"configs": [{"type": "httpStatusCode", "config": {}}, {"type": "httpResponseBody", "config": {}}]}
            ],
        }
        self.run: dict[str, Any] = {
            "type": "run",
            "version": 1,
            "id": "3f0e6f6e-52f1-4a1e-9e0c-0d3a0f6f2b11",
            "mode": "functional",
            "snapshot": "shop",
            "targets": ["http://127.0.0.1:8080"],
            "startedAt": "2026-01-03T03:04:05Z",
            "buildTag": "",
            "seed": 1,
            "tests": 1,
            "skipped": [],
            "processes": 1,
        }
        self.pairs: list[dict[str, Any]] = []
        self.intervals: list[dict[str, Any]] = []
        self.end: dict[str, Any] | None = {
            "type": "end",
            "durationMs": 2000.0,
            "iterations": 1,
            "offeredRate": None,
            "achievedRate": 1.0,
            "dropped": 0,
            "cpuSeconds": 0.2,
            "rssBytes": 41943040,
            "learned": {},
            "cancelled": False,
            "ok": True,
            "why": "",
        }
        self.mocks: list[dict[str, Any]] | None = None
        self.low_data = False

    def pair(
        self,
        endpoint: str,
        recorded: dict[str, Any],
        replayed: dict[str, Any] | None,
        latency: float = 10.0,
        error: str | None = None,
        **more: Any,
    ) -> None:
        """Add a pair line."""
        self.pairs.append(
            {
                "type": "pair",
                "index": len(self.pairs),
                "iteration": 0,
                "vuser": 0,
                "session": "",
                "endpoint": endpoint,
                "recorded": recorded,
                "replayed": replayed,
                "scheduledMs": 0.0,
                "sentMs": None if error else 0.1,
                "latencyMs": None if error else latency,
                "serviceTimeMs": None if error else latency * 0.9,
                "error": error,
                **more,
            }
        )

    def interval(self, second: int, requests: int, errors: int, p50: float, p99: float) -> None:
        """Add a second of the run."""
        quantiles = {"p50": p50, "p75": p50, "p90": p99, "p95": p99, "p99": p99, "max": p99}
        self.intervals.append(
            {
                "type": "interval",
                "second": second,
                "requests": requests,
                "errors": errors,
                "statusCodes": {},
                "sentBytes": 100,
                "receivedBytes": 1000,
                "vusers": 2,
                "latencyMs": quantiles,
            }
        )

    def write(self) -> Path:
        """Write the files; return the folder."""
        lines = [{**self.run, "testConfig": self.config}]
        if not self.low_data:
            lines += self.pairs
        if self.end is not None:
            lines += self._endpoints() + self.intervals
            errors = sum(p["error"] is not None for p in self.pairs)
            lines.append({**self.end, "requests": len(self.pairs), "errors": errors})
        self.folder.mkdir(parents=True, exist_ok=True)
        (self.folder / "results.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
        if self.mocks is not None:
            (self.folder / "mocks.jsonl").write_text("".join(json.dumps(line) + "\n" for line in self.mocks))
        return self.folder

    def _endpoints(self) -> list[dict[str, Any]]:
        groups: dict[str, list[dict[str, Any]]] = defaultdict(list)
        for pair in self.pairs:
            groups[pair["endpoint"]].append(pair)
        return [self._endpoint(name, pairs) for name, pairs in groups.items()]

    def _endpoint(self, name: str, pairs: list[dict[str, Any]]) -> dict[str, Any]:
        answered = [p for p in pairs if p["error"] is None]

        def histogram(values: list[float]) -> str:
            h = HdrHistogram(1, 3_600_000_000, 3)
            for value in values:
                h.record_value(max(1, int(value * 1000)))
            return str(h.encode().decode())

        def status(pair: dict[str, Any], side: str) -> int:
            return int(pair[side]["http"]["res"]["statusCode"])

        return {
            "type": "endpoint",
            "endpoint": name,
            "method": name.split()[0],
            "location": name.split()[-1],
            "requests": len(pairs),
            "errors": len(pairs) - len(answered),
            "errorCauses": dict(Counter(p["error"] for p in pairs if p["error"] is not None)),
            "statusCodes": {str(k): v for k, v in Counter(status(p, "replayed") for p in answered).items()},
            "matched": sum(status(p, "replayed") == status(p, "recorded") for p in answered),
            "latencyHdr": histogram([p["latencyMs"] for p in answered]),
            "serviceTimeHdr": histogram([p["serviceTimeMs"] for p in answered]),
            "recordedLatencyHdr": histogram([p["recorded"]["duration"] for p in pairs]),
        }


def shop(results: Results) -> Results:
    """Fill in a run of a shop: most answers match, some changed, one endpoint broke, mocks missed."""
    results.run["buildTag"] = "v2.4.1"
    for i in range(40):
        old = {
            "id": f"{i:08x}-52f1-4a1e-9e0c-0d3a0f6f2b11",
            "name": f"Lamp {i}",
            "price": 19.9,
            "stock": i,
            "tags": ["home", "light"],
            "createdAt": "2026-01-02T03:04:05Z",
            "dimensions": {"w": 10, "h": 32, "d": 10},
            "colours": ["red", "green", "blue"],
            "supplier": {"name": "Lumen", "country": "NL", "rating": 4.5},
            "warranty": 24,
        }
        new = {
            **old,
            "id": f"{i + 77:08x}-52f1-4a1e-9e0c-0d3a0f6f2b11",
            "createdAt": "2026-05-06T07:08:09Z",
            "currency": "EUR",
        }
        results.pair(
            "GET /products/{id}",
            doc("GET", f"/products/{i}", 200, old),
            doc("GET", f"/products/{i}", 200, new),
            8 + i / 3,
        )
    for i in range(12):
        old = {
            "orderId": 7000 + i,
            "total": 59.7,
            "items": [
                {"sku": "lamp-3", "quantity": 3, "price": 19.9},
                {"sku": "bulb-9", "quantity": 1, "price": 4.5},
            ],
            "status": "confirmed",
            "token": "a8Fk2xQ97bLm3Zt5Rw1Yc6Vd",
            "note": None,
        }
        new = {
            **old,
            "total": "59.70",
            "items": [{"sku": "lamp-3", "quantity": 2, "price": 19.9}],
            "token": "z1Gh7kPq48vNb2Xs6Tf9Wd3J",
        }
        new.pop("note")
        results.pair(
            "POST /orders",
            doc("POST", "/orders?dry=false", 201, old, request={"cart": i}),
            doc("POST", "/orders?dry=false", 201, new, request={"cart": i}),
            40 + i * 9,
        )
    for _ in range(8):
        results.pair(
            "GET /recommendations",
            doc("GET", "/recommendations?limit=3", 200, [{"sku": "a"}]),
            doc("GET", "/recommendations?limit=3", 503, {"error": "upstream unavailable"}),
            3.2,
        )
    for _ in range(3):
        results.pair("GET /slow", doc("GET", "/slow", 200, {"ok": True}), None, error="timeout")
    for _ in range(20):
        results.pair(
            "GET /health",
            doc("GET", "/health", 200, "OK", {"Content-Type": "text/plain"}),
            doc("GET", "/health", 200, "OK", {"Content-Type": "text/plain"}),
            1.1,
        )
    for second in range(30):
        results.interval(
            second,
            20 + (second * 7) % 9,
            1 if second in (11, 12) else 0,
            8 + second % 4,
            30 + (second * second) % 90,
        )
    results.end["durationMs"] = 30000.0
    results.end["learned"] = {"id": 12, "jwt": 1}
    results.config["rules"] = ["latency.p99 > 200", "requests.result-match-pct < 95", "requests.response-pct < 90"]
    results.run["skipped"] = [{"reason": "protocol postgres is no HTTP", "pairs": 14}]
    results.mocks = [
        {"type": "run"},
        *(
            {
                "type": "mock",
                "verdict": "MATCH",
                "command": "GET",
                "location": "/rates",
                "host": "rates.example",
                "tech": "JSON",
            }
            for _ in range(48)
        ),
        {
            "type": "mock",
            "verdict": "NO_MATCH",
            "command": "POST",
            "location": "/charge",
            "host": "payments.example",
            "tech": "JSON",
            "nearest": [
                {
                    "command": "POST",
                    "location": "/charge",
                    "host": "payments.example",
                    "differences": [
                        {"key": "http:requestBodyJSON", "recorded": '{"amount":59.7}', "asked": '{"amount":39.8}'}
                    ],
                }
            ],
        },
        {
            "type": "mock",
            "verdict": "PASSTHROUGH",
            "command": "GET",
            "location": "/geo",
            "host": "geo.example",
            "tech": "JSON",
        },
        {"type": "unused", "command": "DELETE", "location": "/cart/9", "host": "cart.example", "tech": "JSON"},
        {"type": "end"},
    ]
    return results


@pytest.fixture
def results(tmp_path: Path) -> Results:
    """Return an empty results file to fill."""
    return Results(tmp_path / "run")


@pytest.fixture(name="shop")
def shop_fixture() -> Any:
    """Return the function that fills a run of a shop in."""
    return shop
