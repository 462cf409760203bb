"""The client of the backend (`speedscale-cloud`), for every part that talks to it.

Called by collector, inspector, the forwarder's exporter `backend` and speedctl. It speaks the API that
`GET /openapi.json` describes: TLS verified (own CA by BACKEND_CA_FILE, read again when it changes), proxies by the
environment, retries with back-off where a repetition is harmless. It fails with three kinds of errors only:
TransientError (away, busy: try later), PermanentError (refused; `reason` is the backend's), PeerError (what
answered is no backend, or one whose certificate we do not trust). It knows nothing of services.
"""

from __future__ import annotations

from .channel import Channel
from .client import CloudClient, Page
from .sync import run
from .target import Target, from_environment, target_of
from .transport import NOT_FOUND

__all__ = ["NOT_FOUND", "Channel", "CloudClient", "Page", "Target", "from_environment", "run", "target_of"]
