"""The public roots that applications trusted before us, and so must trust with us.

From the image's own bundle, else certifi's. A bundle without them would cut an application off from everything that is
not intercepted, so none is written when they cannot be found.
"""

from __future__ import annotations

from pathlib import Path

from speedscale_schemas import truststore
from speedscale_schemas.errors import PermanentError

PLACES = (
    Path("/etc/ssl/certs/ca-certificates.crt"),
    Path("/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem"),
    Path("/etc/ssl/ca-bundle.pem"),
    Path("/etc/ssl/cert.pem"),
)
MAX_BYTES = 700_000
"""A Secret holds 1 MiB (1,048,576 bytes) in all."""


def roots(places: tuple[Path, ...] = PLACES) -> bytes:
    """Return the public roots as PEM. PermanentError when there are none, or more than a Secret can hold."""
    for path in (*places, _certifi()):
        found = _read(path)
        if not found:
            continue
        if len(found) > MAX_BYTES:
            detail = f"{path}: {len(found)} bytes of public roots; a Secret can take {MAX_BYTES}"
            raise PermanentError("PublicRootsTooLarge", detail)
        return found
    raise PermanentError("NoPublicRoots", f"none of {', '.join(map(str, places))} has certificates")


def _read(path: Path) -> bytes:
    try:
        content = path.read_bytes()
    except OSError:
        return b""
    return b"".join(dict.fromkeys(truststore.split_pem(content)))


def _certifi() -> Path:
    import certifi

    return Path(certifi.where())
