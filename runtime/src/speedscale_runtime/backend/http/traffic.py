"""Calls about traffic: batches in, pairs out, erasure."""

from __future__ import annotations

from typing import Any

from aiohttp import web

from speedscale_runtime import filters
from speedscale_runtime.backend.problems import Reason, Refused
from speedscale_runtime.backend.traffic import Filter
from speedscale_runtime.backend.traffic.erasure import Erasure
from speedscale_runtime.backend.traffic.model import plain_uuid, position
from speedscale_runtime.snapshot.instants import nanoseconds
from speedscale_runtime.spool import wire
from speedscale_schemas.errors import ConfigError, PeerError

from .call import Call, answer, listed
from .services import Services


async def take_batch(services: Services, call: Call) -> web.StreamResponse:
    """Take a batch; answered when it is on disk."""
    try:
        meta = wire.read_meta(call.request.headers)
    except PeerError as error:
        raise Refused(Reason.INVALID, str(error)) from error
    try:
        reserved = services.intake.admit(call.request.content_length)
    except Refused as refused:
        services.metrics.batch(refused.reason.value)
        raise
    try:
        new = await services.intake.take(meta, await call.body())
    except Refused as refused:
        services.metrics.batch(refused.reason.value)
        raise
    finally:
        services.intake.release(reserved)
    return answer({"sequence": meta.sequence, **({} if new else {"duplicate": True})})


async def list_pairs(services: Services, call: Call) -> web.StreamResponse:
    """Return a page of pairs."""
    query = call.query
    keeps = None
    if query["filter"]:
        try:
            keeps = filters.compile_rule(dict(filters.parse_query(query["filter"]))).matches
        except ConfigError as error:
            raise Refused(Reason.INVALID, f"query: filter: {error.problems[0]}", error.problems) from error
    chosen = Filter(
        *_times(query),
        cluster=query["cluster"] or "",
        namespace=query["namespace"] or "",
        services=(query["service"],) if query["service"] else (),
        direction=query["direction"] or "",
        session=query["session"] or "",
    )
    page = await services.traffic.page(
        chosen, position(query["cursor"] or ""), query["limit"], full=query["full"], keeps=keeps
    )
    return listed(page.items, page.after.cursor() if page.after else "")


async def get_pair(services: Services, call: Call) -> web.StreamResponse:
    """Return one pair."""
    pair = await services.traffic.get(plain_uuid(call.path["uuid"]))
    return answer(pair.to_doc())


async def erase_pairs(services: Services, call: Call) -> web.StreamResponse:
    """Erase pairs; what holds them still is named."""
    query = call.query
    if not any(query.values()):
        raise Refused(Reason.INVALID, "query: say what to erase: session, token, start, end")
    erasure = Erasure(Filter(*_times(query), session=query["session"] or ""), query["token"] or "")
    erased, parts = await services.traffic.erase(erasure)
    await services.intake.rotate()
    await services.traffic.flush()  # the journal's files of before go, and with them what they held
    services.metrics.erased(erased)
    needles = tuple(text.encode() for text in (query["session"], query["token"]) if text)
    snapshots = await services.work(lambda: services.snapshots.holding(needles)) if needles else []
    reports = await services.work(lambda: services.reports.holding(needles)) if needles else []
    call.audited = {"by": sorted(name for name, value in query.items() if value), "erased": erased}
    return answer({"erased": erased, "parts": parts, "snapshots": snapshots, "reports": reports})


def _times(query: dict[str, Any]) -> tuple[int | None, int | None]:
    start, end = query["start"], query["end"]
    return nanoseconds(start) if start else None, nanoseconds(end) if end else None


HANDLERS = {
    "takeBatch": take_batch,
    "listPairs": list_pairs,
    "getPair": get_pair,
    "erasePairs": erase_pairs,
}
