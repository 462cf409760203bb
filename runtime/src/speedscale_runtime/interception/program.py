"""What the programs that write rules have in common: arguments, exit codes, the log, the container's last words.

Called by `iptables` and `routes`. Exit codes: 0 good; 1 `--check` found the rules changed; 2 settings are
wrong, or rules cannot be read or written (0 where ON_FAILURE is `pass`).
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final

from speedscale_runtime.telemetry.lines import Lines
from speedscale_schemas.errors import ConfigError, PermanentError

from .applying import Planner, Report, Work
from .backend import Cause, choose
from .config import Common
from .pod import Network

_LAST_WORDS_MAX: Final = 3500  # the kubelet keeps 4096 bytes
_REMOVAL: Final = frozenset({"LOG_LEVEL", "IPTABLES_BACKEND"})


@dataclass(frozen=True, slots=True)
class Prepared:
    """A program's settings, what makes its plans, and what there is to say about them beforehand."""

    settings: Common
    planner: Planner
    notes: tuple[str, ...] = ()
    anew: bool = False


@dataclass(frozen=True, slots=True)
class Program:
    """`name` as it is called; `label` for marks; `prepare` reads the environment, raising ConfigError, PermanentError.

    It is asked for removal with only those settings that removing needs, since rules must go out whatever the others
    say.
    """

    name: str
    label: str
    about: str
    prepare: Callable[[Mapping[str, str], bool], Prepared]


def run(program: Program, argv: Sequence[str], environ: Mapping[str, str]) -> int:
    """Do what the arguments say; returns the exit code."""
    args = _parser(program).parse_args(argv)
    log = Lines(program.name.removeprefix("speedscale-"), environ.get("LOG_LEVEL", "info"))
    last_words = _LastWords(environ.get("TERMINATION_LOG", "/dev/termination-log"), log)
    # of the environment itself: the settings may be what is wrong
    may_pass = environ.get("ON_FAILURE") == "pass" and not (args.check or args.print or args.remove)
    if args.remove:
        environ = {name: value for name, value in environ.items() if name in _REMOVAL}
    try:
        return _carry_out(program, program.prepare(environ, args.remove), args, last_words, log)
    except ConfigError as error:
        cause, told = "settings", list(error.problems)
    except PermanentError as error:
        cause, told = error.reason, [str(error)]
    except Exception as error:
        log.exception("rules_fault")
        cause, told = "fault", [f"{type(error).__name__}: this is a mistake of the program's own"]
    for line in told:
        sys.stderr.write(f"{program.name}: {line}\n")
    log.error("rules_failed", cause=cause, follows="the pod starts without" if may_pass else "exit code 2")
    last_words.say({"error": told, "cause": cause})
    return 0 if may_pass else 2


def _parser(program: Program) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog=program.name, description=program.about)
    what = parser.add_mutually_exclusive_group()
    what.add_argument("--print", "--dry-run", action="store_true", help="print what would be written, write nothing")
    what.add_argument("--check", action="store_true", help="exit with 1 and say where when the rules were changed")
    what.add_argument("--remove", action="store_true", help="take our rules out, and nothing else")
    return parser


def _carry_out(
    program: Program, prepared: Prepared, args: argparse.Namespace, last_words: _LastWords, log: Lines
) -> int:
    settings = prepared.settings
    if settings.on_the_node and not args.remove:
        raise PermanentError(
            Cause.NODE_NETWORK, "the pod's address is its node's (hostNetwork): these rules would be the node's"
        )
    notes = list(prepared.notes)
    work = Work(choose(settings.backend, notes), program.label, Network.read())
    report = Report(work.backend.name, notes=notes)
    if args.print:
        sys.stdout.write(work.show(prepared.planner, report, anew=prepared.anew))
        _tell(report, log)
        return 0
    if args.check:
        work.check(prepared.planner, report)
        _tell(report, log)
        for line in report.differences:
            sys.stdout.write(f"{line}\n")
        log.info("rules_checked", backend=report.backend, digests=report.digests, changed=bool(report.differences))
        return 1 if report.differences else 0
    work.write(prepared.planner, report, anew=prepared.anew)
    _tell(report, log)
    state = _state(report, removing=args.remove)
    log.info(f"rules_{state}", backend=report.backend, digests=report.digests, rules=report.rules)
    said = {key: value for key, value in asdict(report).items() if value}
    last_words.say({"state": state, **said})
    return 0


def _state(report: Report, *, removing: bool) -> str:
    if not report.changed:
        return "unchanged" if report.digests else "none"
    return "removed" if removing or not report.digests else "written"


def _tell(report: Report, log: Lines) -> None:
    for note in report.notes:
        log.warning("rules_note", note=note)


class _LastWords:
    """The file from which the kubelet takes what a container says at its end; never a reason to fail."""

    def __init__(self, path: str, log: Lines) -> None:
        self._path, self._log = Path(path) if path else None, log

    def say(self, said: Mapping[str, object]) -> None:
        """Write what was done, where there is such a file; shortened to what it may hold."""
        if self._path is None:
            return
        try:
            if self._path.exists():
                text = json.dumps(said, default=str)
                short = {k: v for k, v in said.items() if k in ("state", "digests", "backend", "cause", "rules")}
                self._path.write_text(text if len(text) <= _LAST_WORDS_MAX else json.dumps(short, default=str), "utf-8")
        except OSError as error:
            self._log.warning("last_words_not_written", error=type(error).__name__)
