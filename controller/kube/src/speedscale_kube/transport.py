"""One request, one decoded answer: the only module that speaks HTTP.

pykube-ng gives TLS and client certificates; the rest is as this cluster client needs it:

- Proxies of the environment are not used (`trust_env = False`): HTTPS_PROXY is meant for the world outside, and would
  send API calls of a pod through it. A kubeconfig's `proxy-url` is.
- Connecting may take 5 s, silence 310 s: an API server ends a watch after at most 300.
- A 401 renews the credential and tries once more; a second one is the answer.
- Redirects are not followed: no API server sends one, and a token would go with it.
- A busy server (429, 503) is asked again as often as `retries` says, after the time it named. A controller sets 0 and
  lets its queue wait.
- A connection that died without a word (a node that lost power, a load balancer that forgot) is found within a minute
  by TCP keepalive, also under a watch that has nothing to say.
- A fence, where one is set, is asked right before anything that writes: the leader's proof that it still leads.
- Several threads may use it at once: connections come from one pool, each for one request at a time.

Called by `client` and `discovery`. Bodies never stand in messages or logs.
"""

from __future__ import annotations

import copy
import json
import socket
import threading
import time
from collections.abc import Callable, Mapping
from typing import Any

import pykube
import requests
from urllib3.connection import HTTPConnection
from urllib3.exceptions import HTTPError

from speedscale_schemas.errors import PermanentError

from .access import Access
from .errors import Status, ThrottledError, UnreachableError, error, not_kubernetes

CONNECT_S = 5.0
READ_S = 310.0
APPLY = "application/apply-patch+yaml"
MERGE = "application/merge-patch+json"
JSON_PATCH = "application/json-patch+json"
STRATEGIC = "application/strategic-merge-patch+json"
JSON = "application/json"
METADATA = "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1"
_KEEPALIVE = [  # silent for 30 s, then a probe each 10 s, dead after 3
    (socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1),
    *(
        (socket.IPPROTO_TCP, getattr(socket, name), value)
        for name, value in (("TCP_KEEPIDLE", 30), ("TCP_KEEPINTVL", 10), ("TCP_KEEPCNT", 3))
        if hasattr(socket, name)
    ),
]
_POOL = 64  # connections that are kept; more threads than that at once connect anew
_REFUSAL_BYTES = 64 * 1024


class Transport:
    """Sends requests to one API server. Any thread may call it."""

    def __init__(
        self,
        access: Access,
        *,
        agent: str = "speedscale",
        retries: int = 0,
        timeout: tuple[float, float] = (CONNECT_S, READ_S),
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._access, self._retries, self._timeout, self._sleep = access, retries, timeout, sleep
        self._http = pykube.HTTPClient(access.config, timeout=timeout)
        session = self._http.session
        session.trust_env = False
        session.headers["User-Agent"] = agent
        if access.proxy:
            session.proxies = {"http": access.proxy, "https": access.proxy}
        adapter = session.get_adapter(access.server)
        options = [*HTTPConnection.default_socket_options, *_KEEPALIVE]
        adapter.init_poolmanager(_POOL, _POOL, socket_options=options)
        self._credentials = threading.Lock()  # renewing must not be seen half done
        self._fence: Callable[[], None] | None = None

    def view(self, *, timeout: tuple[float, float] | None = None, fence: Callable[[], None] | None = None) -> Transport:
        """Return this transport, the connections too, with another patience or with a fence."""
        other = copy.copy(self)
        other._timeout, other._fence = timeout or self._timeout, fence or self._fence
        return other

    def close(self) -> None:
        """Close the connections."""
        self._http.session.close()

    def request(
        self,
        method: str,
        path: str,
        *,
        params: Mapping[str, str] | None = None,
        body: Any = None,
        content_type: str = JSON,
        accept: str = JSON,
    ) -> dict[str, Any]:
        """Send one request and return the JSON object that answers it.

        `path` begins with `/`; `body` is anything JSON. Raises what `errors` says for refusals, UnreachableError
        without an answer, PeerError when the answer is no API server's.
        """
        data = None if body is None else json.dumps(body, ensure_ascii=False, separators=(",", ":")).encode()
        headers = {"Accept": accept, **({"Content-Type": content_type} if data is not None else {})}
        attempt = 0
        while True:
            try:
                return self._once(method, path, params or {}, data, headers)
            except ThrottledError as busy:
                attempt += 1
                if attempt > self._retries:
                    raise
                self._sleep(busy.retry_after_s)

    def _once(
        self, method: str, path: str, params: Mapping[str, str], data: bytes | None, headers: dict[str, str]
    ) -> dict[str, Any]:
        response = self._authorised(method, path, params, data, headers)
        where = f"{method} {path}"
        try:
            body = json.loads(response.content)
        except ValueError:
            body = None
        if response.status_code >= 400:
            raise error(Status.read(response.status_code, body, response.headers.get("Retry-After")), where)
        if response.status_code >= 300:
            raise not_kubernetes(self._access.server, f"{where}: redirect {response.status_code}")
        if not isinstance(body, dict):
            kind = response.headers.get("Content-Type", "no content type")
            raise not_kubernetes(
                self._access.server, f"{where}: {len(response.content)} bytes of {kind}, no JSON object"
            )
        return body

    def stream(self, path: str, params: Mapping[str, str], *, silence_s: float) -> requests.Response:
        """Open an answer that goes on (a watch) and return it unread; the caller closes it.

        `silence_s` is how long nothing may come before reading fails. Raises what `request` raises.
        """
        headers = {"Accept": JSON, "Accept-Encoding": "identity"}  # a compressor would hold events back
        response = self._authorised("GET", path, params, None, headers, (self._timeout[0], silence_s))
        if response.status_code == 200:
            return response
        with response:
            try:
                body = json.loads(response.raw.read(_REFUSAL_BYTES))
            except (ValueError, OSError, HTTPError):
                body = None
        if response.status_code < 400:
            raise not_kubernetes(self._access.server, f"GET {path}: watch answered with {response.status_code}")
        raise error(Status.read(response.status_code, body, response.headers.get("Retry-After")), f"WATCH {path}")

    def _authorised(
        self,
        method: str,
        path: str,
        params: Mapping[str, str],
        data: bytes | None,
        headers: dict[str, str],
        streaming: tuple[float, float] | None = None,
    ) -> requests.Response:
        response = self._send(method, path, params, data, headers, streaming)
        if response.status_code != 401:
            return response
        with self._credentials:
            renewed = self._access.credential.renew()
        if not renewed:
            return response
        response.close()
        return self._send(method, path, params, data, headers, streaming)

    def _send(
        self,
        method: str,
        path: str,
        params: Mapping[str, str],
        data: bytes | None,
        headers: dict[str, str],
        streaming: tuple[float, float] | None = None,
    ) -> requests.Response:
        with self._credentials:
            authorization = self._access.credential.authorization()
            certificate = self._access.credential.certificate()
        extra = {"Authorization": authorization} if authorization else {}
        if self._fence is not None and method != "GET" and "dryRun" not in params:
            self._fence()  # as late as can be: a plugin that mints a token may take a minute
        try:
            response: requests.Response = self._http.session.request(
                method,
                self._access.server + path,
                params=dict(params),
                data=data,
                headers={**headers, **extra},
                cert=certificate,
                timeout=streaming or self._timeout,
                stream=streaming is not None,
                allow_redirects=False,
            )
        except requests.exceptions.SSLError as failed:
            raise PermanentError(
                "TLS",
                f"{self._access.server} ({self._access.origin}): {_cause(failed)}; "
                "is certificate-authority in the kubeconfig that of this cluster?",
            ) from failed
        except (requests.exceptions.InvalidURL, requests.exceptions.InvalidProxyURL) as failed:
            raise PermanentError("InvalidURL", f"{self._access.server} ({self._access.origin}): {failed}") from failed
        except requests.exceptions.RequestException as failed:
            raise UnreachableError(
                f"no answer from {self._access.server} ({self._access.origin}): {_cause(failed)}", 5.0
            ) from failed
        return response


def _cause(failed: BaseException) -> str:
    """Return the innermost reason: requests wraps urllib3 wraps the socket's error."""
    seen: set[int] = set()
    inner = failed
    while id(inner) not in seen:
        seen.add(id(inner))
        reason = getattr(inner, "reason", None)
        nested = [a for a in inner.args if isinstance(a, BaseException)]
        inner = reason if isinstance(reason, BaseException) else nested[0] if nested else inner
    text = str(inner).rpartition("]: ")[2] if "Connection object at" in str(inner) else str(inner)
    return text.rpartition(": Failed")[2] or text or type(inner).__name__
