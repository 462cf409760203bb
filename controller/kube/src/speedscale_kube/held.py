"""An answer of the API server that is read while it grows: a watch, a log. Any thread may end it."""

from __future__ import annotations

import contextlib
from types import TracebackType
from typing import Self

import requests


class Held:
    """An open answer; who opened it leaves its `with` block, who else wants it to end calls `close`.

    `where` names the request in errors.
    """

    def __init__(self, response: requests.Response, where: str) -> None:
        self._response, self._where = response, where
        self._closed = False

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._closed = True
        self._response.close()

    def close(self) -> None:
        """Have the reader end, from any thread. Who opened the answer still leaves its `with` block."""
        self._closed = True
        with contextlib.suppress(ValueError, RuntimeError, OSError):  # it has ended already
            self._response.raw.shutdown()
