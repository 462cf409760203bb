"""Whatever a file of Kubernetes objects holds, it is compared and not stumbled over."""

from __future__ import annotations

import json
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from speedscale_manifests.parity import text
from speedscale_manifests.parity.compare import compare
from speedscale_manifests.parity.deviations import Deviations
from speedscale_manifests.parity.outcome import Outcome, data

_KEYS = [
    *("name", "namespace", "metadata", "spec", "data", "rules", "roleRef", "subjects", "kind", "apiGroups", "verbs"),
    *(
        "resources",
        "operations",
        "webhooks",
        "versions",
        "schema",
        "openAPIV3Schema",
        "properties",
        "items",
        "required",
    ),
    *("enum", "ports", "env", "envFrom", "configMapRef", "tolerations", "clientConfig", "caBundle"),
]
_KINDS = [
    *("ConfigMap", "Secret", "Service", "ClusterRole", "Role", "ClusterRoleBinding", "RoleBinding", "Deployment"),
    *("CustomResourceDefinition", "MutatingWebhookConfiguration"),
]
_TEXTS = ["", "a", "{", "[1]", '{"a": {}}', "x\ny"]
_LEAVES = st.none() | st.booleans() | st.integers(-3, 3) | st.sampled_from(_TEXTS)
_VALUES = st.recursive(
    _LEAVES,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(_KEYS), inner, max_size=4),
    max_leaves=12,
)
_OBJECTS = st.builds(
    lambda kind, name, body: {**body, "kind": kind, "metadata": {"name": name}},
    st.sampled_from(_KINDS),
    st.sampled_from("ab"),
    st.dictionaries(st.sampled_from(_KEYS), _VALUES, max_size=4),
)


@settings(max_examples=60, deadline=None)
@given(st.lists(_OBJECTS, max_size=3), st.lists(_OBJECTS, max_size=3))
def test_any_objects_are_compared(vendor: list[dict[str, Any]], ours: list[dict[str, Any]]) -> None:
    outcome = Outcome({"own": compare(vendor, ours, Deviations())})
    assert text.text(outcome)
    json.dumps(data(outcome))


@settings(max_examples=30, deadline=None)
@given(st.lists(_OBJECTS, max_size=4))
def test_any_objects_equal_themselves(objects: list[dict[str, Any]]) -> None:
    assert compare(objects, json.loads(json.dumps(objects)), Deviations()).differences == ()
