"""The `speedctl` command: finds the verb's owner, imports that one module, runs it.

Verbs come from the entry point group `speedctl.verbs`; a verb's module is imported only when it runs.
"""

from __future__ import annotations

import argparse
import difflib
import importlib
import sys
from collections.abc import Sequence
from importlib.metadata import entry_points

from speedscale_schemas.verbs import Verb

from .output import fail, mute


def verbs() -> dict[str, Verb]:
    """Return every registered verb by name; ValueError when two members claim one."""
    table: dict[str, Verb] = {}
    for point in sorted(entry_points(group="speedctl.verbs"), key=lambda p: p.name):
        for verb in point.load():
            if verb.name in table:
                raise ValueError(f"verb {verb.name!r} is claimed by {table[verb.name].owner} and {verb.owner}")
            table[verb.name] = verb
    return table


def usage(table: dict[str, Verb]) -> str:
    """Return the help text: the verbs by group."""
    lines = [
        "usage: speedctl VERB [ARGUMENTS]",
        "",
        "Record real traffic, redact it, replay it as tests and mocks.",
    ]
    groups: dict[str, list[Verb]] = {}
    for verb in table.values():
        groups.setdefault(verb.group, []).append(verb)
    width = max(len(name) for name in table)
    for group, members in groups.items():
        lines += ["", f"{group}:"] + [f"  {v.name:<{width}}  {v.help}" for v in members]
    lines += ["", "speedctl VERB --help says more about each, with examples."]
    return "\n".join(lines)


def main(argv: Sequence[str] | None = None) -> int:
    """Run one verb and return its exit code: 0 good, 1 the check or goal failed, 2 error in use, 130 after Ctrl-C."""
    try:
        return _run(list(sys.argv[1:] if argv is None else argv))
    except KeyboardInterrupt:  # also while a verb's module is imported
        return 130
    except BrokenPipeError:
        mute()
        return 0
    except OSError as error:  # what no verb has a better word for: a full disk, a folder without permission
        where = f"{error.filename}: " if error.filename else ""
        return fail(f"{where}{error.strerror or error}", "is there room, and permission, where it reads and writes?")


def _run(arguments: list[str]) -> int:
    table = verbs()
    if not arguments or arguments[0] in ("-h", "--help", "help"):
        print(usage(table))
        return 0 if arguments else 2
    name = "version" if arguments[0] == "--version" else arguments[0]
    verb = table.get(name)
    if verb is None:
        near = difflib.get_close_matches(name, table, n=1)
        hint = f"; did you mean {near[0]!r}?" if near else ""
        print(f"speedctl: no verb {name!r}{hint} (speedctl --help lists them)", file=sys.stderr)
        return 2
    module = importlib.import_module(verb.module)
    parser = argparse.ArgumentParser(
        prog=f"speedctl {verb.name}",
        description=verb.help,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    module.configure(parser)
    return int(module.run(parser.parse_args(arguments[1:])))


if __name__ == "__main__":
    sys.exit(main())
