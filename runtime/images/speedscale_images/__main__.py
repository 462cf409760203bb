"""`make images`: build images into OCI archives, without a registry and without root, and print how big they are.

    python -m speedscale_images [IMAGE …] [--out FOLDER] [--arch amd64|arm64] [--refresh] [--json]
    python -m speedscale_images IMAGE --root FOLDER      the unpacked file system, for a Containerfile or a look
    python -m speedscale_images IMAGE --compare ARCHIVE  what another builder made of the Containerfile, beside ours

Exit codes: 0 built, or equal; 1 the archive differs from ours; 2 something is wrong with the settings or missing, said
on stderr.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from pathlib import Path

from speedscale_schemas.errors import ConfigError

from . import build, cache, catalogue, compare, debian


def main(arguments: list[str] | None = None) -> int:
    """Build what the arguments name; return the exit code."""
    args = _parser().parse_args(arguments)
    try:
        table = catalogue.load()
        images = table.select([name for word in args.images for name in word.replace(",", " ").split()])
        store = cache.Cache(args.cache)
        builder = build.Builder(table, store, args.arch, refresh=args.refresh)
        if args.root:
            return _unpack(builder, _one(images, "--root"), args.root)
        if args.compare:
            return _compare(builder, _one(images, "--compare"), args.compare, args.arch)
        built = [builder.build(image, args.out) for image in images]
        store.prune()
    except ConfigError as error:
        for problem in error.problems:
            print(f"images: {problem}", file=sys.stderr)
        return 2
    if args.json:
        print(json.dumps([image.summary() for image in built], indent=1))
    else:
        print(build.table(built))
    return 0


def _one(images: list[catalogue.Image], flag: str) -> catalogue.Image:
    if len(images) != 1:
        raise ConfigError([f"{flag} is for one image; name it"])
    return images[0]


def _unpack(builder: build.Builder, image: catalogue.Image, folder: Path) -> int:
    builder.unpack(image, folder)
    return 0


def _compare(builder: build.Builder, image: catalogue.Image, archive: Path, architecture: str) -> int:
    theirs = compare.read(archive, architecture)
    with tempfile.TemporaryDirectory() as folder:
        built = builder.build(image, Path(folder))
        found = compare.differences(theirs, compare.read(built.written.path, architecture))
    for line in found:
        print(line)
    paths = len(theirs.entries)
    print(f"{image.name}: {len(found)} differences" if found else f"{image.name}: the same, {paths} paths and settings")
    return 1 if found else 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="speedscale_images", description="build our images into OCI archives")
    parser.add_argument("images", nargs="*", help="names of images; all when none is given")
    parser.add_argument("--out", type=Path, default=catalogue.ROOT / ".cache" / "images", help="folder of the archives")
    parser.add_argument(
        "--arch", choices=("amd64", "arm64"), default=debian.machine(), help="architecture of the images"
    )
    parser.add_argument("--cache", type=Path, default=cache.folder(), help="what was downloaded and built before")
    parser.add_argument("--root", type=Path, help="write one image's file system into this folder instead")
    parser.add_argument("--compare", type=Path, help="say where this archive of one image differs from ours")
    parser.add_argument("--refresh", action="store_true", help="take Debian's newest packages")
    parser.add_argument("--json", action="store_true", help="print what was built as JSON")
    return parser


if __name__ == "__main__":
    sys.exit(main())
