"""Watch both directions of one HTTP/1 connection and hand over each exchange. See `exchange`."""

from __future__ import annotations

from collections.abc import Callable

from .exchange import Cause, Exchange, Headers, Mode

__all__ = ["Cause", "Exchange", "Headers", "Mode", "Observer"]


class Observer:
    """Observer of one connection; `mode` and `cause` say what became of it."""

    def __init__(
        self, on_exchange: Callable[[Exchange], None], *, max_body_bytes: int, max_head_bytes: int
    ) -> None:
        self.mode = Mode.ACTIVE
        self.cause: str = ""
        self._on_exchange = on_exchange

    def feed_request(self, data: bytes, now_ns: int) -> None:
        """Take bytes that went from the client to the server."""
        raise NotImplementedError

    def feed_response(self, data: bytes, now_ns: int) -> None:
        """Take bytes that went from the server to the client."""
        raise NotImplementedError

    def request_eof(self, now_ns: int) -> None:
        """The client will send no more."""
        raise NotImplementedError

    def response_eof(self, now_ns: int) -> None:
        """The server will send no more."""
        raise NotImplementedError

    def close(self, now_ns: int, cause: str) -> None:
        """The connection is over: hand over what is unfinished, with `cause`."""
        raise NotImplementedError
