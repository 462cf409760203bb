"""AdmissionReview, `admission.k8s.io/v1`: the request read, the answer written.

Pure. Source: the API reference of AdmissionRequest and AdmissionResponse. The answer always echoes the request's uid:
an answer without it counts as none. Called by `server` and `answers`.
"""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from speedscale_schemas.errors import PeerError

API_VERSION = "admission.k8s.io/v1"
KIND = "AdmissionReview"
WARNING_CHARACTERS = 256
WARNINGS = 15  # with their rest in one more; an API server cuts what is beyond 4096 characters in all
PREFIX_BYTES = 4096
_REASONS = {413: "RequestEntityTooLarge", 422: "Invalid", 503: "ServiceUnavailable"}
# The API server writes the fields of a request in their order, uid first.
_UID = re.compile(rb'"uid"\s*:\s*"([0-9A-Za-z-]{1,64})"')


@dataclass(frozen=True, slots=True)
class Review:
    """What the API server asks. `object` is None for DELETE, `old` for CREATE."""

    uid: str
    group: str
    version: str
    kind: str
    namespace: str
    name: str
    operation: str
    sub_resource: str
    dry_run: bool
    object: dict[str, Any] | None
    old: dict[str, Any] | None

    @property
    def place(self) -> str:
        """Namespace and name, for logs; of an object that the server has yet to name, its prefix."""
        metadata = _mapping(_mapping(self.object).get("metadata"))
        return f"{self.namespace}/{self.name or metadata.get('generateName', '')}"


@dataclass(frozen=True, slots=True)
class Response:
    """What it is told. `patch` is a JSON Patch; `refusal` the sentence for a user, empty when it is allowed."""

    patch: Sequence[Mapping[str, Any]] = ()
    warnings: tuple[str, ...] = ()
    refusal: str = ""
    code: int = 422
    audit: str = ""

    def write(self, uid: str) -> bytes:
        """Return the AdmissionReview that answers request `uid`."""
        response: dict[str, Any] = {"uid": uid, "allowed": not self.refusal}
        if self.patch and not self.refusal:
            response["patchType"] = "JSONPatch"
            response["patch"] = base64.b64encode(json.dumps(self.patch, separators=(",", ":")).encode()).decode()
        if self.refusal:
            reason = _REASONS.get(self.code, "Forbidden")
            response["status"] = {"status": "Failure", "code": self.code, "reason": reason, "message": self.refusal}
        if self.warnings:
            response["warnings"] = bounded(self.warnings)
        if self.audit:
            response["auditAnnotations"] = {"verdict": self.audit}
        body = {"apiVersion": API_VERSION, "kind": KIND, "response": response}
        return json.dumps(body, separators=(",", ":")).encode()


def read(body: bytes) -> Review:
    """Return the request; PeerError `malformed` for what is no AdmissionReview v1 with a uid."""
    try:
        document = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise PeerError("malformed", f"no JSON: {error}") from None
    told, request = _mapping(document), _mapping(_mapping(document).get("request"))
    if told.get("kind") != KIND or told.get("apiVersion") != API_VERSION:
        raise PeerError("malformed", f"expected {KIND} of {API_VERSION}")
    kind = _mapping(request.get("kind"))
    if not isinstance(request.get("uid"), str) or not request["uid"] or not isinstance(request.get("operation"), str):
        raise PeerError("malformed", "request.uid or request.operation is missing")
    return Review(
        uid=request["uid"],
        group=_text(kind.get("group")),
        version=_text(kind.get("version")),
        kind=_text(kind.get("kind")),
        namespace=_text(request.get("namespace")),
        name=_text(request.get("name")),
        operation=request["operation"],
        sub_resource=_text(request.get("subResource")),
        dry_run=request.get("dryRun") is True,
        object=_object(request.get("object")),
        old=_object(request.get("oldObject")),
    )


def uid_of(prefix: bytes) -> str:
    """Return the uid out of the first bytes of a review that is not read as a whole; empty when it is not there."""
    found = _UID.search(prefix[:PREFIX_BYTES])
    return found[1].decode() if found else ""


def bounded(warnings: Sequence[str]) -> list[str]:
    """Return the warnings as they may be sent: one line each, at most 256 characters, at most 16 of them, each once."""
    told = list(dict.fromkeys(_line(text) for text in warnings if text.strip()))
    if len(told) > WARNINGS + 1:
        told = [*told[:WARNINGS], f"and {len(told) - WARNINGS} more warnings"]
    return told


def _line(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= WARNING_CHARACTERS else line[: WARNING_CHARACTERS - 1] + "…"


def _mapping(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""


def _object(value: object) -> dict[str, Any] | None:
    return value if isinstance(value, dict) else None
