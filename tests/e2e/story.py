"""What the story's tests do and look at beside the installation: people who ask, and everything that is kept of it.

The searching is `speedscale_runtime.demo.leaks`, which shares no code with the redaction. Nothing here starts or
changes a component.
"""

from __future__ import annotations

import contextlib
import json
import re
import urllib.parse
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import duckdb
import pods
import pytest
from harness.faults import aligned
from whole import NAMESPACE, SHOP, Whole

from speedscale_kube import Object
from speedscale_runtime.demo.leaks import find_leaks

Tell = Callable[[str, str], None]
TOLD = "story"
PERSONAL = re.compile(r"[\w.+-]+@[\w-]+\.[\w.]+|\b\d{15,16}\b")
_SERVER = f"http://java-server.{NAMESPACE}.svc:8080"
_CARDS = ("4111111111111111", "5555555555554444", "378282246310005")
_APPLICATIONS = ("java-server", "java-client")  # what they write themselves is theirs
_PIECE, _OVERLAP = 65536, 8192  # bytes; the overlap is longer than any value, encoded
_FOLDERS = ("volumes", "kubelet/pods", "logs")


@dataclass(frozen=True)
class Looked:
    """A search: in how many places and bytes, and which originals were found where."""

    places: int
    size: int
    found: dict[str, frozenset[str]]


def told(reports: Iterable[pytest.TestReport]) -> list[str]:
    """Return the lines that tests have told (`tell`), in the order of the run."""
    cells: list[tuple[str, ...]] = []
    for report in reports:
        for name, value in report.user_properties:
            if name == TOLD and report.when == "call" and isinstance(value, tuple | list):
                cells.append(tuple(map(str, value)))
    return aligned(cells) if cells else []


def customers(installed: Whole, image: str, name: str, count: int = 3) -> frozenset[str]:
    """Have `count` customers told to the application by pod `name`; return what it answered that is personal."""
    script = ["set -e"]
    for number in range(count):
        body = {
            "name": f"Ada Example{number}",
            "email": f"ada.{name}{number}@mail-{number}.example.net",
            "phone": "+44 20 7946 0958",
            "address": {"street": "12 St James Square", "city": "London"},
            "card": {"number": _CARDS[number % len(_CARDS)], "expires": "12/30"},
        }
        sent = json.dumps(body)  # without quotes of the shell's kind
        kind = "Content-Type: application/json"
        script += [f"curl -sS -m 20 -X PUT -H '{kind}' -d '{sent}' {_SERVER}/api/customers/{name}-{number}"]
    return frozenset(PERSONAL.findall(asked(installed, image, name, "; ".join(script))))


def asked(installed: Whole, image: str, name: str, script: str) -> str:
    """Run a shell script in a pod of the shop to its end; return what it printed."""
    asking(installed, image, name, script)
    return answered(installed, name)


def asking(installed: Whole, image: str, name: str, script: str) -> None:
    """Start a shell script in a pod of the shop."""
    installed.kube.apply(pods.pod(SHOP, name, image, script, restartPolicy="Never"), pods.MANAGER)


def answered(installed: Whole, name: str) -> str:
    """Wait for such a pod's end; return what it printed."""
    phase = pods.until_over(installed.kube, SHOP, name)
    printed = installed.node.logs(SHOP, name)
    assert phase == "Succeeded", printed
    return printed


def requests(name: str, count: int, pause_s: float = 0.0) -> str:
    """Return a script that asks `count` times for customers `<name>-…` and prints each answer's status."""
    one = f'curl -s -m 20 -o /dev/null -w "%{{http_code}}\\n" {_SERVER}/api/customers/{name}-$n'
    return f"n=0; while test $n -lt {count}; do {one}; sleep {pause_s}; n=$((n+1)); done"


def pairs(installed: Whole, name: str) -> list[Object]:
    """Return what the backend has of the requests that `<name>-…` stands in."""
    query = urllib.parse.quote(f'(location CONTAINS "/{name}-")', safe="()")
    return list(installed.cloud(f"/v1/rrpairs?service=java-server&limit=1000&filter={query}")["items"])


def pair(installed: Whole, one: Object) -> Object:
    """Return a whole pair."""
    return dict(installed.cloud(f"/v1/rrpairs/{urllib.parse.quote(one['uuid'], safe='')}"))


def redacted(installed: Whole) -> float:
    """Return how many values the forwarder says it has redacted."""
    (forwarder,) = installed.pods(labels="app=speedscale-forwarder")
    counts = installed.metrics(forwarder["metadata"]["name"])
    return sum(value for name, value in counts.items() if name.startswith("speedscale_forwarder_redacted_values_total"))


def look(installed: Whole, originals: frozenset[str]) -> Looked:
    """Search everything that is kept for the originals, under every encoding."""
    places, size, found = 0, 0, {}
    for place, data in kept(installed):
        places, size = places + 1, size + len(data)
        leaks = {leak.original for piece in _pieces(data) for leak in find_leaks(piece, sorted(originals))}
        if leaks:
            found[place] = frozenset(leaks)
    return Looked(places, size, found)


def _pieces(data: bytes) -> Iterator[bytes]:
    """Cut what is large: the search undoes encodings within encodings, and its work grows faster than its input."""
    for start in range(0, max(len(data) - _OVERLAP, 1), _PIECE - _OVERLAP):
        yield data[start : start + _PIECE]


def kept(installed: Whole) -> Iterator[tuple[str, bytes]]:
    """Return everything that outlives a request: files of volumes, logs, metrics, reports, objects of the cluster."""
    for folder in _FOLDERS:
        for file in sorted((installed.node.folder / folder).rglob("*")):
            theirs = f"/{SHOP}_" in str(file) or file.parent.name in _APPLICATIONS
            if file.is_file() and not file.is_symlink() and not theirs:
                with contextlib.suppress(FileNotFoundError):  # a segment that was exported meanwhile, a log rotated
                    yield str(file.relative_to(installed.node.folder)), _read(file)
    for pod in installed.pods():
        yield from _of_pod(installed, pod)
    for report in installed.cloud("/v1/reports")["items"]:
        for form in ("json", "html", "junit", "markdown"):
            page = installed.cloud_text(f"/v1/reports/{report['id']}?format={form}")
            yield f"report {report['id']} as {form}", page.encode()
    for kind in ("configmaps", "events", "trafficreplays", "deployments"):
        yield kind, installed.node.kubectl("get", kind, "--all-namespaces", "--output=json").encode()


def _of_pod(installed: Whole, pod: Object) -> Iterator[tuple[str, bytes]]:
    name = pod["metadata"]["name"]
    for container in pod["spec"]["containers"]:
        if container["name"] in _APPLICATIONS:
            continue
        yield f"log of {name}", installed.node.logs(NAMESPACE, name, container["name"]).encode()
        for port in container.get("ports", ()):
            if port.get("name") == "metrics":
                yield f"metrics of {name}", installed.metrics_page(name, port=port["containerPort"]).encode()


def _read(file: Path) -> bytes:
    """Return what a file holds; of Parquet as text, since its columns are compressed."""
    if file.suffix != ".parquet":
        return file.read_bytes()
    with duckdb.connect() as database:
        return repr(database.execute("SELECT * FROM read_parquet(?)", [str(file)]).fetchall()).encode()
