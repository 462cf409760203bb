"""The verbs that this member owns; imported by every `speedctl` start, so nothing heavy here."""

from __future__ import annotations

from speedscale_schemas.verbs import Verb

_HERE = "speedscale_runtime.cli"


def _verb(name: str, module: str, help: str, group: str = "Local loop") -> Verb:
    return Verb(name, "runtime", f"{_HERE}.{module}", help, group)


VERBS = (
    _verb("record", "record", "record the traffic of an application, redacted"),
    _verb("mock", "mock", "serve recorded answers in place of the dependencies"),
    _verb("replay", "replay", "send recorded requests to an application and report what changed"),
    _verb("snapshot", "snapshot", "make and show immutable snapshots of recordings"),
    _verb("report", "report", "write the report of a replay again, in any format"),
    _verb("inspect", "inspect", "list what a recording or snapshot holds"),
    _verb("files", "files", "validate, convert, compare and filter recordings", "Files"),
    _verb("dlp", "dlp", "find, redact and explain personal data in recordings", "Files"),
    _verb("import", "importing", "turn HAR, curl, WireMock or Postman files into recordings", "Files"),
    _verb("export", "exporting", "turn recordings into HAR, curl, k6, WireMock or Postman files", "Files"),
    _verb("forwarder", "forwarder", "show what a forwarder's spool holds, and how far its exporters are", "Set-up"),
    _verb("cloud", "cloud", "list, get, push and pull what the backend has; its keys", "Backend"),
    _verb("certs", "certs", "make the local certificate authority for TLS interception", "Set-up"),
    _verb("completion", "completion", "print a completion script for bash, zsh or fish", "Set-up"),
    _verb("version", "version", "print the version", "Set-up"),
)
