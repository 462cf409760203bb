"""A Containerfile for each image, for users with a registry: the same file system, made by the same code.

Called by `scripts/gen.py`. The first stage is any Debian 12 with apt; what it builds is the whole of the second, so
that a base image of one's own may hold what it likes and none of it ends in ours.
"""

from __future__ import annotations

import json
from collections.abc import Iterator

from . import native
from .build import configuration
from .catalogue import Catalogue, Image
from .closure import SOURCES

_TEMPLATE = """\
# {title}. Written by `make gen` from runtime/images/images.toml; docs/images.md says how to build and push it.
#   docker build -f {path} --platform linux/amd64,linux/arm64 -t registry.example/speedscale/{name}:v{version} .
ARG BASE=debian:{suite}-slim

FROM ${{BASE}} AS build
RUN apt-get update \\
 && apt-get install --yes --no-install-recommends {tools}
{copies}
RUN PYTHONPATH={path_of_python} \\
    python3.11 -B -m speedscale_images {name} --root /image --cache /var/tmp/images

FROM scratch
COPY --from=build /image/ /
{settings}
"""

_TOOLS = ("ca-certificates", "python3.11", "python3-packaging", "python3-pip")
_MEMBERS = tuple(dict.fromkeys(SOURCES.values()))
PYTHONPATH = ("runtime/images", *(f"{member}/src" for member in _MEMBERS))
"""Where the first stage finds our modules, below the root of the repository: no member is installed there."""


def files(catalogue: Catalogue) -> Iterator[tuple[str, str]]:
    """Yield each image's file: path from the root of the repository, and text."""
    for image in catalogue.images.values():
        path = str((catalogue.folder(image) / "Containerfile").relative_to(catalogue.root))
        yield path, text(image, path, catalogue)


def text(image: Image, path: str, catalogue: Catalogue) -> str:
    """Return the file of one image; `path` is where it lies."""
    config = configuration(image, catalogue.version)
    lines = [f"LABEL {name}={json.dumps(value)}" for name, value in config["Labels"].items()]
    lines += [f"ENV {name}={json.dumps(value)}" for name, _, value in (e.partition("=") for e in config["Env"])]
    lines += [f"WORKDIR {config['WorkingDir']}", f"USER {config['User']}"]
    lines.append(f"ENTRYPOINT {json.dumps(config['Entrypoint'])}")
    return _TEMPLATE.format(
        title=image.title,
        path=path,
        name=image.name,
        version=catalogue.version,
        suite=catalogue.suite,
        copies="\n".join(f"COPY {name} /src/{name}" for name in dict.fromkeys(m.partition("/")[0] for m in _MEMBERS)),
        path_of_python=":".join(f"/src/{folder}" for folder in PYTHONPATH),
        tools=" ".join(sorted({*_TOOLS, *(native.BUILD if image.native else ())})),
        settings="\n".join(lines),
    )
