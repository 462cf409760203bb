"""Each component is killed in turn while callers call a captured application: what they notice, and what is lost.

Nobody but the sidecar's own worker is on an application's way. What the forwarder acknowledged reaches the backend
whatever dies in between; a replay whose parts die goes on, or ends with a reason.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor

import breaking
import pytest
from breaking import Noticed
from shop import LOAD, SERVER_IMAGE, Shop, condition, opened, status, told
from whole import NAMESPACE, Whole

from speedscale_kube import Object, Ref

SIDECAR = "speedscale-goproxy"
COMPONENTS = ("operator", "forwarder", "inspector", "cloud")
PREFIX = "speedscale_goproxy_"
ROW = "{:<22} {:>8} {:>6} {:>13} {:>9} {:>6}  {}"


@pytest.fixture(scope="module")
def table() -> Iterator[list[str]]:
    """What happened, a line a component; printed in the end."""
    lines = [ROW.format("killed", "requests", "errors", "not connected", "cut", "lost", "how it ended")]
    yield lines
    print("\n" + "\n".join(lines))


@pytest.fixture(scope="module")
def shop(installed: Whole, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shop]:
    """A captured application with callers, in a namespace of its own."""
    folder = tmp_path_factory.mktemp("load")
    with opened(installed, folder, "faults", "orders", lambda shop: shop.pays("charges")) as made:
        assert {LOAD, SERVER_IMAGE} <= set(installed.node.images())
        yield made


def while_called(shop: Shop, mark: str, act: Callable[[], None]) -> Noticed:
    """Do something once a tenth of the calls are made; return what the callers noticed of it."""
    before = shop.counts()[f"{PREFIX}pairs_seen_total"]
    with ThreadPoolExecutor(1) as one:
        calling = one.submit(shop.ask, breaking.calls(f"{shop.url}/api/products", mark))
        shop.whole.until(
            lambda: calling.done() or shop.counts()[f"{PREFIX}pairs_seen_total"] >= before + 100, "it is called"
        )
        assert not calling.done(), f"the calls were over before anything was broken: {calling.result()}"
        act()
        return breaking.noticed(calling.result())


def dropped(before: dict[str, float], after: dict[str, float]) -> dict[str, int]:
    """Return how many pairs were lost in between, by cause."""
    causes = {name: name.partition('"')[2].rstrip('"}') for name in after if name.startswith(f"{PREFIX}pairs_dropped")}
    grown = {cause: int(after[name] - before[name]) for name, cause in causes.items()}
    return {cause: count for cause, count in grown.items() if count}


def our_pod(shop: Shop, component: str) -> Object:
    (found,) = shop.whole.pods(NAMESPACE, f"app=speedscale-{component}")
    return found


def back(shop: Shop, component: str, restarts: int) -> bool:
    """Whether a component's container was started again since, and is ready."""
    statuses = our_pod(shop, component)["status"].get("containerStatuses") or ()
    return bool(statuses) and all(one["ready"] and one["restartCount"] > restarts for one in statuses)


@pytest.mark.parametrize("component", COMPONENTS)
def test_nobody_notices_that_a_component_dies(shop: Shop, table: list[str], component: str) -> None:
    pod = our_pod(shop, component)
    (container,) = (one["name"] for one in pod["spec"]["containers"])
    had, before = breaking.restarts(pod, container), shop.counts()
    seen = while_called(shop, component, lambda: breaking.kill(shop.whole.node, pod, container))
    shop.whole.until(lambda: back(shop, component, had), f"{component} is back", 180.0)
    lost = dropped(before, shop.settled())
    row = (component, seen.requests, seen.errors, seen.not_connected, seen.cut, sum(lost.values()))
    table.append(ROW.format(*row, "started again, ready"))
    assert seen.requests >= 1000
    assert seen.errors == 0, seen
    assert set(lost) <= {"client_gone"}
    assert sum(lost.values()) <= 1, "wrk leaves without waiting for its last answer"


def test_what_was_acknowledged_is_at_the_backend(shop: Shop) -> None:
    captured = shop.settled()[f"{PREFIX}pairs_captured_total"]
    assert captured >= 1000

    def arrived() -> bool:
        return len({one["uuid"] for one in shop.stored(service=shop.name)}) >= captured

    shop.whole.until(arrived, f"{captured:.0f} pairs are at the backend", 120.0)
    found = [one["uuid"] for one in shop.stored(service=shop.name)]
    assert len(found) == len(set(found)) == captured


def test_a_dead_worker_refuses_nobody_and_counts_whom_it_cut(shop: Shop, table: list[str]) -> None:
    before = shop.counts()
    pod = shop.pod()
    seen = while_called(shop, "worker", lambda: breaking.kill_child(shop.whole.node, pod, SIDECAR))
    after = shop.settled()

    def grew(name: str) -> float:
        return after[PREFIX + name] - before[PREFIX + name]

    cut, lost = grew('connections_cut_total{side="in"}'), sum(dropped(before, after).values())
    how = f"{grew('worker_starts_total'):.0f} new worker; passed on meanwhile: " + format(
        grew('connections_supervised_total{side="in"}'), ".0f"
    )
    row = ("sidecar's worker", seen.requests, seen.errors, seen.not_connected, seen.cut, lost, how)
    table.append(ROW.format(*row))
    assert seen.requests >= 1000
    assert grew("worker_starts_total") == 1
    assert breaking.restarts(shop.pod(), SIDECAR) == breaking.restarts(pod, SIDECAR), "the container stays"
    assert seen.not_connected == seen.wrong == 0, seen
    assert seen.cut <= cut, f"each connection that broke is counted: {seen}, counted {cut}"
    seen_pairs, captured = grew("pairs_seen_total"), grew("pairs_captured_total")
    assert seen_pairs == captured + lost, "each pair is either at the forwarder or counted as lost"


@pytest.fixture(scope="module")
def snapshot(shop: Shop) -> str:
    """A small snapshot of visits to the application, with what it had to ask for."""
    return shop.recorded(10)


def part(shop: Shop, which: Ref, component: str) -> Object | None:
    """Return a running pod that a replay made, None while there is none."""
    namespace = NAMESPACE if component == "collector" else shop.namespace
    found = [
        pod
        for pod in shop.whole.pods(namespace)
        if pod["metadata"]["name"].startswith(f"speedscale-{component}-{which.name}")
        and all("running" in one.get("state", {}) for one in pod["status"].get("containerStatuses") or [{}])
    ]
    return found[0] if found else None


@pytest.mark.parametrize("component", ["collector", "responder", "generator"])
def test_a_replay_whose_part_dies_recovers_or_says_why(
    shop: Shop, table: list[str], snapshot: str, component: str
) -> None:
    before = shop.whole.kube.get(shop.ref)["spec"]
    which = shop.replay(f"broken-{component}", snapshot)
    try:
        shop.whole.until(
            lambda: part(shop, which, component) is not None or status(shop.condition(which, "Ready")) == "True",
            f"the {component} runs",
            180.0,
        )
        pod = part(shop, which, component)
        assert pod is not None, told(shop.whole.kube.get(which))
        breaking.kill(shop.whole.node, pod, pod["spec"]["containers"][0]["name"])
        ended = shop.ended(which)
        table.append(ROW.format(f"a replay's {component}", *["–"] * 5, told(ended)))
        ready = condition(ended, "Ready")
        assert ready["reason"] in ("TestSucceeded", "TestFailed")
        assert ended["status"]["conditions"][-1]["message"], "there is a reason"
        if component != "generator":  # of which half a run would be no run
            assert ready["reason"] == "TestSucceeded", told(ended)
        shop.whole.until(lambda: shop.whole.kube.get(shop.ref)["spec"] == before, "the workload is as before", 120.0)
    finally:
        shop.whole.kube.delete(which)
        shop.whole.until(lambda: shop.whole.kube.find(which) is None, "the replay is gone", 120.0)
