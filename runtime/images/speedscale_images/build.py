"""From the table of images to archives: layers put together with a configuration, and how big they are.

Called by `__main__` and by tests. Holds no knowledge of what is in a layer.
"""

from __future__ import annotations

import tarfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from speedscale_schemas.errors import ConfigError

from . import java, layers, native, oci
from .cache import Cache, Layer
from .catalogue import Catalogue, Image
from .debian import Debian

REGISTRY = "localhost/speedscale"
NEVER = ("pip", "setuptools", "wheel")
TOOLS = (
    *("ar", "as", "cc", "clang", "cpp", "g++", "gcc", "ld", "make", "npm", "npx", "pip", "pip3", "uv"),
    *("apt", "apt-get", "bash", "dash", "dpkg", "perl", "sh", "su", "sudo"),
)
"""Programs that no image holds: who breaks in finds no shell and no compiler."""
_PATH = "/usr/local/bin:/usr/local/sbin:/usr/sbin:/usr/bin:/sbin:/bin"


@dataclass(frozen=True)
class Built:
    """An image that lies in an archive."""

    image: Image
    written: oci.Written
    layers: tuple[Layer, ...]

    def summary(self) -> dict[str, Any]:
        """Return what a program wants to know of it."""
        return {
            "name": self.image.name,
            "reference": self.written.reference,
            "digest": self.written.digest,
            "archive": str(self.written.path),
            "compressed": sum(layer.size for layer in self.layers),
            "unpacked": sum(layer.unpacked for layer in self.layers),
        }


class Builder:
    """Builds images of one architecture."""

    def __init__(self, catalogue: Catalogue, cache: Cache, architecture: str, *, refresh: bool = False) -> None:
        packages = Debian(catalogue.suite, architecture, cache)
        if refresh:
            packages.refresh()
        self._catalogue = catalogue
        self._context = layers.Context(catalogue, cache, packages, architecture)

    def build(self, image: Image, folder: Path) -> Built:
        """Write `<folder>/<image>.tar`. Raises ConfigError with what is missing or wrong."""
        found = tuple(layers.of(image, self._context))
        if wrong := problems(image, found):
            raise ConfigError(wrong)
        folder.mkdir(parents=True, exist_ok=True)
        version = f"v{self._catalogue.version}"
        reference = f"{REGISTRY}/{image.name}:{version}"
        path = folder / f"{image.name}.tar"
        config = configuration(image, self._catalogue.version)
        return Built(image, oci.write(path, reference, self._context.architecture, config, found), found)

    def unpack(self, image: Image, folder: Path) -> None:
        """Write the image's file system below `folder`."""
        folder.mkdir(parents=True, exist_ok=True)
        for layer in layers.of(image, self._context):
            with tarfile.open(layer.blob) as archive:
                archive.extractall(folder, **_TRUSTED)


# We wrote it. Python 3.11.2 of Debian 12, which a Containerfile builds with, has no filters, and trusts as this one.
_TRUSTED: Final[dict[str, Any]] = {"filter": "fully_trusted"} if hasattr(tarfile, "fully_trusted_filter") else {}


def problems(image: Image, found: Sequence[Layer]) -> list[str]:
    """Return what is wrong with an image made of these layers: what it must not hold, and libraries that it lacks."""
    distributions = {item[1] for layer in found for item in layer.packages if item[0] != "deb"}
    refused = sorted(distributions & {*image.without, *NEVER})
    tools = sorted({name for layer in found for name in layer.programs} & set(TOOLS))
    there = {name for layer in found for name in layer.libraries}
    lacking = sorted({name for layer in found for name in layer.needs} - there)
    return [
        *(f"image {image.name} holds the distribution {name}, which images.toml refuses" for name in refused),
        *(f"image {image.name} holds {name}: nothing is built, installed or typed in there" for name in tools),
        *(f"image {image.name} lacks {name}: add the Debian package that brings it to a group" for name in lacking),
    ]


def configuration(image: Image, version: str) -> dict[str, Any]:
    """Return what the image tells a runtime: user, environment, command, labels."""
    command = image.command or tuple(f"/usr/local/bin/{program}" for program in image.programs[:1])
    if image.java:
        command = java.command()
    elif image.native:
        command = (f"/{native.BIN}/{native.program(image.native)}",)
    environment = [f"PATH={_PATH}", "LANG=C.UTF-8"]
    if image.programs:
        environment.append("PYTHONDONTWRITEBYTECODE=1")
    return {
        "User": f"{image.uid}:{image.uid}",
        "Env": environment,
        "Entrypoint": list(command),
        "WorkingDir": "/",
        "Labels": {
            "org.opencontainers.image.title": f"speedscale/{image.name}",
            "org.opencontainers.image.description": image.title,
            "org.opencontainers.image.version": version,
            "org.opencontainers.image.licenses": "Apache-2.0",
        },
    }


def table(built: Sequence[Built]) -> str:
    """Return the sizes for people; what images share is counted in each of them and once in the last line."""
    rows = [("image", "compressed", "unpacked", "digest")]
    for one in built:
        summary = one.summary()
        rows.append(
            (one.image.name, _mb(summary["compressed"]), _mb(summary["unpacked"]), one.written.digest[:19]),
        )
    once = {layer.digest: layer for one in built for layer in one.layers}.values()
    rows.append(("stored once", _mb(sum(x.size for x in once)), _mb(sum(x.unpacked for x in once)), ""))
    widths = [max(len(row[column]) for row in rows) for column in range(4)]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows
    )


def _mb(size: int) -> str:
    return f"{size / 1e6:.1f} MB"
