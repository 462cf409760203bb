"""What the leader tells users about the operator itself: once for as long as it holds."""

from __future__ import annotations

from typing import Any

from speedscale_controller.manager.notices import Announcer, Notice, notices
from speedscale_controller.reconciling.watches import Trouble
from speedscale_controller.settings import Composed, Refused, Settings
from speedscale_kube import Ref
from speedscale_kube.errors import ForbiddenError
from speedscale_kube.reflector import State

SETTINGS = Settings.parse({})


def test_nothing_to_tell() -> None:
    assert notices("ns", Composed(SETTINGS), (), (), ()) == ()


def test_each_kind_of_trouble() -> None:
    problems = ((Refused.COMPONENT_IN_GIT, "FORWARDER_CONFIG is refused"), (Refused.CONFIG_INVALID, "LOG_LEVEL"))
    trouble = Trouble("limits", "LimitRange", "shop", State.FORBIDDEN, "no right")
    found = notices("ns", Composed(SETTINGS, problems), ("PROFILE",), ("edited",), (trouble,))
    assert [(n.about.kind, n.about.name, n.reason) for n in found] == [
        ("ConfigMap", "speedscale-operator-override", "SettingsRefused"),
        ("ConfigMap", "speedscale-operator", "SettingsRefused"),
        ("Deployment", "speedscale-operator", "RestartNeeded"),
        ("Deployment", "speedscale-operator", "BundleRefused"),
        ("Deployment", "speedscale-operator", "CannotWatch"),
    ]
    assert found[-1].message == "LimitRange in namespace shop cannot be watched (forbidden): no right"
    assert {n.about.namespace for n in found} == {"ns"}


class Recorder:
    def __init__(self) -> None:
        self.told: list[tuple[Any, ...]] = []

    def event(self, about: Ref, kind: str, reason: str, message: str, *, uid: str) -> bool:
        self.told.append((about.name, kind, reason, message, uid))
        return True


class Client:
    def find(self, which: Ref) -> dict[str, Any] | None:
        if which.name == "hidden":
            raise ForbiddenError("Forbidden", "no")
        return {"metadata": {"uid": "u-1"}} if which.name == "there" else None


def test_told_once_and_again_when_it_comes_back() -> None:
    recorder, now = Recorder(), [Notice(Ref("v1", "ConfigMap", "ns", "there"), "A", "a")]
    announce = Announcer(Client(), recorder, lambda: tuple(now))  # type: ignore[arg-type]
    announce()
    announce()
    assert recorder.told == [("there", "Warning", "A", "a", "u-1")]
    now[:], before = [], list(now)
    announce()
    now[:] = before
    announce()
    assert len(recorder.told) == 2


def test_an_object_that_cannot_be_looked_up_is_told_of_all_the_same() -> None:
    recorder = Recorder()
    now = tuple(Notice(Ref("v1", "ConfigMap", "ns", name), "A", "a") for name in ("hidden", "gone"))
    Announcer(Client(), recorder, lambda: now)()  # type: ignore[arg-type]
    assert [(name, uid) for name, _, _, _, uid in recorder.told] == [("hidden", ""), ("gone", "")]
