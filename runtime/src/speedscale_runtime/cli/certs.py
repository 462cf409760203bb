"""speedctl certs: make or show the local CA, and print the environment that makes runtimes trust it."""

from __future__ import annotations

import argparse
import os
import shlex
from pathlib import Path
from typing import TYPE_CHECKING

from speedscale_runtime import home as homes
from speedscale_schemas.errors import ConfigError

from .output import add_output_flag, emit, fail

if TYPE_CHECKING:
    from speedscale_runtime.tls.authority import Authority

EXAMPLES = """\
The CA is made once, in certs/ under SPEEDSCALE_HOME (default ~/.speedscale); its key never leaves that file.
Applications are given a bundle of the public roots and this CA, so that what they trusted before still works.

examples:
  speedctl certs                        make the CA if there is none; show it and the variables
  eval "$(speedctl certs --export)"     set the variables in this shell
  speedctl certs --jks                  write the trust store for Java as well and show its path
  speedctl certs --force                make a new CA; what trusted the old one must be started again
  speedctl certs -o json | jq -r .environment.SSL_CERT_FILE
"""


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of `speedctl certs`."""
    parser.epilog = EXAMPLES
    parser.add_argument("--force", action="store_true", help="make a new CA in place of the present one")
    parser.add_argument("--jks", action="store_true", help="show the Java trust store (JKS, password changeit)")
    parser.add_argument("--export", action="store_true", help="print nothing but export lines for a shell")
    parser.add_argument(
        "--home", type=Path, default=None, metavar="DIR", help="where to keep it (default: SPEEDSCALE_HOME)"
    )
    add_output_flag(parser)


def run(args: argparse.Namespace) -> int:
    """Make or load the CA and print it; 2 when its files cannot be used."""
    from speedscale_runtime.tls.authority import Authority
    from speedscale_runtime.tls.trust import trust_environment

    home = args.home or homes.folder()
    try:
        authority = Authority.create(home) if args.force else Authority.load_or_create(home)
        environment = trust_environment(authority, os.environ)
        facts = _facts(authority, environment, jks=args.jks)
    except ConfigError as error:
        return fail(str(error))
    exports = "\n".join(f"export {name}={shlex.quote(value)}" for name, value in environment.items())
    if args.export:
        emit(args, environment, exports)
        return 0
    emit(args, facts, _text(facts, exports))
    return 0


def _facts(authority: Authority, environment: dict[str, str], *, jks: bool) -> dict[str, object]:
    summary = authority.summary
    facts: dict[str, object] = {
        "certificate": str(authority.certificate_path.absolute()),
        "bundle": environment["SSL_CERT_FILE"],
        "subject": summary.subject,
        "notBefore": summary.not_before.isoformat(),
        "notAfter": summary.not_after.isoformat(),
        "sha256": summary.sha256,
        "environment": environment,
    }
    if jks:
        facts["javaTrustStore"] = str(authority.java_trust_store().absolute())
    return facts


def _text(facts: dict[str, object], exports: str) -> str:
    rows = [
        ("certificate", facts["certificate"]),
        ("subject", facts["subject"]),
        ("valid until", facts["notAfter"]),
        ("SHA-256", facts["sha256"]),
        ("bundle", f"{facts['bundle']} (public roots and this CA)"),
    ]
    if "javaTrustStore" in facts:
        rows.append(("Java", f"{facts['javaTrustStore']} (JKS, password changeit)"))
    lines = [f"{name:<12} {value}" for name, value in rows]
    return "\n".join([*lines, "", "Set these for the application whose TLS traffic is to be read:", "", exports])
