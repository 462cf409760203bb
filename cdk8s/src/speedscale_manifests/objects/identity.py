"""Names, labels and annotations: what an object is called and how it is found.

Labels of the user (`globalLabels`) stand on workloads and their pods, annotations of the user (`globalAnnotations`) on
workloads, pods, Services, ConfigMaps, accounts and rights (cloud identities are annotations of ServiceAccounts); ours
win over both, because selectors rest on them.
"""

from __future__ import annotations

from collections.abc import Mapping

from speedscale_manifests.values import Values

from . import names
from .manifest import Manifest, tidy


def component_label(component: str) -> dict[str, str]:
    """Return the one label that says which component an object belongs to."""
    return {names.COMPONENT_LABEL: component}


def selector(component: str) -> dict[str, str]:
    """Return the labels that select a component's pods; they never change, as selectors cannot be changed."""
    return {"app": names.app_name(component), **component_label(component)}


def labels(component: str) -> dict[str, str]:
    """Return the labels of every object of a component."""
    return {
        **selector(component),
        "app.kubernetes.io/part-of": names.PART_OF,
        "app.kubernetes.io/version": names.VERSION,
    }


def metadata(
    values: Values,
    component: str,
    name: str = "",
    *,
    namespace: str | None = None,
    user_labels: bool = False,
    user_annotations: bool = False,
    labels_: Mapping[str, str] | None = None,
    annotations: Mapping[str, str] | None = None,
) -> Manifest:
    """Return an object's metadata.

    `name`: empty means `speedscale-<component>`. `namespace`: None means the installation's, "" none (cluster-scoped).
    `user_labels`, `user_annotations`: whether the user's global ones belong on this kind.
    """
    return tidy(
        {
            "name": name or names.app_name(component),
            "namespace": (values.namespace if namespace is None else namespace) or None,
            "labels": {**(values.global_labels if user_labels else {}), **(labels_ or {}), **labels(component)},
            "annotations": {**(values.global_annotations if user_annotations else {}), **(annotations or {})},
        }
    )
