"""Who is captured by nettap: what annotations mean, the document, when it is written, who is told what."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from speedscale_controller.nettap import Nettap
from speedscale_controller.nettap.asking import WORKLOADS, Wish, wish
from speedscale_controller.nettap.choosing import NOT_INSTALLED, REASONS, TOO_MANY, WORKLOADS_MAX, choose
from speedscale_controller.nettap.reconciler import LIVE, MANAGER
from speedscale_controller.settings import Settings
from speedscale_controller.telemetry import Metrics
from speedscale_kube import Object, Ref
from speedscale_kube.client import Page
from speedscale_kube.errors import ForbiddenError
from speedscale_kube.store import Key, Store
from speedscale_schemas.nettap import CONFIG_MAP, KEY, Place, Refusal, parse

C, S = "capture.speedscale.com/", "sidecar.speedscale.com/"
ASKS = {C + "enabled": "true"}
OWNER = [{"apiVersion": "apps/v1", "kind": "Deployment", "name": "a", "uid": "1", "controller": True}]


def workload(name: str = "cart", kind: str = "Deployment", /, **meta: Any) -> Object:
    containers = meta.pop("containers", [{"name": "app", "image": "app:1"}])
    template = {"metadata": {}, "spec": {"containers": containers}}
    spec = {"jobTemplate": {"spec": {"template": template}}} if kind == "CronJob" else {"template": template}
    version = {"Pod": "v1", "Job": "batch/v1", "CronJob": "batch/v1"}.get(kind, "apps/v1")
    metadata = {"name": name, "namespace": "shop", "uid": f"uid-{name}", **meta}
    return {
        "apiVersion": version,
        "kind": kind,
        "metadata": metadata,
        "spec": template["spec"] if kind == "Pod" else spec,
    }


@pytest.mark.parametrize("kind", ["Deployment", "StatefulSet", "DaemonSet", "ReplicaSet", "Job", "CronJob", "Pod"])
def test_a_workload_of_any_kind_may_ask(kind: str) -> None:
    annotations = {**ASKS, C + "ignore-ports": "9090,5432"}
    found = wish(workload("cart", kind, annotations=annotations, labels={"app": "shop-cart"}))
    assert found is not None
    assert (found.place, found.label, found.refusal) == (Place("shop", kind, "cart"), "shop-cart", None)
    assert set(found.ignore_ports) == {9090, 5432}


@pytest.mark.parametrize(
    "meta",
    [
        {},
        {"annotations": {C + "enabled": "false"}},
        {"annotations": {C + "ignore-ports": "80"}},
        {"annotations": {S + "inject": "true"}},
        {"annotations": ASKS, "ownerReferences": OWNER},
        {"annotations": ASKS, "deletionTimestamp": "2026-01-01T00:00:00Z"},
    ],
)
def test_who_asks_nothing_is_not_kept(meta: dict[str, Any]) -> None:
    assert wish(workload(**meta)) is None


@pytest.mark.parametrize(
    ("annotations", "refusal", "words"),
    [
        ({**ASKS, S + "inject": "true"}, Refusal.SIDECAR, "neither is applied"),
        ({**ASKS, C + "java-agent": "true"}, Refusal.JAVA_AGENT, "does not exist yet"),
        ({C + "java-agent": "true"}, Refusal.JAVA_AGENT, "does not exist yet"),
        ({C + "enabled": "yes please"}, Refusal.ANNOTATIONS, "true"),
        ({**ASKS, C + "ignore-ports": "http"}, Refusal.ANNOTATIONS, "ignore-ports"),
        ({**ASKS, C + "ignore-ports": ",".join(map(str, range(1, 18)))}, Refusal.TOO_MANY_PORTS, "at most 16 ports"),
        ({**ASKS, "operator.speedscale.com/ignore": "true"}, Refusal.IGNORED, "wins over everything"),
    ],
)
def test_a_refusal_has_a_reason_and_says_what_to_do(annotations: dict[str, str], refusal: Refusal, words: str) -> None:
    found = wish(workload(annotations=annotations))
    assert found is not None
    assert found.refusal is refusal
    assert words in found.message


def test_a_sidecar_that_is_still_there_is_waited_for() -> None:
    both = [{"name": "app"}, {"name": "speedscale-goproxy"}]
    found = wish(workload(annotations=ASKS, containers=both))
    assert found is not None
    assert found.refusal is Refusal.SIDECAR


@given(st.permutations([f"w{n}" for n in range(6)]))
def test_the_document_is_the_same_in_whatever_order(names: list[str]) -> None:
    wishes = [found for name in names if (found := wish(workload(name, annotations=ASKS)))]
    assert choose(wishes, installed=True) == choose(reversed(wishes), installed=True)


def test_what_does_not_fit_is_told() -> None:
    wishes = [Wish(Ref("apps/v1", "Deployment", "shop", f"w{n:05}"), "", "w") for n in range(WORKLOADS_MAX + 2)]
    choice = choose(wishes, installed=True)
    assert choice.text is not None
    assert len(parse(choice.text).workloads) == len(choice.captured) == WORKLOADS_MAX
    assert [reason for _, reason, _ in choice.refused] == [TOO_MANY] * 2


def test_the_largest_document_fits_into_a_config_map() -> None:
    long, ports = "n" * 253, tuple(range(65000, 65016))
    ref = [Ref("apps/v1", "StatefulSet", "s" * 63, f"{n:04}{long[4:]}") for n in range(2 * WORKLOADS_MAX)]
    good = [Wish(one, "", long, ports) for one in ref[:WORKLOADS_MAX]]
    bad = [Wish(one, "", long, ports, Refusal.ANNOTATIONS, "é" * 5000) for one in ref[WORKLOADS_MAX:]]
    text = choose([*good, *bad], installed=True).text
    assert text is not None
    assert len(text.encode()) < 1_048_576


class World:
    """A cluster of one ConfigMap and some workloads, and what a reconciler needs of its context."""

    def __init__(self) -> None:
        self.settings = Settings.parse({"POD_NAMESPACE": "speedscale", "POD_NAME": "p"})
        self.metrics = Metrics()
        self.stores: dict[str, Store[Any]] = {one: Store() for one in ({w.name for w in WORKLOADS} | {LIVE.name})}
        self.components: tuple[str, ...] = ("nettap",)
        self.objects: dict[Ref, Object] = {}
        self.told: list[tuple[str, str, str]] = []
        self.writes = 0
        self.time = 0.0
        self.forbidden = False
        self.pods: list[Object] = []
        self.wanted: list[float] = []
        self.client = self.recorder = self
        self._versions = itertools.count()

    # context

    def store(self, watched: Any) -> Store[Any]:
        return self.stores[watched.name]

    def work(self, name: str, reconcile: Callable[[str], Any], *, on_permanent: Any) -> World:
        return self

    def add_after(self, key: str, seconds: float) -> None:
        self.wanted.append(seconds)

    def every(self, seconds: float, name: str, call: Any) -> None: ...
    def on_bundle(self, call: Any) -> None: ...
    def bundle(self) -> World:
        return self

    def clock(self) -> float:
        return self.time

    # client and recorder

    def find(self, which: Ref) -> Object | None:
        return self.objects.get(which)

    def apply(self, obj: Object, manager: str, *, force: bool) -> Object:
        assert (manager, force) == (MANAGER, True)
        if self.forbidden:
            raise ForbiddenError("configmaps is forbidden: User")
        self.writes += 1
        self.objects[self.which] = obj
        return obj

    def delete(self, which: Ref) -> bool:
        return self.objects.pop(which, None) is not None

    def pages(self, version: str, kind: str, namespace: str = "", **asked: Any) -> Iterator[Page]:
        assert asked == {"metadata_only": True}
        yield Page(tuple({"metadata": pod["metadata"]} for pod in self.pods), "1")

    def event(self, about: Any, type: str, reason: str, message: str, *, uid: str = "") -> bool:
        name = about.name if isinstance(about, Ref) else about["metadata"]["name"]
        self.told.append((name, reason, message))
        return True

    which = Ref("v1", "ConfigMap", "speedscale", CONFIG_MAP)

    def put(self, obj: Object) -> None:
        found = wish(obj)
        self.stores["nettap_deployment"].put(Key("shop", obj["metadata"]["name"]), found)

    def captured(self) -> list[str]:
        return [one.place.name for one in parse(self.objects[self.which]["data"][KEY]).workloads]

    def sample(self, name: str, **labels: str) -> float | None:
        return self.metrics.registry.get_sample_value(f"speedscale_operator_nettap_{name}", labels)


@pytest.fixture
def world() -> World:
    return World()


@pytest.fixture
def nettap(world: World) -> Nettap:
    reconciler = Nettap()
    reconciler.start(world)  # type: ignore[arg-type]
    return reconciler


def test_targets_follow_annotations_and_nothing_is_written_twice(world: World, nettap: Nettap) -> None:
    world.put(workload(annotations=ASKS))
    nettap.reconcile(CONFIG_MAP)
    assert world.captured() == ["cart"]
    assert world.told == [("cart", "CaptureBegun", world.told[0][2])]
    nettap.reconcile(CONFIG_MAP)
    assert (world.writes, len(world.told)) == (1, 1)
    world.put(workload(annotations={}))
    nettap.reconcile(CONFIG_MAP)
    assert (world.captured(), world.writes) == ([], 2)
    assert world.sample("target_workloads") == 0


def test_a_new_leader_greets_nobody_again(world: World, nettap: Nettap) -> None:
    world.put(workload(annotations=ASKS))
    nettap.reconcile(CONFIG_MAP)
    world.told.clear()
    world.put(workload("pay", annotations=ASKS))
    world.metrics = Metrics()
    successor = Nettap()
    successor.start(world)  # type: ignore[arg-type]
    successor.reconcile(CONFIG_MAP)
    assert [(name, reason) for name, reason, _ in world.told] == [("pay", "CaptureBegun")]


def test_a_refusal_is_told_once_and_counted_while_it_lasts(world: World, nettap: Nettap) -> None:
    world.put(workload(annotations={**ASKS, C + "java-agent": "true"}))
    nettap.reconcile(CONFIG_MAP)
    nettap.reconcile(CONFIG_MAP)
    ((name, reason, message),) = world.told
    assert (name, reason) == ("cart", "CaptureRefused")
    assert message.startswith("java_agent: ")
    assert world.sample("refused_workloads", reason="java_agent") == 1
    refused = parse(world.objects[world.which]["data"][KEY]).refused
    assert [one.reason for one in refused] == [Refusal.JAVA_AGENT]
    world.put(workload(annotations=ASKS))
    nettap.reconcile(CONFIG_MAP)
    assert world.sample("refused_workloads", reason="java_agent") == 0
    assert world.captured() == ["cart"]


def test_without_nettap_there_is_no_config_map_and_who_asks_is_told(world: World, nettap: Nettap) -> None:
    world.put(workload(annotations=ASKS))
    nettap.reconcile(CONFIG_MAP)
    world.components = ()
    nettap.reconcile(CONFIG_MAP)
    assert world.objects == {}
    assert world.told[-1][1:] == ("CaptureRefused", world.told[-1][2])
    assert "ebpf.enabled" in world.told[-1][2]
    assert world.sample("refused_workloads", reason=NOT_INSTALLED) == 1


def test_a_config_map_of_somebody_else_is_not_deleted(world: World, nettap: Nettap) -> None:
    world.components = ()
    world.objects[world.which] = {"metadata": {"name": CONFIG_MAP}, "data": {KEY: "{}"}}
    nettap.reconcile(CONFIG_MAP)
    assert world.which in world.objects


def test_drift_is_mended_and_who_keeps_undoing_it_is_told(world: World, nettap: Nettap) -> None:
    world.put(workload(annotations=ASKS))
    nettap.reconcile(CONFIG_MAP)
    result = None
    for _ in range(20):
        world.objects[world.which] = {"metadata": {"name": CONFIG_MAP}, "data": {KEY: "not json"}}
        result = nettap.reconcile(CONFIG_MAP)
        if result:
            break
        assert world.captured() == ["cart"]
    assert result is not None
    assert result.after_s
    assert "TargetsContended" in [reason for _, reason, _ in world.told]
    world.objects.clear()
    nettap.reconcile(CONFIG_MAP)
    assert world.objects == {}, "it is left alone for a while"
    world.put(workload("pay", annotations=ASKS))
    nettap.reconcile(CONFIG_MAP)
    assert world.captured() == ["cart", "pay"], "a new wish does not wait"


def test_a_change_wakes_the_worker(world: World, nettap: Nettap) -> None:
    world.put(workload(annotations=ASKS))
    world.stores[LIVE.name].put(Key("speedscale", CONFIG_MAP), "changed by hand")
    assert len(world.wanted) == 2


def test_bare_pods_are_found_and_forgotten(world: World, nettap: Nettap) -> None:
    pod = workload("lone", "Pod", annotations=ASKS)
    world.pods = [pod, workload("made", "Pod", annotations=ASKS, ownerReferences=OWNER), workload("other", "Pod")]
    world.objects[Ref("v1", "Pod", "shop", "lone")] = pod
    nettap.look_at_pods()
    nettap.reconcile(CONFIG_MAP)
    assert world.captured() == ["lone"]
    world.pods = []
    nettap.look_at_pods()
    nettap.reconcile(CONFIG_MAP)
    assert world.captured() == []


def test_a_missing_right_is_told(world: World, nettap: Nettap) -> None:
    world.forbidden = True
    with pytest.raises(ForbiddenError) as raised:
        nettap.reconcile(CONFIG_MAP)
    nettap._gave_up(CONFIG_MAP, raised.value)
    assert world.told[-1][1] == "TargetsNotWritten"
    assert world.sample("writes_total", result="refused") == 1


def test_reasons_are_enumerated() -> None:
    assert set(REASONS) == {*(one.value for one in Refusal), TOO_MANY, NOT_INSTALLED}
