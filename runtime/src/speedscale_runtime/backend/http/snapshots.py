"""Calls about snapshots."""

from __future__ import annotations

from aiohttp import web

from speedscale_runtime.backend.objects import Missing, Unavailable
from speedscale_runtime.backend.problems import Reason, Refused, not_found

from .call import Call, answer, listed, nothing, send_file
from .services import Services


async def list_snapshots(services: Services, call: Call) -> web.StreamResponse:
    """Return a page of snapshots."""
    query = call.query
    return listed(
        *await services.snapshots.page(query["service"], query["name"], query["cursor"] or "", query["limit"])
    )


async def create_snapshot(services: Services, call: Call) -> web.StreamResponse:
    """Make a snapshot of stored traffic."""
    wanted = await call.json()
    made = await services.work(lambda: services.snapshots.create(wanted))
    call.audited = {"id": made["id"], "name": made["name"]}
    return answer(made, 201)


async def get_snapshot(services: Services, call: Call) -> web.StreamResponse:
    """Return one snapshot."""
    return answer(await services.snapshots.get(call.path["id"]))


async def delete_snapshot(services: Services, call: Call) -> web.StreamResponse:
    """Delete a snapshot."""
    identity = call.path["id"]
    await services.snapshots.delete(identity)
    try:
        await services.work(lambda: services.snapshots.discard(identity))
    except Unavailable as error:
        raise Refused(Reason.STORE_UNAVAILABLE, str(error)) from error
    return nothing()


async def get_archive(services: Services, call: Call) -> web.StreamResponse:
    """Send a snapshot's tar."""
    found = await services.snapshots.get(call.path["id"])
    headers = {
        "Content-Type": "application/x-tar",
        "Content-Disposition": f'attachment; filename="{found["id"]}.tar"',
        "ETag": f'"{found["sha256"]}"',
    }
    lent = services.snapshots.archive(found["id"])
    try:
        path = await services.work(lent.__enter__)
    except Missing:
        raise not_found("archive of snapshot", found["id"]) from None
    except Unavailable as error:
        raise Refused(Reason.STORE_UNAVAILABLE, str(error)) from error
    try:
        return await send_file(call.request, path, headers)
    finally:
        lent.__exit__(None, None, None)


async def put_archive(services: Services, call: Call) -> web.StreamResponse:
    """Take a snapshot's tar."""
    async with call.upload(services.folder) as file:
        return answer(await services.work(lambda: services.snapshots.take(call.path["id"], file)))


HANDLERS = {
    "listSnapshots": list_snapshots,
    "createSnapshot": create_snapshot,
    "getSnapshot": get_snapshot,
    "deleteSnapshot": delete_snapshot,
    "getArchive": get_archive,
    "putArchive": put_archive,
}
