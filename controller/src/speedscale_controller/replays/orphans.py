"""What replays left behind whose TrafficReplay is no more: found by label, deleted; workloads given back.

That happens when somebody takes the finalizer off, or restores a backup without the TrafficReplays: owner references do
not reach into other namespaces, and nobody else knows. Called once when this process begins to lead, and each five
minutes. What is there is listed before the TrafficReplays are: whatever was made had one then.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from functools import partial
from typing import Any, Final

import structlog

from speedscale_controller.replay import names
from speedscale_controller.settings import Settings
from speedscale_kube import Client, Object
from speedscale_kube.errors import NotFoundError
from speedscale_schemas.asking.workloads import TARGETS
from speedscale_schemas.errors import PermanentError

from .acting import Hands
from .seeing import INVENTORY

EVERY_S: Final = 300.0
_log = structlog.get_logger("speedscale_controller")


class Orphans:
    """Finds and clears away. Raises what the API server says to listing: half a picture decides nothing."""

    def __init__(self, client: Callable[[], Client], settings: Callable[[], Settings], hands: Hands) -> None:
        self._client, self._settings, self._hands = client, settings, hands

    def run(self) -> None:
        """Sweep; called now and then."""
        self.sweep()

    def sweep(self) -> int:
        """Clear away; return how many objects and workloads that were."""
        client = self._client()
        spaces = self._spaces()
        objects = [o for kind in INVENTORY for space in spaces for o in client.list(*kind, space, labels=names.ID)]
        workloads = [o for kind in TARGETS for space in spaces for o in self._under_test(kind, space)]
        uids = {str(o["metadata"]["uid"]) for space in self._replays() for o in space}
        reports = {names.report_id(uid) for uid in uids}
        done = 0
        for obj in objects:
            if obj["metadata"]["labels"][names.ID] not in uids and "deletionTimestamp" not in obj["metadata"]:
                done += self._clear(obj, partial(client.delete, client.ref(obj)))
        for obj in workloads:
            if (obj["metadata"].get("annotations") or {}).get(names.REPORT_ID) not in reports:
                done += self._clear(obj, partial(self._hands.give_back, client.ref(obj)))
        return done

    def _spaces(self) -> tuple[str, ...]:
        settings = self._settings()
        return tuple(sorted({*settings.namespaces, settings.namespace})) if settings.namespaces else ("",)

    def _replays(self) -> Iterable[list[Object]]:
        for space in self._settings().namespaces or ("",):
            yield self._client().list("speedscale.com/v1", "TrafficReplay", space, metadata_only=True)

    def _under_test(self, kind: str, space: str) -> list[Object]:
        try:
            return self._client().list(TARGETS[kind], kind, space, labels=f"{names.ENV_ID},!{names.ID}")
        except NotFoundError:
            return []  # Rollouts are not installed

    def _clear(self, obj: Mapping[str, Any], clear: Callable[[], object]) -> int:
        what = f"{obj['kind']} {obj['metadata'].get('namespace', '')}/{obj['metadata']['name']}"
        try:
            clear()
        except PermanentError as error:
            _log.warning("replay_orphan_stays", what=what, error=str(error))
            return 0
        _log.info("replay_orphan_cleared", what=what)
        return 1
