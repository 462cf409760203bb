"""What is installed into an image is what its wheels hold, whatever became of the installer's cache."""

from __future__ import annotations

import base64
import hashlib
from pathlib import Path

import pytest
from speedscale_images import catalogue, wheels
from speedscale_images.tree import Tree

ROOTS = b"public roots\n"


def write(target: Path, data: bytes) -> None:
    """A distribution as an installer lays it out; its RECORD tells the hash of `ROOTS`."""
    digest = base64.urlsafe_b64encode(hashlib.sha256(ROOTS).digest()).rstrip(b"=").decode()
    for name, content in {
        "certifi/cacert.pem": data,
        "certifi/odd, name.py": b"",
        "certifi-1.dist-info/METADATA": b"Name: certifi\nVersion: 1\n",
        "certifi-1.dist-info/RECORD": (
            f'certifi/cacert.pem,sha256={digest},9\n"certifi/odd, name.py",,\n'
            "../../bin/gone,sha256=x,1\ncertifi-1.dist-info/RECORD,,\n"
        ).encode(),
    }.items():
        (target / name).parent.mkdir(parents=True, exist_ok=True)
        (target / name).write_bytes(content)


def test_a_file_that_is_not_its_wheels_is_found(tmp_path: Path) -> None:
    write(tmp_path, ROOTS)
    assert wheels.changed(tmp_path) == []
    write(tmp_path, ROOTS + b"one more\n")
    assert wheels.changed(tmp_path) == ["certifi/cacert.pem"]


@pytest.mark.parametrize("fresh_too", [False, True], ids=["cache", "always"])
def test_a_changed_cache_is_left_aside_and_anything_else_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fresh_too: bool
) -> None:
    asked = []

    def fetch(_: Path, __: str, target: Path, *, fresh: bool = False) -> None:
        asked.append(fresh)
        write(target, ROOTS if fresh and not fresh_too else ROOTS + b"one more\n")

    monkeypatch.setattr(wheels, "_fetch", fetch)
    tree = Tree()
    if fresh_too:
        with pytest.raises(catalogue.ConfigError, match=r"certifi/cacert\.pem is not what its wheel says"):
            wheels.install(tmp_path / "requirements.txt", "amd64", lambda _: False, tree)
    else:
        assert wheels.install(tmp_path / "requirements.txt", "amd64", lambda _: False, tree)[0][1] == "certifi"
        assert tree.read(f"{wheels.SITE}/certifi/cacert.pem") == ROOTS
    assert asked == [False, True]
