"""What an upgrade changes in the cluster, told before anything is committed: by object, field, right and image.

Called by `speedctl synth --against`. `compare` is pure; only `revisions` runs git.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from speedscale_schemas.errors import ConfigError

from .compare import compare
from .model import Action, Change, ImageChange, Key, Manifest, ObjectChange, Report, RightsChange, Risk
from .render import as_data, render_markdown, render_text
from .revisions import at

__all__ = [
    "Action",
    "Change",
    "ImageChange",
    "Key",
    "ObjectChange",
    "Report",
    "RightsChange",
    "Risk",
    "against",
    "as_data",
    "at",
    "compare",
    "render_markdown",
    "render_text",
]


def against(ref: str, out_dir: Path | str, new_objects: Sequence[Manifest]) -> Report:
    """Return what `new_objects` change, compared with the files of `out_dir` as committed at a git revision.

    `ref` is anything git takes for a commit (`HEAD`, `origin/main`, `v0.2.0`), or a folder of another output.
    `out_dir` need not exist on disk. Raises ConfigError when there is no such revision, no repository, no git, or no
    manifest in that folder at that revision; each says what to do. What is there and malformed is refused, too.
    """
    before, name = at(ref, Path(out_dir))
    try:
        return compare(before, new_objects, old_name=name, new_name="this output")
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        reason = f"an object there is malformed ({type(error).__name__}: {error})"
        raise ConfigError([f"{name}: {reason}; check that revision's output with speedctl validate"]) from error
