"""What an API server's refusal means: one table from HTTP status and Status object to an exception.

An API server explains every refusal in a body of kind `Status`: `reason` is one word for programs, `message` a
sentence for people, `details.causes` the fields. (`meta/v1` types, "API Conventions: Response Status Kind".) The
sentence is always quoted: it names the resource, the user and the verb better than we could.

Called by `transport`. The classes refine those of `speedscale_schemas.errors`, so that who only wants to know
"again later or never" catches TransientError and PermanentError, and who cares catches the finer one.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from speedscale_schemas.errors import PeerError, PermanentError, TransientError

DEFAULT_RETRY_S = 1.0
MAX_RETRY_S = 60.0


class NotFoundError(PermanentError):
    """The object, or its whole kind, is not there (404)."""


class ForbiddenError(PermanentError):
    """RBAC or admission does not allow it (403); asking again changes nothing."""


class UnauthorizedError(PermanentError):
    """The credentials are not accepted (401), also after they were read anew."""


class InvalidError(PermanentError):
    """The object breaks the schema or a rule of its kind (422, 400), or changes a field that is immutable."""


class ExistsError(PermanentError):
    """An object of that name is there already (409, AlreadyExists)."""


class ApplyConflictError(PermanentError):
    """Server-side apply without force met fields of other managers; `fields` names them."""

    def __init__(self, reason: str, detail: str, fields: tuple[str, ...]) -> None:
        self.fields = fields
        super().__init__(reason, detail)


class ConflictError(TransientError):
    """The object changed since it was read (409): read it again and redo the change."""


class GoneError(TransientError):
    """The resourceVersion or continue token is too old (410): list anew from the start."""


class UnreachableError(TransientError):
    """No answer: refused, timed out, or no such host."""


class ThrottledError(TransientError):
    """The server is busy (429, 503, 504, or any that names a time): again after `retry_after_s`."""


class ServerError(TransientError):
    """The server failed (500), often for a webhook that does not answer; asking again at once helps rarely."""


@dataclass(frozen=True, slots=True)
class Status:
    """The part of a `Status` object that decides: code, one-word reason, sentence, causes by field."""

    code: int
    reason: str
    message: str
    causes: tuple[tuple[str, str], ...] = ()
    retry_after_s: float | None = None

    @staticmethod
    def read(code: int, body: object, retry_after: str | None = None) -> Status:
        """Return what a refusal says; `retry_after` is that header's value, seconds only (RFC 9110 10.2.3)."""
        body = body if isinstance(body, Mapping) and body.get("kind") == "Status" else {}
        details = body.get("details")
        details = details if isinstance(details, Mapping) else {}
        causes = tuple(
            (str(cause.get("field", "")), str(cause.get("message", "")))
            for cause in details.get("causes") or ()
            if isinstance(cause, Mapping)
        )
        reason = str(body.get("reason") or _REASONS.get(code, f"HTTP {code}"))
        wait = _seconds(retry_after) or _seconds(details.get("retryAfterSeconds"))
        return Status(code, reason, str(body.get("message") or "the server gave no explanation"), causes, wait)


def error(status: Status, where: str) -> Exception:
    """Return the exception for a refusal; `where` is the request, `PATCH /api/v1/…`, and stands in the text."""
    detail = f"{status.message} ({where})"
    if status.code == 409:
        return _conflict(status, detail)
    if status.code == 410:
        return GoneError(f"{status.reason}: {detail}", 0.0)
    if status.code == 500 and any(mark in status.message for mark in _UNTYPED):
        return InvalidError("Invalid", detail)
    if status.code == 429 or status.code >= 500:
        wait = min(status.retry_after_s or DEFAULT_RETRY_S, MAX_RETRY_S)
        busy = status.retry_after_s is not None or status.code in (429, 503, 504)
        return (ThrottledError if busy else ServerError)(f"{status.reason}: {detail}", wait)
    return _PERMANENT.get(status.code, PermanentError)(status.reason, detail)


def not_kubernetes(where: str, what: str) -> PeerError:
    """Return the error for an answer that no API server gives: a proxy's login page, a truncated body."""
    return PeerError("NotKubernetes", f"{where} did not answer like a Kubernetes API server: {what}")


def _conflict(status: Status, detail: str) -> Exception:
    if status.reason == "AlreadyExists":
        return ExistsError(status.reason, detail)
    fields = tuple(name for name, message in status.causes if name and "conflict with" in message)
    if fields:
        return ApplyConflictError(status.reason, detail, fields)
    return ConflictError(f"{status.reason}: {detail}", 0.0)


def _seconds(value: Any) -> float | None:
    try:
        seconds = float(value)
    except (TypeError, ValueError):
        return None
    return seconds if 0 < seconds < 86_400 else None


_REASONS = {
    400: "BadRequest",
    401: "Unauthorized",
    403: "Forbidden",
    404: "NotFound",
    409: "Conflict",
    410: "Expired",
    422: "Invalid",
    429: "TooManyRequests",
    500: "InternalError",
    503: "ServiceUnavailable",
    504: "Timeout",
}
# What server-side apply says, with code 500, of a body that does not fit the schema: asking again cannot help.
_UNTYPED = ("failed to create typed patch object", "failed to convert new object")
_PERMANENT: dict[int, type[PermanentError]] = {
    400: InvalidError,
    401: UnauthorizedError,
    403: ForbiddenError,
    404: NotFoundError,
    422: InvalidError,
}
