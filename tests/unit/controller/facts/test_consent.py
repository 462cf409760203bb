"""Whether a namespace lets replays of another in."""

from __future__ import annotations

from typing import Any

from speedscale_controller.facts import consented, namespaces
from speedscale_controller.replay import ALLOW_FROM
from speedscale_controller.settings import Settings
from speedscale_kube import Store

SETTINGS = Settings.parse({"POD_NAMESPACE": "speedscale", "POD_NAME": "p"})


def test_a_namespace_consents_by_its_annotation_and_only_while_it_is_known() -> None:
    spaces: Store[Any] = Store()
    may = consented(spaces, lambda: SETTINGS.namespace)
    assert may("shop", "shop")
    assert may("speedscale", "shop")
    assert not may("other", "shop")
    spaces.put(("", "shop"), namespaces(SETTINGS).project({"metadata": {"annotations": {ALLOW_FROM: "team, other"}}}))
    assert may("other", "shop")
    assert not may("third", "shop")
    spaces.put(("", "shop"), None)
    assert not may("other", "shop")
