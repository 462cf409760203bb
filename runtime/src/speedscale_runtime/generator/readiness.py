"""Wait until the application under test answers."""

from __future__ import annotations

import time
import urllib.error
import urllib.request
from collections.abc import Callable

from speedscale_schemas.errors import ConfigError

_PAUSE_S = 0.25


def wait(url: str, timeout_s: float, stopped: Callable[[], bool] = lambda: False) -> None:
    """Return when `url` answers 2xx or 3xx; ConfigError with the last reason after `timeout_s` seconds."""
    if not url.startswith(("http://", "https://")):
        raise ConfigError([f"READINESS_URL: {url!r}: expected http:// or https://"])
    deadline = time.monotonic() + timeout_s
    reason = "no answer"
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    while not stopped():
        try:
            with opener.open(url, timeout=max(0.1, min(5.0, deadline - time.monotonic()))) as answer:
                if 200 <= answer.status < 400:
                    return
        except urllib.error.HTTPError as error:
            reason = f"status {error.code}"
        except OSError as error:
            reason = str(getattr(error, "reason", error))
        if time.monotonic() >= deadline:
            raise ConfigError([f"READINESS_URL: {url}: not ready within {timeout_s:g} s: {reason}"])
        time.sleep(_PAUSE_S)
