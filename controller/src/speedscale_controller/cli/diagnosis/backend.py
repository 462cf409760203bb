"""Asking the backend whether it is there, with patience: before an installation its network may just be coming up.

The only part of the doctor that speaks to anything but the API server. Proxies of the environment are used, as the
components would; any answer of HTTP counts, since what is asked is whether there is a way.
"""

from __future__ import annotations

import os
import socket
import ssl
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping
from urllib.parse import urlsplit

from .model import Backend

_TIMEOUT_S = 10.0
Ask = Callable[[str], None]


def reach(
    url: str,
    *,
    attempts: int,
    delay_s: float,
    environ: Mapping[str, str] | None = None,
    ask: Ask | None = None,
    sleep: Callable[[float], None] = time.sleep,
) -> Backend:
    """Return whether `url` answers within `attempts`, with `delay_s` seconds between them."""
    environ = os.environ if environ is None else environ
    no_key = not environ.get("SPEEDSCALE_API_KEY")
    address = url if "://" in url else f"https://{url}"
    if not urlsplit(address).hostname:
        return Backend(url=url, problem="this is no address", attempts=0, no_key=no_key)
    call = ask or (lambda there: _ask(there, environ.get("BACKEND_CA_FILE", "")))
    problem = ""
    for attempt in range(1, attempts + 1):
        try:
            call(address)
            return Backend(url=address, attempts=attempt, no_key=no_key)
        except (OSError, ValueError) as error:
            problem = _cause(error)
        if attempt < attempts:
            sleep(delay_s)
    return Backend(url=address, problem=problem, attempts=attempts, no_key=no_key)


def _ask(url: str, ca_file: str) -> None:
    """Send one request; OSError when nobody answers."""
    context = ssl.create_default_context(cafile=ca_file or None)
    request = urllib.request.Request(url, method="HEAD", headers={"User-Agent": "speedctl-doctor"})
    try:
        with urllib.request.urlopen(request, timeout=_TIMEOUT_S, context=context):
            pass
    except urllib.error.HTTPError as refusal:
        refusal.close()  # whoever refuses is there


def _cause(error: BaseException) -> str:
    """Return the innermost reason in words."""
    reason = getattr(error, "reason", None)
    if isinstance(reason, BaseException):
        return _cause(reason)
    if isinstance(error, socket.gaierror):
        return f"no such host ({error.strerror})"
    if isinstance(error, TimeoutError):
        return "no answer in time"
    return str(getattr(error, "strerror", None) or error) or type(error).__name__
