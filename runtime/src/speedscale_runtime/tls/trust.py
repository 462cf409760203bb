"""The environment that makes the common runtimes trust the CA, beside what they trust already.

Used by `speedctl certs` and by whoever starts an application under capture. Sources: OpenSSL and Python
(SSL_CERT_FILE), Node.js (NODE_EXTRA_CA_CERTS, NODE_USE_ENV_PROXY), requests (REQUESTS_CA_BUNDLE), curl,
which ignores SSL_CERT_FILE in some builds (CURL_CA_BUNDLE), gRPC (GRPC_DEFAULT_SSL_ROOTS_FILE_PATH), libpq
(PGSSLROOTCERT), the AWS SDKs (AWS_CA_BUNDLE), the JVM (JAVA_TOOL_OPTIONS), git, which knows no other
(GIT_SSL_CAINFO), pip (PIP_CERT, which outranks REQUESTS_CA_BUNDLE), Cargo (CARGO_HTTP_CAINFO), Deno (DENO_CERT),
programs from Nix (NIX_SSL_CERT_FILE, which outranks SSL_CERT_FILE there).
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from .authority import Authority

TRUST_STORE_PASSWORD = "changeit"  # Java's own default; a trust store holds no secret
_OURS = re.compile(r"""["']?-Djavax\.net\.ssl\.trustStore(?:Password|Type)?=(?:"[^"]*"|'[^']*'|[^\s"']*)["']?\s*""")


def trust_environment(authority: Authority, environ: Mapping[str, str] | None = None) -> dict[str, str]:
    """Return the variables that an application needs, by name; writes the files that they point to.

    `environ` is the application's environment so far: what its JAVA_TOOL_OPTIONS say beside the trust store is
    kept. Variables that replace the public roots name the bundle, which holds them too; Node.js adds, so it gets
    the root alone. ConfigError when a file cannot be written.
    """
    bundle = str(authority.bundle_path.absolute())
    environ = environ or {}
    root = str(authority.certificate_path.absolute())
    # Node.js reads one file only: an application that was given one already gets the bundle, which holds that too.
    node = root if environ.get("NODE_EXTRA_CA_CERTS") in (None, "", root) else bundle
    java = java_options(str(authority.java_trust_store().absolute()))
    return {
        "SSL_CERT_FILE": bundle,
        "NODE_EXTRA_CA_CERTS": node,
        "NODE_USE_ENV_PROXY": "1",
        "REQUESTS_CA_BUNDLE": bundle,
        "CURL_CA_BUNDLE": bundle,
        "GRPC_DEFAULT_SSL_ROOTS_FILE_PATH": bundle,
        "PGSSLROOTCERT": bundle,
        "AWS_CA_BUNDLE": bundle,
        "GIT_SSL_CAINFO": bundle,
        "PIP_CERT": bundle,
        "CARGO_HTTP_CAINFO": bundle,
        "DENO_CERT": bundle,
        "NIX_SSL_CERT_FILE": bundle,
        "JAVA_TOOL_OPTIONS": merged_java_options(environ.get("JAVA_TOOL_OPTIONS", ""), java),
    }


def java_options(trust_store: str) -> str:
    """Return the JVM's options for a trust store; a path with blanks is quoted as the JVM reads it."""
    value = f'"{trust_store}"' if re.search(r"\s", trust_store) else trust_store
    return (
        f"-Djavax.net.ssl.trustStore={value} -Djavax.net.ssl.trustStorePassword={TRUST_STORE_PASSWORD}"
        " -Djavax.net.ssl.trustStoreType=JKS"
    )


def merged_java_options(existing: str, ours: str) -> str:
    """Return the application's options without an earlier trust store, and ours after them."""
    return f"{_OURS.sub('', existing).strip()} {ours}".strip()
