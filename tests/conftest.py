"""What every tier shares: hypothesis without deadlines (machines are shared) and with the same examples each run."""

import importlib.util
import os
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import structlog
from hypothesis import HealthCheck, settings
from hypothesis.internal.conjecture import providers
from hypothesis.internal.constants_ast import Constants

_COMMON = {"deadline": None, "derandomize": True, "suppress_health_check": [HealthCheck.too_slow]}
settings.register_profile("default", max_examples=60, **_COMMON)
settings.register_profile("ci", max_examples=200, **_COMMON)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "default"))


def _no_constants() -> Constants:
    """Constants of modules that happen to be loaded are no examples: they differ with the tests that a worker ran."""
    return Constants()


providers._get_local_constants = _no_constants  # there is no setting for it


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup() -> None:
    """Begin no test once the time is over that CI has for its tier; the table tells how many were left out."""
    if time.time() > float(os.environ.get("TESTS_END_AT", "inf")):
        pytest.skip("no time is left in CI")


@pytest.fixture(scope="session", autouse=True)
def loggers_follow_their_configuration() -> Iterator[None]:
    """One that keeps the configuration of its first use is faster; a test configures anew, and captures."""
    configure = structlog.configure

    def uncached(**options: Any) -> None:
        configure(**{**options, "cache_logger_on_first_use": False})

    structlog.configure = uncached
    yield
    structlog.configure = configure


@pytest.fixture(autouse=True)
def loggers_of_a_test_end_with_it() -> Iterator[None]:
    """A program that a test ran in this process logs to what that test captured, which is closed afterwards."""
    yield
    structlog.reset_defaults()
    structlog.contextvars.clear_contextvars()


def pytest_make_parametrize_id(val: object, argname: str) -> str | None:
    """Name long or binary bytes by their argument alone: keys and compressed bytes differ from process to process."""
    if isinstance(val, bytes) and (len(val) > 40 or not val.isascii()):
        return argname
    return None


@pytest.fixture(scope="session")
def random_values() -> ModuleType:
    """The generator of random values files, `tests/generators/values.py`."""
    return _generator("values")


def _generator(name: str) -> ModuleType:
    path = Path(__file__).parent / "generators" / f"{name}.py"
    spec = importlib.util.spec_from_file_location(f"generators_{name}", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # dataclasses look their module up
    spec.loader.exec_module(module)
    return module
