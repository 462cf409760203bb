"""A TrafficReplay as a construct, also as a gate that Argo CD runs after each sync.

Called by users' cdk8s apps. What is valid is said by `speedscale_schemas.trafficreplay`; a wrong spec fails here, at
synthesis. Invariant: the name is explicit, never a path hash, so that a hook is replaced and not multiplied.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from constructs import Construct

from speedscale_schemas import trafficreplay
from speedscale_schemas.errors import ConfigError

from .raw import RawObject

GATE = {
    "argocd.argoproj.io/hook": "PostSync",
    "argocd.argoproj.io/hook-delete-policy": "BeforeHookCreation,HookSucceeded,HookFailed",
}
"""Annotations of a replay that Argo CD creates anew after each sync, and whose end it waits for.

It goes with its verdict: were it left until the next sync, Argo CD may take the old verdict for the new version's.
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """A workload, or an address, that takes part in a replay.

    `name` with `kind` and the like is a workload, `custom_uri` an address: exactly one of the two. `tests` and `mocks`
    are keys of the snapshot, parts of one that fit no other, or `*`; without `mocks` nothing is mocked.
    """

    name: str | None = None
    kind: str | None = None
    api_version: str | None = None
    namespace: str | None = None
    custom_uri: str | None = None
    tests: Sequence[str] = ()
    mocks: Sequence[str] = ()
    routing: Literal["hostalias", "nat"] | None = None

    def manifest(self) -> dict[str, Any]:
        """Return the item of `spec.workloads`."""
        ref = _given(name=self.name, kind=self.kind, apiVersion=self.api_version, namespace=self.namespace)
        lists = {key: list(value) for key, value in (("tests", self.tests), ("mocks", self.mocks)) if value}
        return {**_given(ref=ref or None, customURI=self.custom_uri, routing=self.routing), **lists}


class TrafficReplay(RawObject):
    """A replay: `TrafficReplay(chart, "gate", snapshot_id="…", workloads=[Target(name="payments")], gate=True)`."""

    def __init__(
        self,
        scope: Construct,
        id: str,
        *,
        snapshot_id: str,
        test_config_id: str = "standard",
        name: str | None = None,
        namespace: str | None = None,
        workloads: Sequence[Target] = (),
        custom_url: str | None = None,
        mode: Literal["full-replay", "responder-only", "generator-only"] | None = None,
        build_tag: str | None = None,
        cleanup: Literal["inventory", "all", "none"] | None = None,
        needs_report: bool | None = None,
        timeout: str | None = None,
        ttl_after_ready: str | None = None,
        secrets: Sequence[str] = (),
        gate: bool = False,
        labels: Mapping[str, str] | None = None,
        annotations: Mapping[str, str] | None = None,
    ) -> None:
        """Make the object; None leaves a field to the operator's default. `timeout` and `ttl_after_ready` are `10m`.

        `name` is the id when it is not given. `gate` makes it a PostSync hook of Argo CD, which needs the health check
        of examples/argocd to wait for its end. Raises ConfigError with every problem.
        """
        spec = _given(
            snapshotID=snapshot_id,
            testConfigID=test_config_id,
            workloads=[target.manifest() for target in workloads] or None,
            customURL=custom_url,
            mode=mode,
            buildTag=build_tag,
            cleanup=cleanup,
            needsReport=needs_report,
            timeout=timeout,
            ttlAfterReady=ttl_after_ready,
            secretRefs=[{"name": secret} for secret in secrets] or None,
        )
        metadata = _given(
            name=name or id,
            namespace=namespace,
            labels=dict(labels or {}) or None,
            annotations={**(annotations or {}), **(GATE if gate else {})} or None,
        )
        manifest = {
            "apiVersion": trafficreplay.API_VERSION,
            "kind": trafficreplay.KIND,
            "metadata": metadata,
            "spec": spec,
        }
        where = f"TrafficReplay {scope.node.path}/{id}"
        problems = [str(problem) for problem in trafficreplay.validate(manifest, source=where)]
        if gate and mode == "responder-only":
            problems.append(f"{where}: spec.mode: responder-only never ends by itself, so a gate would never open")
        if problems:
            raise ConfigError(problems)
        super().__init__(scope, id, manifest, cluster_scoped=False)


def _given(**fields: Any) -> dict[str, Any]:
    return {name: value for name, value in fields.items() if value is not None}
