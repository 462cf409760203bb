"""One command while it is carried out: what it may use, what it says, what it changed, and how it is ended early.

Made by `running`, used by `commands` in a thread of the pool. Invariant: whatever a command reads of the cluster goes
through `each`, so that namespaces, missing rights and bounds are the same for all.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import orjson

from speedscale_kube import Client, Object, Ref, Stop
from speedscale_kube.errors import ForbiddenError, GoneError, NotFoundError
from speedscale_schemas.inspector import MAX_MESSAGE_BYTES, Reason, Refusal

from . import gate, refusals
from .config import Settings
from .outlet import Closed, Outlet
from .redaction import Redaction

MANAGER = "speedscale-inspector"
"""Field manager of what the inspector writes, and reporter of its Events."""


_FRAME_BYTES = 1024  # what is around an item in its message


class Full(Exception):
    """The answer has as many items as it may."""


@dataclass(frozen=True, slots=True)
class Changed:
    """An object that was changed (`about` with its uid), for an Event on it."""

    about: Object
    reason: str
    message: str


@dataclass
class Call:
    """A command, on whose behalf, and what has come of it so far."""

    name: str
    arguments: dict[str, Any]
    actor: str
    client: Client
    settings: Settings
    redaction: Redaction
    outlet: Outlet
    stop: Stop = field(default_factory=Stop)
    items: int = 0
    notes: list[str] = field(default_factory=list)
    lacking: list[dict[str, str]] = field(default_factory=list)
    allowed: bool = False
    changed: list[Changed] = field(default_factory=list)

    def emit(self, item: dict[str, Any]) -> None:
        """Hand an item to the caller; waits for slow ones. Closed when nobody wants it; Full at the bound."""
        if self.stop.is_set():
            raise Closed
        if self.items >= self.settings.max_items and not self.streams:
            self.notes.append(f"cut after {self.items} items; ask for one namespace (INSPECTOR_MAX_ITEMS)")
            raise Full
        if len(orjson.dumps(item)) > MAX_MESSAGE_BYTES - _FRAME_BYTES:
            raise Refusal(Reason.TOO_LARGE, f"an item of more than {MAX_MESSAGE_BYTES:,} bytes fits into no message")
        self.outlet.put(item)
        self.items += 1

    @property
    def streams(self) -> bool:
        """Whether items come over time, without a bound on their number."""
        return self.name in ("logs", "replay-follow")

    @property
    def dry_run(self) -> bool:
        """Whether nothing may be written."""
        return bool(self.arguments.get("dryRun"))

    def each(
        self,
        api_version: str,
        kind: str,
        *,
        labels: str = "",
        fields: str = "",
        metadata_only: bool = False,
        cluster_wide: bool = False,
    ) -> Iterator[Object]:
        """Yield the objects of a kind in the namespaces that are meant.

        A kind that the cluster does not have yields nothing; a right that the account lacks is noted in `lacking`, and
        what it would have shown left out.
        """
        for space in ("",) if cluster_wide else gate.spaces(self.settings, self.arguments):
            try:
                for page in self.client.pages(
                    api_version, kind, space, labels=labels, fields=fields, metadata_only=metadata_only
                ):
                    self.allowed = True
                    if self.stop.is_set():
                        raise Closed
                    yield from page.items
            except NotFoundError:
                continue
            except GoneError:
                self.notes.append(f"{kind}: the cluster forgot the list while it was read; it is not whole")
            except ForbiddenError as error:
                self.lacks(error)

    def lacks(self, error: ForbiddenError) -> None:
        """Note a right that is lacking; what is no lack of rights is raised."""
        found = refusals.missing(error)
        if not found:
            raise error
        self.lacking.append(found)
        self.notes.append(f"left out: the inspector's account {refusals.told(found)}")

    def get(self, which: Ref) -> Object:
        """Return one object; Refusal when it is not there."""
        return self.client.get(which)

    def changes(self, about: Object, reason: str, message: str) -> None:
        """Note that an object was changed on the caller's behalf; a dry run changes nothing."""
        if not self.dry_run:
            self.changed.append(Changed(about, reason, message))

    def refuse_if_blind(self) -> None:
        """Refusal when nothing at all could be read for want of rights."""
        if self.lacking and not self.allowed:
            first = self.lacking[0]
            raise Refusal(
                Reason.FORBIDDEN,
                f"the inspector's account {refusals.told(first)}; its rights are in docs/rbac.md",
                first,
            )
