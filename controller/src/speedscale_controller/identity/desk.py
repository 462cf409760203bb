"""What every part of this package works with: the context, entropy, Secrets by name, and who tells users.

Secrets are read one by one and by name, because that is all that RBAC allows in users' namespaces; none is kept in
memory. A write states every key that is ours, is guarded by the version that was read, and does not happen when the
Secret is as it should be.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime

from speedscale_controller.certificates import Entropy, secret
from speedscale_controller.certificates.model import Finding, Reason
from speedscale_controller.certificates.names import MANAGER, Certificate
from speedscale_controller.certificates.policies import ownership
from speedscale_controller.certificates.secret import Content
from speedscale_controller.reconciling import Context
from speedscale_controller.settings import Settings
from speedscale_kube import Client, Ref

from .instance import Instance
from .telling import Gauges, Teller

_OTHER = "other"


class Desk:
    """One for the reconciler; `instance` is set by the part that keeps INSTANCE_ID before any other writes."""

    def __init__(self, context: Context, entropy: Entropy) -> None:
        self.context, self.entropy = context, entropy
        self.gauges = Gauges(context.metrics.registry)
        self.teller = Teller(context, self.gauges)
        self.instance: Callable[[], Instance]

    @property
    def client(self) -> Client:
        """The fenced client."""
        return self.context.client

    @property
    def settings(self) -> Settings:
        """The settings as of now."""
        return self.context.settings

    @property
    def own(self) -> str:
        """The installation's namespace."""
        return self.settings.namespace

    @property
    def makes_certificates(self) -> bool:
        """Whether webhook certificates and the root are ours to make."""
        return self.settings.certificates_mode == "controller"

    def now(self) -> datetime:
        """Return the time of day, whole seconds."""
        return self.context.now().replace(microsecond=0)

    def read(self, namespace: str, name: str) -> Content:
        """Return a Secret. ForbiddenError when its name is not among those that RBAC gives us."""
        return secret.read(self.client.find(which(namespace, name)))

    def foreign(self, content: Content, *, adopt: bool) -> Finding | None:
        """Return why a Secret is to be left alone, None when it is ours, or not there, or (`adopt`) nobody's."""
        return ownership(content.metadata, self.instance().owns, adopt=adopt)

    def write(
        self,
        content: Content,
        namespace: str,
        name: str,
        data: Mapping[str, bytes],
        *,
        annotations: Mapping[str, str] | None = None,
        gone: tuple[str, ...] = (),
        kind: str = "",
    ) -> bool:
        """Make a Secret hold this; False when it does already.

        `content` is how it was read; `gone` are keys and annotations that must not be there any more.
        """
        desired = secret.build(
            name, namespace, self.instance().id, data, annotations=annotations, kind=kind, version=content.version
        )
        if secret.same(desired, content.live, gone=gone):
            return False
        self.client.apply(desired, MANAGER, force=True)
        if left := secret.leftovers(content.live, gone, desired):
            self.client.patch(which(namespace, name), left, MANAGER)
        self.wrote(name, "changed" if content.live is not None else "created")
        return True

    def remove(self, content: Content, namespace: str, name: str) -> bool:
        """Delete a Secret that is ours; False when it is not there or somebody else's."""
        if content.live is None or not content.mark or not self.instance().owns(content.mark):
            return False
        removed = self.client.delete(which(namespace, name))
        if removed:
            self.wrote(name, "removed")
        return removed

    def wrote(self, name: str, result: str) -> None:
        """Count a write."""
        self.context.metrics.secrets_written.labels(name if name.startswith("speedscale-") else _OTHER, result).inc()

    def issued(self, certificate: Certificate, reason: Reason) -> None:
        """Count a certificate that was made."""
        self.context.metrics.certificates_issued.labels(certificate.value, reason.value).inc()


def which(namespace: str, name: str) -> Ref:
    """Return a Secret's name."""
    return Ref("v1", "Secret", namespace, name)
