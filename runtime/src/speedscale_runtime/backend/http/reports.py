"""Calls about reports."""

from __future__ import annotations

from aiohttp import web

from speedscale_runtime.backend.objects import Missing, Unavailable
from speedscale_runtime.backend.problems import Reason, Refused, not_found
from speedscale_runtime.backend.reports import NAMES

from .call import Call, answer, listed, nothing, send_file
from .services import Services

_TYPES = {
    "json": "application/json",
    "html": "text/html",
    "junit": "application/xml",
    "markdown": "text/markdown",
}
# What is shown was recorded: whatever a body holds, a browser must not run it here.
_GUARD = {
    "Content-Security-Policy": "sandbox allow-scripts; default-src 'none'; style-src 'unsafe-inline'; "
    "script-src 'unsafe-inline'; img-src data:; base-uri 'none'; form-action 'none'",
    "X-Content-Type-Options": "nosniff",
}


async def list_reports(services: Services, call: Call) -> web.StreamResponse:
    """Return a page of reports."""
    query = call.query
    wanted = {name: query[name] for name in ("replay", "cluster", "namespace", "state", "snapshot")}
    return listed(*await services.reports.page(wanted, query["cursor"] or "", query["limit"]))


async def get_report(services: Services, call: Call) -> web.StreamResponse:
    """Return a report, made of its results."""
    form = call.query["format"]
    stored = await services.reports.find(call.path["id"])
    data = await services.work(lambda: services.reports.render(stored, form))
    return web.Response(body=data, content_type=_TYPES[form], charset="utf-8", headers=_GUARD)


async def put_results(services: Services, call: Call) -> web.StreamResponse:
    """Take a replay's results."""
    names = {name: call.query[name] or "" for name in NAMES}
    async with call.upload(services.folder) as file:
        made = await services.work(lambda: services.reports.take(call.path["id"], file, names))
    call.audited = {"state": made["state"]}
    return answer(made)


async def delete_report(services: Services, call: Call) -> web.StreamResponse:
    """Delete a report."""
    await services.work(lambda: services.reports.delete(call.path["id"]))
    return nothing()


async def get_report_file(services: Services, call: Call) -> web.StreamResponse:
    """Send one file of the results."""
    stored = await services.reports.find(call.path["id"])
    name = call.path["name"]
    lent = services.reports.file(stored, name)
    try:
        path = await services.work(lent.__enter__)
    except Missing:
        raise not_found("file", name) from None
    except Unavailable as error:
        raise Refused(Reason.STORE_UNAVAILABLE, str(error)) from error
    try:
        return await send_file(call.request, path, {"Content-Type": "application/octet-stream", **_GUARD})
    finally:
        lent.__exit__(None, None, None)


HANDLERS = {
    "listReports": list_reports,
    "getReport": get_report,
    "putResults": put_results,
    "deleteReport": delete_report,
    "getReportFile": get_report_file,
}
