"""Rules about annotations that stand beside each other: what has no effect, what contradicts itself.

Called by `parse` with the settings and the names that are given. Pure; one function a question. A rule names the
annotations it looked at, so that one which is refused anyway is not told of twice.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from speedscale_schemas import nettap
from speedscale_schemas.wording import short

from . import quantities
from .model import CAPTURE, OPERATOR, REPLAY, SIDECAR, Code, Parsed, Problem, Severity
from .table import BY_NAME, rows

Found = Iterator[tuple[Problem, tuple[str, ...]]]
Rule = Callable[[Parsed, dict[str, str]], Found]


def check(parsed: Parsed, texts: dict[str, str], refused: frozenset[str]) -> list[Problem]:
    """Return the problems of combinations. `texts` are the given annotations; `refused` those that are wrong alone."""
    found: list[Problem] = []
    for rule in RULES:
        for problem, looked_at in rule(parsed, texts):
            if refused.isdisjoint((problem.annotation, *looked_at)):
                found.append(problem)
    return found


def _of(
    name: str, texts: dict[str, str], code: Code, reason: str, severity: Severity = "error", accepted: str = ""
) -> Problem:
    value = short(texts[name]) if name in texts else ""
    return Problem(name, code, value, reason, accepted, severity=severity)


def _s(name: str) -> str:
    return f"{SIDECAR}/{name}"


def both_methods(parsed: Parsed, texts: dict[str, str]) -> Found:
    """Sidecar and nettap at once would record everything twice: neither is applied."""
    if not parsed.sidecar.inject:
        return
    for name, wanted in (("enabled", parsed.capture.enabled), ("java-agent", parsed.capture.java_agent)):
        other = f"{CAPTURE}/{name}"
        if wanted and other in texts:
            reason = f"cannot stand beside {_s('inject')}: two ways to capture, neither is applied; take one away"
            yield _of(other, texts, Code.BOTH_METHODS, reason), (_s("inject"),)


def java_agent(parsed: Parsed, texts: dict[str, str]) -> Found:
    """There is no agent for a JVM's own TLS yet; what asks for it would be captured otherwise than it reads."""
    name = f"{CAPTURE}/java-agent"
    if parsed.capture.java_agent and name in texts and not parsed.sidecar.inject:
        reason = (
            "asks for an agent that does not exist yet, and the workload is not captured; take it away to have what is"
            f' not TLS captured by nettap, or use {_s("inject")}: "true", {_s("tls-out")} and {_s("tls-in-secret")}'
        )
        yield _of(name, texts, Code.UNSUPPORTED, reason, accepted="false"), (_s("inject"),)


def ignored_ports(parsed: Parsed, texts: dict[str, str]) -> Found:
    """The programs in the kernel compare with so many ports and no more."""
    name = f"{CAPTURE}/ignore-ports"
    if name in texts and len(parsed.capture.ignore_ports) > nettap.PORTS_MAX:
        reason = f"has {len(parsed.capture.ignore_ports)} ports"
        yield _of(name, texts, Code.VALUE, reason, accepted=f"at most {nettap.PORTS_MAX} ports"), ()


def ignored(parsed: Parsed, texts: dict[str, str]) -> Found:
    """A workload that is never touched is not captured either."""
    if not parsed.operator.ignore:
        return
    for name in (_s("inject"), f"{CAPTURE}/enabled", f"{REPLAY}/snapshot-id"):
        if name in texts and texts[name] != "false":
            reason = f"has no effect: {OPERATOR}/ignore wins over everything"
            yield _of(name, texts, Code.NO_EFFECT, reason, "warning"), (f"{OPERATOR}/ignore",)


def proxy_types(parsed: Parsed, texts: dict[str, str]) -> Found:
    """Some settings are for some proxy types only."""
    current = parsed.sidecar.proxy_type
    for row in rows(SIDECAR):
        if row.full_name in texts and row.proxy_types and current not in row.proxy_types:
            reason = f"has no effect with proxy-type {current}; it is for {', '.join(row.proxy_types)}"
            yield _of(row.full_name, texts, Code.NO_EFFECT, reason, "warning"), (_s("proxy-type"),)


_PROTOCOLS = {
    "reverse": ("http", "socks", "tcp"),
    "forward": ("http", "socks"),
    "dual": ("http", "socks", "tcp:http", "tcp:socks"),
}


def protocols(parsed: Parsed, texts: dict[str, str]) -> Found:
    """Each proxy type has its set of protocols."""
    accepted = _PROTOCOLS.get(parsed.sidecar.proxy_type)
    if accepted is not None and parsed.sidecar.proxy_protocol not in accepted:
        reason = f"is not possible with proxy-type {parsed.sidecar.proxy_type}"
        problem = _of(_s("proxy-protocol"), texts, Code.CONFLICT, reason, accepted=", ".join(accepted))
        yield problem, (_s("proxy-type"),)


def needs_tls_out(parsed: Parsed, texts: dict[str, str]) -> Found:
    """What looks into outbound TLS needs outbound TLS to be unwrapped."""
    for name, wanted in (
        ("tls-java-tool-options", parsed.sidecar.tls_java_tool_options),
        ("kube-api-support", parsed.sidecar.kube_api_support),
    ):
        if wanted and not parsed.sidecar.tls_out:
            reason = f'has no effect without {_s("tls-out")}: "true"'
            yield _of(_s(name), texts, Code.NO_EFFECT, reason, "warning"), (_s("tls-out"),)


def key_pairs(parsed: Parsed, texts: dict[str, str]) -> Found:
    """Files of a key pair are names in a Secret; without a Secret both are full paths."""
    for kind in ("in", "mutual"):
        secret = _s(f"tls-{kind}-secret")
        files = {
            _s(f"tls-{kind}-{part}"): getattr(parsed.sidecar, f"tls_{kind}_{part}") for part in ("private", "public")
        }
        has_secret = getattr(parsed.sidecar, f"tls_{kind}_secret") is not None
        given = [name for name in files if name in texts]
        for name, file in files.items():
            looked_at = (secret, *files)
            if has_secret and file.startswith("/"):
                reason = f"is a path, but with {secret} it is the name of a file in that Secret"
                yield _of(name, texts, Code.CONFLICT, reason, accepted="a file name such as tls.key"), looked_at
            elif given and not has_secret and not file.startswith("/"):
                stands = "" if name in texts else f"is missing (without it {file}): "
                reason = f"{stands}without {secret} both files must be full paths in the container"
                yield _of(name, texts, Code.CONFLICT, reason, accepted="a full path, or the Secret"), looked_at


def ports(parsed: Parsed, texts: dict[str, str]) -> Found:
    """Every listener of the sidecar has a port of its own."""
    sidecar = parsed.sidecar
    taken = {4144: "the sidecar's health port"}
    listeners: list[tuple[str, int | None]] = []
    if sidecar.listens_inbound:
        listeners.append(("proxy-in-port", sidecar.proxy_in_port))
    if sidecar.listens_outbound:
        listeners.append(("proxy-out-port", sidecar.proxy_out_port))
    listeners.append(("prometheus-port", sidecar.prometheus_port))
    if sidecar.prometheus_port is None:
        taken[4145] = "the sidecar's metrics port"
    names = tuple(_s(name) for name, _ in listeners)
    for name, port in listeners:
        if port is None:
            continue
        if port in taken:
            yield _of(_s(name), texts, Code.CONFLICT, f"is port {port}, which is {taken[port]} already"), names
        taken.setdefault(port, name)
    forwards = sidecar.proxy_type in ("reverse", "dual") and sidecar.proxy_host in ("localhost", "127.0.0.1")
    if forwards and sidecar.proxy_port == sidecar.proxy_in_port:
        reason = f"is port {sidecar.proxy_port}, the sidecar's own inbound listener: it would forward to itself"
        yield _of(_s("proxy-port"), texts, Code.CONFLICT, reason), (*names, _s("proxy-host"), _s("proxy-type"))


def limits(parsed: Parsed, texts: dict[str, str]) -> Found:
    """Kubernetes refuses a pod whose limit is below its request."""
    for resource in ("cpu", "memory", "ephemeral-storage"):
        key = resource.replace("-", "_")
        request, limit = getattr(parsed.sidecar, f"{key}_request"), getattr(parsed.sidecar, f"{key}_limit")
        if request is None or limit is None or quantities.amount(limit) >= quantities.amount(request):
            continue
        name = _s(f"{resource}-limit")
        yield _of(name, texts, Code.CONFLICT, f"is below the request of {request}"), (_s(f"{resource}-request"),)


def loopback(parsed: Parsed, texts: dict[str, str]) -> Found:
    """What is left out cannot be redirected."""
    if parsed.sidecar.ignore_loopback and parsed.sidecar.track_loopback:
        reason = f"has no effect: {_s('ignore-loopback')} leaves out what it would redirect"
        yield _of(_s("track-loopback"), texts, Code.NO_EFFECT, reason, "warning"), (_s("ignore-loopback"),)


def unused_settings(parsed: Parsed, texts: dict[str, str]) -> Found:
    """Settings of a sidecar that nobody asked for: `inject` is neither set nor the operator's default."""
    if _s("inject") in texts or parsed.sidecar.inject:
        return
    given = [row.full_name for row in rows(SIDECAR, settable=True) if row.full_name in texts]
    if given:
        more = f" (and {len(given) - 1} more)" if len(given) > 1 else ""
        reason = f'{more.strip()} has no effect without {_s("inject")}: "true"'.strip()
        yield _of(given[0], texts, Code.NO_EFFECT, reason, "warning"), (_s("inject"),)


def replay_without_snapshot(parsed: Parsed, texts: dict[str, str]) -> Found:
    """Settings of a replay need the snapshot that is replayed."""
    if parsed.replay.snapshot_id is not None:
        return
    given = [row.full_name for row in rows(REPLAY, settable=True) if row.full_name in texts]
    if given:
        reason = f"has no effect without {REPLAY}/snapshot-id"
        yield _of(given[0], texts, Code.NO_EFFECT, reason, "warning"), (f"{REPLAY}/snapshot-id",)


def cleanup_all(parsed: Parsed, texts: dict[str, str]) -> Found:
    """`cleanup: all` deletes the very workload that bears the annotation."""
    if parsed.replay.cleanup == "all":
        reason = "deletes this workload when the replay has ended"
        yield _of(f"{REPLAY}/cleanup", texts, Code.DESTRUCTIVE, reason, "warning", "inventory, none"), ()


def deprecated(parsed: Parsed, texts: dict[str, Any]) -> Found:
    """Older names are accepted, and said to be older."""
    for name in texts:
        row = BY_NAME[name]
        if row.instead:
            yield _of(name, texts, Code.DEPRECATED, f"is deprecated; use {row.instead}", "warning"), ()


RULES: tuple[Rule, ...] = (
    both_methods,
    java_agent,
    ignored_ports,
    ignored,
    proxy_types,
    protocols,
    needs_tls_out,
    key_pairs,
    ports,
    limits,
    loopback,
    unused_settings,
    replay_without_snapshot,
    cleanup_all,
    deprecated,
)
