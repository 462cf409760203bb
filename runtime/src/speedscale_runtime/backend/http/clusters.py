"""Calls about clusters: the inspector's channel, and commands that go through it."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncGenerator
from typing import Any, cast

import orjson
from aiohttp import WSMsgType, web

from speedscale_runtime.backend.clusters import HELLO_S, message_of
from speedscale_schemas import inspector
from speedscale_schemas.inspector import HTTP_STATUS, Reason, Refusal

from .call import Call, answer, listed
from .services import Services

_ITEMS_MAX, _ITEMS_BYTES = 10_000, 16 << 20
_PROTOCOL_ERROR = 4000
_SILENCE_S = 10.0


async def list_clusters(services: Services, call: Call) -> web.StreamResponse:
    """Return the clusters."""
    return listed(await services.clusters.listed())


async def get_cluster(services: Services, call: Call) -> web.StreamResponse:
    """Return one cluster."""
    return answer(await services.clusters.get(call.path["name"]))


async def open_channel(services: Services, call: Call) -> web.StreamResponse:
    """Be an inspector's other end until it leaves."""
    socket = web.WebSocketResponse(heartbeat=inspector.HEARTBEAT_S, max_msg_size=inspector.MAX_MESSAGE_BYTES)
    await socket.prepare(call.request)
    try:
        async with asyncio.timeout(HELLO_S):
            hello = orjson.loads(await socket.receive_str())
    except (TimeoutError, TypeError, ValueError):
        await socket.close(code=_PROTOCOL_ERROR, message=b"expected a hello")
        return socket
    link = await services.clusters.join(call.path["name"], cast(Any, socket), hello)
    if isinstance(link, str):
        await socket.close(code=_PROTOCOL_ERROR, message=link.encode("utf-8")[:120])
        return socket
    try:
        await services.audit.write(
            key=call.key.name,
            agent=call.request.headers.get("User-Agent", ""),
            remote=call.request.remote or "",
            action="openChannel",
            target=call.request.path,
            status=101,
        )
        async for data in socket:
            message = message_of(data.data) if data.type is WSMsgType.TEXT else None
            if message is not None:
                link.received(message)
    finally:
        await services.clusters.leave(link)
    return socket


async def run_command(services: Services, call: Call) -> web.StreamResponse:
    """Have an inspector do something: its answer at once, or line by line as it comes."""
    wanted = await call.json()
    name, cluster = str(wanted["command"]), call.path["name"]
    ended: dict[str, Any] = {"kind": "error", "reason": Reason.CANCELED.value, "message": "the caller left"}
    audited: dict[str, Any] = {}
    status = 499
    try:
        command = inspector.command(name)
        if not call.key.may((command.scope,)):
            raise Refusal(Reason.SCOPE, f"{name} needs a key with scope {command.scope}")
        arguments = inspector.arguments(name, wanted.get("arguments", {}))
        audited = inspector.audited(name, arguments)
        wait_s = min(float(wanted.get("timeoutS") or command.timeout_s), command.most_s)
        actor = {"name": call.key.name, "labels": dict(call.key.labels)}
        answers = cast(
            "AsyncGenerator[dict[str, Any], None]", services.clusters.run(cluster, command, arguments, actor, wait_s)
        )
        async with contextlib.aclosing(answers):
            if "application/x-ndjson" in call.request.headers.get("Accept", ""):
                response, ended = await _streamed(call.request, answers, ended)
            else:
                response, ended = await _collected(answers)
        status = response.status
    except Refusal as refusal:
        ended = {"kind": "error", "reason": refusal.reason.value, "message": refusal.message}
        response = _error(ended)
        status = response.status
    finally:
        reason = str(ended["reason"]) if ended["kind"] == "error" else ""
        known = name if name in inspector.COMMANDS else "unknown"
        services.metrics.command(known, reason or "ok")
        await services.audit.write(
            key=call.key.name,
            agent=call.request.headers.get("User-Agent", ""),
            remote=call.request.remote or "",
            action="runCommand",
            target=f"{cluster}/{name[:64]}",
            status=status,
            reason=reason,
            arguments=audited,
        )
    return response


async def _collected(answers: AsyncGenerator[dict[str, Any], None]) -> tuple[web.StreamResponse, dict[str, Any]]:
    """Return all items in one answer; more than it may hold is refused, and asked for as a stream."""
    items: list[Any] = []
    size = 0
    async for message in answers:
        if message["kind"] == "error":
            return _error(message), message
        if message["kind"] == "end":
            return answer({"items": items, "result": message.get("result", {})}), message
        items.append(message.get("item"))
        size += len(orjson.dumps(message.get("item")))
        if len(items) > _ITEMS_MAX or size > _ITEMS_BYTES:
            raise Refusal(Reason.TOO_LARGE, "too much for one answer; ask with Accept: application/x-ndjson")
    raise Refusal(Reason.INTERNAL, "the answers ended without an end")


async def _streamed(
    request: web.Request, answers: AsyncGenerator[dict[str, Any], None], ended: dict[str, Any]
) -> tuple[web.StreamResponse, dict[str, Any]]:
    """Send messages as lines; an error before anything was sent has its own status.

    Silence is filled with empty lines, so that nobody between us takes the connection for dead.
    """
    response: web.StreamResponse | None = None
    async with contextlib.aclosing(_with_pauses(answers, _SILENCE_S)) as lines:
        async for message in lines:
            if response is None:
                if message is not None and message["kind"] == "error":
                    return _error(message), message
                response = web.StreamResponse(headers={"Content-Type": "application/x-ndjson"})
                await response.prepare(request)
            try:
                async with asyncio.timeout(inspector.SLOW_READER_S):
                    await response.write((orjson.dumps(message) if message is not None else b"") + b"\n")
            except TimeoutError:
                return response, {**ended, "reason": Reason.SLOW_READER.value}
            if message is not None and message["kind"] in ("end", "error"):
                ended = message
    if response is None:
        raise Refusal(Reason.INTERNAL, "the answers ended without an end")
    await response.write_eof()
    return response, ended


async def _with_pauses(
    answers: AsyncGenerator[dict[str, Any], None], pause_s: float
) -> AsyncGenerator[dict[str, Any] | None, None]:
    """Yield the answers, and None whenever there was none for so long."""
    coming: asyncio.Future[dict[str, Any]] | None = None
    try:
        while True:
            coming = coming or asyncio.ensure_future(anext(answers))
            done, _ = await asyncio.wait((coming,), timeout=pause_s)
            if not done:
                yield None
                continue
            try:
                message = coming.result()
            except StopAsyncIteration:
                return
            coming = None
            yield message
    finally:
        if coming is not None:
            coming.cancel()
            with contextlib.suppress(asyncio.CancelledError, StopAsyncIteration):
                await coming


def _error(message: dict[str, Any]) -> web.Response:
    """Return the answer for a command that did not do."""
    try:
        reason = Reason(message["reason"])
    except ValueError:
        reason = Reason.INTERNAL
    body = {"reason": reason.value, "message": str(message.get("message") or reason.value)}
    if message.get("missing"):
        body["missing"] = message["missing"]
    return answer(body, HTTP_STATUS[reason])


HANDLERS = {
    "listClusters": list_clusters,
    "getCluster": get_cluster,
    "openChannel": open_channel,
    "runCommand": run_command,
}
