"""The load model: how many vUsers work and when requests are due. Pure functions over stages and seconds."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

from .testconfig import Stage


def start_offset(stage: Stage, previous: int, number: int) -> float:
    """Return when vUser `number` starts, seconds after the stage does, while the level rises from `previous`."""
    rising = stage.vusers - previous
    if rising <= 0 or number < previous or not stage.ramp_s:
        return 0.0
    return stage.ramp_s * (number - previous) / rising


def stop_offset(stage: Stage, previous: int, number: int) -> float:
    """Return when vUser `number` stops, seconds after the stage starts, while the level falls from `previous`."""
    falling = previous - stage.vusers
    if falling <= 0 or not stage.ramp_s:
        return 0.0
    return stage.ramp_s * (previous - number) / falling


def arrivals(stage: Stage, previous_rate: float) -> Iterator[float]:
    """Yield when each request is due, seconds after the start of a stage with a rate, until its end.

    While the rate ramps from r0 to r1 within R seconds, r0·t + (r1−r0)·t²/2R requests are due at time t.
    """
    rate = stage.rate or 0.0
    ramp = min(stage.ramp_s, stage.duration_s)
    in_ramp = (previous_rate + rate) / 2 * ramp
    number = 0
    while True:
        if number < in_ramp:
            slope = (rate - previous_rate) / ramp
            due = _solve(slope / 2, previous_rate, number)
        else:
            due = ramp + (number - in_ramp) / rate
        if due >= stage.duration_s:
            return
        yield due
        number += 1


def due_count(stage: Stage, previous_rate: float) -> float:
    """Return how many requests a stage with a rate asks for in all."""
    ramp = min(stage.ramp_s, stage.duration_s)
    return (previous_rate + (stage.rate or 0.0)) / 2 * ramp + (stage.rate or 0.0) * (stage.duration_s - ramp)


def offered_rate(stages: Sequence[Stage]) -> float | None:
    """Return the mean rate that the stages ask for, None where no stage names one."""
    previous, requests, seconds = 0.0, 0.0, 0.0
    for stage in stages:
        if stage.rate is not None:
            requests += due_count(stage, previous)
            seconds += stage.duration_s
        previous = stage.rate or 0.0
    return requests / seconds if seconds else None


def share(count: int, processes: int, process: int) -> range:
    """Return the vUsers of one process out of `count`."""
    return range(process, count, processes)


def _solve(a: float, b: float, c: float) -> float:
    if abs(a) < 1e-12:
        return c / b
    return max(0.0, (-b + math.sqrt(max(0.0, b * b + 4 * a * c))) / (2 * a))
