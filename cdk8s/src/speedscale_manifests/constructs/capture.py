"""Typed annotations for people's own workloads: a wrong one fails at synthesis and not in the cluster.

Called by users' cdk8s apps. `capture` takes anything with `.kind` and `.metadata.add_annotation(name, value)`: an
ApiObject, a workload of cdk8s-plus, an import of theirs. Each annotation that a user may set has one parameter, of the
same name with `_` for `-`; a test holds them against the table in `speedscale_schemas.annotations`, which alone says
what is right. Nothing that draws a problem there, not even a warning, is written.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Literal, Protocol

from speedscale_schemas import annotations as notes
from speedscale_schemas.annotations import CAPTURE, OPERATOR, REPLAY, SIDECAR, WORKLOAD_KINDS, Code
from speedscale_schemas.errors import ConfigError

Texts = str | Sequence[str]
Ports = int | str | Sequence[int]


class Metadata(Protocol):
    """The metadata of an object that is being synthesised."""

    def add_annotation(self, key: str, value: str) -> None:
        """Add an annotation."""


class Workload(Protocol):
    """What annotations are put on."""

    @property
    def kind(self) -> str:
        """Return the kind, e.g. Deployment."""

    @property
    def metadata(self) -> Metadata:  # Any of jsii's metadata classes
        """Return the metadata."""


_ELSEWHERE = {
    "nettap": f"{CAPTURE}/enabled",
    "ignore_ports": f"{CAPTURE}/ignore-ports",
    "java_agent": f"{CAPTURE}/java-agent",
}
"""Parameters of `capture` that are no annotation of the sidecar."""


def capture(
    workload: Workload,
    *,
    inject: bool = True,
    insert_init_first: bool | None = None,
    capture_mode: Literal["proxy"] | None = None,
    capture_node_traffic: bool | None = None,
    host_resolution: Literal["smart", "standard", "none"] | None = None,
    prometheus_port: int | None = None,
    prometheus_enable_scrape_annotations: bool | None = None,
    proxy_type: Literal["transparent", "reverse", "forward", "dual"] | None = None,
    proxy_protocol: Literal["http", "tcp", "socks", "tcp:http", "tcp:socks"] | None = None,
    proxy_host: str | None = None,
    proxy_port: int | None = None,
    proxy_in_port: int | None = None,
    proxy_out_port: int | None = None,
    tls_out: bool | None = None,
    tls_java_tool_options: bool | None = None,
    tls_java_tool_options_value: str | None = None,
    tls_in_secret: str | None = None,
    tls_in_private: str | None = None,
    tls_in_public: str | None = None,
    tls_mutual_secret: str | None = None,
    tls_mutual_private: str | None = None,
    tls_mutual_public: str | None = None,
    ignore_src_ips: Texts | None = None,
    ignore_dst_ips: Texts | None = None,
    ignore_src_hosts: Texts | None = None,
    ignore_dst_hosts: Texts | None = None,
    ignore_inbound_ports: Ports | None = None,
    ignore_outbound_ports: Ports | None = None,
    ignore_loopback: bool | None = None,
    track_loopback: bool | None = None,
    cpu_request: str | None = None,
    cpu_limit: str | None = None,
    memory_request: str | None = None,
    memory_limit: str | None = None,
    ephemeral_storage_request: str | None = None,
    ephemeral_storage_limit: str | None = None,
    kube_api_support: bool | None = None,
    istio_cni: bool | None = None,
    extra_container_env_vars: Mapping[str, str] | None = None,
    mount_known_ca: bool | None = None,
    diagnostics: bool | None = None,
    nettap: bool = False,
    ignore_ports: Ports | None = None,
    java_agent: bool | None = None,
) -> dict[str, str]:
    """Capture a workload's traffic: with a sidecar, or with `nettap=True` without one.

    Parameters are the annotations of docs/reference/annotations.md; None leaves one out. Lists may be sequences or
    texts with commas, `extra_container_env_vars` is a mapping. `ignore_ports` and `java_agent` are nettap's.
    `inject=False` keeps the settings and takes the sidecar out. Returns the annotations that were added.
    Raises ConfigError with every problem: wrong values, settings that exclude each other or have no effect, an object
    that is no workload, annotations there already that contradict.
    """
    given = {name: value for name, value in locals().items() if name != "workload" and value is not None}
    if nettap:
        del given["inject"]
    else:
        del given["nettap"]
    texts = {_ELSEWHERE.get(name, f"{SIDECAR}/{name.replace('_', '-')}"): _text(value) for name, value in given.items()}
    settings = [name for name in texts if name.startswith(f"{SIDECAR}/")]
    odd = settings if nettap else [name for name in texts if name.startswith(f"{CAPTURE}/")]
    problems = [f"{name}: is for capture {'with a sidecar' if nettap else 'with nettap=True'} only" for name in odd]
    return _add(workload, "capture", texts, problems)


def replay_on_apply(
    workload: Workload,
    *,
    snapshot_id: str,
    testconfig_id: str | None = None,
    build_tag: str | None = None,
    mode: Literal["full-replay", "responder-only", "generator-only"] | None = None,
    timeout: str | None = None,
    cleanup: Literal["inventory", "all", "none"] | None = None,
    secrets: Texts | None = None,
    sut_url: str | None = None,
) -> dict[str, str]:
    """Replay a snapshot against a workload whenever it is applied with other annotations than before.

    Parameters are the annotations of docs/reference/annotations.md under replay.speedscale.com. `cleanup="all"` deletes
    the workload at the end. Returns the annotations that were added; raises ConfigError with every problem.
    """
    given = {name: value for name, value in locals().items() if name != "workload" and value is not None}
    texts = {f"{REPLAY}/{name.replace('_', '-')}": _text(value) for name, value in given.items()}
    return _add(workload, "replay_on_apply", texts, [])


def leave_alone(workload: Workload) -> dict[str, str]:
    """Have the operator never touch a workload (`operator.speedscale.com/ignore`); returns what was added."""
    return _add(workload, "leave_alone", {f"{OPERATOR}/ignore": "true"}, [])


def _add(workload: Workload, verb: str, texts: dict[str, str], problems: list[str]) -> dict[str, str]:
    kind = getattr(workload, "kind", "")
    metadata = getattr(workload, "metadata", None)
    if not callable(getattr(metadata, "add_annotation", None)):
        raise ConfigError([f"{verb}: {workload!r} has no metadata.add_annotation; expected a workload of a cdk8s app"])
    where = f"{verb}({' '.join(filter(None, (kind, _name(workload))))})"
    if kind not in WORKLOAD_KINDS:
        raise ConfigError(
            [f"{where}: a {kind or 'thing without a kind'} bears none; expected {', '.join(WORKLOAD_KINDS)}"]
        )
    there = _present(metadata)
    found = notes.parse({**there, **texts}, kind).problems
    before = notes.parse(there, kind).problems
    problems += [str(p) for p in found if p not in before and not _meant(p)]
    problems += [
        f"{name}: is {there[name]!r} already, and would become {text!r}"
        for name, text in texts.items()
        if there.get(name, text) != text
    ]
    if problems:
        raise ConfigError([f"{where}: {problem}" for problem in problems])
    assert metadata is not None
    for name in sorted(texts):
        metadata.add_annotation(name, texts[name])
    return texts


def _meant(problem: notes.Problem) -> bool:
    """Whoever writes cleanup="all" in code means it; a linter still warns of it."""
    return problem.code is Code.DESTRUCTIVE


def _name(workload: object) -> str:
    name = getattr(workload, "name", "")
    return name if isinstance(name, str) else ""


def _present(metadata: Any) -> dict[str, str]:
    """Return the annotations that the object has already, as far as its metadata tells."""
    to_json = getattr(metadata, "to_json", None)
    known = to_json() if callable(to_json) else None
    found = known.get("annotations") if isinstance(known, Mapping) else None
    return {str(name): value for name, value in found.items()} if isinstance(found, Mapping) else {}


def _text(value: object) -> str:
    """Return a parameter as an annotation's text; what the table refuses afterwards is refused with its words."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, Mapping):
        return "\n".join(_lines(value))
    if isinstance(value, Sequence) and not isinstance(value, str):
        return ",".join(str(item) for item in value)
    return str(value)


def _lines(variables: Mapping[str, str]) -> Iterator[str]:
    for name, value in variables.items():
        if "\n" in str(value):
            raise ConfigError([f"extra_container_env_vars: the value of {name} has more than one line"])
        yield f"{name}={value}"
