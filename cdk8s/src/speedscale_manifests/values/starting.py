"""The first values file of somebody who installs: few lines, each with its comment. Called by `values init`. Pure."""

from __future__ import annotations

from . import tree
from .writing import entry

_MODELINE = "# yaml-language-server: $schema=values.schema.json"
_TOP = """\
# What differs from the defaults. `speedctl values show` prints all settings, docs/reference/values.md explains them,
# `speedctl values check` tells whether they are right. Maps merge, lists replace, null takes a default away.
# No secret stands here: name a Secret (`apiKeySecret`, `backend.s3.credentialsSecret`, …).
"""
_BOTTOM = """
# Push the images to a registry that your nodes reach (`make images`), then name it:
# image:
#   registry: registry.example.com/speedscale
#   pullSecrets:
#     - registry-credentials

# A backend in this cluster, for snapshots, reports and the web page:
# backend:
#   enabled: true

# Only these namespaces, with Roles and no rights over the whole cluster:
# namespaceSelector:
#   - shop

# Where traffic goes besides:
# forwarder:
#   exporters:
#     my-exporter:
#       otel_endpoint: http://otelcol.example.com:4318

# No demo application:
# deployDemo: ""
"""


def starting(cluster: str, profile: str = "", preset: str = "", *, with_schema: bool = False) -> str:
    """Return a values file. `with_schema` names a `values.schema.json` beside it, for completion in editors."""
    settings = {"clusterName": cluster, "profile": profile, "preset": preset}
    lines = [_MODELINE] * with_schema + [_TOP]
    for key, value in settings.items():
        if value:
            about = str((tree.at((key,)) or {}).get("description", ""))
            lines += [f"# {about}", *entry(key, value, 0)]
    return "\n".join(lines) + "\n" + _BOTTOM
