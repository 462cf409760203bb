"""Where tests are sent: the Service of a workload, or an address that the user gives, as the generator takes it.

Called by `plan`. Pure. The generator replaces scheme, host and port of what was recorded, by recorded service or host;
so tests of one recorded service and host go to one address, and what cannot be told apart is refused.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from .traffic import Traffic

_URL = re.compile(r"(https?://)?(\[[0-9A-Fa-f:.]+\]|[^:/\[\]\s?#,=]*)(:\d{1,5})?/?")
_LABEL = re.compile(r"[A-Za-z0-9_.-]+")


def given(url: str, path: str) -> tuple[str, str]:
    """Return an address that the user gave, or empty and why it is none."""
    match = _URL.fullmatch(url.strip())
    if not match or not any(match.groups()):
        return (
            "",
            f"{path}: {url!r}: expected scheme, host and port, as in http://checkout.shop.svc:8080, without a path",
        )
    return url.strip().rstrip("/"), ""


def of_workload(workload: Mapping[str, Any], services: Iterable[Mapping[str, Any]], test: Traffic) -> tuple[str, str]:
    """Return the URL of the workload's Service for a test, or empty and why there is none.

    `services` are those of its namespace. The port is the recorded one, as the Service's port or where that leads; else
    the only port there is.
    """
    meta = workload["metadata"]
    template = (workload.get("spec") or {}).get("template") or {}
    labels = (template.get("metadata") or {}).get("labels") or {}
    named = f"{workload['kind']} {meta['namespace']}/{meta['name']}"
    mine = [s for s in services if _selects(s, labels)]
    if not mine:
        return "", (
            f"no Service leads to {named}: tests have no address; make one that selects its pods, or give customURL"
        )
    offered = [
        (s, p) for s in mine for p in (s.get("spec") or {}).get("ports") or () if p.get("protocol", "TCP") == "TCP"
    ]
    exact = [(s, p) for s, p in offered if test.port and test.port in _ports(p, template)]
    chosen = exact or (offered if len({p["port"] for _, p in offered}) == 1 else [])
    if not chosen:
        there = ", ".join(sorted({f"{s['metadata']['name']}:{p['port']}" for s, p in offered})) or "none"
        return "", (
            f"{test.key}: port {test.port or 'unknown'} was recorded, and no Service of {named} leads there (there is"
            f" {there}); give customURL"
        )
    service, port = min(chosen, key=lambda found: (_headless(found[0]), found[0]["metadata"]["name"], found[1]["port"]))
    scheme = "https" if test.protocol == "https" else "http"
    number = _own_port(port, template) if _headless(service) else port["port"]
    return f"{scheme}://{service['metadata']['name']}.{meta['namespace']}.svc:{number}", ""


def custom_urls(targets: Sequence[tuple[Traffic, str]]) -> tuple[str, list[str]]:
    """Return the generator's CUSTOM_URL for tests and their URLs, and the problems.

    One URL for all stands alone; several are told apart by recorded service, else by recorded host.
    """
    urls = {url for _, url in targets}
    if len(urls) <= 1:
        return next(iter(urls), ""), []
    by_service: dict[str, set[str]] = {}
    by_host: dict[str, set[str]] = {}
    for test, url in targets:
        by_service.setdefault(test.service, set()).add(url)
        by_host.setdefault(test.host, set()).add(url)
    parts: dict[str, str] = {}
    problems = []
    for test, url in targets:
        if test.service and len(by_service[test.service]) == 1 and _LABEL.fullmatch(test.service):
            parts[test.service] = url
        elif len(by_host[test.host]) == 1 and _LABEL.fullmatch(test.host):
            parts[test.host] = url
        else:
            problems.append(f"{test.key}: other tests of the same recorded service and host go elsewhere than {url}")
    clash = sorted(set(parts) & {t.host for t, url in targets if parts.get(t.host, url) != url})
    problems += [
        f"{name}: is a recorded service and another one's host; the tests cannot be told apart" for name in clash
    ]
    return ",".join(f"{label}={url}" for label, url in parts.items()), problems


def _selects(service: Mapping[str, Any], labels: Mapping[str, str]) -> bool:
    spec = service.get("spec") or {}
    selector = spec.get("selector") or {}
    return bool(selector) and spec.get("type") != "ExternalName" and selector.items() <= labels.items()


def _headless(service: Mapping[str, Any]) -> bool:
    return bool((service.get("spec") or {}).get("clusterIP") == "None")


def _ports(port: Mapping[str, Any], template: Mapping[str, Any]) -> set[int]:
    """Return the numbers that a Service's port goes by: its own, and that of the container."""
    return {int(port["port"]), _own_port(port, template)}


def _own_port(port: Mapping[str, Any], template: Mapping[str, Any]) -> int:
    target = port.get("targetPort", port["port"])
    if isinstance(target, int):
        return target
    for container in (template.get("spec") or {}).get("containers") or ():
        for own in container.get("ports") or ():
            if own.get("name") == target:
                return int(own["containerPort"])
    return int(port["port"])
