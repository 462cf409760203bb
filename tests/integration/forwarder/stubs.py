"""HTTP servers on loopback that a test plays: alone, or in front of a real one; they live as long as a `with` block."""

from __future__ import annotations

import http.client
import threading
import time
from abc import ABC, abstractmethod
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import NamedTuple, Self

_POLL_S = 0.02  # how late the end is seen
_HOP_BY_HOP = frozenset({"connection", "transfer-encoding", "content-length", "expect"})


class Answer(NamedTuple):
    """What is said to a request."""

    status: int
    headers: dict[str, str]
    data: bytes


class Server(ABC):
    """Answers as `respond`, which a subclass says."""

    def __init__(self) -> None:
        played = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"] or 0))
                status, headers, data = played.respond(self.command, self.path, dict(self.headers), body)
                self.send_response(status)
                for name, value in {**headers, "Content-Length": str(len(data))}.items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(data)

            do_PUT = do_GET = do_POST

            def log_message(self, format: str, *args: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._thread = threading.Thread(target=self._server.serve_forever, args=(_POLL_S,))
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"

    @property
    def port(self) -> int:
        """Where it listens."""
        return int(self._server.server_address[1])

    @abstractmethod
    def respond(self, method: str, path: str, headers: dict[str, str], body: bytes) -> Answer:
        """Return the answer to a request; called by several threads."""

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *error: object) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


class Stub(Server):
    """Answers as `answer`, which a subclass says; the method makes no difference."""

    def respond(self, method: str, path: str, headers: dict[str, str], body: bytes) -> Answer:
        """Ask `answer`."""
        return Answer(*self.answer(path, headers, body))

    @abstractmethod
    def answer(self, path: str, headers: dict[str, str], body: bytes) -> tuple[int, dict[str, str], bytes]:
        """Return status, headers and body for what was posted; called by several threads."""


class Interposed(Server):
    """Stands in front of a real server at `target` and passes on what it does not answer itself.

    It looks at requests that write: POST and PUT. `script` holds the answers to give first, one a request; `refuses`
    says what is answered to a request's body later, None for nothing. `asked` holds when each of those came, in
    monotonic seconds, and whether it was passed on.
    """

    def __init__(self, target: int) -> None:
        super().__init__()
        self.target = target
        self.script: list[Answer] = []
        self.refuses: Callable[[bytes], Answer | None] = lambda body: None
        self.asked: list[tuple[float, bool]] = []

    def respond(self, method: str, path: str, headers: dict[str, str], body: bytes) -> Answer:
        """Answer, or ask the server."""
        said = None
        if method in ("POST", "PUT"):
            said = self.script.pop(0) if self.script else self.refuses(body)
            self.asked.append((time.monotonic(), said is None))
        return said or self._passed_on(method, path, headers, body)

    def _passed_on(self, method: str, path: str, headers: dict[str, str], body: bytes) -> Answer:
        connection = http.client.HTTPConnection("127.0.0.1", self.target, timeout=60)
        try:
            kept = {name: value for name, value in headers.items() if name.lower() not in _HOP_BY_HOP}
            connection.request(method, path, body, kept)  # with the Host that was signed
            answer = connection.getresponse()
            data = answer.read()
            told = {name: value for name, value in answer.getheaders() if name.lower() not in _HOP_BY_HOP}
            return Answer(answer.status, told, data)
        finally:
            connection.close()
