"""Profile operator: what keys of the override ConfigMap change in managed objects. One table, pure.

The bundle was synthesised with the settings of git (`base`); what counts now may be something else, because the
override wins key by key. Each row of `TABLE` carries one such difference into the objects. A row does nothing where
both settings agree, so objects of an untouched installation stay what the bundle says, to the byte.

Keys that cannot be carried over (an exporter's volume cannot be invented here) are refused with a sentence; so a key
either takes effect or is told. Templates of sidecars and replays are filled from the settings elsewhere.
"""

from __future__ import annotations

import copy
import hashlib
import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from speedscale_controller.settings import Settings
from speedscale_kube import Object

from .rollout import WORKLOADS

CONFIG_HASH: Final = "controlplane.speedscale.com/config-hash"
_PROXY_USERS: Final = frozenset({"forwarder", "inspector"})
_GO_ESCAPES: Final = {"<": "\\u003c", ">": "\\u003e", "&": "\\u0026"}


@dataclass(frozen=True, slots=True)
class Wish:
    """What is wanted besides the bundle: of which component, settings of git, settings now."""

    component: str
    base: Settings
    now: Settings

    def differs(self, *names: str) -> bool:
        """Say whether one of these settings is another one than in git."""
        return any(getattr(self.base, name) != getattr(self.now, name) for name in names)


Row = Callable[[Object, Wish], None]


def overridden(manifests: tuple[Mapping[str, Any], ...], wish: Wish) -> tuple[Object, ...]:
    """Return a component's objects with every row of the table in force; those given are not changed."""
    made = [copy.deepcopy(dict(one)) for one in manifests]
    before = _settings_of(made)
    for _, row in TABLE:
        for one in made:
            row(one, wish)
    after = _settings_of(made)
    if after != before:
        for one in made:
            _roll(one, after)
    return tuple(made)


def refused(wish: Wish) -> tuple[str, ...]:
    """Return, a sentence each, what of the override cannot be carried into this component."""
    return tuple(sentence for check in _REFUSALS for sentence in check(wish))


def switch(component: str, settings: Settings) -> bool | None:
    """Return whether the settings switch a component on or off; None where they have no say: the bundle decides."""
    if component == "inspector":
        return settings.with_inspector
    if component == "demo":
        return bool(settings.deploy_demo)
    return None


def _images(one: Object, wish: Wish) -> None:
    if not wish.differs("image_registry", "image_tag", "component_image_tags"):
        return
    for container in containers(one):
        container["image"] = _image(str(container.get("image", "")), wish)


def _image(reference: str, wish: Wish) -> str:
    """Return an image of ours from where it is pulled now; another's as it is. A digest stays until its tag changes."""
    base, now = wish.base, wish.now
    if not reference.startswith(f"{base.image_registry}/"):
        return reference
    rest = reference[len(base.image_registry) + 1 :]
    end = min((i for i in (rest.find("@"), rest.find(":")) if i >= 0), default=len(rest))
    name, version = rest[:end], rest[end:]
    before, after = (s.component_image_tags.get(name) or s.image_tag for s in (base, now))
    return f"{now.image_registry}/{name}{version if before == after else f':{after}'}"


def _pull_policy(one: Object, wish: Wish) -> None:
    if wish.differs("image_pull_policy"):
        for container in containers(one):
            container["imagePullPolicy"] = wish.now.image_pull_policy


def _pull_secrets(one: Object, wish: Wish) -> None:
    pod = pod_template(one).get("spec")
    if wish.differs("image_pull_secrets") and pod is not None and wish.now.image_pull_secrets:
        pod["imagePullSecrets"] = [{"name": name} for name in wish.now.image_pull_secrets]


def _plain(field: str, key: str) -> Row:
    """Return the row of a setting that components have as a variable, in their own ConfigMap or in the pod."""

    def row(one: Object, wish: Wish) -> None:
        if wish.differs(field):
            _say(one, key, str(getattr(wish.now, field)))

    return row


def _redaction(one: Object, wish: Wish) -> None:
    if wish.component != "forwarder" or not wish.differs("dlp_config"):
        return
    rule = wish.now.dlp_config
    if rule:
        _say(one, "SPEEDSCALE_DLP_CONFIG", rule)
    elif wish.base.dlp_config:
        _say(one, "WITH_DLP", "false")


def _proxies(one: Object, wish: Wish) -> None:
    for field, key in (("http_proxy", "HTTP_PROXY"), ("https_proxy", "HTTPS_PROXY"), ("no_proxy", "NO_PROXY")):
        if wish.component in _PROXY_USERS and wish.differs(field):
            for container in _own_containers(one):
                variables = [v for v in container.get("env") or () if v.get("name") != key]
                value = getattr(wish.now, field)
                container["env"] = [*variables, *([{"name": key, "value": value}] if value else [])]


def _sizes(one: Object, wish: Wish) -> None:
    field = {"forwarder": "forwarder_config", "inspector": "inspector_config"}.get(wish.component)
    if field is None or not wish.differs(field) or one.get("kind") not in WORKLOADS:
        return
    before, after = getattr(wish.base, field), getattr(wish.now, field)
    if before.get("resources") != after.get("resources") and after.get("resources"):
        for container in _own_containers(one):
            container["resources"] = copy.deepcopy(dict(after["resources"]))
    if wish.component == "forwarder" and before.get("replicas") != after.get("replicas") and not _one_writer(one):
        one["spec"]["replicas"] = after["replicas"]
    if before.get("accessLabels") != after.get("accessLabels"):
        _say(one, "ACCESS_LABELS", _go_json(after.get("accessLabels") or {}))


def _one_writer(one: Object) -> bool:
    """Say whether a workload may have one replica only: a Deployment with a claim, as a spool has one owner."""
    strategy = (one["spec"].get("strategy") or {}).get("type")
    return one.get("kind") == "Deployment" and strategy == "Recreate"


def _labels(one: Object, wish: Wish) -> None:
    if wish.differs("global_labels") and one.get("kind") in WORKLOADS:
        for metadata in _metadata(one):
            _merge(metadata, "labels", wish.base.global_labels, wish.now.global_labels)


def _annotations(one: Object, wish: Wish) -> None:
    if wish.differs("global_annotations") and one.get("kind") in {*WORKLOADS, "Service", "ConfigMap"}:
        for metadata in _metadata(one):
            _merge(metadata, "annotations", wish.base.global_annotations, wish.now.global_annotations)


def _contexts(one: Object, wish: Wish) -> None:
    pairs = (("global_pod_security_context", list(containers(one))), ("global_security_context", _pod_specs(one)))
    for field, holders in pairs:
        if wish.differs(field):
            for holder in holders:  # who has one of its own (nettap) keeps it
                if holder.get("securityContext") == _plain_json(getattr(wish.base, field)):
                    holder["securityContext"] = _plain_json(getattr(wish.now, field))


TABLE: Final[tuple[tuple[tuple[str, ...], Row], ...]] = (
    (("IMAGE_REGISTRY", "IMAGE_TAG", "COMPONENT_IMAGE_TAGS"), _images),
    (("IMAGE_PULL_POLICY",), _pull_policy),
    (("IMAGE_PULL_SECRETS",), _pull_secrets),
    (("LOG_LEVEL",), _plain("log_level", "LOG_LEVEL")),
    (("CLUSTER_NAME",), _plain("cluster_name", "CLUSTER_NAME")),
    (("SPEEDSCALE_FILTER_RULE",), _plain("filter_rule", "SPEEDSCALE_FILTER_RULE")),
    (("SPEEDSCALE_DLP_CONFIG", "WITH_DLP"), _redaction),
    (("HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY"), _proxies),
    (("FORWARDER_CONFIG", "INSPECTOR_CONFIG"), _sizes),
    (("GLOBAL_LABELS",), _labels),
    (("GLOBAL_ANNOTATIONS",), _annotations),
    (("GLOBAL_POD_SECURITY_CONTEXT", "GLOBAL_SECURITY_CONTEXT"), _contexts),
)
"""Keys of the override, and what carries them over. WITH_INSPECTOR and DEPLOY_DEMO are `switch`."""

_CARRIED: Final = {"forwarder": {"replicas", "resources"}, "inspector": {"resources", "accessLabels"}}


def _refused_sizes(wish: Wish) -> Iterator[str]:
    field = f"{wish.component}_config"
    if wish.component not in _CARRIED or not wish.differs(field):
        return
    before, after = getattr(wish.base, field), getattr(wish.now, field)
    differing = {key for key in {*before, *after} if before.get(key) != after.get(key)}
    for key in sorted(differing - _CARRIED[wish.component]):
        yield (
            f"{field.upper()}: {key} takes effect with a synthesis only, since volumes and rules follow from it;"
            f" set {wish.component}.{key} in the values"
        )


def _refused_replicas(wish: Wish) -> Iterator[str]:
    if wish.component == "forwarder" and wish.differs("forwarder_config"):
        before, after = (s.forwarder_config.get("replicas") for s in (wish.base, wish.now))
        persistent = (wish.base.forwarder_config.get("persistence") or {}).get("enabled", True)
        if before != after and persistent and (before == 1 or after == 1):
            yield (
                "FORWARDER_CONFIG: one replica with a claim is a Deployment, more are a StatefulSet; going from one to"
                " the other is a change of the installation; set forwarder.replicas in the values"
            )


def _refused_redaction(wish: Wish) -> Iterator[str]:
    if wish.component == "forwarder" and wish.now.dlp_config and not wish.base.dlp_config:
        yield "WITH_DLP: the forwarder has no redaction key mounted; turn dlp.enabled on in the values"


_REFUSALS: Final = (_refused_sizes, _refused_replicas, _refused_redaction)


def pod_template(one: Mapping[str, Any]) -> dict[str, Any]:
    """Return a workload's pod template, an empty one for what is no workload."""
    found = (one.get("spec") or {}).get("template") if one.get("kind") in WORKLOADS else None
    return found if isinstance(found, dict) else {}


def containers(one: Object) -> Iterator[dict[str, Any]]:
    """Yield every container of a workload, init containers too."""
    for pod in _pod_specs(one):
        for part in ("initContainers", "containers"):
            yield from pod.get(part) or ()


def _own_containers(one: Object) -> Iterator[dict[str, Any]]:
    for pod in _pod_specs(one):
        yield from (c for c in pod.get("containers") or () if str(c.get("name", "")).startswith("speedscale-"))


def _pod_specs(one: Object) -> list[dict[str, Any]]:
    spec = pod_template(one).get("spec")
    return [spec] if isinstance(spec, dict) else []


def _metadata(one: Object) -> Iterator[dict[str, Any]]:
    yield one["metadata"]
    if pod_template(one):
        yield pod_template(one).setdefault("metadata", {})


def _merge(metadata: dict[str, Any], part: str, base: Mapping[str, str], now: Mapping[str, str]) -> None:
    """Take the global ones of before out and put those of now in; what is the component's own wins."""
    there = dict(metadata.get(part) or {})
    own = {name: value for name, value in there.items() if base.get(name) != value}
    metadata[part] = {**now, **own}
    if not metadata[part]:
        del metadata[part]


def _say(one: Object, key: str, value: str) -> None:
    """Give a variable another value where a component has it: in its ConfigMap or in a container."""
    if one.get("kind") == "ConfigMap" and key in (one.get("data") or {}):
        one["data"][key] = value
    for container in containers(one):
        for variable in container.get("env") or ():
            if variable.get("name") == key and "value" in variable:
                variable["value"] = value


def _settings_of(made: list[Object]) -> str:
    return json.dumps([one.get("data") for one in made if one.get("kind") == "ConfigMap"], sort_keys=True)


def _roll(one: Object, settings: str) -> None:
    """Have a workload's pods start anew where their settings changed, as synthesis does."""
    annotations = (pod_template(one).get("metadata") or {}).get("annotations") or {}
    if CONFIG_HASH in annotations:
        text = annotations[CONFIG_HASH] + settings
        annotations[CONFIG_HASH] = hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


def _go_json(value: Any) -> str:
    text = json.dumps(_plain_json(value), sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return "".join(_GO_ESCAPES.get(char, char) for char in text)


def _plain_json(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: _plain_json(inner) for key, inner in value.items()}
    return [_plain_json(inner) for inner in value] if isinstance(value, list | tuple) else value
