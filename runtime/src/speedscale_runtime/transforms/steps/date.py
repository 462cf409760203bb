"""date: shift a date so that it lies from the replay as far as it lay from the recording; or by a fixed offset.

In mocks, requests keep the pattern `{speedscale_date(…)}` so that different dates still match (vendor's rule).
"""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

from speedscale_runtime.rrpair import RRPair
from speedscale_runtime.transforms import golang
from speedscale_runtime.transforms.config import Config
from speedscale_runtime.transforms.errors import TransformError
from speedscale_runtime.transforms.model import Scope, Step
from speedscale_runtime.transforms.placeholders import resolve

_PATTERN = re.compile(r"\{speedscale_date\((-?[0-9hms.]+)\)\}")
_FRACTION = re.compile(r"\.(\d{6})\d+")


class Date(Step):
    """`layout` auto, epoch, epoch_ms or Go's; `precision` truncates both times; `offset` is added instead."""

    def __init__(self, config: Config) -> None:
        self._layout = config.text("layout", default="auto") or "auto"
        self._precision = config.duration("precision")
        self._offset = config.duration("offset")
        config.close()

    def forward(self, value: str, scope: Scope) -> str:
        if not value or _PATTERN.fullmatch(value):
            return value
        layout = resolve(self._layout, scope)
        if layout == "auto":
            layout = _detect(value)
        when = _read(layout, value)
        if self._offset is not None:
            return _show(layout, when + timedelta(seconds=self._offset), value)
        recorded = recorded_at(scope.recorded or scope.pair)
        if recorded is None:
            raise TransformError("the recording has no time to shift from")
        distance = self._cut(when) - self._cut(recorded)
        if scope.service == "responder" and scope.side == "request":
            return f"{{speedscale_date({_go(-distance)})}}"
        now = self._cut(datetime.fromtimestamp(scope.now, UTC))
        return _show(layout, (now + distance).astimezone(when.tzinfo), value)

    def _cut(self, when: datetime) -> datetime:
        if not self._precision:
            return when
        since = when.astimezone(UTC) - datetime(1, 1, 1, tzinfo=UTC)
        step = timedelta(seconds=self._precision)
        return when - (since % step if step else timedelta(0))


def recorded_at(pair: RRPair) -> datetime | None:
    """Return when the pair was recorded."""
    stamp = _FRACTION.sub(r".\1", str(pair.doc.get("ts", "")))
    try:
        when = datetime.fromisoformat(stamp)
    except ValueError:
        return None
    return when if when.tzinfo else when.replace(tzinfo=UTC)


def _detect(value: str) -> str:
    if value.isdecimal() and 9 <= len(value) <= 10:
        return "epoch"
    if value.isdecimal() and 12 <= len(value) <= 13:
        return "epoch_ms"
    layout = golang.detect(value)
    if layout is None:
        raise TransformError("the value is no date of a known layout")
    return layout


def _read(layout: str, value: str) -> datetime:
    try:
        if layout in ("epoch", "epoch_ms"):
            return datetime.fromtimestamp(int(value) / (1000 if layout == "epoch_ms" else 1), UTC)
        return golang.parse(layout, value)
    except (ValueError, OverflowError, OSError):
        raise TransformError(f"the value is no date of layout {layout}") from None


def _show(layout: str, when: datetime, like: str) -> str:
    if layout == "epoch":
        return str(int(when.timestamp()))
    if layout == "epoch_ms":
        return str(round(when.timestamp() * 1000))
    return golang.render(layout, when, like)


def _go(distance: timedelta) -> str:
    seconds = round(distance.total_seconds())
    sign, seconds = ("-", -seconds) if seconds < 0 else ("", seconds)
    hours, rest = divmod(seconds, 3600)
    minutes, seconds = divmod(rest, 60)
    if hours:
        return f"{sign}{hours}h{minutes}m{seconds}s"
    return f"{sign}{minutes}m{seconds}s" if minutes else f"{sign}{seconds}s"
