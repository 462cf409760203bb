"""The test config of `speedctl replay`: the one that is named, with the command line's load, timing and transforms."""

from __future__ import annotations

import argparse
import copy
import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from speedscale_runtime.generator import testconfig
from speedscale_runtime.report import goals
from speedscale_schemas.errors import ConfigError


def config_of(args: argparse.Namespace, home: Path, source: Path) -> dict[str, Any]:
    """Return the test config document with the command line's load, timing and transforms; ConfigError when wrong."""
    document = copy.deepcopy(testconfig.load(args.test_config, home))
    testconfig.read(document, f"test config {args.test_config}")
    generator = document.setdefault("generator", {})
    stages = generator.setdefault("stages", [{"virtualUsers": {}}])
    if args.stage:
        stages[:] = [_stage(text) for text in args.stage]
    for stage in stages:
        _adjust(args, stage)
    if args.load_test:
        generator["lowData"] = True
    if args.sessions:
        generator["bySession"] = True
    transforms = _transform_documents(args, source)
    if transforms:
        document["transforms"] = _merged([document.get("transforms") or {}, *transforms])
    testconfig.read(document, "command line")
    goals.conditions(document.get("rules") or [])
    return document


def _adjust(args: argparse.Namespace, stage: dict[str, Any]) -> None:
    held = stage.get("virtualUsers") if "virtualUsers" in stage else stage.get("requestsPerSecond")
    if held is None:
        return
    if args.vus is not None:
        held["virtualUsers"] = str(args.vus)
    if args.duration and not args.stage:
        held["duration"] = args.duration
        held.pop("iterations", None)
    if "virtualUsers" not in stage:
        return
    if args.times is not None:
        held["iterations"] = args.times
    if args.load_test and not args.timing:
        held["requestDelay"] = {"timing": "full-speed"}
    if args.timing:
        held["requestDelay"] = _timing(args.timing)


def _timing(text: str) -> dict[str, Any]:
    if text in ("recorded", "full-speed"):
        return {"timing": text}
    match = re.fullmatch(r"(\d+(?:\.\d+)?)x", text)
    if not match or not float(match[1]):
        raise ConfigError([f"--timing {text!r}: write recorded, full-speed, or a speed such as 2x"])
    return {"timing": "multiplied", "multiplier": 1 / float(match[1])}


def _stage(text: str) -> dict[str, Any]:
    parts = dict(part.split("=", 1) for part in text.split(",") if "=" in part)
    known = {"vus": "virtualUsers", "rps": "requestsPerSecond", "for": "duration", "ramp": "rampTime"}
    if not parts or set(parts) - set(known) or len(parts) != len(text.split(",")) or not {"vus", "rps"} & set(parts):
        raise ConfigError([f"--stage {text!r}: write vus=N,for=D,ramp=D or rps=N,for=D,ramp=D,vus=N"])
    values: dict[str, Any] = {known[key]: value for key, value in parts.items()}
    if "rps" not in parts:
        return {"virtualUsers": values}
    try:
        values["requestsPerSecond"] = float(parts["rps"])
    except ValueError:
        raise ConfigError([f"--stage {text!r}: rps is a number"]) from None
    return {"requestsPerSecond": values}


def _transform_documents(args: argparse.Namespace, source: Path) -> list[Mapping[str, Any]]:
    """The transform set of the command line, else the blueprints beside the recording."""
    folder = source if source.is_dir() else source.parent
    if args.transform_set:
        files = [Path(args.transform_set)]
    else:
        places = (folder, folder.parent, folder.parent / "proxymock")
        found = {path.resolve() for place in places for path in place.glob("blueprints/*.json")}
        files = sorted(found)
    documents: list[Mapping[str, Any]] = []
    for path in files:
        try:
            document = json.loads(path.read_text("utf-8"))
        except (OSError, ValueError) as error:
            raise ConfigError([f"{path}: no readable transform set: {error}"]) from error
        if not isinstance(document, dict):
            raise ConfigError([f"{path}: expected a JSON object, found {type(document).__name__}"])
        documents.append(document.get("tokenizeConfig", document))
    return documents


def _merged(documents: list[Mapping[str, Any]]) -> dict[str, Any]:
    merged: dict[str, Any] = {"id": "merged"}
    for key in ("generator", "generatorVariables"):
        merged[key] = [item for document in documents for item in document.get(key) or []]
    return merged
