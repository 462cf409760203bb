"""The backend of the settings, kept while they stay the same: it remembers which traffic its snapshots hold.

Called by `seeing` and `acting`. Its root is a file where the settings name one; of the backend in this cluster it is
that of the Secret which the operator itself has made; else the public ones.
"""

from __future__ import annotations

import base64
from pathlib import Path

from speedscale_controller.certificates.names import BACKEND, CA
from speedscale_controller.settings import Settings
from speedscale_controller.snapshots import Backend, BackendAwayError, in_cluster
from speedscale_kube import Client, Ref


class Backends:
    """One backend at a time."""

    def __init__(self, client: Client) -> None:
        self._client = client
        self._of: tuple[str, ...] = ()
        self._backend: Backend | None = None

    def of(self, settings: Settings) -> Backend | None:
        """Return the backend; None without an address or a key."""
        if not settings.app_url or not settings.api_key:
            return None
        wanted = (settings.app_url, settings.api_key, settings.backend_ca_file, settings.namespace)
        if wanted != self._of or self._backend is None:
            self._of = wanted
            self._backend = Backend(settings.app_url, settings.api_key, lambda: self._root(settings))
        return self._backend

    def _root(self, settings: Settings) -> bytes:
        if settings.backend_ca_file:
            try:
                return Path(settings.backend_ca_file).read_bytes()
            except OSError as error:
                raise BackendAwayError(f"BACKEND_CA_FILE: {settings.backend_ca_file}: {error.strerror}", 2.0) from error
        if not in_cluster(settings.app_url, settings.namespace):
            return b""
        secret = self._client.find(Ref("v1", "Secret", settings.namespace, BACKEND)) or {}
        text = (secret.get("data") or {}).get(CA)
        if not text:
            raise BackendAwayError(f"Secret {settings.namespace}/{BACKEND} has no {CA} yet", 2.0)
        return base64.b64decode(str(text))
