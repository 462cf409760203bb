"""Checks of what the forwarder is told: where it exports to, and by which rules it filters and redacts."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import urlsplit

from speedscale_controller.injection import mapping
from speedscale_schemas import builtins
from speedscale_schemas.wording import nearest

from .model import Check, Facts, Result, fail, ok, skipped

FORWARDER = "speedscale-forwarder"
_HTTP = 4318
_KINDS = {
    "filter-rule": ("SPEEDSCALE_FILTER_RULE", "filter_rule", f"{FORWARDER}-filters", "filter rule"),
    "dlp-rule": ("SPEEDSCALE_DLP_CONFIG", "dlp_config_id", f"{FORWARDER}-dlp", "DLP rule"),
}


def _data(facts: Facts, name: str) -> Mapping[str, Any] | None:
    found = facts.named("config_maps", name)
    return None if found is None else mapping(found.get("data"))


def _exporters(data: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return the exporters by name; ValueError when they are no JSON object."""
    found = json.loads(str(data.get("EXPORTERS") or "{}"))
    if not isinstance(found, dict):
        raise ValueError("no object")
    return found


def exporters(facts: Facts) -> Result:
    """Ask whether exporters have addresses that can work."""
    data = _data(facts, FORWARDER)
    if data is None:
        return skipped(f"there is no ConfigMap {facts.namespace}/{FORWARDER}")
    try:
        found = _exporters(data)
    except ValueError as error:
        return fail(f"EXPORTERS is no JSON: {error}", "change forwarder.exporters in the values and synthesise")
    problems = [f"{name}: {why}" for name, spec in sorted(found.items()) for why in _endpoint(mapping(spec))]
    if problems:
        return fail(
            "exporters cannot work as they are told",
            "change forwarder.exporters in the values; speedctl values check refuses these",
            problems,
        )
    return ok(f"{len(found)} exporters")


def _endpoint(spec: Mapping[str, Any]) -> Iterator[str]:
    endpoint = spec.get("otel_endpoint")
    if not endpoint:
        return
    try:
        url = urlsplit(str(endpoint))
        port = url.port
    except ValueError as error:
        yield f"{endpoint!r}: {error}"
        return
    if url.scheme not in ("http", "https") or not url.hostname:
        yield f"{endpoint!r} has no scheme; write http://{str(endpoint).rpartition('//')[2]} or https://…"
    elif port == _HTTP and spec.get("protocol") == "grpc":
        yield f"{endpoint!r}: {_HTTP} is OTLP over HTTP, and the protocol is grpc, whose port is 4317"


def rules(facts: Facts) -> Result:
    """Ask whether every rule that is named exists: an unknown one fails closed, so that nothing leaves."""
    data = _data(facts, FORWARDER)
    if data is None:
        return skipped(f"there is no ConfigMap {facts.namespace}/{FORWARDER}")
    problems = []
    for kind, (key, field, map_name, label) in _KINDS.items():
        own = {name.rpartition(".")[0] or name for name in _data(facts, map_name) or {}}
        known = own | set(builtins.names(kind))
        for where, name in _named_rules(data, key, field):
            if name and name not in known and not (kind == "dlp-rule" and data.get("WITH_DLP") == "false"):
                near = nearest(name, known)
                hint = f"did you mean {near[0]!r}?" if near else f"there are {', '.join(sorted(known))}"
                problems.append(f"{where}: {label} {name!r} does not exist; {hint}")
    if problems:
        return fail(
            "rules are named that do not exist; the forwarder lets nothing out until they do",
            "correct the name in the values, or add the rule (rules.filters, rules.dlp)",
            problems,
        )
    return ok("every rule that is named exists")


def _named_rules(data: Mapping[str, Any], key: str, field: str) -> Iterator[tuple[str, str]]:
    yield key, str(data.get(key) or "")
    try:
        found = _exporters(data)
    except ValueError:
        return
    for name, spec in sorted(found.items()):
        yield f"EXPORTERS.{name}.{field}", str(mapping(spec).get(field) or "")


CHECKS = (
    Check("exporters", "exporters have addresses that can work", exporters, ("config_maps",)),
    Check("rules", "filter and DLP rules exist", rules, ("config_maps",)),
)
