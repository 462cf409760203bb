"""One term of leading in this process: reconcilers as the manager runs them, with a client that counts what it writes.

For tests of one reconciler: no webhook, no election, no supervisor. Rights are those of whoever the client is.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import TracebackType
from typing import Any

from speedscale_controller.manager.running import Running
from speedscale_controller.reconciling import Reconciler
from speedscale_controller.reconciling.live import LiveSettings
from speedscale_controller.telemetry import Metrics
from speedscale_kube import Client

from .cluster import Cluster


class Leading:
    """`reconcilers` at work in a `with` block. `writes` counts requests that write, also those that change nothing."""

    def __init__(self, client: Client, environ: Mapping[str, str], *reconcilers: Reconciler) -> None:
        self.metrics, self.writes = Metrics(), 0
        settings = LiveSettings({"POD_NAME": "operator-0", **environ}, self.metrics)
        settings.read(client)
        self.client = client.fenced(self._write)
        self.running = Running(self.client, settings, self.metrics, reconcilers)

    def __enter__(self) -> Leading:
        self.running.start()
        Cluster.until(lambda: self.running.begun and self.running.bundle() is not None, "workers work")
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self.running.stop(10.0), "a worker did not end"

    def metric(self, name: str, **labels: str) -> float:
        """Return a sample's value, 0 when there is none."""
        return self.metrics.registry.get_sample_value(name, labels) or 0.0

    def rest(self, name: str) -> None:
        """Wait until the queue of this name is empty and nobody works."""
        assert self.running.queue(name).drained(30.0), f"queue {name} does not come to rest"

    def _write(self) -> None:
        self.writes += 1


def events(client: Client, namespace: str, reason: str) -> list[dict[str, Any]]:
    """Return the Events of a reason in a namespace."""
    return [one for one in client.list("v1", "Event", namespace) if one.get("reason") == reason]
