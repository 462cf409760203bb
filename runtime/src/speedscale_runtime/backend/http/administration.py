"""Calls about the backend itself: its document, keys, audit."""

from __future__ import annotations

from importlib.metadata import version

from aiohttp import web

from speedscale_schemas import backend_api

from .call import Call, answer, listed, nothing
from .services import Services


async def describe(services: Services, call: Call) -> web.StreamResponse:
    """Return the API's document."""
    return answer(backend_api.document())


async def whoami(services: Services, call: Call) -> web.StreamResponse:
    """Say who asks."""
    key = call.key
    shown = {"name": key.name, "scopes": list(key.scopes), "labels": dict(key.labels)}
    return answer({**shown, "version": version("speedscale-runtime")})


async def list_keys(services: Services, call: Call) -> web.StreamResponse:
    """Return the keys."""
    return listed(services.keys.listed())


async def create_key(services: Services, call: Call) -> web.StreamResponse:
    """Make a key."""
    wanted = await call.json()
    made = await services.keys.create(wanted["name"], wanted["scopes"], wanted.get("labels", {}))
    call.audited = {name: made[name] for name in ("id", "name", "scopes")}
    return answer(made, 201)


async def delete_key(services: Services, call: Call) -> web.StreamResponse:
    """Revoke a key."""
    await services.keys.revoke(call.path["id"])
    return nothing()


async def list_audit(services: Services, call: Call) -> web.StreamResponse:
    """Return the audit."""
    query = call.query
    return listed(*await services.audit.page(query["key"], query["action"], query["cursor"] or "", query["limit"]))


HANDLERS = {
    "describe": describe,
    "whoami": whoami,
    "listKeys": list_keys,
    "createKey": create_key,
    "deleteKey": delete_key,
    "listAudit": list_audit,
}
