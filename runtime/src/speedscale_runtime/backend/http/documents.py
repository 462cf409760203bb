"""Calls about test configs, rules and replays: documents that are small."""

from __future__ import annotations

from aiohttp import web

from .call import Call, answer, listed, nothing
from .services import Services


def _kind(call: Call) -> str:
    return call.path.get("kind") or "testconfig"


async def list_documents(services: Services, call: Call) -> web.StreamResponse:
    """Return what there is of a kind."""
    return listed(await services.documents.listed(_kind(call)))


async def get_document(services: Services, call: Call) -> web.StreamResponse:
    """Return a document."""
    return answer(await services.documents.get(_kind(call), call.path["id"]))


async def put_document(services: Services, call: Call) -> web.StreamResponse:
    """Store a document."""
    await services.documents.put(_kind(call), call.path["id"], await call.json())
    return nothing()


async def delete_document(services: Services, call: Call) -> web.StreamResponse:
    """Delete a document."""
    await services.documents.delete(_kind(call), call.path["id"])
    return nothing()


async def list_replays(services: Services, call: Call) -> web.StreamResponse:
    """Return a page of replays."""
    query = call.query
    wanted = {name: query[name] for name in ("cluster", "namespace", "state")}
    return listed(*await services.replays.page(wanted, query["cursor"] or "", query["limit"]))


async def get_replay(services: Services, call: Call) -> web.StreamResponse:
    """Return one replay."""
    return answer(await services.replays.get(call.path["id"]))


async def put_replay(services: Services, call: Call) -> web.StreamResponse:
    """Store how a replay stands."""
    given = await call.json()
    call.audited = {"state": given["state"]}
    await services.replays.put(call.path["id"], given)
    return nothing()


HANDLERS = {
    **{f"list{noun}s": list_documents for noun in ("TestConfig", "Rule")},
    **{f"get{noun}": get_document for noun in ("TestConfig", "Rule")},
    **{f"put{noun}": put_document for noun in ("TestConfig", "Rule")},
    **{f"delete{noun}": delete_document for noun in ("TestConfig", "Rule")},
    "listReplays": list_replays,
    "getReplay": get_replay,
    "putReplay": put_replay,
}
