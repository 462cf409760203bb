"""Values or a cdk8s app → files, by our YAML and our names.

cdk8s gives the objects; its own YAML is not used, because readers take some of what it leaves bare (`0o17`) for
numbers, and no folder is written here. Called by the verb, by `watch` and by `cdk8s/main.py`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from speedscale_manifests.output import render
from speedscale_manifests.values import Values

if TYPE_CHECKING:
    from cdk8s import App


@dataclass(frozen=True, slots=True)
class _Object:
    chart: str
    manifest: dict[str, Any]


def synthesise(values: Values) -> dict[str, bytes]:
    """Return the files of an installation by path, sorted; equal values give equal bytes, anywhere.

    Raises ConfigError when objects collide, cannot be files, or are too large for the bundle.
    """
    # Importing the constructs starts Node: only who synthesises pays.
    from speedscale_manifests.constructs import standalone

    installation = standalone(values)
    charts = {name: chart.to_json() for name, chart in installation.charts.items()}
    return render((_Object(name, node) for name, nodes in charts.items() for node in nodes), values.namespace)


def files_of(app: App, home: str = "") -> dict[str, bytes]:
    """Return the files of any cdk8s app by path: a folder a chart, named by the chart's id.

    `home` is the namespace whose objects lie in the chart's folder; objects of others get a folder below it.
    Raises ConfigError for objects that would share a file.
    """
    return render((_Object(chart.node.id, node) for chart in app.charts for node in chart.to_json()), home)
