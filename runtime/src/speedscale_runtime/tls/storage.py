"""The CA's two files on disk: made once, however many processes start at the same time, and never half-written.

Used by `authority` and `speedctl certs`. A key file is created with mode 0600 from its first byte. Two files cannot
be replaced at once: the key comes first, so that a crash leaves a key without its certificate, which the next
start completes.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import secrets
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

from speedscale_schemas import x509
from speedscale_schemas.errors import ConfigError

CA_LIFE = timedelta(days=3650)
_SKEW = timedelta(days=1)  # a machine whose clock is behind accepts the new CA too


def load_or_create(certificate: Path, key: Path, *, clock: Callable[[], float] = time.time) -> tuple[bytes, bytes]:
    """Return the PEM of certificate and key, making them when both, or the certificate alone, are missing.

    ConfigError when they cannot be used or cannot be made: with the path and what to do.
    """
    pair = _read(certificate, key)
    if pair is not None and _belong(pair):
        return pair
    # Missing, or seen between the two replacements of another process: look again when nobody writes.
    with _locked(certificate.parent):
        cert_pem, key_pem = _optional(certificate), _optional(key)
        if cert_pem is not None and key_pem is not None:
            return cert_pem, key_pem  # the caller says what is wrong with them
        if cert_pem is not None:
            raise ConfigError([f"{certificate} is there without its key {key}; restore it or make a new CA: " + _FORCE])
        return _make(certificate, key, key_pem, clock)


def create(certificate: Path, key: Path, *, clock: Callable[[], float] = time.time) -> tuple[bytes, bytes]:
    """Make a new CA in place of whatever is there; return the PEM of certificate and key."""
    with _locked(certificate.parent):
        return _make(certificate, key, None, clock)


def write_atomically(path: Path, data: bytes, mode: int) -> None:
    """Write a file so that readers see the old or the whole new one; ConfigError when that is impossible."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}.{secrets.token_hex(4)}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        handle = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
        try:
            with os.fdopen(handle, "wb") as file:
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
            os.replace(temporary, path)
        except BaseException:
            with contextlib.suppress(OSError):
                os.unlink(temporary)
            raise
    except OSError as error:
        raise ConfigError([f"{path}: cannot be written ({error.strerror}); set SPEEDSCALE_HOME elsewhere"]) from error


_FORCE = "speedctl certs --force"


def _make(certificate: Path, key: Path, key_pem: bytes | None, clock: Callable[[], float]) -> tuple[bytes, bytes]:
    key_pem = key_pem or x509.new_key()
    now = datetime.fromtimestamp(int(clock()), UTC)
    try:
        name = f"Speedscale local CA {x509.key_digest(key_pem)[:8]}"
        serial = x509.serial_from(secrets.token_bytes(20))
        cert_pem = x509.root(name, key_pem, x509.Validity(now - _SKEW, now + CA_LIFE), serial)
    except ValueError as error:
        raise ConfigError([f"{key}: {error}; make a new CA: {_FORCE}"]) from error
    write_atomically(key, key_pem, 0o600)
    write_atomically(certificate, cert_pem, 0o644)
    return cert_pem, key_pem


def _read(certificate: Path, key: Path) -> tuple[bytes, bytes] | None:
    cert_pem, key_pem = _optional(certificate), _optional(key)
    return None if cert_pem is None or key_pem is None else (cert_pem, key_pem)


def _belong(pair: tuple[bytes, bytes]) -> bool:
    try:
        x509.Issuer(*pair)
        return True
    except ValueError:
        return False


def _optional(path: Path) -> bytes | None:
    try:
        return path.read_bytes()
    except FileNotFoundError:
        return None
    except OSError as error:
        raise ConfigError([f"{path}: cannot be read ({error.strerror})"]) from error


@contextlib.contextmanager
def _locked(directory: Path) -> Iterator[None]:
    try:
        directory.mkdir(parents=True, exist_ok=True, mode=0o700)
        handle = os.open(directory / ".lock", os.O_RDWR | os.O_CREAT, 0o600)
    except OSError as error:
        raise ConfigError(
            [f"{directory}: cannot be written ({error.strerror}); set SPEEDSCALE_HOME elsewhere"]
        ) from error
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        os.close(handle)
