"""Settings and bundle while the process runs: what is wrong changes nothing, what is right is told once."""

from __future__ import annotations

import copy
from typing import Any

import pytest

from speedscale_controller.reconciling.live import BUNDLE, SETTINGS, LiveBundle, LiveSettings
from speedscale_controller.telemetry import Metrics
from speedscale_kube import Ref
from speedscale_kube.errors import UnreachableError
from speedscale_kube.store import Key, Store
from speedscale_manifests.bundle import bundle
from speedscale_manifests.values import from_mapping
from speedscale_schemas.errors import ConfigError

POD = {"POD_NAMESPACE": "mesh", "POD_NAME": "operator-0"}
BASE = {"PROFILE": "gitops", "LOG_LEVEL": "info"}
OPERATOR, OVERRIDE = Key("mesh", "speedscale-operator"), Key("mesh", "speedscale-operator-override")


class Client:
    def __init__(self, **data: dict[str, str] | None) -> None:
        self._data = {"speedscale-operator": data.get("base"), "speedscale-operator-override": data.get("override")}
        self.broken = False

    def find(self, which: Ref) -> dict[str, Any] | None:
        if self.broken:
            raise UnreachableError("nobody there")
        data = self._data[which.name]
        return None if data is None else {"metadata": {"name": which.name}, "data": data}


def project(**data: str) -> Any:
    return SETTINGS.project({"metadata": {"name": "a"}, "data": data})


def test_what_config_maps_say_at_the_start() -> None:
    live = LiveSettings({**POD, "LOG_LEVEL": "warn"}, Metrics())
    assert live.current.log_level == "warn"
    live.read(Client(base=BASE, override={"LOG_LEVEL": "debug"}))  # type: ignore[arg-type]
    assert live.current.log_level == "debug"
    assert live.pending == ()


def test_an_api_server_that_is_not_there_leaves_the_environment() -> None:
    client = Client()
    client.broken = True
    live = LiveSettings({**POD, "LOG_LEVEL": "warn"}, Metrics())
    live.read(client)  # type: ignore[arg-type]
    assert live.current.log_level == "warn"
    with pytest.raises(ConfigError, match="LOG_LEVEL"):
        LiveSettings({**POD, "LOG_LEVEL": "loud"}, Metrics()).read(client)  # type: ignore[arg-type]


def test_a_wrong_override_in_the_environment_keeps_nobody_from_starting() -> None:
    live = LiveSettings({**POD, "LOG_LEVEL": "loud"}, Metrics())
    live.read(Client(base=BASE, override={"LOG_LEVEL": "loud"}))  # type: ignore[arg-type]
    assert live.current.log_level == "info"
    assert "nothing of the override is in force" in live.composed.message


def test_a_wrong_config_map_does() -> None:
    live = LiveSettings({**POD, "LOG_LEVEL": "loud"}, Metrics())
    with pytest.raises(ConfigError, match="LOG_LEVEL"):
        live.read(Client(base={"LOG_LEVEL": "loud"}))  # type: ignore[arg-type]
    with pytest.raises(ConfigError, match="LOG_LEVEL"):
        live.read(Client())  # type: ignore[arg-type]


def test_changes_are_followed_and_told_once() -> None:
    metrics, told = Metrics(), []
    live = LiveSettings(POD, metrics)
    store: Store[Any] = Store()
    live.follow(store)
    live.on_change(lambda: told.append(live.current.log_level))
    store.put(OVERRIDE, project(LOG_LEVEL="debug"))  # of a list that is half told
    assert told == []
    store.put(OPERATOR, project(**BASE))
    store.put(OVERRIDE, project(LOG_LEVEL="debug", IMAGE_TAG="v9", NAMESPACE_SELECTOR="shop"))
    assert live.pending == ("NAMESPACE_SELECTOR",)
    sample = metrics.registry.get_sample_value
    assert sample("speedscale_operator_settings_refused_problems", {"reason": "component_in_git"}) == 1
    assert sample("speedscale_operator_settings_pending_keys") == 1
    store.put(OPERATOR, project(LOG_LEVEL="loud"))
    assert live.current.log_level == "debug"
    store.put(OPERATOR, project(**BASE))
    store.put(OVERRIDE, None)
    assert (live.current.log_level, live.composed.problems, live.pending) == ("info", (), ())
    assert sample("speedscale_operator_settings_refused_problems", {"reason": "component_in_git"}) == 0
    assert told[0] == "debug"
    assert told[-1] == "info"


def parts(**tree: Any) -> list[tuple[Key, Any]]:
    found = bundle(from_mapping(tree))
    return [(Key("mesh", one["metadata"]["name"]), BUNDLE.project(one)) for one in found]


def test_a_bundle_is_taken_whole_or_not_at_all() -> None:
    metrics, told = Metrics(), []
    store: Store[Any] = Store()
    live = LiveBundle(store, metrics)
    live.on_change(lambda: told.append(live.current))
    live.refresh()
    assert live.current is None
    assert live.problems
    for key, part in parts():
        store.put(key, part)
    live.refresh()
    first = live.current
    assert first is not None
    assert live.problems == ()
    live.refresh()
    assert told == [first]

    edited = copy.copy(dict(parts()))
    key = Key("mesh", "speedscale-bundle-sidecar")
    changed = BUNDLE.project({**edited[key].object(), "data": {"by-hand.yaml": "a: 1"}})
    store.put(key, changed)
    live.refresh()
    assert live.current is first
    assert "speedscale-bundle-sidecar" in live.problems[0]
    store.put(key, edited[key])
    live.refresh()
    assert (live.current, live.problems) == (first, ())
    assert told == [first]

    for key, part in parts(logLevel="debug", sidecar={"tls_out": True}, image={"tag": "v9"}):
        store.put(key, part)
    live.refresh()
    assert len(told) == 2
    loads = "speedscale_operator_bundle_loads_total"
    assert metrics.registry.get_sample_value(loads, {"result": "refused"}) == 2
