"""The generator's own metrics, from the counters that its processes share."""

from __future__ import annotations

from prometheus_client import CollectorRegistry, Gauge


class Metrics:
    """Numbers of the current run."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.requests = Gauge("speedscale_generator_requests", "Requests sent or tried in this run", registry=registry)
        self.errors = Gauge("speedscale_generator_errors", "Requests without an answer in this run", registry=registry)
        self.iterations = Gauge("speedscale_generator_iterations", "Iterations finished in this run", registry=registry)
        self.running = Gauge("speedscale_generator_running", "1 while requests are sent", registry=registry)

    def update(self, requests: int, errors: int, iterations: int) -> None:
        """Take over the counters."""
        self.requests.set(requests)
        self.errors.set(errors)
        self.iterations.set(iterations)
