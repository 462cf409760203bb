"""The results go to the replay's collector, once, when the run has ended; where there is none they stay here.

Called by `__main__` after the summary was left: nothing that happens here changes how the run ended. Tried again until
its time is over; what failed is said in the log, and by the collector, which names who has brought nothing.
"""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import structlog

from speedscale_runtime.delivery.client import Collector, Refusal
from speedscale_schemas.errors import ConfigError, PermanentError, TransientError

from .config import Settings

_log = structlog.get_logger()


def collector_of(settings: Settings, failures: Counter[str]) -> Collector | None:
    """Return the collector of the settings, None without one; `failures` counts attempts by reason."""

    def refused(why: Refusal) -> None:
        failures[why.value] += 1

    if not settings.collector_url:
        return None
    return Collector(settings.collector_url, settings.collector_ca_file, settings.collector_token_file, refused=refused)


def upload(settings: Settings) -> bool:
    """Bring the results folder to the collector; say whether it is stored there. Without a collector: True."""
    failures: Counter[str] = Counter()
    folder: Path = settings.results_file.parent
    try:
        collector = collector_of(settings, failures)
        if collector is None:
            return True
        collector.upload(folder, f"/v1/results/generator/{settings.index}", settings.collector_timeout_s)
    except (TransientError, PermanentError, ConfigError, OSError) as error:
        _log.error("results_not_stored", error=str(error), attempts=dict(failures))
        return False
    _log.info("results_stored", attempts_failed=dict(failures))
    return True
