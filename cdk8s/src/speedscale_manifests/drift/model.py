"""What is found: plain data, made by `judge` and `gather`, told by `report`."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from speedscale_kube import Ref
from speedscale_kube.compare import Change

State = Literal["missing", "extra", "changed"]


@dataclass(frozen=True, slots=True)
class Drift:
    """One object that differs: not in the cluster (`missing`), not in git (`extra`), or different (`changed`)."""

    ref: Ref
    state: State
    file: str = ""
    note: str = ""
    changes: tuple[Change, ...] = ()


@dataclass(frozen=True, slots=True)
class Report:
    """A comparison. `failed` are objects that could not be compared, and why; `notes` is what was left out."""

    compared: int
    server: str
    version: str
    drift: tuple[Drift, ...] = ()
    failed: tuple[tuple[Ref, str], ...] = ()
    notes: tuple[str, ...] = field(default=())

    @property
    def clean(self) -> bool:
        """Whether everything was compared and nothing differs."""
        return not self.drift and not self.failed
