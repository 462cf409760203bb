"""What `decide` knows besides the workload: the installation, the namespace, the cluster, a running replay.

Built by admission and by healing from memory; frozen, small, never a client. Quantities stay text, as the API has them.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

_EMPTY: Mapping[str, Any] = {}


@dataclass(frozen=True, slots=True, kw_only=True)
class Installation:
    """Our own settings, as far as a sidecar has to do with them.

    `namespace` is our own; `instance_id` marks what we manage; `adopt` are ids of earlier installations whose
    workloads are taken over, `*` stands for any. `sidecar_config` is SIDECAR_CONFIG as an object (keys of the values'
    `sidecar`). `pull_secrets` are copied into every target namespace before a sidecar is put there. `create_jks`:
    Secret `speedscale-jks` is made in target namespaces.
    """

    namespace: str
    instance_id: str
    adopt: frozenset[str] = frozenset()
    sidecar_config: Mapping[str, Any] = field(default_factory=dict)
    disable_smartdns: bool = False
    log_level: str = "info"
    pull_secrets: tuple[str, ...] = ()
    create_jks: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Quota:
    """A ResourceQuota: `spec.hard` and `status.used`; `scopes` narrow it, each (name, operator, values)."""

    name: str
    hard: Mapping[str, str]
    used: Mapping[str, str] = field(default_factory=dict)
    scopes: tuple[tuple[str, str, tuple[str, ...]], ...] = ()

    @classmethod
    def of(cls, obj: Mapping[str, Any]) -> Quota:
        """Return what counts of a ResourceQuota as the API gives it."""
        spec, status = obj.get("spec") or {}, obj.get("status") or {}
        return cls(
            name=str((obj.get("metadata") or {}).get("name", "")),
            hard={k: str(v) for k, v in (spec.get("hard") or {}).items()},
            used={k: str(v) for k, v in (status.get("used") or {}).items()},
            scopes=(
                *((str(scope), "Exists", ()) for scope in spec.get("scopes") or ()),
                *(
                    (str(e.get("scopeName", "")), str(e.get("operator", "")), tuple(map(str, e.get("values") or ())))
                    for e in (spec.get("scopeSelector") or {}).get("matchExpressions") or ()
                ),
            ),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """One item of type Container or Pod of a LimitRange; maps are resource → quantity."""

    name: str
    type: str
    default: Mapping[str, str] = field(default_factory=dict)
    default_request: Mapping[str, str] = field(default_factory=dict)
    min: Mapping[str, str] = field(default_factory=dict)
    max: Mapping[str, str] = field(default_factory=dict)
    max_ratio: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def all_of(cls, obj: Mapping[str, Any]) -> tuple[Limits, ...]:
        """Return the items of a LimitRange as the API gives it that concern pods."""
        name = str((obj.get("metadata") or {}).get("name", ""))

        def texts(item: Mapping[str, Any], key: str) -> dict[str, str]:
            return {k: str(v) for k, v in (item.get(key) or {}).items()}

        return tuple(
            cls(
                name=name,
                type=str(item["type"]),
                default=texts(item, "default"),
                default_request=texts(item, "defaultRequest"),
                min=texts(item, "min"),
                max=texts(item, "max"),
                max_ratio=texts(item, "maxLimitRequestRatio"),
            )
            for item in (obj.get("spec") or {}).get("limits") or ()
            if item.get("type") in ("Container", "Pod")
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Namespace:
    """The namespace of the workload. `selected`: NAMESPACE_SELECTOR allows it."""

    name: str
    labels: Mapping[str, str] = field(default_factory=dict)
    annotations: Mapping[str, str] = field(default_factory=dict)
    deleting: bool = False
    selected: bool = True
    quotas: tuple[Quota, ...] = ()
    limits: tuple[Limits, ...] = ()

    @classmethod
    def of(
        cls,
        obj: Mapping[str, Any],
        *,
        selected: bool = True,
        quotas: Iterable[Mapping[str, Any]] = (),
        limit_ranges: Iterable[Mapping[str, Any]] = (),
    ) -> Namespace:
        """Return what counts of a Namespace, its ResourceQuotas and LimitRanges, as the API gives them."""
        meta = obj.get("metadata") or {}
        return cls(
            name=str(meta.get("name", "")),
            labels=dict(meta.get("labels") or {}),
            annotations=dict(meta.get("annotations") or {}),
            deleting="deletionTimestamp" in meta,
            selected=selected,
            quotas=tuple(Quota.of(item) for item in quotas),
            limits=tuple(found for item in limit_ranges for found in Limits.all_of(item)),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Cluster:
    """The cluster. `version` is (major, minor) of the API server, or of the oldest node where that is older.

    `native_sidecars` None follows the version: restartable init containers are on by default from 1.29. An older node
    would take such a container for one that has to end, and wait for ever. `pod_security` is the level that namespaces
    without a label enforce.
    """

    version: tuple[int, int] = (1, 29)
    native_sidecars: bool | None = None
    pod_security: str = "privileged"

    @property
    def has_native_sidecars(self) -> bool:
        """Return whether init containers may have `restartPolicy: Always`."""
        return self.version >= (1, 29) if self.native_sidecars is None else self.native_sidecars


@dataclass(frozen=True, slots=True, kw_only=True)
class ReplayPatch:
    """What a running replay does to the workload; it holds also where no sidecar is asked for.

    `host_aliases` is host name → IP address (routing hostalias); `routes` host:port → host:port (routing nat). `trust`:
    the application must trust certificates of the namespace's CA, as the responder shows them. `annotations` stand over
    the workload's own of `sidecar.speedscale.com`, for settings of the replay. `env` is set on the application's
    containers unless they set it themselves. `patch` is a strategic merge patch of the workload (`overlay`).
    """

    name: str
    report_id: str
    host_aliases: Mapping[str, str] = field(default_factory=dict)
    routes: Mapping[str, str] = field(default_factory=dict)
    trust: bool = False
    annotations: Mapping[str, str] = field(default_factory=dict)
    env: Mapping[str, str] = field(default_factory=dict)
    patch: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """Everything that `decide` knows. `template` is `bundle.Bundle.sidecar`, None while there is no good bundle."""

    template: Mapping[str, Any] | None
    installation: Installation
    namespace: Namespace
    cluster: Cluster = field(default_factory=Cluster)
    replay: ReplayPatch | None = None
