"""Asking a replay's collector what came out: one short call, as often as a look is taken, harmless to be repeated.

Called by `seeing`. Root and token are those of our own namespace's Secret, read when they are needed. Whatever goes
wrong is what is waited for, and in the end a note in the report: a failed collector fails no replay.
"""

from __future__ import annotations

import base64
import binascii
import json
import ssl
from collections.abc import Callable, Mapping
from typing import Any, Final

import requests
from requests.adapters import HTTPAdapter

from speedscale_controller.certificates.names import CA, OWN, TOKEN
from speedscale_controller.replay import Replay
from speedscale_controller.replay.decision import Analysis
from speedscale_controller.replay.objects import collector_host
from speedscale_kube import Client, Ref
from speedscale_schemas.errors import PermanentError, TransientError
from speedscale_schemas.validation import check

CONNECT_S, READ_S = 2.0, 5.0
ANSWER_MAX: Final = 256 * 1024
NOTES_MAX: Final = 100


class Collectors:
    """Asks collectors. `address` gives a collector's URL by its host name; a test's to replace."""

    def __init__(self, client: Client, address: Callable[[str], str] = lambda host: f"https://{host}") -> None:
        self._client, self._address = client, address

    def ask(self, replay: Replay, own: str, *, generators: int, responders: int, canceled: bool) -> Analysis:
        """Return what the collector says; `generators` and `responders` are how many pods there are."""
        state = "Canceled" if canceled else "Ended"
        counts = {"generators": generators, "responders": responders}
        question = {**counts, "state": state, "started": replay.status.started}
        try:
            root, token = self._identity(own)
            return self._post(f"{self._address(collector_host(replay, own))}/v1/analyse", question, root, token)
        except (requests.RequestException, OSError) as error:
            return Analysis(waiting=f"the collector cannot be reached ({_cause(error)})")
        except (TransientError, PermanentError, ValueError) as error:
            return Analysis(waiting=f"the collector cannot be asked ({error})")

    def _post(self, url: str, question: Mapping[str, Any], root: str, token: str) -> Analysis:
        with requests.Session() as session:
            session.trust_env = False  # HTTPS_PROXY is not for what stands in the cluster
            session.mount("https://", _Trusting(root))
            headers = {"Authorization": f"Bearer {token}"}
            answer = session.post(url, json=dict(question), headers=headers, timeout=(CONNECT_S, READ_S), stream=True)
            data = answer.raw.read(ANSWER_MAX, decode_content=True)
        if answer.status_code not in (200, 202):
            text = " ".join(data[:300].decode("utf-8", "replace").split())
            return Analysis(waiting=f"the collector says {answer.status_code}: {text}")
        document = json.loads(data)
        if not isinstance(document, dict):
            raise ValueError("its answer is no JSON object")
        if answer.status_code == 202:
            waits = ", ".join(str(one) for one in document.get("waitingFor") or ())
            return Analysis(waiting=waits[:1000] or "the collector")
        return _read(document)

    def _identity(self, own: str) -> tuple[str, str]:
        secret = self._client.find(Ref("v1", "Secret", own, OWN)) or {}
        data = secret.get("data") or {}
        try:
            root, token = (base64.b64decode(str(data[key]), validate=True).decode("ascii") for key in (CA, TOKEN))
        except (KeyError, binascii.Error, UnicodeDecodeError):
            raise ValueError(f"Secret {own}/{OWN} has no {CA} and {TOKEN} yet") from None
        return root, token.strip()


def _read(document: Mapping[str, Any]) -> Analysis:
    summary = document.get("summary")
    problems = list(check("replay-summary", summary)) if summary is not None else []
    notes = [str(note)[:1000] for note in document.get("notes") or ()][:NOTES_MAX]
    if problems:
        summary, notes = None, [*notes, f"the collector's summary is not as it should be: {problems[0]}"]
    url = str(document.get("url") or "")
    return Analysis(
        done=True,
        summary=summary,
        url=url if url.startswith("https://") else "",
        stored=tuple(str(place) for place in document.get("stored") or ())[:10],
        notes=tuple(notes),
    )


class _Trusting(HTTPAdapter):
    """Connections that trust our root only."""

    def __init__(self, root: str) -> None:
        self._context = ssl.create_default_context(cadata=root)
        super().__init__()

    def init_poolmanager(self, *args: Any, **more: Any) -> None:
        super().init_poolmanager(*args, ssl_context=self._context, **more)


def _cause(error: Exception) -> str:
    if isinstance(error, requests.exceptions.SSLError):
        return "its certificate is not trusted"
    if isinstance(error, requests.exceptions.Timeout):
        return "no answer in time"
    return "no connection" if isinstance(error, requests.exceptions.ConnectionError) else type(error).__name__
