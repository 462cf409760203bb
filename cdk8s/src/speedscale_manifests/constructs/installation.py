"""The whole installation as a construct: a chart a unit of deployment, a part a component.

Called by `synth` and by users' apps. What stands in it is `inventory(values)` and the bundle, object for object.
"""

from __future__ import annotations

from collections.abc import Iterable

from cdk8s import App, Chart
from constructs import Construct

from speedscale_manifests.bundle import bundle
from speedscale_manifests.components.component import CHARTS
from speedscale_manifests.components.inventory import enabled
from speedscale_manifests.objects import Manifest

from .parts import BY_NAME, Given, Part, settled

BUNDLE_CHART = "operator"


class Bundle(Part):
    """What the controller applies itself, as ConfigMaps."""

    def _manifests(self) -> Iterable[Manifest]:
        return bundle(self.values)


class Speedscale(Construct):
    """Everything that the values deploy: `Speedscale(app, "speedscale", values)`.

    Charts are children of `scope` named `<id>-<chart>`, so that cdk8s writes `<id>-<chart>.k8s.yaml` without a hash;
    `charts` has them by our name (`base`, `operator`, …), `parts` the components in them by theirs.
    """

    def __init__(self, scope: Construct, id: str, values: Given = None) -> None:
        """Make the charts. Raises ConfigError (ValuesError) with every problem of the values."""
        super().__init__(scope, id)
        self.values = settled(values, f"{scope.node.path}/{id}".lstrip("/"))
        self.charts: dict[str, Chart] = {}
        self.parts: dict[str, Part] = {}
        wanted = sorted(enabled(self.values), key=lambda known: CHARTS.index(known.chart))
        for known in wanted:
            self.parts[known.name] = BY_NAME[known.name](self._chart(scope, id, known.chart), known.name, self.values)
        self.parts["bundle"] = Bundle(self._chart(scope, id, BUNDLE_CHART), "bundle", self.values)

    def _chart(self, scope: Construct, id: str, name: str) -> Chart:
        if name not in self.charts:
            self.charts[name] = Chart(scope, f"{id}-{name}", disable_resource_name_hashes=True)
        return self.charts[name]


def standalone(values: Given = None) -> Speedscale:
    """Return the installation in an app of its own."""
    return Speedscale(App(), "speedscale", values)
