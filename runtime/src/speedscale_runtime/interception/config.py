"""Settings of the programs that write rules: frozen objects, parsed once from the environment.

The schemas `settings/initproxy-iptables` and `settings/initproxy-responder` hold names, ranges and reasons of the
defaults. Nothing else reads the environment.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from speedscale_schemas import settings
from speedscale_schemas.errors import ConfigError

from . import routing
from .mesh import Mesh
from .model import Address, Network


@dataclass(frozen=True, slots=True, kw_only=True)
class Common:
    """What both programs are told. `backend` is auto, nft or legacy.

    ON_FAILURE and TERMINATION_LOG are for `program`, which needs them also where settings are wrong.
    """

    log_level: str = "info"
    backend: str = "auto"
    resolve_timeout_s: float = 10.0
    on_the_node: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class CaptureSettings(Common):
    """What `speedscale-initproxy-iptables` is told; ports of the proxy, 0 where it has no such port."""

    proxy_type: str = "transparent"
    proxy_uid: int = 2102
    in_port: int = 4143
    out_port: int = 4140
    health_port: int = 4144
    metrics_port: int = 4145
    node: tuple[Address, ...] = ()
    reinitialize: bool = False
    istio_cni: bool = False
    mesh: Mesh = Mesh.NONE
    ignore_src: tuple[Network, ...] = ()
    ignore_dst: tuple[Network, ...] = ()
    ignore_src_hosts: tuple[str, ...] = ()
    ignore_dst_hosts: tuple[str, ...] = ()
    ignore_inbound_ports: tuple[int, ...] = ()
    ignore_outbound_ports: tuple[int, ...] = ()
    ignore_loopback: bool = False
    track_loopback: bool = False
    node_traffic: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class RouteSettings(Common):
    """What `speedscale-initproxy-responder` is told."""

    routes: tuple[routing.Route, ...] = ()


def parse_capture(environ: Mapping[str, str]) -> CaptureSettings:
    """Return the settings; raise ConfigError with every problem found."""
    v = settings.parse("initproxy-iptables", environ)
    problems: list[str] = []
    rules: Mapping[str, Any] = v["CAPTURE_RULES"] or {}
    ports = [("PROXY_IN_PORT", v["PROXY_IN_PORT"]), ("PROXY_OUT_PORT", v["PROXY_OUT_PORT"])]
    ports += [("HEALTH_PORT", v["HEALTH_PORT"]), ("METRICS_HTTP_PORT", v["METRICS_HTTP_PORT"])]
    problems += _same(ports)
    sources = _networks(rules, "ignoreSrcIps", problems)
    destinations = _networks(rules, "ignoreDstIps", problems)
    common = _common(v, problems)
    node = _addresses("STATUS_HOST_IP", v["STATUS_HOST_IP"], problems)
    if problems:
        raise ConfigError(problems)
    return CaptureSettings(
        **common,
        proxy_type=v["PROXY_TYPE"],
        proxy_uid=v["PROXY_UID"],
        in_port=v["PROXY_IN_PORT"],
        out_port=v["PROXY_OUT_PORT"],
        health_port=v["HEALTH_PORT"],
        metrics_port=v["METRICS_HTTP_PORT"],
        node=node,
        reinitialize=v["REINITIALIZE_IPTABLES"],
        istio_cni=v["ISTIO_CNI"],
        mesh=Mesh(v["MESH"]),
        ignore_src=sources,
        ignore_dst=destinations,
        ignore_src_hosts=_unique(rules, "ignoreSrcHosts"),
        ignore_dst_hosts=_unique(rules, "ignoreDstHosts"),
        ignore_inbound_ports=_unique(rules, "ignoreInboundPorts"),
        ignore_outbound_ports=_unique(rules, "ignoreOutboundPorts"),
        ignore_loopback=bool(rules.get("ignoreLoopback", False)),
        track_loopback=bool(rules.get("trackLoopback", False)),
        node_traffic=bool(rules.get("nodeTraffic", False)),
    )


def parse_routes(environ: Mapping[str, str]) -> RouteSettings:
    """Return the settings; raise ConfigError with every problem found."""
    v = settings.parse("initproxy-responder", environ)
    routes, problems = routing.parse(v["RESPONDER_ROUTES"] or {})
    common = _common(v, problems)
    if problems:
        raise ConfigError(problems)
    return RouteSettings(**common, routes=routes)


def _common(v: Mapping[str, Any], problems: list[str]) -> dict[str, Any]:
    pod = _addresses("STATUS_POD_IP", v["STATUS_POD_IP"], problems)
    node = _addresses("STATUS_HOST_IP", v["STATUS_HOST_IP"], [])
    return {
        "log_level": v["LOG_LEVEL"],
        "backend": v["IPTABLES_BACKEND"],
        "resolve_timeout_s": float(v["RESOLVE_TIMEOUT_S"]),
        "on_the_node": bool(set(pod) & set(node)),
    }


def _same(ports: Iterable[tuple[str, int]]) -> Iterable[str]:
    taken: dict[int, str] = {}
    for name, port in ports:
        other = taken.setdefault(port, name) if port else name
        if other != name:
            yield f"environment: {name}: {port}: is {other} already; the proxy's ports have to differ"


def _addresses(name: str, texts: Iterable[str], problems: list[str]) -> tuple[Address, ...]:
    found: list[Address] = []
    for text in texts:
        try:
            found.append(ipaddress.ip_address(text))
        except ValueError:
            problems.append(f"environment: {name}: {text!r}: expected an IP address")
    return tuple(found)


def _networks(rules: Mapping[str, Any], name: str, problems: list[str]) -> tuple[Network, ...]:
    found: dict[Network, None] = {}
    for text in rules.get(name, ()):
        if text == "*":
            found |= dict.fromkeys((ipaddress.ip_network("0.0.0.0/0"), ipaddress.ip_network("::/0")))
            continue
        try:
            found[ipaddress.ip_network(text, strict=False)] = None
        except ValueError:
            problems.append(
                f"environment: CAPTURE_RULES.{name}: {text!r}: expected an IP address, a CIDR block such as"
                " 10.0.0.0/8, or *"
            )
    return tuple(found)


def _unique(rules: Mapping[str, Any], name: str) -> tuple[Any, ...]:
    return tuple(dict.fromkeys(rules.get(name, ())))
