"""What every call goes through: key, scope, parameters; then its handler; then status, metric, audit.

Built from the API's document: an operation without a handler, or a handler without an operation, is an error at start.
"""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

import structlog
from aiohttp import web

from speedscale_runtime.backend.problems import ANSWERS, Reason, Refused
from speedscale_schemas import backend_api
from speedscale_schemas.backend_api import Operation

from . import administration, clusters, documents, reports, snapshots, traffic
from .call import Call, answer
from .services import Services

log = structlog.get_logger()

Handler = Callable[[Services, Call], Awaitable[web.StreamResponse]]
_MODULES = (administration, traffic, snapshots, documents, reports, clusters)
HANDLERS: Mapping[str, Handler] = {name: handler for module in _MODULES for name, handler in module.HANDLERS.items()}
UNAUDITED = frozenset({"takeBatch", "runCommand", "openChannel"})
"""Too many; and what is audited by its handler, which knows more or has to do it earlier."""


class Face:
    """The HTTP application over the parts of a backend."""

    def __init__(self, services: Services) -> None:
        self._services = services

    def application(self) -> web.Application:
        """Return the aiohttp application."""
        operations = backend_api.operations()
        if operations.keys() != HANDLERS.keys():
            raise AssertionError(f"operations and handlers differ: {sorted(operations.keys() ^ HANDLERS.keys())}")
        app = web.Application(client_max_size=0)
        for operation in operations.values():
            path = operation.path.replace("{name}", "{name:.+}") if operation.id == "getReportFile" else operation.path
            app.router.add_route(operation.method, path, self._route(operation))
        app.router.add_route("*", "/{tail:.*}", self._nowhere)
        return app

    def _route(self, operation: Operation) -> Callable[[web.Request], Awaitable[web.StreamResponse]]:
        handler = HANDLERS[operation.id]
        max_bytes = self._services.settings.bound(operation.max_bytes)

        async def route(request: web.Request) -> web.StreamResponse:
            call = Call(request, operation, max_bytes)
            began = time.perf_counter()
            outcome, status = "ok", 200
            try:
                self._admit(call)
                response = await handler(self._services, call)
                status = response.status
            except Refused as refused:
                outcome = refused.reason.value
                response = refusal(refused)
                status = response.status
            except ConnectionError:
                outcome, status = "gone", 499
                raise
            except Exception as error:
                outcome, status = Reason.INTERNAL.value, 500
                log.error("call_failed", operation=operation.id, cause=type(error).__name__, place=_place(error))
                response = refusal(Refused(Reason.INTERNAL, "an error of ours; the log says where"))
            finally:
                self._services.metrics.request(operation.id, outcome, time.perf_counter() - began)
                await self._audit(call, status, "" if outcome == "ok" else outcome)
            return response

        return route

    def _admit(self, call: Call) -> None:
        if call.operation.scopes is not None:
            remote = call.request.remote or ""
            failures = self._services.failures
            if failures.throttled(remote):
                self._services.metrics.refused_key("throttled")
                raise Refused(Reason.THROTTLED, "too many wrong keys from this address")
            try:
                call.key = self._services.keys.find(call.request.headers.get("Authorization", ""))
            except Refused as refused:
                failures.add(remote)
                self._services.metrics.refused_key(refused.reason.value)
                raise
            if not call.key.may(call.operation.scopes):
                raise Refused(Reason.FORBIDDEN, f"this key lacks scope {' or '.join(call.operation.scopes)}")
        call.path = _parameters(call.operation, "path", dict(call.request.match_info))
        call.query = _parameters(call.operation, "query", _query(call.request))

    async def _audit(self, call: Call, status: int, reason: str) -> None:
        operation = call.operation
        reading = operation.method == "GET"
        if reading or operation.id in UNAUDITED or not call.key.id:
            return
        await self._services.audit.write(
            key=call.key.name,
            agent=call.request.headers.get("User-Agent", ""),
            remote=call.request.remote or "",
            action=operation.id,
            target=call.request.path,
            status=status,
            reason=reason,
            arguments=call.audited,
        )

    async def _nowhere(self, request: web.Request) -> web.StreamResponse:
        message = f"there is no {request.method} {request.path[:200]}; see /openapi.json"
        return refusal(Refused(Reason.NO_SUCH_OPERATION, message))


def refusal(refused: Refused) -> web.Response:
    """Return the answer for a refusal."""
    status, wait = ANSWERS[refused.reason]
    headers = {} if wait is None else {"Retry-After": str(wait)}
    if status == 401:
        headers["WWW-Authenticate"] = "Bearer"
    body: dict[str, Any] = {"reason": refused.reason.value, "message": refused.message or refused.reason.value}
    if refused.problems:
        body["problems"] = list(refused.problems[:100])
    response = answer(body, status, headers)
    if status in (400, 401, 403, 408, 413, 429, 503):
        response.force_close()  # the body may not have been read
    return response


def _query(request: web.Request) -> dict[str, Any]:
    twice = [name for name in request.query if len(request.query.getall(name)) > 1]
    if twice:
        raise Refused(Reason.INVALID, f"query: {twice[0]}: given more than once")
    return dict(request.query)


def _parameters(operation: Operation, where: str, given: Mapping[str, str]) -> dict[str, Any]:
    """Return parameters of their types, with defaults; Refused with every one that is wrong or unknown."""
    schemas = operation.named(where)
    problems = [
        f"{where}: {name}: unknown; known are {', '.join(schemas) or 'none'}" for name in given.keys() - schemas
    ]
    found: dict[str, Any] = {}
    for name, schema in schemas.items():
        if name not in given:
            found[name] = schema.get("default")
            continue
        found[name] = _typed(given[name], schema)
        problems += backend_api.mistakes(schema, found[name], f"{where}: {name}")
    if problems:
        raise Refused(Reason.INVALID, problems[0], sorted(problems))
    return found


def _typed(text: str, schema: Mapping[str, Any]) -> Any:
    if schema.get("type") == "integer" and text.isascii() and text.isdigit() and len(text) < 19:
        return int(text)
    if schema.get("type") == "boolean" and text in ("true", "false"):
        return text == "true"
    return text


def _place(error: Exception) -> str:
    """Return file and line that raised: a message might hold traffic."""
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    return f"{trace.tb_frame.f_code.co_filename}:{trace.tb_lineno}" if trace is not None else ""
