"""Facts are put together in one way: every setting that injection knows of comes from the settings."""

from __future__ import annotations

import pytest

from speedscale_controller.facts import Identity, assemble
from speedscale_controller.injection import Cluster, Facts, Namespace
from speedscale_controller.settings import Settings


def facts(**environ: str) -> Facts:
    return assemble(
        Settings.parse({"POD_NAMESPACE": "speedscale", **environ}),
        None,
        identity=Identity.of({"data": {"INSTANCE_ID": "ours\n", "ADOPTED_INSTANCE_IDS": "theirs\nours"}}),
        namespace=Namespace(name="shop"),
        cluster=Cluster(),
        patch=None,
    )


@pytest.mark.parametrize(("text", "expected"), [("true", True), ("false", False)])
def test_java_stores_are_mounted_only_where_they_are_made(text: str, expected: bool) -> None:
    assert facts(CREATE_JKS=text).installation.create_jks is expected


def test_who_we_are_and_whom_we_took_over() -> None:
    found = facts()
    assert (found.installation.instance_id, found.installation.adopt) == ("ours", frozenset({"theirs"}))
    found = facts(INSTANCE_ID="the-values")
    assert found.installation.adopt == frozenset({"theirs", "the-values"})
    assert facts(INSTANCE_ID="ours").installation.adopt == frozenset({"theirs"})
    assert (found.template, found.replay, found.namespace.name) == (None, None, "shop")
