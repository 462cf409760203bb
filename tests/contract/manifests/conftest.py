"""Judges whole installations quickly: an object that was found sound once is not looked at again."""

from __future__ import annotations

import marshal
from collections.abc import Iterable, Mapping
from typing import Any

import pytest

from speedscale_manifests import policy, synth, validate
from speedscale_manifests.validate import Found
from speedscale_manifests.validate.bundled import bundle_step
from speedscale_manifests.validate.files import Document
from speedscale_manifests.validate.rules import annotation_step
from speedscale_manifests.validate.schemas import crd_step, kubernetes_step
from speedscale_manifests.values import Values

Manifest = Mapping[str, Any]


class Judge:
    """All that `speedctl validate` says of objects: schemas, definitions, annotations, bundle, policies.

    Every step but the policies judges an object by itself, so an object with the very same content needs no second
    look; rules look at objects together and are asked each time.
    """

    def __init__(self, versions: tuple[str, ...]) -> None:
        self._versions = versions
        self._sound: set[bytes] = set()

    def problems(self, values: Values) -> list[str]:
        """Return what is wrong with the installation that these values give."""
        manifests = synth.objects(values)
        keys = [marshal.dumps(manifest, 2) for manifest in manifests]  # 2: equal content gives equal bytes
        fresh = [manifest for manifest, key in zip(manifests, keys, strict=True) if key not in self._sound]
        found = self._alone(fresh)
        if not found:
            self._sound.update(keys)
        return [*map(str, found), *map(str, policy.check(manifests, values.preset))]

    def _alone(self, manifests: Iterable[Manifest]) -> list[Found]:
        documents = [Document("", dict(manifest)) for manifest in manifests]
        steps = (
            kubernetes_step(documents, self._versions),
            crd_step(documents),
            annotation_step(documents),
            bundle_step(documents, self._versions),
        )
        return [found for step in steps for found in step.errors]


@pytest.fixture(scope="session")
def judge() -> Judge:
    """The oldest and the newest Kubernetes: what both take, those between take (a test elsewhere holds it for all)."""
    return Judge(validate.chosen())
