"""Whatever happens in whatever order, the store ends as the server does, and handlers heard exactly that.

A model of the API server with a history: lists are consistent snapshots in pages, watches tell what came after a
version, old versions are forgotten. Hypothesis chooses what happens at each point where the reflector asks or reads:
objects change, connections end or break, versions expire, pages fail, rights come and go.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from speedscale_kube import Key, Page, Reflector, Store
from speedscale_kube.errors import ForbiddenError, GoneError, NotFoundError, ServerError, UnreachableError
from speedscale_kube.reflector import Sign
from speedscale_kube.watch import Change, Event
from speedscale_schemas.errors import PeerError

NAMES = "abcd"
STEPS = st.one_of(
    st.tuples(st.just("write"), st.sampled_from(NAMES), st.integers(0, 3)),
    st.tuples(st.just("delete"), st.sampled_from(NAMES)),
    st.tuples(st.sampled_from(["pass", "end", "break", "bookmark", "forget", "fail", "forbid", "absent", "junk"])),
)  # fmt: skip
FAILURES: dict[str, Exception] = {
    "break": UnreachableError("cut", 0.0),
    "fail": ServerError("InternalError", 1.0),
    "forbid": ForbiddenError("Forbidden"),
    "absent": NotFoundError("NotFound"),
    "junk": PeerError("NotKubernetes"),
}


class FakeApi:
    """Stands where a Client does. Each page and each event is a point where the next step of the story happens."""

    def __init__(self, story: list[tuple[Any, ...]], stop: Any) -> None:
        self.story, self.stop = list(story), stop
        self.version, self.forgotten = 1, 0
        self.objects: dict[str, tuple[int, int]] = {}  # name → data, version
        self.history: list[tuple[int, Change, str, int]] = []
        self.asked = 0

    def patient(self, seconds: float) -> FakeApi:
        return self

    def forget_kinds(self) -> None:
        """Nothing is kept here."""

    def step(self) -> str:
        """Let one thing happen; return what the reflector gets to feel of it, if anything."""
        if not self.story:
            return ""
        what, *args = self.story.pop(0)
        if what in ("write", "delete"):
            self.change(*args)
            return ""
        if what == "forget":
            self.forgotten = self.version
            self.history.clear()
            return ""
        return str(what)

    def change(self, name: str, data: int | None = None) -> None:
        if data is None and name not in self.objects:
            return
        self.version += 1
        if data is None:
            self.history.append((self.version, Change.DELETED, name, self.objects.pop(name)[0]))
        else:
            kind = Change.MODIFIED if name in self.objects else Change.ADDED
            self.objects[name] = (data, self.version)
            self.history.append((self.version, kind, name, data))

    def pages(self, *args: Any, **options: Any) -> Iterator[Page]:
        self.asked += 1
        self.fail(self.step())
        version, snapshot = self.version, sorted(self.objects.items())
        for begin in range(0, max(len(snapshot), 1), 2):
            yield Page(tuple(thing(name, *it) for name, it in snapshot[begin : begin + 2]), str(version))
            self.fail(self.step())
            if begin + 2 < len(snapshot) and version <= self.forgotten < self.version:
                raise GoneError("Expired", 0.0)

    def watch(self, *args: Any, resource_version: str, **options: Any) -> Any:
        self.asked += 1
        self.fail(self.step())
        return FakeWatch(self, int(resource_version))

    def fail(self, what: str) -> None:
        if what in FAILURES:
            raise FAILURES[what]


class FakeWatch:
    """Tells the history after a version; when the story is over and all is told, the test ends."""

    def __init__(self, api: FakeApi, version: int) -> None:
        self.api, self.version = api, version

    def __enter__(self) -> FakeWatch:
        return self

    def __exit__(self, *args: object) -> None:
        """Nothing is open."""

    def close(self) -> None:
        """Nothing is open."""

    def __iter__(self) -> Iterator[Event]:
        if self.version < self.api.forgotten:
            raise GoneError("Expired", 0.0)
        while True:
            told = next((entry for entry in self.api.history if entry[0] > self.version), None)
            if told is not None:
                self.version, kind, name, data = told
                yield Event(kind, thing(name, data, self.version))
            elif not self.api.story:
                self.api.stop.set()
                return
            what = self.api.step()
            if what == "end":
                return
            if what == "bookmark" and not any(entry[0] > self.version for entry in self.api.history):
                self.version = self.api.version
                yield Event(Change.BOOKMARK, {"metadata": {"resourceVersion": str(self.version)}})
            if self.version < self.api.forgotten:
                raise GoneError("Expired", 0.0)
            self.api.fail(what)


def thing(name: str, data: int, version: int) -> dict[str, Any]:
    return {"metadata": {"name": name, "namespace": "shop", "resourceVersion": str(version)}, "data": data}


def told_by(clock: Any, stop: Any, story: list[tuple[Any, ...]]) -> tuple[FakeApi, Store[int], dict[Key, int]]:
    api = FakeApi(story, stop)
    store: Store[int] = Store()
    heard: dict[Key, int] = {}

    def on_change(key: Key, old: int | None, new: int | None) -> None:
        assert heard.get(key) == old != new
        heard.pop(key, None)
        if new is not None:
            heard[key] = new

    store.add_handler(on_change)
    signs: list[Sign] = []
    reflector = Reflector(
        api,  # type: ignore[arg-type]
        "v1",
        "ConfigMap",
        project=lambda thing: thing["data"] or None,  # 0 is left out
        store=store,
        clock=clock,
        jitter=lambda: 0.5,
        observe=lambda kind, sign: signs.append(sign),
    )
    stop.waits.clear()
    reflector.run(stop)
    assert store.handler_failures == 0
    return api, store, heard


@settings(max_examples=300, deadline=None)
@given(story=st.lists(STEPS, max_size=40))
def test_the_store_ends_as_the_server_does(story: list[tuple[Any, ...]]) -> None:
    clock, stop = Ticking(), EndingStop()
    api, store, heard = told_by(clock, stop, story)
    expected = {Key("shop", name): data for name, (data, _) in api.objects.items() if data}
    assert dict(store.items()) == expected == heard
    hot = sum(1 for a, b in itertools.pairwise(stop.waits) if a == b == 0)
    moved = sum(step[0] in ("write", "delete", "bookmark") for step in story)
    assert hot <= moved + 1, "two turns without a wait have progress in between"


class Ticking:
    """A clock that stands still."""

    def __call__(self) -> float:
        return 0.0


class EndingStop:
    """Counts waits, never really waits."""

    def __init__(self) -> None:
        self.waits: list[float] = []
        self._set = False

    def is_set(self) -> bool:
        return self._set

    def set(self) -> None:
        self._set = True

    def wait(self, seconds: float) -> bool:
        self.waits.append(seconds)
        assert len(self.waits) < 500, "it never ends"
        return self._set

    def waking(self, wake: Any) -> Any:
        return FakeWatch(None, 0)  # type: ignore[arg-type]
