"""The operator's ConfigMap: its environment, in the keys and exact forms of the vendor's chart.

Keys of the chart come first in `_chart`, what our controller needs besides in `_ours`. INSTANCE_ID is not here: the
controller keeps it in ConfigMap `speedscale-operator-state`, which git never sees. What the controller can read from
the bundle (images, templates, managed objects) is not repeated.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from speedscale_manifests.objects import Manifest, config_map, go_json, names
from speedscale_manifests.values import Values, defaults

from . import backend

NAME: Final = "operator"
ALL_SECRETS: Final = "*"

# The chart tells the operator these whatever they are; the rest only where it differs from the default.
_ALWAYS = {
    "sidecar": frozenset[str](),
    "forwarder": frozenset({"replicas", "resources"}),
    "inspector": frozenset({"accessLabels", "resources"}),
    "collector": frozenset({"resources"}),
}


def operator_config(values: Values) -> Manifest:
    """Return ConfigMap `speedscale-operator`."""
    return config_map(values, NAME, {**_chart(values), **_optional(values), **_ours(values)})


def _chart(values: Values) -> dict[str, str]:
    tree = values.tree()
    replay = tree["replayComponents"]
    return {
        "CLUSTER_NAME": values.cluster_name,
        "IMAGE_PULL_POLICY": values.image.pull_policy,
        "IMAGE_PULL_SECRETS": ",".join(values.image.pull_secrets),
        "IMAGE_REGISTRY": values.image.registry,
        "IMAGE_TAG": values.image.tag,
        "COMPONENT_IMAGE_TAGS": _pairs(values.image_tags),
        "LOG_LEVEL": values.log_level,
        "SPEEDSCALE_DLP_CONFIG": values.dlp.config,
        "SPEEDSCALE_FILTER_RULE": values.filter_rule,
        "TELEMETRY_INTERVAL": "60s",
        "WITH_DLP": _bool(values.dlp.enabled),
        "WITH_INSPECTOR": _bool(values.dashboard_access),
        "API_KEY_SECRET_NAME": values.api_key_secret,
        "DEPLOY_DEMO": values.deploy_demo,
        "GLOBAL_ANNOTATIONS": go_json(values.global_annotations),
        "GLOBAL_LABELS": go_json(values.global_labels),
        "GLOBAL_POD_SECURITY_CONTEXT": go_json(values.global_pod_security_context),
        "GLOBAL_SECURITY_CONTEXT": go_json(values.global_security_context),
        "PRIVILEGED_SIDECARS": _bool(values.privileged_sidecars),
        "DISABLE_SMARTDNS": _bool(values.disable_sidecar_smart_reverse_dns),
        "SIDECAR_CONFIG": _settings(tree, "sidecar"),
        "FORWARDER_CONFIG": _settings(tree, "forwarder"),
        "INSPECTOR_CONFIG": _settings(tree, "inspector"),
        "COLLECTOR_CONFIG": _settings(tree, "collector"),
        "GENERATOR_CONFIG": go_json(replay["generator"]),
        "RESPONDER_CONFIG": go_json(replay["responder"]),
        "REDIS_CONFIG": go_json(replay["redis"]),
        "TEST_PREP_TIMEOUT": values.operator.test_prep_timeout,
        "CONTROL_PLANE_TIMEOUT": values.operator.control_plane_timeout,
    }


def _optional(values: Values) -> dict[str, str]:
    """Return the keys that are left out where nothing is set.

    The chart writes SPEEDSCALE_APP_URL into a Secret; that Secret comes later in the environment, so its word holds.
    """
    pairs = {
        "HTTP_PROXY": values.http_proxy,
        "HTTPS_PROXY": values.https_proxy,
        "NO_PROXY": values.no_proxy,
        "SPEEDSCALE_APP_URL": backend.url(values),
        "SECRET_ACCESS_LIST": ",".join(secret_access(values)),
        "NAMESPACE_SELECTOR": ",".join(names.watched_namespaces(values)),
    }
    return {key: value for key, value in pairs.items() if value}


def secret_access(values: Values) -> tuple[str, ...]:
    """Return what SECRET_ACCESS_LIST says: nothing when only our own Secrets are meant, `*` alone for all of them.

    With names, the chart's own four are appended as the chart does.
    """
    listed = values.secret_access_list
    if not listed:
        return ()
    if ALL_SECRETS in listed:
        return (ALL_SECRETS,)
    own = (names.CERTS, names.api_key_secret(values), names.JKS, names.WEBHOOK_CERTS)
    return tuple(dict.fromkeys((*listed, *own)))


def drift(values: Values) -> str:
    """Return what the controller does with changed components; the default depends on who owns them."""
    return values.operator.drift or ("report" if values.profile == "gitops" else "enforce")


def makes_certificates(values: Values) -> bool:
    """Return whether the controller makes and renews the certificates itself (`createTLSCerts` says the same)."""
    return values.certificates.mode == "controller"


def _ours(values: Values) -> dict[str, str]:
    return {
        "PROFILE": values.profile,
        "DRIFT": drift(values),
        "LEADER_ELECTION": _bool(values.operator.leader_election),
        "CERTIFICATES_MODE": values.certificates.mode,
        "CREATE_JKS": _bool(values.create_jks),
        "DLP_KEY_SECRET_NAME": names.dlp_key_secret(values),
    }


def _settings(tree: Mapping[str, Any], part: str) -> str:
    """Return a component's settings as JSON, without those that only repeat the default."""
    default = defaults()[part]
    told = {key: value for key, value in tree[part].items() if key in _ALWAYS[part] or value != default.get(key)}
    if "exporters" in told:
        told["exporters"] = {name: _exporter(settings) for name, settings in told["exporters"].items()}
    return go_json(told)


def _exporter(settings: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in settings.items() if key != "headersSecret" or value}


def _pairs(mapping: Mapping[str, str]) -> str:
    return ",".join(f"{key}={mapping[key]}" for key in sorted(mapping))


def _bool(value: bool) -> str:
    return "true" if value else "false"
