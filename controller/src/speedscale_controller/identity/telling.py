"""How findings are told: an Event for the user, a metric, a log line; the same thing once in a while, not each look.

Called by every part of this package. A message names objects and reasons, never a key, a token or a certificate's
content.
"""

from __future__ import annotations

from collections import OrderedDict
from datetime import datetime
from enum import StrEnum
from typing import Literal

import structlog
from prometheus_client import CollectorRegistry, Counter, Gauge

from speedscale_controller.certificates.model import Finding
from speedscale_controller.certificates.names import Certificate
from speedscale_controller.reconciling import Context
from speedscale_kube import Ref

AGAIN_S = 6 * 3600.0
_REMEMBERED = 4096
_log = structlog.get_logger("speedscale_controller")


class Concern(StrEnum):
    """What this reconciler looks after; label of metrics and part of its keys."""

    INSTANCE = "instance"
    OVERRIDE = "override"
    WEBHOOK = "webhook"
    ROOT = "root"
    SENDERS = "senders"
    BACKEND = "backend"
    COLLECTOR = "collector"
    DLP = "dlp"
    NAMESPACE = "namespace"


class Gauges:
    """The metrics of this package that the common table does not have."""

    def __init__(self, registry: CollectorRegistry) -> None:
        prefix = "speedscale_operator_identity"
        self.expiry = Gauge(
            f"{prefix}_certificate_expiry_timestamp_seconds",
            "When a certificate ends, in seconds since 1970; of several of one name the first; 0 without one.",
            ["certificate"],
            registry=registry,
        )
        self.stale_pods = Gauge(
            f"{prefix}_stale_pods",
            "Pods that do not trust the current root yet, or use the old one.",
            registry=registry,
        )
        self.forbidden = Gauge(
            f"{prefix}_forbidden_state", "1 while a right is missing.", ["concern"], registry=registry
        )
        self.left_alone = Counter(
            f"{prefix}_left_alone_objects", "Objects of somebody else's that were met.", ["reason"], registry=registry
        )
        self.namespaces = Gauge(f"{prefix}_target_namespaces", "Namespaces with our Secrets.", registry=registry)
        for certificate in Certificate:
            self.expiry.labels(certificate.value).set(0)
        for concern in Concern:
            self.forbidden.labels(concern.value).set(0)


class Teller:
    """Writes Events and log lines; the same text about the same object again after six hours only."""

    def __init__(self, context: Context, gauges: Gauges) -> None:
        self._context, self._gauges = context, gauges
        self._told: OrderedDict[tuple[Ref, str, str], float] = OrderedDict()

    def tell(self, about: Ref, reason: str, message: str, kind: Literal["Normal", "Warning"] = "Warning") -> None:
        """Write an Event about an object. `reason` is one CamelCase word, `message` a sentence without full stop."""
        now, same = self._context.clock(), (about, reason, message)
        if now - self._told.get(same, float("-inf")) < AGAIN_S:
            return
        self._told[same] = now
        self._told.move_to_end(same)
        if len(self._told) > _REMEMBERED:
            self._told.popitem(last=False)
        self._context.recorder.event(about, kind, reason, message)
        level = _log.warning if kind == "Warning" else _log.info
        level("identity_told", about=str(about), reason=reason, message=message)

    def left_alone(self, about: Ref, finding: Finding) -> None:
        """Tell why an object is not touched."""
        self._gauges.left_alone.labels(finding.reason.value).inc()
        self.tell(about, "LeftAlone", finding.message)

    def expiry(self, certificate: Certificate, ends: datetime | None) -> None:
        """Note when a certificate ends; None: there is none."""
        self._gauges.expiry.labels(certificate.value).set(ends.timestamp() if ends else 0)
