"""What every tier shares: hypothesis without deadlines (machines are shared) and with the same examples each run."""

import os

from hypothesis import HealthCheck, settings

_COMMON = {"deadline": None, "derandomize": True, "suppress_health_check": [HealthCheck.too_slow]}
settings.register_profile("default", max_examples=60, **_COMMON)
settings.register_profile("ci", max_examples=200, **_COMMON)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "default"))


def pytest_make_parametrize_id(val: object, argname: str) -> str | None:
    """Name long or binary bytes by their argument alone: keys and compressed bytes differ from process to process."""
    if isinstance(val, bytes) and (len(val) > 40 or not val.isascii()):
        return argname
    return None
