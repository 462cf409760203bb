"""What a member registers under the entry point group `speedctl.verbs`: which verbs it owns.

The table is read without importing a verb's module, so that `speedctl --help` stays fast.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Verb:
    """One verb of speedctl.

    `module` is imported only when the verb runs; it has `configure(parser) -> None`, which adds arguments to an
    `argparse.ArgumentParser`, and `run(args) -> int`, which returns the exit code (0 good, 1 the check or
    goal failed, 2 error in use or environment).
    """

    name: str
    owner: str
    module: str
    help: str
    group: str = "Local loop"
