"""Recommendations: what the coverage report suspects, as changes of a DLP rule that a person reads before they count.

Called by `speedctl dlp recommend` and `accept`. Pure: reports and documents come in, documents go out. The same report
gives the same recommendations with the same ids; no value is in them. What a chain can reach becomes a chain (for one
endpoint), everything else a detector by name (for every place that bears the name).
"""

from __future__ import annotations

import copy
import hashlib
import json
import re
from collections.abc import Iterable, Mapping
from typing import Any

from speedscale_schemas import validation
from speedscale_schemas.errors import ConfigError

from .coverage import Confidence, Endpoint, Report, Spot, Suspect
from .fields import Form, json_path
from .keynames import words

KIND = "dlp-recommendations"
Json = dict[str, Any]

_BODY = {"http.req.body": "req_body", "http.res.body": "res_body"}
_NAMED = {
    "http.req.headers": "http_req_header",
    "http.res.headers": "http_res_header",
    "http.req.cookies": "http_req_cookie",
    "http.res.cookies": "http_res_cookie",
    "http.req.queryParams": "http_queryparam",
}
_TAKES = "transforms", "custom"


def recommend(report: Report, minimum: Confidence = Confidence.MEDIUM) -> Json:
    """Return the document of recommendations for a report: one for each suspect that a rule can reach."""
    found: dict[str, Json] = {}
    out_of_reach = 0
    for suspect in report.of(minimum):
        add = _addition(suspect)
        if not add:
            out_of_reach += 1
            continue
        entry = _entry(suspect, add)
        found.setdefault(entry["id"], entry)
    return {
        "rule": report.rule,
        "minimum": str(minimum),
        "pairs": report.pairs,
        "outOfReach": out_of_reach,
        "recommendations": list(found.values()),
    }


def _entry(suspect: Suspect, add: Json) -> Json:
    spot = suspect.spot
    return {
        "id": f"dlp-{_digest(add)}",
        "accept": True,
        "confidence": str(suspect.confidence),
        "summary": _summary(spot),
        "endpoint": str(spot.endpoint),
        "field": spot.place,
        "kind": suspect.kind,
        "because": list(suspect.because),
        "seen": {
            "values": suspect.values,
            "redacted": suspect.redacted,
            "distinct": suspect.distinct,
            "shape": suspect.shape,
        },
        "add": add,
    }


def _digest(add: Json) -> str:
    return hashlib.sha256(json.dumps(add, sort_keys=True).encode()).hexdigest()[:10]


def _summary(spot: Spot) -> str:
    """Return the recommendation in one line, as the vendor writes its own."""
    query = " AND ".join(
        f'{key} IS "{value}"'
        for key, value in (("command", spot.endpoint.command), ("location", spot.endpoint.location))
        if value
    )
    made = _chain_steps(spot)
    if made is None:
        return f"{query} | name({spot.name}) | dlp_field()"
    extractor, steps = made
    config = ", ".join(f"{k}={v}" for k, v in extractor.get("config", {}).items())
    path = "".join(f" | json_path(path={s['config']['path']})" for s in steps if s["type"] == "json_path")
    return f"{query} | {extractor['type']}({config}){path} | dlp_field()"


def _addition(suspect: Suspect) -> Json:
    """Return what is added to a rule, by its list; empty where nothing reaches the field."""
    spot = suspect.spot
    made = _chain_steps(spot)
    if made is not None:
        extractor, steps = made
        chain = {"filters": _filters(spot.endpoint), "extractor": extractor, "transforms": steps}
        return {"transforms": [{"id": f"recommended-{_digest(chain)}", **chain, "tags": {"source": "recommendation"}}]}
    if not spot.name or not words(spot.name):
        return {}
    name = " ".join(words(spot.name))
    entry: Json = {"id": f"recommended-{name.replace(' ', '-')}", "kind": _token_kind(suspect.kind), "keys": [name]}
    return {"custom": [entry]}


def _token_kind(kind: str) -> str:
    return re.sub(r"[^A-Z0-9_]", "_", kind.upper())[:40]


def _chain_steps(spot: Spot) -> tuple[Json, list[Json]] | None:
    """Return the extractor and the steps of a chain that reaches the field; None where none does."""
    redact: Json = {"type": "dlp_field"}
    if spot.form is Form.JSON and spot.part in _BODY:
        return {"type": _BODY[spot.part]}, [{"type": "json_path", "config": {"path": json_path(spot.path)}}, redact]
    if spot.form is Form.TEXT and spot.part in _BODY:
        return {"type": _BODY[spot.part]}, [redact]
    if spot.form is Form.PROTOCOL:
        path = json_path((spot.part, *spot.path))
        return {"type": "json_path", "config": {"path": path}}, [redact]
    if spot.form is Form.SEGMENT:
        return {"type": "http_url", "config": {"index": spot.path[0]}}, [redact]
    if spot.part in _NAMED and spot.path and spot.path[0] != "*":
        return {"type": _NAMED[spot.part], "config": {"name": spot.path[0]}}, [redact]
    return None


def _filters(endpoint: Endpoint) -> Json:
    """Return a chain's criteria: command and location only, which a live request has, too.

    A mock answers only if the request that comes in was redacted by the same chains as the recorded one.
    """
    criteria: list[Json] = []
    if endpoint.command:
        criteria.append({"include": True, "operator": "EQUAL", "detectedCommand": endpoint.command})
    if "*" in endpoint.location.split("/"):
        parts = ["[^/]+" if s == "*" else re.escape(s) for s in endpoint.location.split("/")]
        criteria.append({"include": True, "operator": "REGEX", "detectedLocation": "^" + "/".join(parts) + "$"})
    elif endpoint.location:
        criteria.append({"include": True, "operator": "EQUAL", "detectedLocation": endpoint.location})
    if not criteria or not endpoint.location:
        criteria.append({"include": True, "operator": "EQUAL", "l7protocol": endpoint.protocol})
    return {"operator": "AND", "conditions": [{"operator": "AND", "filters": criteria}]}


def check(document: object, *, source: str) -> Json:
    """Return recommendations as they were read from a file; ConfigError with everything that is wrong."""
    problems = [str(p) for p in validation.check(KIND, document, source=source)]
    if problems or not isinstance(document, dict):
        raise ConfigError(problems or [f"{source}: expected an object"])
    return document


def chosen(document: Mapping[str, Any], ids: Iterable[str] = ()) -> list[Json]:
    """Return the recommendations to accept: those named, else all that are not marked `accept: false`.

    ConfigError for an id that is not there.
    """
    wanted = list(ids)
    entries = list(document["recommendations"])
    known = {str(e["id"]) for e in entries}
    missing = [i for i in wanted if i not in known]
    if missing:
        near = [f"; did you mean {n[0]!r}?" if (n := validation.nearest(i, known)) else "" for i in missing]
        raise ConfigError(
            [f"--id {i!r}: no such recommendation in the file{hint}" for i, hint in zip(missing, near, strict=True)]
        )
    if wanted:
        return [e for e in entries if e["id"] in wanted]
    return [e for e in entries if e.get("accept", True)]


def starting_rule(rule: Mapping[str, Any], name: str) -> Json:
    """Return a rule of one's own to begin with: a copy of `rule` under another id, no longer protected."""
    own = copy.deepcopy(dict(rule))
    own.pop("protected", None)
    return {**own, "id": name, "name": f"{rule.get('name') or rule.get('id')}, and what was accepted"}


def merge(rule: Any, accepted: Iterable[Mapping[str, Any]]) -> tuple[list[str], list[str]]:
    """Add accepted recommendations to a rule's document in place; return the ids that were added, and those it had.

    Comments of a document that keeps them stay. ConfigError where the rule is protected, or has another entry under
    the same id.
    """
    if rule.get("protected") or rule.get("id") == "standard":
        raise ConfigError(
            [
                f"dlp rule {rule.get('id')!r} is protected: accept into a rule of your own;"
                " a file that is not there yet begins as a copy"
            ]
        )
    added: list[str] = []
    there: list[str] = []
    problems: list[str] = []
    for entry in accepted:
        new = False
        for key in _TAKES:
            for item in entry["add"].get(key, ()):
                own = next((o for o in rule.get(key, ()) if o.get("id") == item["id"]), None)
                if own is None:
                    rule.setdefault(key, []).append(copy.deepcopy(item))
                    new = True
                elif _plain(own) != _plain(item) and not _covers(own, item):
                    problems.append(
                        f"{key}: {item['id']!r}: the rule has another entry of that id; rename or remove it"
                    )
        (added if new else there).append(str(entry["id"]))
    if problems:
        raise ConfigError(problems)
    return added, there


def _covers(own: Mapping[str, Any], item: Mapping[str, Any]) -> bool:
    """Say whether a detector by name takes the names already: another kind of token is no conflict."""
    return bool(item.get("keys")) and set(item["keys"]) <= set(own.get("keys", ()))


def _plain(value: Any) -> Any:
    return json.loads(json.dumps(value))
