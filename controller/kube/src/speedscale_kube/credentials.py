"""Who we are to the API server: bearer tokens that rotate, and plugins that mint them.

A credential is asked before each request, so that one that rotates is never stale for long: a pod's service-account
token is replaced on disk by kubelet well before it ends, and the old one is refused an hour later at the latest.
After a 401 the transport calls `renew` and tries once more.

- `Static`: a token in the kubeconfig, or none (a client certificate, or an open server).
- `TokenFile`: read again each minute and after a 401 (in-cluster; `tokenFile` of a kubeconfig).
- `ExecPlugin`: runs the command of `users[].user.exec` (client.authentication.k8s.io/v1 and v1beta1) and keeps what it
  printed until it expires. EKS, GKE and AKS log in this way.

Built by `access`, asked by `transport`. Tokens never stand in messages.
"""

from __future__ import annotations

import json
import os
import subprocess
import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Protocol

from speedscale_schemas.errors import ConfigError

from .private import PrivateFolder

REREAD_S = 60.0
PLUGIN_TIMEOUT_S = 60.0
_EARLY_S = 10.0  # a token about to end may end on the way
_GROUP = "client.authentication.k8s.io"


class Credential(Protocol):
    """What proves who we are."""

    def authorization(self) -> str | None:
        """Return the Authorization header's value, or None."""

    def certificate(self) -> tuple[str, str] | None:
        """Return paths of a client certificate and its key where the credential mints them, else None."""

    def renew(self) -> bool:
        """Forget what is cached after a 401; True when asking again may give another credential."""


class Static:
    """A token that never changes, or none."""

    def __init__(self, token: str = "") -> None:
        self._token = token

    def authorization(self) -> str | None:
        """Return the bearer token, if there is one."""
        return f"Bearer {self._token}" if self._token else None

    def certificate(self) -> tuple[str, str] | None:
        """Certificates of a kubeconfig are pykube's part."""
        return None

    def renew(self) -> bool:
        """Nothing can change."""
        return False


class TokenFile:
    """A token in a file that somebody else rotates; `clock` is monotonic seconds."""

    def __init__(self, path: Path, clock: Callable[[], float] = time.monotonic) -> None:
        self._path, self._clock = path, clock
        self._token, self._read_at = "", float("-inf")

    def authorization(self) -> str | None:
        """Return the token, read anew when the last look is a minute old; ConfigError when the file cannot be read.

        While a token is known, a file that is gone for a moment (an atomic swap of a volume) changes nothing.
        """
        now = self._clock()
        if now - self._read_at >= REREAD_S:
            try:
                token = self._path.read_text(encoding="utf-8").strip()
            except (OSError, UnicodeDecodeError) as error:
                if not self._token:
                    raise ConfigError([f"{self._path}: the token cannot be read: {error}"]) from error
            else:
                self._token, self._read_at = token, now
        return f"Bearer {self._token}"

    def certificate(self) -> tuple[str, str] | None:
        """A token file mints none."""
        return None

    def renew(self) -> bool:
        """Read the file at the next request, whatever its age."""
        self._read_at = float("-inf")
        return True


class ExecPlugin:
    """A command that prints an ExecCredential. `spec` is `users[].user.exec`, `folder` takes minted certificates."""

    def __init__(
        self,
        spec: Mapping[str, Any],
        cluster: Mapping[str, Any],
        folder: PrivateFolder,
        now: Callable[[], float] = time.time,
    ) -> None:
        self._spec, self._cluster, self._folder, self._now = spec, cluster, folder, now
        self._status: Mapping[str, Any] | None = None
        self._until = float("inf")
        self._certificate: tuple[str, str] | None = None

    def authorization(self) -> str | None:
        """Return the minted token; ConfigError when the plugin fails, with its own words."""
        token = self._fresh().get("token")
        return f"Bearer {token}" if token else None

    def certificate(self) -> tuple[str, str] | None:
        """Return the minted certificate and key as files."""
        self._fresh()
        return self._certificate

    def renew(self) -> bool:
        """Run the plugin anew at the next request."""
        self._status = None
        return True

    def _fresh(self) -> Mapping[str, Any]:
        if self._status is None or self._now() >= self._until:
            self._status = self._run()
            self._until = _expiry(self._status.get("expirationTimestamp"))
            self._certificate = self._written(self._status)
        return self._status

    def _written(self, status: Mapping[str, Any]) -> tuple[str, str] | None:
        texts = [str(status.get(key) or "").encode() for key in ("clientCertificateData", "clientKeyData")]
        if not all(texts):
            return None
        certificate, key = (
            self._folder.write(f"exec.{n}", text) for n, text in zip(("crt", "key"), texts, strict=True)
        )
        return str(certificate), str(key)

    def _run(self) -> Mapping[str, Any]:
        command = str(self._spec["command"])
        version = str(self._spec.get("apiVersion", ""))
        if version not in (f"{_GROUP}/v1", f"{_GROUP}/v1beta1"):
            raise ConfigError([f"exec plugin {command}: apiVersion {version!r}; known are {_GROUP}/v1 and /v1beta1"])
        info: dict[str, Any] = {"apiVersion": version, "kind": "ExecCredential", "spec": {"interactive": False}}
        if self._spec.get("provideClusterInfo"):
            info["spec"]["cluster"] = dict(self._cluster)
        environment = {**os.environ, "KUBERNETES_EXEC_INFO": json.dumps(info)}
        environment |= {str(e["name"]): str(e["value"]) for e in self._spec.get("env") or ()}
        argv = [command, *(str(argument) for argument in self._spec.get("args") or ())]
        try:
            done = subprocess.run(
                argv,
                env=environment,
                stdin=subprocess.DEVNULL,
                capture_output=True,
                text=True,
                timeout=PLUGIN_TIMEOUT_S,
                check=False,
            )
        except FileNotFoundError as error:
            hint = str(self._spec.get("installHint") or "install it, or take another context").strip()
            raise ConfigError([f"exec plugin {command} is not installed; {hint}"]) from error
        except subprocess.TimeoutExpired as error:
            raise ConfigError([f"exec plugin {command} printed nothing in {PLUGIN_TIMEOUT_S:.0f} s"]) from error
        if done.returncode != 0:
            raise ConfigError([f"exec plugin {command} ended with {done.returncode}: {done.stderr.strip()[-500:]}"])
        try:
            status = json.loads(done.stdout)["status"]
            if not isinstance(status, dict):
                raise TypeError
        except (ValueError, KeyError, TypeError) as error:
            raise ConfigError([f"exec plugin {command} printed no ExecCredential with a status"]) from error
        return status


def _expiry(stamp: object) -> float:
    """Return seconds since the epoch at which a minted credential is not used any more."""
    if not isinstance(stamp, str):
        return float("inf")
    try:
        moment = datetime.fromisoformat(stamp)
    except ValueError:
        return float("inf")
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp() - _EARLY_S
