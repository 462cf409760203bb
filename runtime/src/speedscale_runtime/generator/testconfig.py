"""Test configs: found by id or file, checked against their schema, and read into what the generator needs.

Called by the generator at start and by `speedctl replay` before it. The document itself goes into the results.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import Any, Literal

from speedscale_runtime import home
from speedscale_runtime.transforms import golang
from speedscale_schemas.errors import ConfigError
from speedscale_schemas.validation import check

Timing = Literal["recorded", "multiplied", "full-speed"]


@dataclass(frozen=True, slots=True)
class Stage:
    """One stage. `rate` is requests a second (open model), None in a stage that holds vUsers (closed model).

    `duration_s` 0 means until every vUser has done `iterations`; `iterations` 0 means until the duration is over.
    `pace` multiplies the recorded gaps: 1 as recorded, 0 full speed.
    """

    vusers: int
    rate: float | None = None
    duration_s: float = 0.0
    ramp_s: float = 0.0
    iterations: int = 1
    pace: float = 1.0
    max_lag_s: float = 10.0


@dataclass(frozen=True, slots=True)
class TestConfig:
    """A test config as the generator reads it; `document` is the whole of it."""

    __test__ = False

    document: Mapping[str, Any]
    stages: tuple[Stage, ...]
    low_data: bool
    smart_replace: bool
    seed: int
    timeout_s: float
    rewrite_host: bool
    processes: int
    mark: bool = True

    @property
    def id(self) -> str:
        """The config's name."""
        return str(self.document["id"])


def load(reference: str, home_folder: Path) -> dict[str, Any]:
    """Return the document of an id below `home_folder`/data/testconfigs, a built-in id, or a file.

    Raises ConfigError for an unknown name (with the nearest one) and for what is no JSON object.
    """
    return home.find("test-config", reference, home_folder, files=True).document


def read(document: Mapping[str, Any], source: str = "test config") -> TestConfig:
    """Check a document and read it; ConfigError with every problem."""
    problems = [str(p) for p in check("test-config", document, source=source)]
    if problems:
        raise ConfigError(problems)
    if document.get("cluster", {}).get("replayMode") == "responder-only":
        raise ConfigError([f"{source}: replayMode responder-only sends no tests; use it for mocks, or another config"])
    generator = document.get("generator", {})
    stages = generator.get("stages") or [{"virtualUsers": {}}]
    return TestConfig(
        document=document,
        stages=tuple(_stage(stage, f"{source}: generator.stages[{i}]") for i, stage in enumerate(stages)),
        low_data=generator.get("lowData", False),
        smart_replace=generator.get("smartReplace", True),
        seed=generator.get("seed", 1),
        timeout_s=_seconds(generator.get("timeout", 30)),
        rewrite_host=generator.get("rewriteHost", False),
        processes=generator.get("processes", 0),
        mark=generator.get("mark", True),
    )


def _stage(stage: Mapping[str, Any], where: str) -> Stage:
    if "requestsPerSecond" in stage:
        held = stage["requestsPerSecond"]
        made = Stage(
            vusers=int(held.get("virtualUsers", 50)),
            rate=float(held.get("requestsPerSecond", 1)),
            duration_s=_seconds(held.get("duration", 60)),
            ramp_s=_seconds(held.get("rampTime", 0)),
            iterations=0,
            pace=0.0,
            max_lag_s=_seconds(held.get("maxLag", 10)),
        )
    else:
        held = stage["virtualUsers"]
        duration = _seconds(held.get("duration", 0))
        delay = held.get("requestDelay", {})
        timing: Timing = delay.get("timing", "recorded")
        made = Stage(
            vusers=int(held.get("virtualUsers", 1)),
            duration_s=duration,
            ramp_s=_seconds(held.get("rampTime", 0)),
            iterations=int(held.get("iterations", 0 if duration else 1)),
            pace=0.0
            if timing == "full-speed"
            else float(delay.get("multiplier", 1))
            if timing == "multiplied"
            else 1.0,
        )
    if made.ramp_s > made.duration_s and made.duration_s:
        raise ConfigError([f"{where}: rampTime {made.ramp_s:g}s is longer than the duration {made.duration_s:g}s"])
    if not made.duration_s and (made.rate is not None or not made.iterations):
        raise ConfigError([f"{where}: the stage never ends; give it a duration or iterations"])
    return made


def _seconds(value: float | str) -> float:
    return golang.duration(value) if isinstance(value, str) else float(value)


def _folder() -> Any:
    return resources.files("speedscale_schemas") / "builtin" / "testconfigs"
