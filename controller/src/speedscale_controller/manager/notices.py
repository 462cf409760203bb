"""What the leader tells users about the operator itself, as Events: missing rights, refused settings, a refused bundle.

Each is told when it comes up, and again only after it was gone. Metrics and /readyz have the same.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import structlog

from speedscale_controller.reconciling.watches import Trouble
from speedscale_controller.settings import Composed, Refused
from speedscale_controller.settings.compose import BASE, OVERRIDE
from speedscale_kube import Client, Ref
from speedscale_kube.events import Recorder
from speedscale_schemas.errors import PeerError, PermanentError, TransientError

DEPLOYMENT = "speedscale-operator"
_log = structlog.get_logger("speedscale_controller")


class Notice(NamedTuple):
    """One Event to be: about what, a reason in CamelCase, a sentence."""

    about: Ref
    reason: str
    message: str


def notices(
    namespace: str, composed: Composed, pending: tuple[str, ...], bundle: tuple[str, ...], troubles: tuple[Trouble, ...]
) -> tuple[Notice, ...]:
    """Return what is to be told now. Pure."""
    operator = Ref("apps/v1", "Deployment", namespace, DEPLOYMENT)
    found = []
    for reason, text in composed.problems:
        name = BASE if reason is Refused.CONFIG_INVALID else OVERRIDE
        found.append(Notice(Ref("v1", "ConfigMap", namespace, name), "SettingsRefused", text))
    if pending:
        told = f"changed settings take effect with the operator's next start: {', '.join(pending)}"
        found.append(Notice(operator, "RestartNeeded", told))
    if bundle:
        found.append(Notice(operator, "BundleRefused", "the last good bundle stays in force: " + "; ".join(bundle)))
    for trouble in troubles:
        where = f"namespace {trouble.namespace}" if trouble.namespace else "the cluster"
        told = f"{trouble.kind} in {where} cannot be watched ({trouble.state.value}): {trouble.reason}"
        found.append(Notice(operator, "CannotWatch", told))
    return tuple(found)


class Announcer:
    """Tells each notice once for as long as it holds. `look` returns what holds now."""

    def __init__(self, client: Client, recorder: Recorder, look: Callable[[], tuple[Notice, ...]]) -> None:
        self._client, self._recorder, self._look = client, recorder, look
        self._told: frozenset[Notice] = frozenset()

    def __call__(self) -> None:
        """Look, and tell what is new."""
        now = self._look()
        for notice in now:
            if notice not in self._told:
                _log.warning("notice", about=str(notice.about), reason=notice.reason, message=notice.message)
                uid = self._uid(notice.about)
                self._recorder.event(notice.about, "Warning", notice.reason, notice.message, uid=uid)
        self._told = frozenset(now)

    def _uid(self, about: Ref) -> str:
        try:
            found = self._client.find(about)
        except (TransientError, PermanentError, PeerError):
            return ""
        return str(found["metadata"]["uid"]) if found else ""
