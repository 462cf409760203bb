"""What admission knows: what is missing for a decision, and which webhooks can be called."""

from __future__ import annotations

import base64
from typing import Any

import pytest

from speedscale_controller.admission import facts as module
from speedscale_controller.admission.facts import WEBHOOKS, Known, trust
from speedscale_controller.certificates.names import STATE
from speedscale_controller.facts import IDENTITY, namespaces
from speedscale_controller.reconciling.live import BUNDLE, LiveBundle, LiveSettings
from speedscale_controller.reconciling.watches import Trouble, Watches
from speedscale_controller.telemetry import Metrics
from speedscale_kube.reflector import State
from speedscale_kube.store import Store
from speedscale_manifests.bundle import bundle
from speedscale_manifests.values import from_mapping


class Client:
    """Nobody asks it anything."""

    def patient(self, seconds: float) -> Client:
        return self


class World:
    """Stores as reflectors would fill them."""

    def __init__(self, **environ: str) -> None:
        metrics = Metrics()
        self.settings = LiveSettings({"POD_NAMESPACE": "own", **environ}, metrics)
        self.watches = Watches(Client(), self.settings.current, metrics)  # type: ignore[arg-type]
        self.parts: Store[Any] = self.watches.add(BUNDLE)
        self.bundle = LiveBundle(self.parts, metrics)
        self.known = Known(self.watches, self.settings, self.bundle)

    def put(self, watched: Any, obj: dict[str, Any]) -> None:
        metadata = obj["metadata"]
        key = (metadata.get("namespace", ""), metadata["name"])
        self.watches.store(watched).put(key, watched.project(obj))

    def namespace(self, name: str, **labels: str) -> None:
        watched = namespaces(self.settings.current)
        self.put(watched, {"metadata": {"name": name, "labels": labels}})

    def load_bundle(self) -> None:
        for one in bundle(from_mapping({"namespace": "own"})):
            self.put(BUNDLE, one)
        self.bundle.refresh()


@pytest.fixture
def world() -> World:
    return World()


def test_what_is_missing_is_named(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    assert world.known.missing("shop") == "no bundle was read yet"
    world.bundle.refresh()
    assert "is not usable" in world.known.missing("shop")
    world.load_bundle()
    assert world.known.missing("shop") == "namespace shop is not known yet"
    trouble = Trouble("namespaces", "Namespace", "", State.FORBIDDEN, "no right")
    monkeypatch.setattr(world.watches, "troubles", lambda: (trouble,))
    assert "is the right to watch them missing?" in world.known.missing("shop")
    world.namespace("shop")
    assert "INSTANCE_ID was not read yet" in world.known.missing("shop")
    world.put(IDENTITY, {"metadata": {"name": STATE, "namespace": "own"}, "data": {"INSTANCE_ID": "ours"}})
    assert world.known.missing("shop") == world.known.nobody() == ""


def test_the_template_comes_with_the_bundle(world: World) -> None:
    assert world.known.facts("shop", "Pod", "a").template is None
    world.load_bundle()
    assert world.known.facts("shop", "Pod", "a").template is not None


def test_namespaces_that_are_not_selected() -> None:
    world = World(NAMESPACE_SELECTOR="shop")
    assert world.known.facts("shop", "Pod", "a").namespace.selected
    assert not world.known.facts("default", "Pod", "a").namespace.selected


def _configuration(kind: str, name: str, ca: bytes) -> dict[str, Any]:
    hook = {"name": "hook", "clientConfig": {"caBundle": base64.b64encode(ca).decode()}}
    return {"kind": kind, "metadata": {"name": name}, "webhooks": [hook]}


def test_every_webhook_has_to_believe(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    def wrong(ca: bytes) -> str:
        return "" if ca == b"good" else "is another's"

    assert trust(wrong, world.known).count("is not there") == 3
    for name in WEBHOOKS:
        world.put(module.MUTATING, _configuration("M", name, b"good"))
    world.put(module.VALIDATING, _configuration("V", WEBHOOKS[1], b"bad"))
    assert trust(wrong, world.known) == (
        "ValidatingWebhookConfiguration speedscale-operator-replay, webhook hook: is another's"
    )
    trouble = Trouble("validating_webhooks", "V", "", State.FORBIDDEN, "no right")
    monkeypatch.setattr(world.watches, "troubles", lambda: (trouble,))
    assert trust(wrong, world.known) == ""  # nobody can say, so nobody is held up


@pytest.mark.parametrize("hook", [{}, {"clientConfig": None}, {"clientConfig": {"caBundle": "!"}}])
def test_a_webhook_without_a_ca_bundle(hook: dict[str, Any]) -> None:
    assert module.MUTATING.project({"metadata": {"name": "a"}, "webhooks": [hook]}) == (("", b""),)
