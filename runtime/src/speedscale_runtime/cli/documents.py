"""Documents that a user names on the command line: as JSON or as YAML, a DLP rule also by its id.

Called by verbs. Services read JSON alone (`home`), so that their images need no YAML.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from speedscale_runtime import home as homes
from speedscale_runtime import rules
from speedscale_schemas.errors import ConfigError

if TYPE_CHECKING:
    from speedscale_runtime.dlp import Redactor

YAML_SUFFIXES = (".yaml", ".yml")


def read(path: Path, label: str) -> dict[str, Any]:
    """Return the object in a JSON or YAML file; `label` names it in messages. ConfigError where there is none."""
    if path.suffix not in YAML_SUFFIXES:
        return homes.read(path, label).document
    from ruamel.yaml import YAML  # 0.1 s to import: only for those who write YAML
    from ruamel.yaml.error import YAMLError

    try:
        document = YAML(typ="safe", pure=True).load(path.read_text("utf-8"))
    except FileNotFoundError:
        raise ConfigError([f"{label}: {path}: no such file"]) from None
    except OSError as error:
        raise ConfigError([f"{path}: cannot be read: {error.strerror}"]) from error
    except (YAMLError, ValueError) as error:
        raise ConfigError([f"{path}: expected YAML: {error}"]) from error
    if not isinstance(document, dict):
        raise ConfigError([f"{path}: expected an object, found {type(document).__name__}"])
    return document


def dlp_rule(reference: str) -> dict[str, Any]:
    """Return the DLP rule that an id, or the name of a JSON or YAML file, means; ConfigError where there is none."""
    if reference.endswith(YAML_SUFFIXES):
        return read(Path(reference), "dlp rule")
    return homes.find("dlp-rule", reference, homes.folder(), files=True).document


def redactor(reference: str) -> Redactor:
    """Return the rule compiled under the key of SPEEDSCALE_HOME, which is made where it is missing."""
    return rules.compiled(dlp_rule(reference), homes.folder())
