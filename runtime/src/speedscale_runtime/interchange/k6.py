"""k6: a script that sends the recorded requests and checks the recorded status codes. Export only.

Each host is a constant that an environment variable (`BASE_URL`, `BASE_URL_2`, …) can point elsewhere. Binary
bodies travel as base64. Source: the k6 documentation of `k6/http`; redirects are not followed, so that each
recorded answer is compared with its own request.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping, Sequence
from urllib.parse import urlsplit

from .call import HOP_BY_HOP, Call, Report, text_of

_OWN = HOP_BY_HOP | {"host"}


def dump(calls: Sequence[Call], name: str, report: Report) -> Mapping[str, bytes]:
    """Write one script."""
    bases: dict[str, str] = {}
    steps = [_step(call, bases, f"pair {n}", report) for n, call in enumerate(calls, 1)]
    binary = any(text_of(call.body) is None for call in calls)
    lines = [
        f"// {_comment(name)}: {len(calls)} recorded requests. Run: k6 run script.js",
        "// Another target: k6 run -e BASE_URL=http://localhost:8080 script.js",
        "import http from 'k6/http';",
        "import { check } from 'k6';",
        *(["import encoding from 'k6/encoding';"] if binary else []),
        "",
        *(f"const {const} = __ENV.{const} || {_js(base)};" for base, const in bases.items()),
        "",
        "export const options = { vus: 1, iterations: 1 };",
        "",
        "export default function () {",
        "  let res;",
        *steps,
        "}",
        "",
    ]
    return {"script.js": "\n".join(lines).encode("utf-8", "replace")}


def _step(call: Call, bases: dict[str, str], where: str, report: Report) -> str:
    parts = urlsplit(call.url)
    base = f"{parts.scheme}://{parts.netloc}"
    const = bases.setdefault(base, f"BASE_URL_{len(bases) + 1}" if bases else "BASE_URL")
    target = call.url[len(base) :] or "/"
    headers: dict[str, str] = {}
    for key, value in call.headers:
        if key.lower() in _OWN:
            continue
        if key in headers:
            report.add(where, f"k6 holds one value a header: the values of {key} are joined")
        headers[key] = f"{headers[key]}, {value}" if key in headers else value
    text = text_of(call.body)
    if not call.body:
        body = "null"
    elif text is None:
        body = f"encoding.b64decode({_js(base64.b64encode(call.body).decode())}, 'std')"
    else:
        body = _js(text)
    lines = [f"  res = http.request({_js(call.method)}, {const} + {_js(target)}, {body}, {{"]
    lines += (
        ["    headers: {", *(f"      {_js(k)}: {_js(v)}," for k, v in headers.items()), "    },"] if headers else []
    )
    lines += ["    redirects: 0,", "  });"]
    if call.status:
        label = f"{call.method} {parts.path or '/'} is {call.status}"
        lines.append(f"  check(res, {{ {_js(label)}: (r) => r.status === {call.status} }});")
    return "\n".join(lines)


def _js(text: str) -> str:
    """Return a JavaScript string literal; ASCII only, so that no character ends a line or the file's encoding."""
    return json.dumps(text)


def _comment(text: str) -> str:
    return "".join(c if c.isprintable() else " " for c in text)
