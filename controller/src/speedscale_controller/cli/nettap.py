"""`speedctl nettap doctor`: what each node's kernel allows for capture without sidecars, what was chosen, and why.

Each node's ingest is asked through the API server; it passes on what capture found out when it connected. Reading only.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

from .printing import add_output_flag, emit, fail
from .reaching import add_cluster_flags, add_installation_flag, with_cluster

if TYPE_CHECKING:
    from speedscale_kube import Client

API_PORT = 8080
LABEL = "app=speedscale-nettap"
_ANSWER_MAX = 1 << 20
_EXAMPLES = """\
examples:
  speedctl nettap doctor                      every node: kernel, method and why, what is captured, what cannot be
  speedctl nettap doctor --node worker-3 -o json

Where no pod of nettap runs yet, on a node itself: speedscale-nettap-capture --doctor.
Exit code 0 when every node can capture, 1 when one cannot or gives no answer, 2 when nothing could be looked at.
"""


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the actions."""
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.epilog = _EXAMPLES
    actions = parser.add_subparsers(dest="action", required=True, metavar="ACTION")
    doctor = actions.add_parser(
        "doctor",
        help="say what each node allows, and what is captured there",
        formatter_class=argparse.RawDescriptionHelpFormatter,
        epilog=_EXAMPLES,
        allow_abbrev=False,
    )
    doctor.add_argument("--node", default="", metavar="NODE", help="this node only")
    add_cluster_flags(doctor)
    add_installation_flag(doctor)
    add_output_flag(doctor)


def run(args: argparse.Namespace) -> int:
    """Ask each node, print; 0 when every one can capture, 1 when not, 2 when nothing could be looked at."""
    return with_cluster(args, lambda client: _doctor(client, args))


def _doctor(client: Client, args: argparse.Namespace) -> int:
    from . import installed

    there = installed.find(client, args.operator_namespace)
    if there is None:
        return fail("no installation was found", "speedctl doctor --pre says what one would meet")
    pods = client.list("v1", "Pod", there.namespace, labels=LABEL)
    found = {node: one for node, one in sorted(asked(client, pods)) if args.node in ("", node)}
    if not found:
        what = f"on node {args.node}" if args.node else f"in namespace {there.namespace}"
        return fail(f"no pod of nettap is {what}", "set ebpf.enabled in the values, synthesise, sync")
    emit(args, {"nodes": found}, "\n\n".join(described(node, one) for node, one in found.items()))
    return 0 if all(works(one) for one in found.values()) else 1


def asked(client: Client, pods: Iterable[Mapping[str, Any]]) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield each pod's node, with what its ingest answers (`GET /config`), or `{"error": …}`."""
    from speedscale_schemas.errors import PeerError, PermanentError, TransientError

    for pod in pods:
        node = str((pod.get("spec") or {}).get("nodeName", "")) or "not scheduled"
        try:
            answer = json.loads(client.ask(client.ref(dict(pod)), API_PORT, "/config", max_bytes=_ANSWER_MAX))
        except (PermanentError, PeerError, TransientError) as error:
            yield node, {"error": str(error)}
        except ValueError:
            yield node, {"error": "the ingest's answer is no JSON"}
        else:
            yield node, answer if isinstance(answer, dict) else {"error": "the ingest's answer is no object"}


def works(one: Mapping[str, Any]) -> bool:
    """Whether a node's capture is there and can capture."""
    capture = one.get("capture") or {}
    report = (capture.get("hello") or {}).get("doctor") or {}
    return "error" not in one and bool(capture.get("connected")) and bool(report.get("works", True))


def described(node: str, one: Mapping[str, Any]) -> str:
    """Return what one node says, in lines."""
    if "error" in one:
        return f"{node}\n  no answer: {one['error']}"
    return "\n  ".join([node, *_of_capture(one), *_of_targets(one)])


def _of_capture(one: Mapping[str, Any]) -> Iterator[str]:
    capture = one.get("capture") or {}
    hello = capture.get("hello") or {}
    if not capture.get("connected"):
        yield "capture is not connected: its container's log says why"
    report = hello.get("doctor") or {}
    if hello:
        lockdown = f", lockdown {report['lockdown']}" if report.get("lockdown") else ""
        yield f"kernel {hello.get('kernel', '?')}{lockdown}; cgroups {hello.get('hierarchy', '?')}"
    for what, method in sorted((hello.get("methods") or {}).items()):
        if isinstance(method, Mapping):
            yield f"{what}: by {method.get('source', '?')}: {method.get('why', '')}".rstrip(": ")
    for name, probe in sorted((report.get("probes") or {}).items()):
        if not probe.get("works"):
            yield f"no {name}: {probe.get('reason', '')} -> {probe.get('advice', '')}"
    lacking = [name for name, held in sorted((report.get("capabilities") or {}).items()) if not held]
    if lacking:
        yield f"without {', '.join(lacking)}"


def _of_targets(one: Mapping[str, Any]) -> Iterator[str]:
    targets = one.get("targets") or []
    yield f"{len(targets)} pods and cgroups are captured"
    for refused in one.get("refusedPods") or ():
        yield f"not captured: pod {refused.get('namespace')}/{refused.get('pod')}: {refused.get('reason')}"
    for unseen in one.get("tlsNotSeen") or ():
        yield f"TLS of process {unseen.get('process')} ({unseen.get('where')}) cannot be seen"
    for problem in one.get("problems") or ():
        yield f"problem: {problem}"
