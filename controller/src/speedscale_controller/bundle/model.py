"""The bundle as the controller uses it: templates and desired objects by component.

`Bundle.read` is all or nothing. A ConfigMap whose text is not what its hash says, or a set of two versions (an apply is
under way, or something was left over), is refused with every problem at once; the caller goes on with what it had.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

from speedscale_schemas.errors import ConfigError

from . import reading

Manifest = Mapping[str, Any]


class BundleError(ConfigError):
    """The ConfigMaps at hand are no whole bundle; `problems` says why. The last good one stays."""


@dataclass(frozen=True, slots=True)
class Bundle:
    """Everything that is in ConfigMaps `speedscale-bundle-*` of one installation, at one version.

    `hashes` are the content hashes by ConfigMap name: two bundles are equal in content when these are. `version` is
    the product's, of `app.kubernetes.io/version`. The manifests are shared: nobody may change them.
    """

    version: str
    hashes: Mapping[str, str]
    _managed: Mapping[str, tuple[Manifest, ...]] = field(repr=False)
    _templates: Mapping[str, tuple[Manifest, ...]] = field(repr=False)

    @classmethod
    def read(cls, config_maps: Iterable[Mapping[str, Any]]) -> Bundle:
        """Return the bundle that these ConfigMaps (as the API gives them, in any order) make up.

        ConfigMaps without the label of a bundle are left aside. Raises BundleError with every problem: a hash that
        does not fit, no or unknown content, text that is no object, two versions, no sidecar.
        """
        parts, problems = reading.parts(config_maps)
        problems += reading.whole(parts)
        if problems:
            raise BundleError(problems)
        return cls(
            version=parts[0].version,
            hashes=MappingProxyType({part.name: part.content_hash for part in parts}),
            _managed=MappingProxyType({p.component: p.manifests for p in parts if p.content == "managed"}),
            _templates=MappingProxyType({p.component: p.manifests for p in parts if p.content == "templates"}),
        )

    @property
    def sidecar(self) -> Manifest:
        """Return the sidecar's PodTemplate, with gaps."""
        return next(m for m in self._templates["sidecar"] if m["kind"] == "PodTemplate")

    @property
    def components(self) -> tuple[str, ...]:
        """Return the names of components that have managed objects."""
        return tuple(sorted(self._managed))

    def template(self, component: str) -> tuple[Manifest, ...]:
        """Return a component's templates, with gaps, in the order of their keys; KeyError where it has none."""
        return self._templates[component]

    def managed(self, component: str) -> tuple[Manifest, ...]:
        """Return a component's desired objects in the order of their keys; empty when it is not deployed."""
        return self._managed.get(component, ())
