"""Admission: latency at 200 reviews a second of 8 KB Deployments, alone and beside a controller that lists 10,000.

`run() -> list[dict]`. The operator runs as in the cluster tests: three processes, a real API server. Reviews go
straight to the admission process over TLS, each timed from when it was due (a late start counts), on ten connections.
Then the controller process is killed: the next one lists all Deployments while the reviews go on. Half of the reviews
ask for a sidecar. Memory is the resident set of each process after that.
"""

from __future__ import annotations

import asyncio
import concurrent.futures
import json
import os
import signal
import ssl
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import Any

import aiohttp

ROOT = Path(__file__).resolve().parent.parent
RATE, SECONDS, CONNECTIONS = 200, 8, 10
DEPLOYMENTS, BYTES, THREADS = 10_000, 8 * 1024, 4
INJECT = {"sidecar.speedscale.com/inject": "true"}


def run(deployments: int = DEPLOYMENTS) -> list[dict[str, Any]]:
    """Return the rows; none without the control plane's programs or an address for a Service's endpoint."""
    sys.path[:0] = [str(ROOT / "tests" / "cluster"), str(ROOT / "scripts")]
    import go_tools
    from harness.cluster import Cluster
    from harness.components import CONTROL_PLANE
    from harness.operator import Installation, own_address

    try:
        go_tools.ensure(*go_tools.CONTROL_PLANE)
    except go_tools.ToolMissing as missing:
        print(f"admission: {missing}", file=sys.stderr)
        return []
    if not (address := own_address()):
        print("admission: this machine has no address but loopback", file=sys.stderr)
        return []
    # without a controller-manager nobody makes ReplicaSets of the Deployments
    parts = [one for one in CONTROL_PLANE if one.name != "kube-controller-manager"]
    with (
        tempfile.TemporaryDirectory() as scratch,
        Cluster(Path(scratch) / "it", components=parts) as cluster,
        cluster.client() as kube,
    ):
        tree = {"operator": {"leaderElection": False}}
        installation = Installation(cluster, kube, "speedscale", Path(scratch) / "op", address, tree)
        installation.apply()
        try:
            replica = installation.start()
            url = f"https://{address}:{replica.ports['webhook']}/mutate"
            before = _cpu_s(replica.child("admission"))
            alone = asyncio.run(_load(url))
            cpu_s = (_cpu_s(replica.child("admission")) - before) / (RATE * SECONDS + CONNECTIONS)
            _fill(cluster, deployments)
            controller = replica.child("controller")
            os.kill(controller, signal.SIGKILL)
            with concurrent.futures.ThreadPoolExecutor(1) as aside:
                listed = aside.submit(_wait_listed, replica, controller)
                beside = asyncio.run(_load(url))
                synced = listed.result()
            memory = {role: _mib(replica.child(role)) for role in ("admission", "controller")}
        finally:
            installation.end()
    return _rows(alone, beside, cpu_s, memory, synced, deployments)


def review(number: int) -> bytes:
    """Return an AdmissionReview of a Deployment of 8 KB; every other asks for a sidecar."""
    env = [{"name": f"SETTING_{n}", "value": "x" * 40} for n in range(BYTES // 90)]
    pod = {"containers": [{"name": "app", "image": "registry.example.com/app:1", "env": env}]}
    name = f"web-{number}"
    return json.dumps(
        {
            "kind": "AdmissionReview",
            "apiVersion": "admission.k8s.io/v1",
            "request": {
                "uid": f"00000000-0000-4000-8000-{number:012d}",
                "kind": {"group": "apps", "version": "v1", "kind": "Deployment"},
                "namespace": "default",
                "name": name,
                "operation": "CREATE",
                "object": deployment(name, pod, INJECT if number % 2 else {}),
                "oldObject": None,
                "dryRun": False,
            },
        }
    ).encode()


def deployment(name: str, pod: dict[str, Any], annotations: dict[str, str]) -> dict[str, Any]:
    """Return a Deployment."""
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": name, "namespace": "default", "annotations": annotations},
        "spec": {
            "replicas": 0,
            "selector": {"matchLabels": {"app": name}},
            "template": {"metadata": {"labels": {"app": name}}, "spec": pod},
        },
    }


async def _load(url: str) -> list[float]:
    """Return the seconds of each answer, counted from when its review was due."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    bodies = [review(number) for number in range(64)]
    taken: list[float] = []
    connector = aiohttp.TCPConnector(limit=CONNECTIONS, ssl=context)
    async with aiohttp.ClientSession(connector=connector) as session:

        async def one(due: float, body: bytes) -> None:
            async with session.post(url, data=body, headers={"Content-Type": "application/json"}) as answer:
                found = await answer.json()
            assert found["response"]["allowed"] is True
            taken.append(time.perf_counter() - due)

        await asyncio.gather(*(one(time.perf_counter(), body) for body in bodies[:CONNECTIONS]))  # handshakes, imports
        taken.clear()
        began = time.perf_counter()
        running = []
        for number in range(RATE * SECONDS):
            due = began + number / RATE
            await asyncio.sleep(max(0.0, due - time.perf_counter()))
            running.append(asyncio.create_task(one(due, bodies[number % len(bodies)])))
        await asyncio.gather(*running)
    return sorted(taken)


def _fill(cluster: Any, count: int) -> None:
    pod = json.loads(review(0))["request"]["object"]["spec"]["template"]["spec"]

    def make(numbers: range) -> None:
        with cluster.client() as client:
            for number in numbers:
                client.create(deployment(f"it-{number}", pod, {}), "bench")

    threads = [threading.Thread(target=make, args=(range(n, count, THREADS),)) for n in range(THREADS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def _wait_listed(replica: Any, before: int) -> float:
    """Wait until the controller that came after `before` has read every collection; return the seconds it took."""
    began = time.monotonic()
    until = began + 120
    while replica.child("controller") == before or "the controller leads\n" not in replica.get("/readyz")[1]:
        if time.monotonic() > until:
            raise RuntimeError(f"the controller has not read everything: {replica.get('/readyz')[1]}")
        time.sleep(0.5)
    return time.monotonic() - began


def _cpu_s(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def _mib(pid: int) -> float:
    status = Path(f"/proc/{pid}/status").read_text(encoding="ascii")
    return float(status.partition("VmRSS:")[2].split()[0]) / 1024


def _rows(
    alone: list[float],
    beside: list[float],
    cpu_s: float,
    memory: dict[str, float],
    synced: float,
    deployments: int,
) -> list[dict[str, Any]]:
    def row(what: str, ours: float, unit: str, goal: str) -> dict[str, Any]:
        return {"what": what, "ours": ours, "unit": unit, "peer": None, "peer_name": "", "ratio": None, "goal": goal}

    def at(sample: list[float], share: float) -> float:
        return sample[min(len(sample) - 1, int(len(sample) * share))] * 1000

    listing = f"while {deployments:,} are listed"
    return [
        row(f"review of an 8 KB Deployment at {RATE}/s, p50", at(alone, 0.5), "ms", "< 5 ms"),
        row("  p99", at(alone, 0.99), "ms", "< 25 ms"),
        row("  processor time of admission for one, half of them injected", cpu_s * 1000, "ms", "< 2.5 ms"),
        row(f"  {listing}, p50", at(beside, 0.5), "ms", "< 5 ms"),
        row(f"  {listing}, p99", at(beside, 0.99), "ms", "< 50 ms"),
        row(f"  from the controller's end to {deployments:,} listed by the next", synced, "s", "< 30 s"),
        row("  memory of admission", memory["admission"], "MiB", "< 128 MiB"),
        row(f"  memory of the controller with {deployments:,} Deployments", memory["controller"], "MiB", "< 192 MiB"),
    ]


if __name__ == "__main__":
    for line in run(*map(int, sys.argv[1:])):
        print(f"{line['what']}: {line['ours']:.2f} {line['unit']}")
