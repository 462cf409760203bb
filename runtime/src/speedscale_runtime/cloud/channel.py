"""The inspector's side of `GET /v1/clusters/<name>/channel`: JSON objects both ways over one WebSocket.

Opened by `CloudClient.channel`. The backend sends commands and cancellations, the inspector answers; what the
objects hold is in the schemas `inspector-command` and `inspector-answer`. One sender and one receiver at a time each.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from typing import Any

import aiohttp
import orjson

from speedscale_schemas.errors import PeerError, TransientError

MESSAGE_MAX_BYTES = 4 * 1024 * 1024


class Channel:
    """An open channel; iterate over it for what the backend sends."""

    def __init__(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        self._socket = socket

    async def send(self, message: Mapping[str, Any]) -> None:
        """Send one object; TransientError when the channel is gone, PeerError when it is over MESSAGE_MAX_BYTES."""
        data = orjson.dumps(message)
        if len(data) > MESSAGE_MAX_BYTES:
            raise PeerError("message_too_long", f"{len(data):,} bytes; at most {MESSAGE_MAX_BYTES:,} fit")
        try:
            await self._socket.send_str(data.decode("utf-8"))
        except (ConnectionError, RuntimeError, aiohttp.ClientError) as error:
            raise TransientError(f"channel closed: {type(error).__name__}", 0.0) from error

    async def __aiter__(self) -> AsyncIterator[dict[str, Any]]:
        """Yield objects until the channel closes; PeerError for what is no JSON object."""
        async for message in self._socket:
            if message.type is not aiohttp.WSMsgType.TEXT:
                continue
            try:
                document = orjson.loads(message.data)
            except ValueError as error:
                raise PeerError("malformed", "a message is no JSON") from error
            if not isinstance(document, dict):
                raise PeerError("malformed", "a message is no JSON object")
            yield document

    async def close(self) -> None:
        """Say goodbye and close."""
        await self._socket.close()

    @property
    def close_code(self) -> int | None:
        """Why it closed (RFC 6455 section 7.4), None while it is open."""
        return self._socket.close_code
