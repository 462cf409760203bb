"""The Kubernetes layer: 5,000 ConfigMaps of 8 KiB synced into a store, beside pykube-ng's objects.

`run() -> list[dict]`. A real API server (the one of the cluster tests) holds the objects; each round is a process of
its own, so that memory is what it needs and no more. Ours lists in pages and keeps projections, as every reconciler
does; the peer lists all and keeps objects, as a plain loop over `ConfigMap.objects(api)` does. One more figure is ours
alone: how long an event of 1 MB takes to be put together and decoded.
"""

from __future__ import annotations

import importlib
import json
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
OBJECTS, BYTES, THREADS = 5000, 8 * 1024, 4


def run() -> list[dict[str, Any]]:
    """Return the rows: seconds and MiB of a first sync, a big event; none without the control plane's programs."""
    sys.path[:0] = [str(ROOT / "tests" / "cluster"), str(ROOT / "scripts")]
    import go_tools
    from harness.cluster import Cluster

    try:
        go_tools.ensure(*go_tools.CONTROL_PLANE)
    except go_tools.ToolMissing as missing:
        print(f"kube: {missing}", file=sys.stderr)
        return []
    with tempfile.TemporaryDirectory() as scratch, Cluster(Path(scratch) / "it") as cluster:
        _fill(cluster)
        ours = _alone("ours", cluster.kubeconfig)
        peer = _alone("peer", cluster.kubeconfig)
    name = "pykube-ng, whole objects"
    return [
        _row(
            f"{OBJECTS} ConfigMaps of 8 KiB, from start to synced",
            ours["seconds"],
            peer["seconds"],
            name,
            "s",
            "< 10 s",
        ),
        _row("  memory that this takes, at its peak", ours["mib"], peer["mib"], name, "MiB", "< 64 MiB"),
        _row("  a watch event of 1 MB, from bytes to event", _event(), None, "", "s", "< 0.05 s"),
    ]


def _fill(cluster: Any) -> None:
    def make(numbers: range) -> None:
        with cluster.client() as client:
            for number in numbers:
                metadata = {"name": f"it-{number}", "namespace": "default", "labels": {"app": f"it-{number % 50}"}}
                data = {"text": "x" * BYTES}
                client.create({"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": data}, "bench")

    threads = [threading.Thread(target=make, args=(range(n, OBJECTS, THREADS),)) for n in range(THREADS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def _alone(which: str, kubeconfig: Path) -> dict[str, float]:
    command = [sys.executable, "-m", "bench.kube", which, str(kubeconfig)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"{command}: {done.stderr[-800:]}")
    return dict(json.loads(done.stdout.splitlines()[-1]))


def _sync_ours(kubeconfig: str) -> int:
    from speedscale_kube import Client, Reflector, Stop, Store, load

    store: Store[tuple[str, str]] = Store()
    stop = Stop()
    with Client(load(kubeconfig, environ={})) as client:
        reflector = Reflector(
            client,
            "v1",
            "ConfigMap",
            project=lambda it: (str(it["metadata"]["uid"]), str(it["metadata"].get("labels"))),
            store=store,
        )
        thread = reflector.start(stop)
        reflector.wait_settled()
        stop.set()
        thread.join()
    return len(store)


def _sync_peer(kubeconfig: str) -> int:
    import pykube

    api = pykube.HTTPClient(pykube.KubeConfig.from_file(kubeconfig), timeout=60)
    return len({(it.namespace, it.name): it for it in pykube.ConfigMap.objects(api, namespace=pykube.all)})


def _event() -> float:
    from types import SimpleNamespace

    from speedscale_kube.watch import CHUNK_BYTES, Watch

    event = {"type": "ADDED", "object": {"metadata": {"resourceVersion": "1"}, "data": {"text": "x" * 1_000_000}}}
    body = json.dumps(event).encode() + b"\n"
    chunks = [body[at : at + CHUNK_BYTES] for at in range(0, len(body), CHUNK_BYTES)]
    raw = SimpleNamespace(chunked=True, read_chunked=lambda size: iter(chunks))
    started = time.perf_counter()
    rounds = 20
    for _ in range(rounds):
        assert len(list(Watch(SimpleNamespace(raw=raw), "bench"))) == 1  # type: ignore[arg-type]
    return (time.perf_counter() - started) / rounds


def _row(what: str, ours: float, peer: float | None, name: str, unit: str, goal: str) -> dict[str, Any]:
    shown = {"peer": peer, "peer_name": f"{unit}, {name}"} if peer else {"peer": None, "peer_name": name}
    return {"what": what, "ours": ours, "unit": unit, "ratio": ours / peer if peer else None, "goal": goal, **shown}


def main(which: str, kubeconfig: str) -> None:
    """Sync once in this process and print seconds and the MiB that it added."""
    sync = {"ours": _sync_ours, "peer": _sync_peer}[which]
    for library in ("pykube", "speedscale_kube"):  # both have theirs loaded when measuring begins
        importlib.import_module(library)
    before = _peak_mib()
    started = time.perf_counter()
    count = sync(kubeconfig)
    seconds = time.perf_counter() - started
    assert count >= OBJECTS, f"{count} of {OBJECTS} objects"
    print(json.dumps({"seconds": seconds, "mib": _peak_mib() - before}))


def _peak_mib() -> float:
    """Return the most memory this process held; getrusage would count what its parent held, too."""
    status = Path("/proc/self/status").read_text(encoding="ascii")
    return float(status.partition("VmHWM:")[2].split()[0]) / 1024


if __name__ == "__main__":
    main(*sys.argv[1:])
