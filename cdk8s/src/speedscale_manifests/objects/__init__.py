"""The grammar of our objects: every component builds its manifests out of these words, and out of nothing else.

A `Manifest` is plain JSON types without null. Builders take `Values` and return new manifests; none keeps state, reads
a file or knows a component's business. What several components must agree on (labels, security contexts, where secrets
are, what an image is called) is decided here once.
"""

from __future__ import annotations

from .config import config_hash, config_map, go_json
from .containers import container, exec_probe, http_probe, image, scratch
from .env import config_env, env, field_env, pod_env, proxy_env, secret_env, secret_keys_env
from .grants import Grant, cluster_role, cluster_role_binding, role, role_binding, rules
from .identity import component_label, labels, metadata, selector
from .manifest import Manifest, Reference, prune, reference, tidy
from .pods import pod_security, pod_template
from .services import service
from .storage import claim, claim_template, volume
from .waves import WAVES, hook, option, stamp
from .workloads import deployment, service_account, workload

__all__ = [
    "WAVES",
    "Grant",
    "Manifest",
    "Reference",
    "claim",
    "claim_template",
    "cluster_role",
    "cluster_role_binding",
    "component_label",
    "config_env",
    "config_hash",
    "config_map",
    "container",
    "deployment",
    "env",
    "exec_probe",
    "field_env",
    "go_json",
    "hook",
    "http_probe",
    "image",
    "labels",
    "metadata",
    "option",
    "pod_env",
    "pod_security",
    "pod_template",
    "proxy_env",
    "prune",
    "reference",
    "role",
    "role_binding",
    "rules",
    "scratch",
    "secret_env",
    "secret_keys_env",
    "selector",
    "service",
    "service_account",
    "stamp",
    "tidy",
    "volume",
    "workload",
]
