"""Files of the cluster tests and their workers."""

from __future__ import annotations

import sys
from collections import deque
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from xdist.remote import Producer

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "cluster"))

from harness.scheduling import ARGO_CD, LONGEST, ArgoFirst

ARGO = [LONGEST[0], *(f"{ARGO_CD}test_{name}.py" for name in ("application", "gate", "overlays"))]
OTHERS = [*(f"tests/cluster/test_{number}.py" for number in range(6)), LONGEST[1]]


class Worker:
    """Runs what it is sent, one test at a time."""

    shutting_down = False

    def __init__(self, number: int, collected: list[str]) -> None:
        self.gateway = SimpleNamespace(id=f"gw{number}", spec=None)
        self.collected, self.sent, self.files = collected, deque[int](), list[str]()

    def send_runtest_some(self, indices: list[int]) -> None:
        self.sent.extend(indices)

    def shutdown(self) -> None:
        self.shutting_down = True


def run(count: int, files: list[str]) -> list[list[str]]:
    """Return the files of each of `count` workers, in their order, when all are as fast."""
    collected = [f"{file}::test_{n}" for file in files for n in range(2 if file in ARGO else 5)]
    config: Any = SimpleNamespace(
        getvalue=lambda name: ["popen"] * count, option=SimpleNamespace(loadscopereorder=True)
    )
    scheduler = ArgoFirst(config, Producer("test", enabled=False))
    workers = [Worker(number, collected) for number in range(count)]
    for worker in workers:
        scheduler.add_node(worker)
    for worker in workers:
        scheduler.add_node_collection(worker, collected)
    scheduler.schedule()
    done = 0
    while any(worker.sent for worker in workers):
        for worker in (one for one in workers if one.sent):
            index, done = worker.sent.popleft(), done + 1
            file = collected[index].partition("::")[0]
            if file not in worker.files:
                worker.files.append(file)
            scheduler.mark_test_complete(worker, index)
    assert done == len(collected)
    return [worker.files for worker in workers]


def test_two_workers_install_argo_cd_and_begin_with_it() -> None:
    first, second, *others = run(4, OTHERS + ARGO)
    assert first[0] == LONGEST[0]
    assert LONGEST[1] in [files[0] for files in others]
    assert {*first, *second} >= set(ARGO)
    for files in (first, second):
        assert [file in ARGO for file in files] == sorted((file in ARGO for file in files), reverse=True)
    assert sorted(file for files in (first, second, *others) for file in files) == sorted(OTHERS + ARGO)


@pytest.mark.parametrize("files", [ARGO, OTHERS])
@pytest.mark.parametrize("count", [1, 2, 3])
def test_nobody_idles_while_there_is_work(count: int, files: list[str]) -> None:
    found = run(count, files)
    assert all(found)
    assert sorted(file for one in found for file in one) == sorted(files)
