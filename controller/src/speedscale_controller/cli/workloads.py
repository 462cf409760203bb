"""Workloads of a cluster and what surrounds them, read live: what `injection.decide` needs to know.

Used by `infra`, `doctor` and `uninstall`. Reading only. The operator answers from memory; here each thing is asked for
once, when it is first needed. What may not be read counts as absent, and stands in `unread`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from speedscale_controller.facts import assemble, cluster_of
from speedscale_controller.injection import Cluster, Facts, Namespace
from speedscale_controller.replay import WorkloadPatch, consents, hold, in_force
from speedscale_controller.settings import Settings
from speedscale_kube import Client, Object, Ref
from speedscale_kube.errors import ForbiddenError, NotFoundError
from speedscale_schemas import trafficreplay
from speedscale_schemas.asking.workloads import KINDS, owned, split
from speedscale_schemas.errors import ConfigError

from .installed import Installed


def each(
    client: Client, namespace: str, unread: dict[str, str], *, also: Callable[[Object], bool] = lambda obj: False
) -> Iterator[Object]:
    """Yield the workloads of a namespace (empty: of all) that no other object makes, kind by kind.

    Kinds that may not be read are left out, and noted in `unread` with the reason. `also` says which of those that
    another object makes are wanted as well.
    """
    for kind, version in KINDS.items():
        try:
            for page in client.pages(version, kind, namespace):
                yield from (obj for obj in page.items if not owned(obj) or also(obj))
        except NotFoundError:
            continue  # Argo Rollouts are not installed
        except ForbiddenError as error:
            unread[f"{kind}s"] = str(error)


def named(client: Client, text: str, namespace: str) -> Object:
    """Return the workload that `kind/name` or `name` means in a namespace.

    ConfigError when there is none, or when several kinds have one of this name.
    """
    kind, name = split(text)
    kinds = [kind] if kind else list(KINDS)
    found = [obj for k in kinds if (obj := client.find(Ref(KINDS[k], k, namespace, name))) is not None]
    if not kind:
        found = [obj for obj in found if not owned(obj)]
    if not found:
        what = f"no {kind}" if kind else "no workload"
        raise ConfigError([f"there is {what} {name!r} in namespace {namespace}; speedctl infra workloads lists them"])
    if len(found) > 1:
        choices = ", ".join(f"{obj['kind'].lower()}/{name}" for obj in found)
        raise ConfigError([f"{name!r} is ambiguous in namespace {namespace}: {choices}"])
    return found[0]


class Surroundings:
    """The facts of `injection.decide` for one installation; each namespace is read once."""

    def __init__(self, client: Client, installed: Installed) -> None:
        self._client, self._installed = client, installed
        self._namespaces: dict[str, Namespace] = {}
        self._cluster: Cluster | None = None
        self._patches: Mapping[Ref, WorkloadPatch] | None = None
        self.unread: dict[str, str] = {}

    def facts(self, workload: Mapping[str, Any]) -> Facts | None:
        """Return what is known around a workload; None where the settings of the installation cannot be used."""
        settings, bundle = self._installed.settings, self._installed.bundle
        if settings is None:
            return None
        meta = workload["metadata"]
        namespace = str(meta.get("namespace", ""))
        patch = self._replays(settings).get(
            Ref(KINDS.get(str(workload["kind"]), ""), str(workload["kind"]), namespace, str(meta.get("name", "")))
        )
        return assemble(
            settings,
            bundle,
            identity=self._installed.identity,
            namespace=self._namespace(namespace, settings.watches(namespace)),
            cluster=self._observed(),
            patch=patch,
        )

    def _namespace(self, name: str, selected: bool) -> Namespace:
        if name not in self._namespaces:
            obj = {"metadata": {"name": name}}
            try:
                obj = self._client.find(Ref("v1", "Namespace", "", name)) or obj
            except ForbiddenError as error:
                self.unread["Namespaces"] = str(error)
            self._namespaces[name] = Namespace.of(
                obj,
                selected=selected,
                quotas=self._all("v1", "ResourceQuota", name),
                limit_ranges=self._all("v1", "LimitRange", name),
            )
        return self._namespaces[name]

    def _observed(self) -> Cluster:
        if self._cluster is None:
            self._cluster = cluster_of(self._client.version(), self._all("v1", "Node", ""))
        return self._cluster

    def _replays(self, settings: Settings) -> Mapping[Ref, WorkloadPatch]:
        def consented(home: str, name: str) -> bool:
            there = self._namespace(name, settings.watches(name))
            return consents(home, name, settings.namespace, there.annotations)

        if self._patches is None:
            there = self._all(trafficreplay.API_VERSION, trafficreplay.KIND, "")
            self._patches = in_force([hold(obj) for obj in there], consented)
        return self._patches

    def _all(self, api_version: str, kind: str, namespace: str) -> list[Object]:
        try:
            return self._client.list(api_version, kind, namespace)
        except NotFoundError:
            return []
        except ForbiddenError as error:
            self.unread[f"{kind}s"] = str(error)
            return []


def minor_version(text: str) -> tuple[int, int]:
    """Return major and minor of `v1.34.4` or `v1.29.3-gke.100`; (0, 0) of anything else."""
    major, _, rest = text.removeprefix("v").partition(".")
    minor = "".join(c for c in rest.partition(".")[0] if c.isdigit())
    return (int(major), int(minor)) if major.isdigit() and minor else (0, 0)
