"""The installation as a Helm chart: the same objects, to the byte but for what Helm needs.

Called by `speedctl synth --format helm`. The chart is the values' result, not a second place to set them: names reach
into webhooks, rights, ConfigMaps and the bundle's hashes, so nothing is left to decide at install time, and Helm
refuses values it would otherwise ignore. What differs from `dist/`, and why:

- no Namespace: Helm's release lies in it, so it exists before the chart does (`--create-namespace`);
- the CRD stands in `templates/`, where an upgrade reaches it (Helm never touches `crds/` again), and is kept when the
  release is removed, because removing it would remove every replay;
- text that Helm would take for its own template language is escaped; what it renders is the text again;
- another release namespace than the one the objects name is refused.

Pure: equal objects give equal bytes.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from typing import Any

from speedscale_manifests.objects.emit import emit
from speedscale_manifests.values import Values

from .helm_texts import GUARD, NOTES, README, VALUES
from .paths import check, path_of
from .rendering import Placed, render

NAME = "speedscale"
OLDEST_KUBERNETES = "1.25"
POLICY = "helm.sh/resource-policy"
_SEMVER = re.compile(r"(0|[1-9]\d*)\.(0|[1-9]\d*)\.(0|[1-9]\d*)(-[0-9A-Za-z-]+(\.[0-9A-Za-z-]+)*)?(\+[0-9A-Za-z.-]+)?")


def chart(values: Values, placed: Iterable[Placed], *, version: str = "") -> dict[str, bytes]:
    """Return the files of a Helm chart by path, sorted.

    `values` are what the objects were made of, `placed` all of them. `version` is the chart's version
    (SemVer 2); empty means the image tag where that is one, else `0.0.0-<tag>`. Raises ValueError for a version that
    is none and ConfigError for objects that would share a file.
    """
    tag = values.image.tag
    files = {
        "Chart.yaml": emit(_about(version or chart_version(tag), tag)),
        "values.yaml": VALUES,
        "values.schema.json": _schema(),
        "README.md": _filled(README, values),
        "templates/NOTES.txt": _filled(NOTES, values),
        "templates/guard.yaml": _filled(GUARD, values),
    }
    objects = [item for item in placed if item.manifest["kind"] != "Namespace"]
    render(objects, values.namespace)  # refuses objects that would share a file
    for item in objects:
        path = f"templates/{path_of(item.chart, item.manifest, values.namespace)}"
        files[path] = escaped(emit(_for_helm(item.manifest)))
    check(files)
    return {path: files[path].encode() for path in sorted(files)}


def chart_version(tag: str) -> str:
    """Return a tag as a version by SemVer 2, which Helm insists on: `v1.2.3` is 1.2.3, `nightly` is 0.0.0-nightly."""
    bare = tag.removeprefix("v")
    return bare if _SEMVER.fullmatch(bare) else f"0.0.0-{re.sub('[^0-9A-Za-z-]+', '-', bare).strip('-') or 'untagged'}"


def escaped(text: str) -> str:
    """Return a text that Helm's template engine renders as the given one.

    Only `{{` opens an action; it is written as an action that prints it. (Go, text/template, "Actions".)
    """
    return text.replace("{{", '{{ "{{" }}')


def _about(version: str, tag: str) -> dict[str, Any]:
    if not _SEMVER.fullmatch(version):
        raise ValueError(f"{version!r} is no chart version; expected SemVer 2 such as 1.2.3")
    return {
        "apiVersion": "v2",
        "name": NAME,
        "description": "Records, redacts, mocks and replays traffic in Kubernetes.",
        "type": "application",
        "version": version,
        "appVersion": tag,
        "kubeVersion": f">={OLDEST_KUBERNETES}.0-0",
    }


def _schema() -> str:
    """Return the schema that refuses values: `global` alone may stand there, an umbrella chart hands it down."""
    schema = {
        "$schema": "https://json-schema.org/draft-07/schema#",
        "title": "This chart takes no values: set them in the values file it was synthesised from",
        "type": "object",
        "properties": {"global": {"type": "object"}},
        "additionalProperties": False,
    }
    return json.dumps(schema, indent=2) + "\n"


def _for_helm(manifest: Mapping[str, Any]) -> Mapping[str, Any]:
    if manifest["kind"] != "CustomResourceDefinition":
        return manifest
    metadata = manifest["metadata"]
    annotations = {**metadata.get("annotations", {}), POLICY: "keep"}
    return {**manifest, "metadata": {**metadata, "annotations": annotations}}


def _filled(text: str, values: Values) -> str:
    return text.replace("@namespace@", values.namespace).replace("@name@", NAME)
