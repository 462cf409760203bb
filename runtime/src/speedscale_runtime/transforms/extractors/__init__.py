"""The table of extractors: names and aliases (any letter case) → factory. One module a family."""

from __future__ import annotations

from collections.abc import Callable

from speedscale_runtime.transforms.config import Config
from speedscale_runtime.transforms.model import Extractor

from . import bodies, cookies, document, headers, plain, query, status, url

TABLE: dict[str, Callable[[Config], Extractor]] = {
    "empty": plain.Empty,
    "file": plain.File,
    "variable": plain.Variable,
    "latency": plain.Latency,
    "session": plain.Session,
    "target_hostname": plain.TargetHostname,
    "target_port": plain.TargetPort,
    "http_queryparam": query.QueryParameter,
    "http_req_cookie": cookies.RequestCookie,
    "http_res_cookie": cookies.ResponseCookie,
    "http_req_header": headers.RequestHeader,
    "http_res_header": headers.ResponseHeader,
    "http_req_trailer": headers.RequestTrailer,
    "http_res_trailer": headers.ResponseTrailer,
    "http_status_code": status.StatusCode,
    "http_url": url.Url,
    "json_path": document.Document,
    "req_body": bodies.RequestBody,
    "res_body": bodies.ResponseBody,
}

ALIASES = {
    "http_req_body": "req_body",
    "http_res_body": "res_body",
    "http_query_param": "http_queryparam",
    "http_header": "http_req_header",
    "none": "empty",
    "var_load": "variable",
}
