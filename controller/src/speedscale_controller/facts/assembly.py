"""The one way to put facts together, from memory or read live: what of the settings counts, a replay's patch. Pure."""

from __future__ import annotations

from speedscale_controller.bundle import Bundle
from speedscale_controller.injection import Cluster, Facts, Installation, Namespace, ReplayPatch
from speedscale_controller.replay import WorkloadPatch
from speedscale_controller.settings import Settings

from .collections import Identity


def assemble(
    settings: Settings,
    bundle: Bundle | None,
    *,
    identity: Identity,
    namespace: Namespace,
    cluster: Cluster,
    patch: WorkloadPatch | None,
) -> Facts:
    """Return the facts of a workload; `identity` is who we are and whom we took over, `patch` a running replay's."""
    return Facts(
        template=None if bundle is None else bundle.sidecar,
        installation=Installation(
            namespace=settings.namespace,
            instance_id=identity.id,
            adopt=identity.taken_over(settings),
            sidecar_config=settings.sidecar_config,
            disable_smartdns=settings.disable_smartdns,
            log_level=settings.log_level,
            pull_secrets=settings.image_pull_secrets,
            create_jks=settings.create_jks,
        ),
        namespace=namespace,
        cluster=cluster,
        replay=None if patch is None else ReplayPatch(**patch.arguments()),
    )
