"""The public roots that an application on this machine would trust, and the contexts that verify with them.

Used by `authority` (the bundle), and by the proxy and generator for their upstream connections. Reads files,
writes none.
"""

from __future__ import annotations

import contextlib
import os
import ssl
from collections.abc import Mapping
from pathlib import Path

from speedscale_schemas.errors import ConfigError

# Where distributions keep their bundle: Debian and Alpine, Fedora and RHEL, openSUSE, FreeBSD and macOS.
SYSTEM_BUNDLES = (
    Path("/etc/ssl/certs/ca-certificates.crt"),
    Path("/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem"),
    Path("/etc/pki/tls/certs/ca-bundle.crt"),
    Path("/etc/ssl/ca-bundle.pem"),
    Path("/etc/ssl/cert.pem"),
)


# Variables by which an application may have been given further roots; the bundle that replaces them keeps those.
REPLACED = (
    "NODE_EXTRA_CA_CERTS",
    "REQUESTS_CA_BUNDLE",
    "CURL_CA_BUNDLE",
    "AWS_CA_BUNDLE",
    "GIT_SSL_CAINFO",
    "PIP_CERT",
    "CARGO_HTTP_CAINFO",
    "DENO_CERT",
    "NIX_SSL_CERT_FILE",
)


def public_roots(environ: Mapping[str, str] | None = None, *, ours: Path | None = None) -> bytes:
    """Return the PEM of the roots an application would use: those of SSL_CERT_FILE, else the system's.

    Those of the other variables that our bundle takes the place of come after them. `ours` is our own bundle: files
    in its directory are passed over. Empty when this machine has none.
    """
    environ = os.environ if environ is None else environ
    given = [Path(environ[name]) for name in ("SSL_CERT_FILE", *REPLACED) if environ.get(name)]
    given = [path for path in given if not (ours and _same(path.parent, ours.parent))]
    main = given[:1] if given and str(given[0]) == environ.get("SSL_CERT_FILE") else []
    found = next((data for path in (*main, *SYSTEM_BUNDLES) if (data := _read(path))), b"")
    return found + b"".join(b"\n" + _read(path) for path in given if path not in main)


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError:
        return b""


def client_context(
    *,
    alpn: tuple[str, ...] = (),
    extra: Path | None = None,
    certificate: Path | None = None,
    key: Path | None = None,
    environ: Mapping[str, str] | None = None,
) -> ssl.SSLContext:
    """Return a context that verifies an upstream as the application would have: chain and host name.

    Trusts the system's roots, those of SSL_CERT_FILE and SSL_CERT_DIR, and those of the variables that our bundle
    takes the place of (an unreadable file of these adds nothing, as in the bundle), and those of the PEM file `extra`,
    which adds nothing while it is not there: whoever needed it is refused by name. `certificate` and `key` are PEM
    files for mutual TLS; ConfigError when they or `extra` cannot be loaded. `alpn` is what to offer, best first.
    """
    environ = os.environ if environ is None else environ
    context = ssl.create_default_context()  # OpenSSL reads SSL_CERT_FILE and SSL_CERT_DIR itself
    given = environ.get("SSL_CERT_FILE")
    # A Python built elsewhere may look for roots where this machine has none; and a process whose SSL_CERT_FILE is
    # a private bundle still needs the public roots.
    wanted = ([Path(given)] if given else []) + [p for p in SYSTEM_BUNDLES if p.exists()][:1]
    for path in wanted:
        try:
            context.load_verify_locations(cafile=path)
        except (OSError, ssl.SSLError) as error:
            if given and path == Path(given):
                raise ConfigError([f"SSL_CERT_FILE: {path}: cannot be read as PEM certificates ({error})"]) from error
    for path in dict.fromkeys(Path(environ[name]) for name in REPLACED if environ.get(name)):
        if path not in wanted:
            with contextlib.suppress(OSError, ssl.SSLError):
                context.load_verify_locations(cafile=path)
    if extra is not None and extra.exists():
        try:
            context.load_verify_locations(cafile=extra)
        except (OSError, ssl.SSLError) as error:
            raise ConfigError([f"{extra}: cannot be read as PEM certificates ({error})"]) from error
    if alpn:
        context.set_alpn_protocols(list(alpn))
    if certificate is not None:
        try:
            context.load_cert_chain(certificate, key)
        except (OSError, ssl.SSLError) as error:
            raise ConfigError([f"client certificate {certificate}: cannot be used ({error})"]) from error
    return context


def _same(a: Path, b: Path) -> bool:
    try:
        return a.resolve() == b.resolve()
    except OSError:
        return a == b
