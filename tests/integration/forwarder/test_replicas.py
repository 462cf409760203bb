"""Three forwarders behind one Service: they share the load, one is killed, nothing that was acknowledged is lost."""

from __future__ import annotations

import json
import re
import sys
import threading
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import requests
import yaml

from speedscale_runtime.rrpair import recording
from speedscale_schemas import frames

sys.path.insert(0, str(Path(__file__).parent))
from faults import Relay

pytestmark = pytest.mark.integration

HPA = Path(__file__).parents[3] / "examples" / "forwarder-scale" / "hpa.yaml"
SENDERS, PAIRS = 6, 5


class Sender(threading.Thread):
    """Sends batches over a connection that is kept, each until it is acknowledged, as a sidecar does."""

    def __init__(self, port: int, batch: Callable[..., bytes], number: int) -> None:
        super().__init__()
        self.url = f"http://127.0.0.1:{port}{frames.BATCH_PATH}"
        self.batch, self.number = batch, number
        self.ended = threading.Event()
        self.acknowledged: set[str] = set()
        self.attempted: set[str] = set()
        self.repeated: set[str] = set()  # sent once more, since the answer did not come

    def run(self) -> None:
        sequence = 0
        with requests.Session() as session:
            while not self.ended.is_set():
                numbers = [self.number * 1_000_000 + sequence * PAIRS + n for n in range(PAIRS)]
                names = {f"/orders/{n}" for n in numbers}
                self.attempted |= names
                payload = self.batch(*numbers, response=b"x" * 2000)
                while not self.posted(session, payload, sequence):
                    self.repeated |= names
                    if self.ended.wait(0.05):
                        return
                self.acknowledged |= names
                sequence += 1

    def posted(self, session: requests.Session, payload: bytes, sequence: int) -> bool:
        headers = {
            "Content-Type": frames.BATCH_CONTENT_TYPE,
            frames.H_VERSION: frames.BATCH_VERSION,
            frames.H_SENDER: f"sender-{self.number}",
            frames.H_EPOCH: "1",
            frames.H_SEQUENCE: str(sequence),
        }
        try:
            return session.post(self.url, data=payload, headers=headers, timeout=20).status_code == 200
        except requests.RequestException:
            return False


def recorded(path: Path) -> Counter[str]:
    return Counter(str(e.pair.doc["location"]) for e in recording.read(path) if e.pair is not None)


def test_three_share_the_load_and_one_may_die(
    forwarder: Callable[..., Any], batch: Callable[..., bytes], tmp_path: Path
) -> None:
    outs = [tmp_path / f"out-{n}" for n in range(3)]
    spec = {"type": "files", "format": "jsonl", "max_pairs_per_s": 0}
    replicas = [
        forwarder(f"forwarder-{n}", EXPORTERS=json.dumps({"x": {**spec, "path": str(out)}}), WITH_DLP="false")
        for n, out in enumerate(outs)
    ]
    first = replicas[0]
    service = Relay(*(one.port for one in replicas))
    senders = [Sender(service.port, batch, n) for n in range(1, SENDERS + 1)]

    def acknowledged(more: int) -> Callable[[], bool]:
        wanted = [len(s.acknowledged) + more for s in senders]
        return lambda: all(len(s.acknowledged) >= n for s, n in zip(senders, wanted, strict=True))

    try:
        for sender in senders:
            sender.start()
        first.until(acknowledged(10 * PAIRS))
        shares = [one.status()["stored"]["pairs"] for one in replicas]
        assert min(shares) >= sum(shares) / 10, shares
        metric = next(
            m["pods"]["metric"]["name"] for m in yaml.safe_load(HPA.read_text())["spec"]["metrics"] if "pods" in m
        )
        for one in replicas:  # what the example of an autoscaler looks at
            one.until(lambda one=one: 0 < float(re.findall(rf"^{metric} (\S+)$", one.metrics(), re.M)[0]) <= 1)

        replicas[1].kill()
        first.until(acknowledged(10 * PAIRS))  # every sender goes on
        service.targets = [one.port for one in replicas if one is not replicas[1]]
        replicas[1].start()  # with its volume
        service.targets = [one.port for one in replicas]
        first.until(acknowledged(5 * PAIRS))
    finally:
        for sender in senders:
            sender.ended.set()
        for sender in senders:
            if sender.ident is not None:
                sender.join()
        service.stop()
    assert [one.end(90) for one in replicas] == [0, 0, 0]

    found: Counter[str] = sum((recorded(out) for out in outs), Counter())
    assert set().union(*(s.acknowledged for s in senders)) <= set(found)
    assert set(found) <= set().union(*(s.attempted for s in senders))
    twice = {name for name, times in found.items() if times > 1}
    assert twice <= set().union(*(s.repeated for s in senders))
    print(f"acknowledged {sum(len(s.acknowledged) for s in senders)}, twice {len(twice)}, shares {shares}")
