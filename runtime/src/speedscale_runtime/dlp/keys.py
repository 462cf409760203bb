"""The keys under which tokens are made: {key id: key}, in one file or one mounted Secret.

Called by whoever compiles a rule. The key in use is the one whose id sorts last, because a Secret keeps no order:
a new id that sorts behind the others is a rotation. Older keys make nothing any more; what they made is recognised
(surrogates) and can be undone (reversible tokens) as long as they stay. Nothing here logs or prints a key.
"""

from __future__ import annotations

import base64
import binascii
import contextlib
import json
import os
import secrets
import tempfile
from collections.abc import Mapping
from pathlib import Path

from speedscale_schemas.errors import ConfigError

FILE_NAME = "dlp-keys.json"
KEY_BYTES = 32
_FIRST_ID = "k1"
_MIN_BYTES = 16


class KeyRing:
    """Named keys; `active_id` and `active` are the ones that new tokens are made with."""

    __slots__ = ("_keys", "active_id")

    def __init__(self, keys: Mapping[str, bytes]) -> None:
        """Take keys by id, each of at least 16 bytes; ConfigError when there is none or one is too short."""
        problems = [
            f"dlp key {i!r}: {len(k)} bytes; at least {_MIN_BYTES} are needed"
            for i, k in keys.items()
            if len(k) < _MIN_BYTES
        ]
        if not keys:
            problems.append("dlp keys: there is no key; delete the file to have one made, or add {key id: base64}")
        if problems:
            raise ConfigError(problems)
        self._keys = dict(keys)
        self.active_id = max(self._keys)

    @property
    def active(self) -> bytes:
        """The key in use."""
        return self._keys[self.active_id]

    @property
    def older(self) -> tuple[bytes, ...]:
        """The keys that were in use before, the latest first: what they made is still recognised and undone."""
        return tuple(self._keys[i] for i in reversed(self.ids) if i != self.active_id)

    @property
    def all(self) -> tuple[bytes, ...]:
        """All keys, the one in use first."""
        return (self.active, *self.older)

    @property
    def ids(self) -> tuple[str, ...]:
        """All key ids, sorted."""
        return tuple(sorted(self._keys))

    @classmethod
    def load_or_create(cls, home: Path) -> KeyRing:
        """Read `dlp-keys.json` in `home` (SPEEDSCALE_HOME), or make one with a random key (mode 0600, atomically).

        Two processes that start at once end up with the same file. ConfigError when it cannot be read or is wrong.
        """
        path = home / FILE_NAME
        if not path.exists():
            _create(path)
        return cls.load(path)

    @classmethod
    def load(cls, path: Path) -> KeyRing:
        """Read a key file, or a directory with one file a key (a mounted Secret); ConfigError when wrong."""
        try:
            if not path.is_dir():
                return cls.parse(path.read_text("utf-8"), str(path))
            files = [f for f in sorted(path.iterdir()) if f.is_file() and not f.name.startswith(".")]
            texts = {f.name: f.read_text("utf-8").strip() for f in files}
        except (OSError, UnicodeDecodeError) as error:
            raise ConfigError([f"{path}: cannot read dlp keys: {error}"]) from error
        return cls({i: _decode(str(path), i, text) for i, text in texts.items()})

    @classmethod
    def parse(cls, text: str, source: str) -> KeyRing:
        """Read {key id: base64 key} in JSON; ConfigError, which names `source` and no key, when it is wrong."""
        try:
            texts = json.loads(text)
        except ValueError as error:
            raise ConfigError([f"{source}: cannot read dlp keys: {error}"]) from error
        if not isinstance(texts, dict):
            raise ConfigError([f"{source}: expected an object {{key id: base64 key}}"])
        return cls({str(i): _decode(source, str(i), key) for i, key in texts.items()})

    def __repr__(self) -> str:
        return f"<KeyRing {', '.join(self.ids)}; in use {self.active_id}>"


def _decode(path: str, key_id: str, text: object) -> bytes:
    if not isinstance(text, str):
        raise ConfigError([f"{path}: key {key_id!r}: expected a base64 string"])
    try:
        return base64.b64decode(text, validate=True)
    except binascii.Error as error:
        raise ConfigError([f"{path}: key {key_id!r}: no base64: {error}"]) from error


def _create(path: Path) -> None:
    text = json.dumps({_FIRST_ID: base64.b64encode(secrets.token_bytes(KEY_BYTES)).decode("ascii")}, indent=2)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{FILE_NAME}.")  # mkstemp makes it 0600
        try:
            with os.fdopen(handle, "w", encoding="utf-8") as file:
                file.write(text + "\n")
                file.flush()
                os.fsync(file.fileno())
            with contextlib.suppress(FileExistsError):  # another process was first: its key is the one
                os.link(temporary, path)
        finally:
            os.unlink(temporary)
    except OSError as error:
        raise ConfigError(
            [f"{path}: cannot write dlp keys: {error}; set SPEEDSCALE_HOME to a writable folder"]
        ) from error
